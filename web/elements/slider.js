// SliderElement: what fader and knob share. Drag, fine, reset by double tap, keys, and the role of a slider.

import { DoubleTap, RelativeDrag } from '../lib/gesture.js';
import * as law from '../lib/law.js';
import { setAttribute } from './dom.js';
import { DragElement } from './drag.js';
import { Finger } from './finger.js';

const PAGE_STEPS = 10;

export class SliderElement extends DragElement {
  #tap = new DoubleTap();
  #seconds = 0;

  /** For widgets: px from position 0 to 1, whether the finger goes left to right, and the detent's place or null. */
  get travel() {
    return 240;
  }

  get isHorizontal() {
    return false;
  }

  get detent() {
    return null;
  }

  /** Where on its way a finger is, for controls that are not relative; null where a widget has no such place. */
  positionAt() {
    return null;
  }

  /** Position 0..1 of the value; null where there is none. */
  get position() {
    const value = this.value;
    if (this.isBlank || !this.control || typeof value === 'string' || Array.isArray(value)) return null;
    return law.position(this.control, Number(value));
  }

  get measures() {
    const [low, high] = law.limit(this.control).map((end) => law.position(this.control, end));
    return { travel: Math.max(1, this.travel), low, high, center: this.detent };
  }

  get extent() {
    return `${this.isHorizontal} ${this.travel}`;
  }

  /** Where the hardware stands, or null. */
  get hardware() {
    const { hardware } = this.status;
    return hardware === null || !this.control ? null : law.position(this.control, hardware);
  }

  /** Position from which the drawn value grows: the middle of a bipolar control, else its low end. */
  get origin() {
    return this.control?.bipolar ? law.position(this.control, 0) : 0;
  }

  /** Make an element of the shadow tree the slider: one finger, the keys, the role. */
  makeSlider(area) {
    this.area = area;
    area.setAttribute('role', 'slider');
    area.setAttribute('tabindex', '0');
    this.fingers.push(new Finger(area, {
      mayStart: () => this.isFree && !this.isBlank,
      down: (event) => this.#down(event),
      move: (event) => this.#move(event),
      up: (event, isCancelled) => this.#up(event, isCancelled),
      second: (isDown) => this.addSecond(isDown ? 1 : -1),
    }));
    area.addEventListener('keydown', (event) => this.#key(event));
    area.addEventListener('blur', () => this.endKeys());
  }

  /** A second finger in the same strip has come (1) or gone (−1): fine while there is one. */
  addSecond(count) {
    this.#seconds = Math.max(0, this.#seconds + count);
    this.#tap.cancel();
    this.#setFine(this.#seconds > 0);
  }

  drawSlider() {
    const { area, control } = this;
    const [low, high] = control ? law.limit(control) : [0, 1];
    setAttribute(area, 'aria-label', this.fullName);
    setAttribute(area, 'aria-orientation', this.isHorizontal ? 'horizontal' : 'vertical');
    setAttribute(area, 'aria-valuemin', low);
    setAttribute(area, 'aria-valuemax', high);
    setAttribute(area, 'aria-valuenow', this.isBlank ? low : Number(this.value));
    setAttribute(area, 'aria-valuetext', this.spoken);
    setAttribute(area, 'aria-disabled', this.isFree ? null : 'true');
    setAttribute(area, 'aria-readonly', this.isReadonly ? 'true' : null);
  }

  #down(event) {
    this.begin(new RelativeDrag(this.measures));
    this.#seconds = 0;
    const c = this.#coordinate(event);
    const at = this.control.relative === false ? this.positionAt(event) : null;
    if (at === null) this.drag.down(this.position, c, event.timeStamp);
    else this.drag.jump(at, c, event.timeStamp);
    if (event.shiftKey) this.drag.setFine(true);
    this.#tap.down(event.clientX, event.clientY, event.timeStamp, event.isPrimary);
    this.touch();
    if (at !== null && this.drag) this.#moved(this.drag.position); // without a drag: the touch was refused
  }

  #move(event) {
    this.#tap.move(event.clientX, event.clientY);
    const c = this.#coordinate(event);
    this.turned(c);
    this.#setFine(this.#seconds > 0 || event.shiftKey);
    const position = this.drag.move(c, event.timeStamp);
    if (position !== null) this.#moved(position);
  }

  #moved(position) {
    this.ask(law.clamp(this.control, law.valueAt(this.control, position)));
  }

  #up(event, isCancelled) {
    this.drag = null;
    this.#seconds = 0;
    const isDouble = !isCancelled && this.#tap.up(event.clientX, event.clientY, event.timeStamp);
    if (isCancelled) this.#tap.cancel();
    if (isDouble && this.control.reset) this.input(this.control.default ?? law.range(this.control)[0]);
    this.release();
  }

  #setFine(isFine) {
    if (!this.drag || this.drag.isFine === isFine) return;
    this.drag.setFine(isFine);
    this.invalidate();
  }

  #coordinate(event) {
    return this.isHorizontal ? event.clientX : -event.clientY;
  }

  #key(event) {
    if (event.key === 'Enter') {
      event.preventDefault();
      this.askValue();
      return;
    }
    if (!this.isFree || this.isBlank || event.altKey || event.ctrlKey || event.metaKey) return;
    const [low, high] = law.limit(this.control);
    const steps = {
      ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: PAGE_STEPS, PageDown: -PAGE_STEPS,
    }[event.key];
    let value;
    if (steps !== undefined) value = law.step(this.control, Number(this.value), steps, event.shiftKey);
    else if (event.key === 'Home') value = low;
    else if (event.key === 'End') value = high;
    else return;
    event.preventDefault();
    this.inputByKey(value);
  }
}
