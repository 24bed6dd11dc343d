// <sb-meter>: a bar that moves by transform only. The peak is held 1.5 s and falls 20 dB/s here, not on the wire.

import * as law from '../lib/law.js';
import { ControlElement } from './base.js';
import { h, setAttribute } from './dom.js';

const HOLD_MS = 1500;
const FALL_DB_S = 20;
const SPAN_DB = 60; // what the whole bar is worth where the control's unit is not dB
const STALE_MS = 1000;
const MARKS = [0, -6, -12, -18, -24, -36, -48];

export class Meter extends ControlElement {
  static css = `
:host { width: 72px; height: 300px; min-width: 12px; }
:host([bare]) { width: 12px; }
.root { align-items: center; }
.name { height: 20px; line-height: 20px; width: 100%; }
.value { width: 100%; margin-bottom: 4px; font-size: 20px; }
:host([bare]) .value { display: none; }
.body { width: 12px; }
.bar { position: absolute; inset: 0; border-radius: 3px; overflow: hidden; background-color: var(--track); }
.light, .cover, .carrier { position: absolute; inset: 0; }
.light {
  background: linear-gradient(to top, var(--ok) 0 70%, var(--warn) 70% 90%, var(--bad) 90% 100%);
}
.cover { background: var(--track); transform-origin: 0 0; will-change: transform; }
.carrier { will-change: transform; }
.peak { position: absolute; left: 0; right: 0; top: 0; height: 3px; margin-top: -1px; background: var(--text); }
.marks { position: absolute; inset: 0; }
.marks b {
  position: absolute; right: 18px; margin-top: -7px; font: 500 12px/14px system-ui, sans-serif; font-variant-numeric: tabular-nums;
  color: var(--text2); width: 24px; text-align: right;
}
:host([bare]) .marks { display: none; }
.stale .bar { background-image: repeating-linear-gradient(135deg, var(--edge) 0 2px, transparent 2px 6px); }
.stale .light, .stale .cover, .stale .carrier { visibility: hidden; }
.offline .light { background: var(--edge); }
`;

  #heard = -Infinity;
  #peak = 0;
  #peakAt = 0;
  #drawnAt = 0;
  #timer = 0;
  #shown = null;

  build(root) {
    this.cover = h('div', { class: 'cover' });
    this.peak = h('div', { class: 'carrier' }, h('div', { class: 'peak' }));
    this.marks = h('div', { class: 'marks', 'aria-hidden': 'true' });
    this.bar = h('div', { class: 'bar', role: 'meter' }, h('div', { class: 'light' }), this.cover, this.peak);
    const body = h('div', { class: 'body' }, this.bar, this.marks);
    root.append(this.makeName(), this.makeValueBox(), body);
    this.valueBox.tabIndex = -1;
  }

  /** Every report counts, an equal one too: it says that the meter lives. */
  valued() {
    this.#heard = performance.now();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.invalidate(), STALE_MS + 20);
  }

  described() {
    this.marks.textContent = '';
    if (this.control?.unit !== 'dB') return;
    const [low, high] = law.range(this.control);
    for (const value of MARKS) {
      if (value < low || value > high) continue;
      const mark = h('b', {}, String(-value));
      mark.style.top = `${((1 - law.position(this.control, value)) * 100).toFixed(2)}%`;
      this.marks.append(mark);
    }
  }

  get isStale() {
    return this.isBlank || typeof this.value !== 'number' || performance.now() - this.#heard > STALE_MS;
  }

  extraClasses() {
    return ['one', ...(this.isStale ? ['stale'] : [])];
  }

  draw() {
    const now = performance.now();
    const level = this.isStale || !this.control ? 0 : law.position(this.control, this.value);
    if (level >= this.#peak) {
      this.#peak = level;
      this.#peakAt = now;
    } else if (now - this.#peakAt > HOLD_MS) {
      const [low, high] = this.control ? law.range(this.control) : [0, 1];
      const span = this.control?.unit === 'dB' ? high - low : SPAN_DB;
      const since = Math.max(this.#drawnAt, this.#peakAt + HOLD_MS);
      this.#peak = Math.max(level, this.#peak - (now - since) / 1000 * FALL_DB_S / span);
    }
    this.#drawnAt = now;
    this.cover.style.transform = `scaleY(${(1 - level).toFixed(4)})`;
    this.peak.style.transform = `translateY(${((1 - this.#peak) * 100).toFixed(2)}%)`;
    this.peak.style.visibility = this.#peak > 0.005 ? '' : 'hidden';
    if (this.#peak > level) this.#fallLater(now);
    if (this.hasAttribute('bare')) {
      if (this.#shown === null) this.#describe();
    } else {
      this.drawName(1);
      this.drawValueBox();
      this.#describe();
    }
  }

  /** While the peak is held nothing is drawn; while it falls, every frame. */
  #fallLater(now) {
    const wait = this.#peakAt + HOLD_MS - now;
    if (wait <= 0) this.invalidate();
    else setTimeout(() => this.invalidate(), wait);
  }

  #describe() {
    this.#shown = this.value;
    const [low, high] = this.control ? law.range(this.control) : [0, 1];
    setAttribute(this.bar, 'aria-label', this.fullName);
    setAttribute(this.bar, 'aria-valuemin', low);
    setAttribute(this.bar, 'aria-valuemax', high);
    setAttribute(this.bar, 'aria-valuenow', typeof this.value === 'number' ? this.value : low);
    setAttribute(this.bar, 'aria-valuetext', this.spoken);
  }
}
