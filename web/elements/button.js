// <sb-button>: a trigger fires on the way down; a momentary is on while a finger is on it, and rests however that ends.

import { Debounce } from '../lib/gesture.js';
import * as law from '../lib/law.js';
import { setAttribute } from './dom.js';
import { PressElement } from './pressing.js';
import { isOn } from './toggle.js';

const FLASH_MS = 140;

export class Button extends PressElement {
  static css = `${PressElement.pressCss}
.face { border-radius: 28px; }
.guard rect { rx: 30px; }
`;

  #debounce = new Debounce();
  #isPressed = false;
  #flashTimer = 0;

  build(root) {
    this.makeFace(root);
  }

  get isTrigger() {
    return this.control?.kind === 'trigger';
  }

  // A trigger keeps no value, so there is nothing to wait for.
  get isBlank() {
    return this.isTrigger ? this.status.waiting : super.isBlank;
  }

  press() {
    const { control } = this;
    if (this.isTrigger) {
      if (!this.#debounce.fires(performance.now())) return;
      this.trigger();
      this.flash();
      return;
    }
    this.touch();
    if (control.momentary) {
      this.#isPressed = true;
      this.input(control.kind === 'bool' ? !this.#rest : this.#rest === law.limit(control)[1] ? law.limit(control)[0] : law.limit(control)[1]);
    } else {
      this.input(control.kind === 'bool' ? !isOn(control, this.value) : law.limit(control)[isOn(control, this.value) ? 0 : 1]);
      this.release();
    }
  }

  unpress() {
    if (!this.#isPressed) return;
    this.#isPressed = false;
    this.input(this.#rest);
    this.release();
  }

  /** It was fired, here or elsewhere: light up for a moment. */
  flash() {
    clearTimeout(this.#flashTimer);
    this.#flashTimer = setTimeout(() => {
      this.#flashTimer = 0;
      this.invalidate();
    }, FLASH_MS);
    this.invalidate();
  }

  get #rest() {
    return this.control.rest ?? (this.control.kind === 'bool' ? false : law.range(this.control)[0]);
  }

  get isOn() {
    if (this.isTrigger) return this.#flashTimer !== 0;
    if (this.control?.momentary) return !this.isBlank && this.value !== this.#rest;
    return isOn(this.control, this.value);
  }

  extraClasses() {
    return [...super.extraClasses(), ...(this.isOn ? ['on'] : []), ...(this.control?.color ? ['colored'] : [])];
  }

  draw() {
    this.drawFace(this.status.waiting ? '\u2026' : this.label);
    setAttribute(this.face, 'aria-pressed', this.isTrigger ? null : String(this.isOn));
  }
}
