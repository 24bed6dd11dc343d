// <sb-label>: what a control stands at, to be read and not moved.

import { ControlElement } from './base.js';

export class Label extends ControlElement {
  static css = `
:host { width: 128px; height: 64px; }
.root { justify-content: center; }
.name { height: 20px; line-height: 20px; color: var(--text2); font-weight: 500; margin-bottom: 2px; }
.narrow .name { height: 20px; }
.value { background: none; font-weight: 600; overflow: hidden; text-overflow: ellipsis; }
.silent .root, .waiting .root { opacity: 1; }
.silent .value { background-image: repeating-linear-gradient(135deg, var(--track) 0 3px, transparent 3px 9px); }
.readonly .value .num, .locked .value .num { color: var(--text); }
.offline .value .num { color: var(--edge); }
`;

  build(root) {
    root.append(this.makeName(), this.makeValueBox());
  }

  // Shown only: nothing to type.
  get isFree() {
    return false;
  }

  extraClasses() {
    return ['one'];
  }

  draw() {
    this.drawName(1);
    this.drawValueBox();
    this.valueBox.setAttribute('aria-label', `${this.fullName} ${this.spoken}`);
  }
}
