// <sb-toggle>: latches, and acts on the way down; a guarded one needs half a second, with a ring.

import * as law from '../lib/law.js';
import { setAttribute } from './dom.js';
import { PressElement } from './pressing.js';

export class Toggle extends PressElement {
  static css = PressElement.pressCss;

  build(root) {
    this.makeFace(root);
    this.face.setAttribute('role', 'switch');
  }

  get isOn() {
    return isOn(this.control, this.value);
  }

  press() {
    this.touch();
    this.input(this.control.kind === 'bool' ? !this.isOn : law.limit(this.control)[this.isOn ? 0 : 1]);
    this.release();
  }

  extraClasses() {
    return [...super.extraClasses(), ...(this.isOn && !this.isBlank ? ['on'] : [])];
  }

  draw() {
    this.drawFace(this.status.waiting ? '\u2026' : this.label);
    setAttribute(this.face, 'aria-checked', String(this.isOn));
  }
}

/** A value as on or off: numbers by the middle of their range. */
export function isOn(control, value) {
  if (typeof value !== 'number' || !control) return value === true;
  const [low, high] = law.range(control);
  return value >= (low + high) / 2;
}
