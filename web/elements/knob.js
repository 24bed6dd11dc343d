// <sb-knob>: vertical drag, 240 px for the whole range; a bipolar one grows from its centre and has a detent there.

import { KNOB_TRAVEL_PX } from '../lib/gesture.js';
import { fitNotice } from '../lib/names.js';
import { h, ruler, setAttribute, setText, svg } from './dom.js';
import { SliderElement } from './slider.js';

const SWEEP = 270; // degrees, open at the bottom
const RADIUS = 27;
const BESIDE_PX = 68; // the ring, and the gap before the words beside it
const CENTRE_PX = 10; // so near the middle a finger points nowhere

export class Knob extends SliderElement {
  static css = `
:host { width: 96px; height: 128px; }
.root { align-items: center; justify-content: center; }
.name { height: 20px; line-height: 20px; width: 100%; margin: 0 0 2px; }
.narrow .name { height: 20px; }
.body {
  flex: none; width: 72px; height: 72px; padding: 4px; border-radius: 36px; cursor: default;
}
svg { display: block; width: 64px; height: 64px; overflow: visible; }
.ring, .arc { fill: none; stroke-width: 7; }
.ring { stroke: var(--track); }
.arc { stroke: var(--mark); }
.face { fill: var(--track); }
.hand { stroke: var(--cap, var(--text)); stroke-width: 5; stroke-linecap: round; transform-origin: 32px 32px; }
.value { flex: none; margin-top: 2px; width: auto; min-width: 72px; height: 24px; line-height: 24px; font-size: 18px; background: none; }
.narrow .value { font-size: 16px; height: 24px; line-height: 24px; }
.inner {
  position: absolute; inset: 0; display: none; align-items: center; justify-content: center;
  font-size: 13px; font-stretch: semi-condensed; pointer-events: none;
}

/* in a strip: ring and, where there is room, words beside it */
.beside { display: grid; grid-template-columns: 64px minmax(0, 1fr); grid-template-rows: 20px 24px; align-content: center; column-gap: 4px; }
.beside .body { grid-row: 1 / 3; margin: -14px -4px; }
.beside .side-name { grid-row: 1; grid-column: 2; }
.beside .value { grid-row: 2; grid-column: 2; min-width: 0; width: 100%; margin: 0; text-align: left; font-size: 16px; font-stretch: semi-condensed; }
.side-name { display: none; font-size: 14px; line-height: 18px; color: var(--text2); text-align: left; overflow: hidden; white-space: nowrap; text-overflow: ellipsis; }
.beside .side-name { display: block; }
.beside .value .unit { display: none; }
.beside .value.long { font-size: 14px; }
.only .value { position: absolute; width: 1px; height: 1px; min-width: 0; overflow: hidden; clip-path: inset(50%); }
.only .inner { display: flex; }
.only .side-name { display: block; position: absolute; left: 0; right: 0; bottom: 0; font-size: 12px; line-height: 14px; font-stretch: semi-condensed; text-align: center; pointer-events: none; } /* where the ring is open */
.only .face { display: none; }
.only .hand { stroke-width: 6; }

.mine .body { box-shadow: 0 0 0 3px var(--text); }
.held .body { box-shadow: 0 0 0 3px var(--other); }
.held .side-name { color: var(--other); }
.unconfirmed .face { fill: none; stroke: var(--warn); stroke-width: 2.5; stroke-dasharray: 5 4; }
.unconfirmed .hand { stroke: var(--warn); }
.unconfirmed .inner { color: var(--warn); }
.waiting .arc, .waiting .hand, .waiting .face { visibility: hidden; }
.waiting .ring { stroke-dasharray: 1.6 1.6; }
.silent .ring { stroke: var(--edge); stroke-dasharray: 1.2 1.2; }
.silent .side-name { color: var(--warn); }
.readonly .hand { visibility: hidden; }
.readonly .face { fill: none; }
.locked .hand { stroke: var(--bg); }
.only.locked .hand { stroke: var(--edge); }
.locked .face { fill: var(--edge); }
.offline .face { fill: none; stroke: var(--track); stroke-width: 2; }
.offline .hand { stroke: var(--edge); }
.offline .inner { color: var(--edge); }
.offline .arc { opacity: .5; }
.hardware { fill: none; stroke: var(--other); stroke-width: 2; transform-origin: 32px 32px; display: none; }
.pickup .hardware { display: block; }
`;

  build(root) {
    const d = arcPath();
    this.arc = svg('path', { class: 'arc', d, pathLength: '100' });
    this.hand = svg('line', { class: 'hand', x1: 32, x2: 32 });
    this.hardwareMark = svg('rect', { class: 'hardware', x: 28, y: -2, width: 8, height: 12, rx: 3 });
    const ring = svg('svg', { viewBox: '0 0 64 64', 'aria-hidden': 'true' },
      svg('path', { class: 'ring', d, pathLength: '100' }), this.arc,
      svg('circle', { class: 'face', cx: 32, cy: 32, r: 20 }), this.hardwareMark, this.hand);
    this.inner = h('div', { class: 'inner', 'aria-hidden': 'true' });
    this.sideName = h('div', { class: 'side-name', 'aria-hidden': 'true' });
    const body = h('div', { class: 'body', part: 'body' }, ring, this.inner);
    this.makeSlider(body);
    root.append(this.makeName(), body, this.sideName, this.makeValueBox());
  }

  get travel() {
    return KNOB_TRAVEL_PX;
  }

  /** Not relative: the hand turns to the finger; from there on up and down as ever. */
  positionAt(event) {
    const { left, top, width, height } = this.area.getBoundingClientRect(); // once a touch
    const [x, y] = [event.clientX - left - width / 2, top + height / 2 - event.clientY];
    if (Math.hypot(x, y) < CENTRE_PX) return null;
    return 0.5 + Math.atan2(x, y) * 180 / Math.PI / SWEEP;
  }

  get detent() {
    return this.control?.bipolar ? this.origin : null;
  }

  extraClasses() {
    if (!this.hasAttribute('bare')) return ['one'];
    return [this.width >= 116 ? 'beside' : 'only'];
  }

  draw() {
    const position = this.position ?? 0;
    const { origin, hardware } = this;
    // With the value in the middle the hand stands on the ring, else on the face.
    const isOnRing = this.root.classList.contains('only');
    setAttribute(this.hand, 'y1', isOnRing ? 2 : 15);
    setAttribute(this.hand, 'y2', isOnRing ? 9 : 24);
    const from = Math.min(origin, position) * 100;
    const length = Math.abs(position - origin) * 100;
    this.arc.style.strokeDasharray = `0 ${from.toFixed(2)} ${length.toFixed(2)} 200`;
    this.hand.style.transform = turn(position);
    if (hardware !== null) this.hardwareMark.style.transform = turn(hardware);
    this.drawName(1);
    this.drawValueBox();
    this.drawSlider();
    setText(this.inner, this.reading.text);
    const beside = isOnRing || !this.notice ? '' : fitNotice(this.notice, this.width - BESIDE_PX, ruler(14, 500));
    setText(this.sideName, this.hasAttribute('bare') ? beside || this.label : '');
  }
}

function turn(position) {
  return `rotate(${(SWEEP * (position - 0.5)).toFixed(2)}deg)`;
}

function arcPath() {
  const at = (degrees) => {
    const angle = (degrees - 90) * Math.PI / 180;
    return `${(32 + RADIUS * Math.cos(angle)).toFixed(3)} ${(32 + RADIUS * Math.sin(angle)).toFixed(3)}`;
  };
  return `M ${at(-SWEEP / 2)} A ${RADIUS} ${RADIUS} 0 1 1 ${at(SWEEP / 2)}`;
}
