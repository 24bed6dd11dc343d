// <sb-xy>: two components of a vector on a plane, relative; a second finger locks an axis. Keys work on both axes.

import { PlaneDrag } from '../lib/gesture.js';
import * as law from '../lib/law.js';
import { h, ruler, setAttribute, setText } from './dom.js';
import { DragElement } from './drag.js';
import { Finger } from './finger.js';

const NAMES = ['X', 'Y'];
const PAD_PX = 20; // the puck stays inside
const BESIDE_PX = 156; // the values beside the finger
const LOW_PX = 290; // lower than this, name and value stand left of the plane, where there is room
const SIDE_PX = 120;

export class XY extends DragElement {
  static css = `
:host { width: 272px; height: 300px; }
.name { height: 20px; line-height: 20px; text-align: left; }
.head { flex: none; display: flex; align-items: baseline; justify-content: space-between; margin-bottom: 6px; height: 24px; gap: 8px; }
.head .name { flex: 1; margin: 0; height: 24px; line-height: 24px; }
.head .name { white-space: nowrap; }
.head .value { width: auto; height: 24px; line-height: 24px; font-size: 18px; background: none; padding: 0 2px; }
.side { flex-direction: row; gap: 8px; }
.side .head { flex: 0 0 ${SIDE_PX - 8}px; height: auto; margin: 0; flex-direction: column; justify-content: flex-start; align-items: stretch; }
.side .head .name { flex: none; height: 44px; line-height: 22px; white-space: normal; justify-content: flex-start; }
.side .head .value { height: 52px; white-space: normal; text-align: left; padding: 2px 0; }
.body {
  border-radius: 10px; border: 2px solid var(--edge); background-color: var(--well, var(--bg)); overflow: hidden; cursor: default;
}
.grid { position: absolute; inset: ${PAD_PX}px; pointer-events: none; border: 1px solid var(--track); }
.grid i { position: absolute; background: var(--track); }
.grid i:nth-child(odd) { width: 1px; top: 0; bottom: 0; }
.grid i:nth-child(even) { height: 1px; left: 0; right: 0; }
.grid .half { opacity: 1; background: var(--edge); }
.rail { position: absolute; inset: ${PAD_PX}px; pointer-events: none; }
.carrier { position: absolute; inset: 0; will-change: transform; }
.line { position: absolute; background: var(--mark); opacity: .8; }
.line.h { left: -2000px; right: -2000px; height: 2px; top: -1px; }
.line.v { top: -2000px; bottom: -2000px; width: 2px; left: -1px; }
.puck {
  position: absolute; left: -18px; top: -18px; width: 36px; height: 36px; border-radius: 50%; background: var(--cap, var(--text2));
  border: 10px solid var(--cap, var(--text2)); background: var(--mark); box-shadow: 0 0 0 3px var(--well, var(--bg));
}
.beside {
  position: absolute; left: 0; top: 0; padding: 4px 10px; border-radius: 10px; background: var(--panel); border: 3px solid var(--text);
  font-size: 28px; font-weight: 600; line-height: 32px; white-space: pre; pointer-events: none; display: none; z-index: 20; text-align: center; width: ${BESIDE_PX}px;
}
.dragging .beside { display: block; }
.mine .puck { border-color: var(--text); box-shadow: 0 0 0 2px var(--bg), 0 0 0 5px var(--text); }
.mine .body { border-color: var(--text); }
.lockedx .line.v, .lockedy .line.h { opacity: .15; }
.held .body { border-color: var(--other); box-shadow: inset 0 0 0 1px var(--other); }
.held .puck { box-shadow: 0 0 0 2px var(--bg), 0 0 0 5px var(--other); }
.unconfirmed .puck { background: none; border: 3px dashed var(--warn); }
.unconfirmed .line { opacity: .25; }
.waiting .carrier { visibility: hidden; }
.waiting .body { border-style: dotted; }
.silent .body { background-image: repeating-linear-gradient(135deg, var(--track) 0 4px, transparent 4px 12px); }
.readonly .puck { visibility: hidden; }
.readonly .body { border-color: var(--track); }
.locked .puck { background: var(--edge); border-color: var(--edge); }
.locked .body { border-color: var(--track); }
.offline .body { border-color: var(--track); }
.offline .line { opacity: .35; }
.axis { position: absolute; width: 1px; height: 1px; opacity: 0; pointer-events: none; }
.axis:focus-visible ~ .ringed { display: block; }
.ringed { display: none; position: absolute; inset: 2px; border: 2px solid var(--mark); border-radius: 7px; pointer-events: none; }
`;

  #rect = null;

  build(root) {
    this.carriers = ['v', 'h'].map((line) => h('div', { class: 'carrier' }, h('div', { class: `line ${line}` })));
    this.puck = h('div', { class: 'carrier' }, h('div', { class: 'puck' }));
    this.axes = NAMES.map((name, i) => {
      const axis = h('div', { class: 'axis', role: 'slider', tabindex: 0, 'aria-orientation': i ? 'vertical' : 'horizontal' });
      axis.addEventListener('keydown', (event) => this.#key(event, i));
      axis.addEventListener('blur', () => this.endKeys());
      return axis;
    });
    this.besides = h('div', { class: 'beside', 'aria-hidden': 'true' });
    const body = h('div', { class: 'body', part: 'body' }, ...this.axes, grid(),
      h('div', { class: 'rail' }, ...this.carriers, this.puck), h('div', { class: 'ringed' }));
    this.body = body;
    root.append(h('div', { class: 'head' }, this.makeName(), this.makeValueBox()), body, this.besides);
    this.bodySize = { width: 240, height: 240 };
    new ResizeObserver(([{ contentRect }]) => {
      this.bodySize = { width: contentRect.width, height: contentRect.height };
    }).observe(body);
    this.fingers.push(new Finger(body, {
      mayStart: () => this.isFree && !this.isBlank,
      down: (event) => this.#down(event),
      move: (event) => this.#move(event),
      up: () => this.#up(),
      second: (isDown) => this.drag?.setLocked(isDown),
    }));
  }

  #down(event) {
    this.begin(new PlaneDrag(this.measures));
    this.#look();
    const isRelative = this.control.relative !== false;
    if (isRelative) this.drag.down(this.position, event.clientX, -event.clientY, event.timeStamp);
    else this.drag.jump(this.#positionAt(event), event.clientX, -event.clientY, event.timeStamp);
    this.touch();
    if (!this.drag) return; // the touch was refused
    if (!isRelative) this.#moved(this.drag.position);
    this.#place(event);
  }

  #move(event) {
    if (this.turned(event.clientX, -event.clientY)) this.#look();
    const moved = this.drag.move(event.clientX, -event.clientY, event.timeStamp);
    if (moved) this.#moved(moved);
    this.#place(event);
  }

  #moved(positions) {
    this.ask(positions.map((p) => law.clamp(this.control, law.valueAt(this.control, p))));
  }

  get measures() {
    const [low, high] = law.limit(this.control).map((end) => law.position(this.control, end));
    return {
      width: Math.max(1, this.bodySize.width - 2 * PAD_PX),
      height: Math.max(1, this.bodySize.height - 2 * PAD_PX),
      low: [low, low],
      high: [high, high],
    };
  }

  get extent() {
    return `${this.bodySize.width} ${this.bodySize.height}`;
  }

  #look() {
    this.#rect = this.getBoundingClientRect(); // once a screen; the finger's place is relative to it
  }

  #positionAt(event) {
    const { left, bottom } = this.body.getBoundingClientRect(); // once a touch
    const { width, height } = this.bodySize;
    return [(event.clientX - left - PAD_PX) / (width - 2 * PAD_PX), (bottom - event.clientY - PAD_PX) / (height - 2 * PAD_PX)];
  }

  #up() {
    this.drag = null;
    this.release();
  }

  /** Both values beside the finger: above it where there is room, else below. */
  #place(event) {
    const x = event.clientX - this.#rect.left;
    const y = event.clientY - this.#rect.top;
    const half = BESIDE_PX / 2;
    this.finger = {
      x: Math.min(Math.max(x - half, 0), Math.max(0, this.width - BESIDE_PX)),
      y: y > 140 ? y - 136 : y + 56,
    };
    this.invalidate();
  }

  get position() {
    if (this.isBlank || !this.control || !Array.isArray(this.value)) return null;
    return this.value.map((part) => law.position(this.control, part));
  }

  #key(event, index) {
    if (!this.isFree || this.isBlank) return;
    const [low, high] = law.limit(this.control);
    const steps = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10 }[event.key];
    // Up and down always mean y, left and right x, whichever of the two has the focus.
    const axis = /Up|Down/.test(event.key) && event.key.startsWith('Arrow') ? 1 : event.key.startsWith('Arrow') ? 0 : index;
    const parts = [...this.value];
    if (steps !== undefined) parts[axis] = law.step(this.control, parts[axis], steps, event.shiftKey);
    else if (event.key === 'Home') parts[index] = low;
    else if (event.key === 'End') parts[index] = high;
    else if (event.key === 'Enter') return this.askValue();
    else return;
    event.preventDefault();
    this.inputByKey(parts);
  }

  get #isSide() {
    return this.height > 0 && this.height < LOW_PX && this.width >= 240 + SIDE_PX;
  }

  get nameWidth() {
    if (this.#isSide) return SIDE_PX - 8;
    return this.width && Math.max(60, this.width - 14 - ruler(18, 600)(this.reading.text));
  }

  extraClasses() {
    const free = this.drag?.isLocked ? this.drag.free : null;
    return [this.#isSide ? 'side' : 'one', ...(this.drag ? ['dragging'] : []), ...(free === 0 ? ['lockedy'] : free === 1 ? ['lockedx'] : [])];
  }

  draw() {
    const { position } = this;
    const isKnown = position !== null;
    const [x, y] = position ?? [0, 0];
    this.carriers[0].style.transform = `translateX(${(x * 100).toFixed(3)}%)`;
    this.carriers[1].style.transform = `translateY(${((1 - y) * 100).toFixed(3)}%)`;
    this.puck.style.transform = `translate(${(x * 100).toFixed(3)}%, ${((1 - y) * 100).toFixed(3)}%)`;
    this.drawName();
    this.drawValueBox();
    NAMES.forEach((name, i) => {
      const axis = this.axes[i];
      const [low, high] = this.control ? law.limit(this.control) : [0, 1];
      const part = isKnown ? this.value[i] : low;
      const { text, unit } = isKnown ? law.format(this.control, part) : { text: 'waiting', unit: '' };
      setAttribute(axis, 'aria-label', `${this.fullName} ${name}`);
      setAttribute(axis, 'aria-valuemin', low);
      setAttribute(axis, 'aria-valuemax', high);
      setAttribute(axis, 'aria-valuenow', part);
      setAttribute(axis, 'aria-valuetext', unit ? `${text} ${unit}` : text);
      setAttribute(axis, 'aria-disabled', this.isFree ? null : 'true');
    });
    if (this.drag && isKnown) {
      setText(this.besides, this.value.map((part, i) => `${NAMES[i]} ${law.format(this.control, part).text}`).join('\n'));
      this.besides.style.transform = `translate(${this.finger.x.toFixed(0)}px, ${this.finger.y.toFixed(0)}px)`;
    }
  }
}

function grid() {
  const lines = [25, 50, 75].flatMap((percent) => ['left', 'top'].map((side) => {
    const line = h('i', percent === 50 ? { class: 'half' } : {});
    line.style[side] = `${percent}%`;
    return line;
  }));
  return h('div', { class: 'grid' }, ...lines);
}
