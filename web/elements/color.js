// <sb-color>: hue and saturation on a field, brightness beside it; the swatch says "#rrggbb" and takes a typed one.

import { fromHsv, inkOn, toHex, toHsv, toRgb } from '../lib/color.js';
import { ControlElement } from './base.js';
import { h, setAttribute, setText } from './dom.js';
import { Finger } from './finger.js';

const STEP = 1 / 100;
const PARTS = ['hue', 'saturation', 'brightness'];

export class ColorPicker extends ControlElement {
  static css = `
:host { width: 280px; height: 240px; }
.head { flex: none; display: flex; align-items: center; justify-content: space-between; margin-bottom: 6px; height: 28px; gap: 8px; }
.head .name { flex: 1; margin: 0; height: 28px; line-height: 28px; text-align: left; }
.head .value { width: auto; min-width: 104px; height: 28px; line-height: 28px; padding: 0 8px; font-size: 18px; background: none; color: var(--swatch-ink); }
.head .value .num { color: inherit !important; }
.swatch { position: absolute; inset: 0; border-radius: 6px; background: var(--swatch, #000); box-shadow: inset 0 0 0 2px rgba(128, 128, 128, .5); }
.body { display: flex; gap: 8px; }
.plane, .light { position: relative; border-radius: 8px; overflow: hidden; outline-offset: 2px; cursor: default; box-shadow: inset 0 0 0 2px var(--edge); }
.plane { flex: 1;
  background: linear-gradient(to bottom, transparent, #fff),
    linear-gradient(to right, #f00, #ff0 16.67%, #0f0 33.33%, #0ff 50%, #00f 66.67%, #f0f 83.33%, #f00); }
.light { flex: 0 0 56px; background: linear-gradient(to top, #000, var(--full, #fff)); }
.narrow .light { flex-basis: 40px; }
.dot, .level { position: absolute; pointer-events: none; }
.rail { position: absolute; inset: 16px; pointer-events: none; }
.light .rail { left: 0; right: 0; }
.carrier { position: absolute; inset: 0; will-change: transform; }
.dot { left: -14px; top: -14px; width: 28px; height: 28px; border-radius: 50%; border: 4px solid #0b0d10; box-shadow: 0 0 0 2px #fff, inset 0 0 0 2px #fff; }
.level { left: 4px; right: 4px; top: -7px; height: 14px; border-radius: 7px; border: 4px solid #0b0d10; box-shadow: 0 0 0 2px #fff, inset 0 0 0 2px #fff; }
.axis { position: absolute; width: 1px; height: 1px; opacity: 0; pointer-events: none; }
.axis:focus-visible ~ .ringed { display: block; }
.ringed { display: none; position: absolute; inset: 3px; border: 3px solid #fff; border-radius: 6px; box-shadow: 0 0 0 3px #000; pointer-events: none; }
.mine .plane, .mine .light { box-shadow: inset 0 0 0 3px var(--text); }
.held .plane, .held .light { box-shadow: inset 0 0 0 3px var(--other); }
.unconfirmed .dot, .unconfirmed .level { border-style: dashed; border-color: var(--warn); box-shadow: none; }
.unconfirmed .swatch { background: none; border: 3px dashed var(--warn); box-shadow: none; }
.waiting .carrier { visibility: hidden; }
.waiting .swatch { visibility: hidden; }
.waiting .plane, .waiting .light { filter: saturate(.15) brightness(.5); }
.silent .plane::after, .silent .light::after { content: ""; position: absolute; inset: 0; background-image: repeating-linear-gradient(135deg, rgba(0,0,0,.55) 0 5px, transparent 5px 12px); }
.readonly .carrier { visibility: hidden; }
.readonly .plane, .readonly .light { display: none; }
.readonly .body::after { content: ""; flex: 1; border-radius: 8px; background: var(--swatch, #000); }
.locked .dot, .locked .level { border-color: var(--edge); box-shadow: none; }
.locked .plane, .locked .light { filter: brightness(.55); }
.offline .plane, .offline .light { filter: grayscale(1) brightness(.45); }
.offline .swatch { filter: grayscale(1); }
`;

  #hsv = [0, 0, 0];
  #rect = null;

  build(root) {
    this.swatch = h('span', { class: 'swatch', 'aria-hidden': 'true' });
    const box = this.makeValueBox();
    box.prepend(this.swatch);
    this.axes = PARTS.map((part, i) => {
      const axis = h('div', { class: 'axis', role: 'slider', tabindex: 0, 'aria-valuemin': 0, 'aria-valuemax': 100 });
      axis.addEventListener('keydown', (event) => this.#key(event, i));
      axis.addEventListener('blur', () => this.endKeys());
      return axis;
    });
    this.dot = h('div', { class: 'carrier' }, h('div', { class: 'dot' }));
    this.level = h('div', { class: 'carrier' }, h('div', { class: 'level' }));
    this.plane = h('div', { class: 'plane' }, this.axes[0], this.axes[1], h('div', { class: 'rail' }, this.dot), h('div', { class: 'ringed' }));
    this.light = h('div', { class: 'light' }, this.axes[2], h('div', { class: 'rail' }, this.level), h('div', { class: 'ringed' }));
    this.#watch(this.plane, (x, y) => [x, 1 - y, this.#hsv[2]]);
    this.#watch(this.light, (x, y) => [this.#hsv[0], this.#hsv[1], 1 - y]);
    root.append(h('div', { class: 'head' }, this.makeName(), box), h('div', { class: 'body' }, this.plane, this.light));
  }

  // A colour is picked where the finger is: no way from one colour to the next is worth keeping.
  #watch(area, hsvAt) {
    const go = (event) => {
      const inside = (at, size) => Math.min(1, Math.max(0, (at - 16) / Math.max(1, size - 32)));
      const x = inside(event.clientX - this.#rect.left, this.#rect.width);
      const y = inside(event.clientY - this.#rect.top, this.#rect.height);
      this.#pick(hsvAt(x, y));
    };
    this.fingers.push(new Finger(area, {
      mayStart: () => this.isFree && !this.isBlank,
      down: (event) => {
        this.#rect = area.getBoundingClientRect(); // once a touch
        this.touch();
        go(event);
      },
      move: go,
      up: () => this.release(),
    }));
  }

  #pick(hsv) {
    this.#hsv = hsv;
    const alpha = toRgb(this.value)[3];
    this.input(toHex([...fromHsv(hsv), alpha]));
  }

  // Grey has no hue and black no saturation: keep what the finger chose, as long as it gives this colour.
  valued(value) {
    if (typeof value !== 'string') return;
    const wanted = toHex(toRgb(value).slice(0, 3));
    if (toHex(fromHsv(this.#hsv)) === wanted) return;
    const hsv = toHsv(toRgb(value));
    if (hsv[1] === 0) hsv[0] = this.#hsv[0];
    if (hsv[2] === 0) hsv[1] = this.#hsv[1];
    this.#hsv = hsv;
  }

  #key(event, index) {
    if (!this.isFree || this.isBlank) return;
    const steps = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10, Home: -1000, End: 1000 }[event.key];
    if (event.key === 'Enter') this.askValue();
    if (steps === undefined) return;
    event.preventDefault();
    const hsv = [...this.#hsv];
    hsv[index] = Math.min(1, Math.max(0, hsv[index] + steps * STEP));
    this.#hsv = hsv;
    this.inputByKey(toHex([...fromHsv(hsv), toRgb(this.value)[3]]));
  }

  get nameWidth() {
    return this.width && Math.max(40, this.width - 124);
  }

  extraClasses() {
    return ['one'];
  }

  draw() {
    const [hue, saturation, brightness] = this.#hsv;
    this.dot.style.transform = `translate(${(hue * 100).toFixed(2)}%, ${((1 - saturation) * 100).toFixed(2)}%)`;
    this.level.style.transform = `translateY(${((1 - brightness) * 100).toFixed(2)}%)`;
    const shown = this.isBlank ? '#000000' : toHex(toRgb(this.value).slice(0, 3));
    const style = this.root.style;
    style.setProperty('--swatch', shown);
    style.setProperty('--swatch-ink', this.isBlank || this.status.unconfirmed ? 'inherit' : inkOn(shown));
    style.setProperty('--full', toHex(fromHsv([hue, saturation, 1])));
    this.drawName(1);
    this.drawValueBox();
    setText(this.unit, '');
    PARTS.forEach((part, i) => {
      setAttribute(this.axes[i], 'aria-label', `${this.fullName} ${part}`);
      setAttribute(this.axes[i], 'aria-valuenow', Math.round(this.#hsv[i] * 100));
      setAttribute(this.axes[i], 'aria-valuetext', i === 0 ? `${Math.round(this.#hsv[0] * 360)}°` : `${Math.round(this.#hsv[i] * 100)} %`);
      setAttribute(this.axes[i], 'aria-disabled', this.isFree ? null : 'true');
    });
  }
}
