// <sb-label>: what a control stands at, to be read and not moved.

import { ControlElement } from './base.js';
import { ruler } from './dom.js';

const UNIT_GAP = 12; // px beside the value and before its unit

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
.tight .unit { display: none; }
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
    const { text, unit } = this.reading;
    const isTight = this.width > 0 && ruler(24, 600)(text) + ruler(14, 600)(unit) + UNIT_GAP > this.width;
    return isTight ? ['one', 'tight'] : ['one'];
  }

  draw() {
    this.drawName(1);
    this.drawValueBox();
    this.valueBox.setAttribute('aria-label', `${this.fullName} ${this.spoken}`);
  }
}
