// <sb-fader>: relative, vertical (or orientation="horizontal"), 1:1 with the travel in the control's curve.

import * as law from '../lib/law.js';
import { h, setAttribute } from './dom.js';
import { SliderElement } from './slider.js';

const CAP_PX = 36;
const DB_MARKS = [10, 5, 0, -5, -10, -20, -30, -40, -60];
const MARK_APART_PX = 19;
const NUMBER_AT_PX = 36; // from the track's middle to a mark's number
const DIGIT_PX = 8;

export class Fader extends SliderElement {
  static css = `
:host { width: 96px; height: 360px; }
:host([orientation="horizontal"]) { width: 320px; height: 64px; }
.value { height: var(--sb-value-h, 32px); line-height: var(--sb-value-h, 32px); margin-bottom: var(--sb-value-gap, 4px); }
.narrow .value { height: var(--sb-value-h, 28px); line-height: var(--sb-value-h, 28px); }
.medium .value.long .unit { display: none; }
.body { min-width: 60px; margin-right: var(--sb-meter-room, 0px); cursor: default; }
.track {
  position: absolute; left: 50%; top: 13px; bottom: 13px; width: 10px; margin-left: -5px; border-radius: 5px;
  background-color: var(--track); overflow: hidden;
}
.fill { position: absolute; inset: 0; background: var(--mark); transform-origin: 0 100%; transform: scaleY(0); will-change: transform; }
.rail { position: absolute; top: 18px; bottom: 18px; left: 0; right: 0; pointer-events: none; }
.carrier { position: absolute; top: 0; bottom: 0; left: 50%; width: 0; will-change: transform; }
.cap {
  position: absolute; left: calc(var(--sb-cap, 64px) / -2); top: -18px; width: var(--sb-cap, 64px); height: 36px; border-radius: 7px;
  background: var(--cap, var(--text2)); box-shadow: 0 0 0 2px var(--well, var(--panel));
}
.cap::after {
  content: ""; position: absolute; left: 6px; right: 6px; top: 16px; height: 4px; border-radius: 2px;
  background: var(--bg);
}
.tick { position: absolute; left: 50%; height: 0; width: 0; }
.tick i { position: absolute; top: -1px; height: 2px; width: 9px; background: var(--edge); opacity: .7; }
.tick i:first-child { left: -20px; }
.tick i:nth-child(2) { left: 11px; }
.tick.zero i { background: var(--text); opacity: 1; width: 12px; }
.tick.zero i:first-child { left: -23px; }
.tick b {
  position: absolute; right: ${NUMBER_AT_PX}px; top: -7px; white-space: nowrap; font: 500 12px/14px system-ui, sans-serif; letter-spacing: -.02em;
  font-variant-numeric: tabular-nums; color: var(--text2);
}
.tick.zero b { color: var(--text); font-weight: 700; }

/* mine: the value under the finger is read from the side of the stage */
.mine .value { z-index: 20; }
.mine:not(.narrow) .value .num { font-size: 40px; font-weight: 600; display: inline-block; transform: translateY(6px); }
.mine:not(.narrow) .value.long .num { font-size: 34px; font-stretch: semi-condensed; }
.mine:not(.narrow) .value .unit { display: none; }
.mine .value { background: none; }
.mine .value::before {
  content: ""; position: absolute; inset: 0 1px -12px; border: 3px solid var(--text); border-radius: 10px;
  background: var(--bg);
}
.mine.narrow .value::before { inset: 0; border-radius: 8px; }

.mine .cap { background: var(--text); box-shadow: 0 0 0 2px var(--bg), 0 0 0 5px var(--text); }
.mine.fine .cap::after { background: repeating-linear-gradient(90deg, var(--bg) 0 4px, transparent 4px 8px); }
.held .cap { box-shadow: 0 0 0 2px var(--well, var(--panel)), 0 0 0 5px var(--other); }
.unconfirmed .cap { background: var(--well, var(--panel)); border: 3px dashed var(--warn); box-shadow: none; }
.unconfirmed .cap::after { background: var(--warn); left: 3px; right: 3px; top: 13px; }
.waiting .carrier, .waiting .fill { visibility: hidden; }
.waiting .track { background: none; border: 2px dotted var(--edge); }
.silent .track {
  width: 18px; margin-left: -9px; border-radius: 4px;
  background-image: repeating-linear-gradient(135deg, var(--edge) 0 3px, transparent 3px 8px);
}
.silent .fill { opacity: .35; }
.readonly .cap { height: 4px; top: -2px; border-radius: 2px; background: var(--text); box-shadow: 0 0 0 2px var(--well, var(--panel)); }
.readonly .cap::after { display: none; }
.locked .cap::after, .offline .cap::after { display: none; }
.locked .cap { background: var(--edge); }
.offline .tick.zero i { background: var(--edge); }
.offline .tick b { color: var(--edge); }
.offline .fill { opacity: .45; }

.hardware { position: absolute; top: 0; bottom: 0; left: 50%; width: 0; display: none; will-change: transform; }
.pickup .hardware { display: block; }
.hardware .mark { position: absolute; left: calc(var(--sb-cap, 64px) / -2 - 2px); top: -6px; width: calc(var(--sb-cap, 64px) + 4px); height: 12px; border: 2px solid var(--other); border-radius: 6px; }
.hardware .arrow { position: absolute; left: -9px; width: 18px; height: 14px; background: var(--other); }
.hardware .up { top: -25px; clip-path: polygon(50% 0, 100% 100%, 0 100%); }
.hardware .down { top: 12px; clip-path: polygon(0 0, 100% 0, 50% 100%); }
.hardware .arrow { display: none; }
.hardware.rise .up, .hardware.fall .down { display: block; }

.across { display: grid; grid-template-columns: 116px minmax(0, 1fr); grid-template-rows: 1fr 1fr; column-gap: 8px; }
.across .name { grid-area: 1 / 1; height: auto; margin: 0; justify-content: flex-end; white-space: nowrap; }
.across .value { grid-area: 2 / 1; height: 32px; line-height: 32px; margin: 0; background: none; }
.bare.across .value { grid-area: 1 / 1 / 3 / 2; align-self: center; }
.across .body { grid-area: 1 / 2 / 3 / 3; min-width: 60px; margin-right: 0; }
.across.mine:not(.narrow) .value .num { font-size: 28px; transform: none; }
.across.mine .value::before { inset: 0; }
.across .track { left: 13px; right: 13px; top: 50%; bottom: auto; width: auto; height: 10px; margin: -5px 0 0; }
.across .fill { transform-origin: 0 0; transform: scaleX(0); }
.across .rail { left: 18px; right: 18px; top: 0; bottom: 0; }
.across .carrier, .across .hardware { left: 0; right: 0; top: 50%; bottom: auto; width: auto; height: 0; }
.across .cap { left: -18px; top: -32px; width: 36px; height: 64px; }
.across .cap::after { left: 16px; right: auto; width: 4px; height: auto; top: 6px; bottom: 6px; }
.across.unconfirmed .cap::after { left: 13px; top: 3px; bottom: 3px; }
.across.mine .cap, .across.held .cap { top: -27px; height: 54px; }
.across.readonly .cap { width: 4px; height: 64px; left: -2px; top: -32px; }
.across.silent .track { height: 18px; margin-top: -9px; width: auto; margin-left: 0; }
.across .tick { top: 50%; left: auto; }
.across .tick i:first-child { left: -1px; width: 2px; height: 9px; top: -20px; }
.across .tick i:nth-child(2) { left: -1px; width: 2px; height: 9px; top: 11px; }
.across .hardware .mark { left: -6px; top: -32px; width: 12px; height: 64px; }
.across .hardware .arrow { width: 14px; height: 18px; top: -9px; left: auto; }
.across .hardware .up { left: 12px; clip-path: polygon(0 0, 100% 50%, 0 100%); }
.across .hardware .down { left: -26px; clip-path: polygon(100% 0, 100% 100%, 0 50%); }
`;

  #marks = '';

  build(root) {
    this.fill = h('div', { class: 'fill' });
    this.carrier = h('div', { class: 'carrier' }, h('div', { class: 'cap', part: 'cap' }));
    this.hardwareMark = h('div', { class: 'hardware' },
      h('div', { class: 'mark' }), h('div', { class: 'arrow up' }), h('div', { class: 'arrow down' }));
    this.scale = h('div', { class: 'scale' });
    const rail = h('div', { class: 'rail' }, this.scale, this.hardwareMark, this.carrier);
    const body = h('div', { class: 'body', part: 'body' }, h('div', { class: 'track' }, this.fill), rail);
    this.makeSlider(body);
    root.append(this.makeName(), this.makeValueBox(), body);
    this.bodySize = { width: 0, height: 0 };
    this.bodyWatch = new ResizeObserver(([{ contentRect }]) => {
      this.bodySize = { width: contentRect.width, height: contentRect.height };
      this.drawNow(performance.now());
    });
    this.bodyWatch.observe(body);
  }

  get isHorizontal() {
    return this.getAttribute('orientation') === 'horizontal';
  }

  get travel() {
    return (this.isHorizontal ? this.bodySize.width : this.bodySize.height) - CAP_PX;
  }

  get nameWidth() {
    return this.isHorizontal ? 116 : this.width;
  }

  positionAt(event) {
    const { left, bottom } = this.area.getBoundingClientRect(); // once a touch
    return ((this.isHorizontal ? event.clientX - left : bottom - event.clientY) - CAP_PX / 2) / this.travel;
  }

  extraClasses() {
    const words = [];
    if (this.isHorizontal) words.push('across', 'one');
    else if (this.width < 124) words.push('medium');
    if (this.hasAttribute('bare')) words.push('bare');
    if (this.drag?.isFine) words.push('fine');
    return words;
  }

  draw() {
    const axis = this.isHorizontal ? 'X' : 'Y';
    const position = this.position ?? 0;
    const way = (p) => `translate${axis}(${round(100 * (this.isHorizontal ? p : 1 - p))}%)`;
    this.carrier.style.transform = way(position);
    const { origin } = this;
    const length = Math.abs(position - origin);
    const start = Math.min(position, origin);
    const shift = this.isHorizontal ? start : -start;
    this.fill.style.transform = `translate${axis}(${round(100 * shift)}%) scale${axis}(${round(length, 4)})`;
    const { hardware } = this;
    if (hardware !== null) {
      this.hardwareMark.style.transform = way(hardware);
      this.hardwareMark.className = `hardware ${hardware < position ? 'rise' : 'fall'}`;
    }
    this.drawName();
    this.drawValueBox();
    this.drawSlider();
    this.#drawMarks();
  }

  /** The scale beside the track: the marks of a desk for dB, else quarters. */
  #drawMarks() {
    const { control } = this;
    const travel = Math.max(0, this.travel);
    const { width } = this.bodySize;
    const key = control ? `${control.id}|${control.curve}|${law.range(control)}|${travel}|${width}|${this.isHorizontal}|${control.bipolar}` : '';
    if (key === this.#marks) return;
    this.#marks = key;
    this.scale.textContent = '';
    if (!control || travel < 80) return;
    const isDb = control.unit === 'dB';
    const [low, high] = law.range(control);
    const isLog = control.curve === 'log';
    const values = isDb ? DB_MARKS : isLog ? decades(low, high) : null;
    const marks = values?.filter((value) => value >= low && value <= high).map((value) => [law.position(control, value), value, short(Math.abs(value))])
      ?? [0, 0.25, 0.5, 0.75, 1].map((p) => [p, null, '']);
    const room = width / 2 - NUMBER_AT_PX;
    const isNumbered = values && !this.isHorizontal && marks.every(([, , text]) => text.length * DIGIT_PX <= room);
    let last = Infinity;
    for (const [p, value, text] of marks) {
      const isZero = value === 0 || (control.bipolar && p === this.origin);
      if (values && Math.abs(last - p) * travel < MARK_APART_PX && !isZero) continue;
      last = p;
      const tick = h('div', { class: isZero ? 'tick zero' : 'tick' }, h('i'), h('i'));
      if (isNumbered) tick.append(h('b', {}, text));
      tick.style[this.isHorizontal ? 'left' : 'top'] = `${round(100 * (this.isHorizontal ? p : 1 - p))}%`;
      this.scale.append(tick);
    }
    setAttribute(this.scale, 'aria-hidden', 'true');
  }
}

/** 100, 200, 500, 1000 …: the marks of a frequency scale, from the top. */
function decades(low, high) {
  const marks = [];
  for (let decade = 10 ** Math.floor(Math.log10(low)); decade <= high; decade *= 10) marks.push(decade, 2 * decade, 5 * decade);
  return marks.reverse();
}

function short(number) {
  return number >= 1000 ? `${round(number / 1000, 1)}k` : String(round(number, 3));
}

function round(number, digits = 3) {
  return Number(number.toFixed(digits));
}
