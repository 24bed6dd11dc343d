// DragElement: what fader, knob and plane share. A drag goes on from where the control stands, whatever has moved it.

import { same } from '../lib/model.js';
import { ControlElement } from './base.js';

export class DragElement extends ControlElement {
  drag = null;
  #screen = '';
  #asked; // the value that the drag asked for last

  /** For widgets: where the value is, as the drag has it, or null; and what `rebase` of lib/gesture.js takes besides. */
  get position() {
    return null;
  }

  get measures() {
    return {};
  }

  /** For widgets: what a finger's coordinates depend on besides the window. */
  get extent() {
    return '';
  }

  /** A finger is down, with this drag. */
  begin(drag) {
    this.drag = drag;
    this.#screen = this.#screenNow;
    this.#asked = this.value;
  }

  /** Before a move to these coordinates: true where they are of another screen, by which they would leap. */
  turned(...at) {
    if (this.#screenNow === this.#screen) return false;
    this.#screen = this.#screenNow;
    this.#goOn(at);
    return true;
  }

  /** The drag has come to this value. */
  ask(value) {
    this.#asked = value;
    this.input(value);
  }

  described() {
    this.#goOn();
  }

  valued(value) {
    if (!same(value, this.#asked)) this.#goOn();
  }

  /** The drag's next move begins where the control stands now, and the finger there. */
  #goOn(at = [this.drag?.last].flat()) {
    const { position } = this;
    if (!this.drag || position === null) return;
    this.drag.rebase(...at, { ...this.measures, position });
    this.#asked = this.value;
  }

  get #screenNow() {
    return `${this.extent} ${innerWidth} ${innerHeight}`;
  }
}
