// <sb-pads>: a grid of pads, one for each choice (or each whole number of a small range). Fires on the way down. A
// trigger is one pad, without a name above it.
//
// Clip states come in `status.pads`: [{state: "empty" | "loaded" | "queued" | "playing" | "recording", name, color}];
// without them the pad of the current value is the one that plays.

import { inkOn, themed } from '../lib/color.js';
import { Debounce } from '../lib/gesture.js';
import * as law from '../lib/law.js';
import { fitName } from '../lib/names.js';
import { ControlElement, themeOf } from './base.js';
import { h, ruler, setAttribute, setText } from './dom.js';
import { Finger } from './finger.js';

const MAX_PADS = 64;
const PAD_MIN = { width: 88, height: 64 };
const GAP = 8;
const SIGNS = { playing: '\u25b6', recording: '\u25cf', queued: '\u25b6' };

export class Pads extends ControlElement {
  static css = `
:host { width: 280px; height: 224px; }
.name { height: 20px; line-height: 20px; text-align: left; }
.narrow .name { height: 20px; }
.body { display: grid; gap: ${GAP}px; grid-auto-rows: minmax(0, 1fr); }
.pad {
  --pad: var(--mark);
  position: relative; min-width: 0; min-height: 0; border: 2px solid var(--edge); border-radius: 8px; padding: 4px; font-size: 18px;
  font-weight: 600; line-height: 20px; overflow: hidden; overflow-wrap: anywhere; display: flex; align-items: center; justify-content: center;
}
.pad::before { content: ""; position: absolute; inset: 0; background: var(--pad); opacity: 0; pointer-events: none; }
.pad span { position: relative; }
.pad .sign { font-size: 14px; margin-right: 4px; display: none; }
.pad.loaded { border-color: var(--pad); }
.pad.loaded::before { opacity: .35; }
.pad.playing, .pad.recording, .pad.queued { border-color: var(--pad); color: var(--on); font-weight: 700; }
.pad.playing::before, .pad.recording::before { opacity: 1; }
.pad.recording { --pad: var(--bad); }
.pad.queued { color: var(--text); }
.pad.queued::before { opacity: .7; animation: blink .6s steps(2, jump-none) infinite; }
.pad.clip.playing .sign, .pad.clip.recording .sign, .pad.clip.queued .sign { display: inline; }
@keyframes blink { from { opacity: .1; } to { opacity: .7; } }
.single .name { display: none; }
.single .pad { padding: 2px 4px; font-size: 16px; line-height: 18px; }
.mine .pad.pressed, .single .pad.pressed { box-shadow: 0 0 0 2px var(--well, var(--bg)), 0 0 0 5px var(--text); }
.mine .body { outline: 3px solid var(--text); outline-offset: 2px; border-radius: 8px; }
.held .body { outline: 3px solid var(--other); outline-offset: 2px; border-radius: 8px; }
.unconfirmed .pad.playing { border: 3px dashed var(--warn); color: var(--warn); }
.unconfirmed .pad.playing::before { opacity: 0; }
.silent .pad { background-image: repeating-linear-gradient(135deg, var(--track) 0 4px, transparent 4px 12px); }
.readonly .pad { border-color: var(--track); }
.locked .pad { border-color: var(--track); background-color: var(--track); color: var(--text2); }
.locked .pad.playing { color: var(--bg); }
.locked .pad.playing::before { background: var(--edge); }
.offline .pad { border-color: var(--track); color: var(--edge); }
.offline .pad.playing { color: var(--text2); }
.offline .pad.playing::before { background: var(--track); }
.waiting .pad, .waiting .pad.playing, .waiting .pad.recording, .waiting .pad.queued { border: 2px dotted var(--edge); background: none; color: var(--text2); }
.waiting .pad::before { opacity: 0; }
/* one pad has no name row to say it in, and an empty one no text */
.single.silent .pad::after {
  content: ""; position: absolute; inset: 0; pointer-events: none;
  background: repeating-linear-gradient(135deg, var(--edge) 0 3px, transparent 3px 12px);
}
.single.silent .pad-text { background: var(--well, var(--bg)); color: var(--text); padding: 0 4px; z-index: 1; }
.single.unconfirmed .pad { border: 3px dashed var(--warn); }
.single.readonly .pad { border: 0; border-bottom: 4px solid var(--edge); border-radius: 2px; }
.single.locked:not(.waiting) .pad { border: 4px double var(--edge); }
`;

  #key = '';
  #pads = [];

  build(root) {
    this.grid = h('div', { class: 'body', role: 'group' });
    root.append(this.makeName(), this.grid);
  }

  /** The value of each pad. */
  get values() {
    const { control } = this;
    if (!control) return [];
    if (control.kind === 'trigger') return [null];
    if (control.kind === 'choice') return control.choices ?? [];
    const [low, high] = law.limit(control);
    const step = law.stepOf(control) ?? 1;
    const count = Math.min(MAX_PADS, Math.floor((high - low) / step) + 1);
    return Array.from({ length: count }, (_, i) => low + i * step);
  }

  get isTrigger() {
    return this.control?.kind === 'trigger';
  }

  // A trigger keeps no value, so there is nothing to wait for.
  get isBlank() {
    return this.isTrigger ? this.status.waiting : super.isBlank;
  }

  touch() {
    if (!this.isTrigger) super.touch();
  }

  #fitted(text, sign) {
    const room = this.width - 16 - (sign ? 20 : 0) - this.ringRoom;
    return room > 0 ? fitName(text, room, Math.max(1, Math.floor((this.height - 10) / 18)), ruler(16, 700)) : text;
  }

  #build() {
    const { values, width, height } = this;
    const key = `${values.join('\n')}|${width}|${height}`;
    if (key === this.#key) return;
    this.#key = key;
    const fit = Math.max(1, Math.floor((width + GAP) / (PAD_MIN.width + GAP)));
    const rowsFit = Math.max(1, Math.floor((height - 24 + GAP) / (PAD_MIN.height + GAP)));
    const columns = Math.max(Math.min(fit, Math.ceil(Math.sqrt(values.length))), Math.min(fit, Math.ceil(values.length / rowsFit)));
    this.grid.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    if (this.#pads.length === values.length) return;
    this.fingers.length = 0;
    this.grid.textContent = '';
    this.#pads = values.map((_, i) => this.#pad(i));
    this.grid.append(...this.#pads);
  }

  #pad(index) {
    const pad = h('button', { class: 'pad', type: 'button' }, h('span', { class: 'sign', 'aria-hidden': 'true' }), h('span', { class: 'pad-text' }));
    const debounce = new Debounce();
    const fire = () => {
      if (!debounce.fires(performance.now())) return;
      if (this.isTrigger) this.trigger();
      else this.input(this.values[index]);
    };
    this.fingers.push(new Finger(pad, {
      mayStart: () => this.isFree,
      down: () => {
        pad.classList.add('pressed');
        this.touch();
        fire();
      },
      move: () => {},
      up: () => {
        pad.classList.remove('pressed');
        this.release();
      },
    }));
    pad.addEventListener('click', (event) => {
      if (event.detail !== 0 || !this.isFree) return; // by key or screen reader
      this.touch();
      fire();
      this.release();
    });
    return pad;
  }

  extraClasses() {
    return this.isTrigger ? ['one', 'single'] : ['one'];
  }

  draw() {
    this.#build();
    this.drawName(1);
    setAttribute(this.grid, 'aria-label', this.fullName);
    const { values, isTrigger } = this;
    this.#pads.forEach((pad, i) => {
      const clip = this.status.pads?.[i];
      const isChosen = !isTrigger && !this.isBlank && this.value === values[i];
      const state = clip?.state ?? (isChosen ? 'playing' : 'empty');
      const isPressed = pad.classList.contains('pressed');
      const classes = `pad ${state}${clip ? ' clip' : ''}${isPressed ? ' pressed' : ''}`;
      if (pad.className !== classes) pad.className = classes;
      const color = clip?.color && state !== 'recording' ? themed(clip.color, themeOf(this)) : '';
      pad.style.setProperty('--pad', color);
      pad.style.setProperty('--on', color ? inkOn(color) : '');
      const text = clip?.name ?? (isTrigger ? this.label : typeof values[i] === 'number' ? law.format(this.control, values[i]).text : values[i]);
      setText(pad.firstChild, SIGNS[state] ?? '');
      setText(pad.lastChild, isTrigger ? this.#fitted(text, SIGNS[state]) : text);
      setAttribute(pad, 'aria-label', isTrigger ? [this.fullName, text === this.label ? '' : text, clip?.state].filter(Boolean).join(' ') : null);
      setAttribute(pad, 'aria-pressed', String(isChosen || state === 'playing'));
      setAttribute(pad, 'aria-disabled', this.isFree ? null : 'true');
    });
  }
}
