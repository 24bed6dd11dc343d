// <sb-select>: one of a few. All choices side by side where they fit (one tap, and the state is seen), else a list.

import * as law from '../lib/law.js';
import { ControlElement } from './base.js';
import { h, ruler, setAttribute, setText } from './dom.js';
import { Finger } from './finger.js';

const MAX_SIDE_BY_SIDE = 6;
const SEGMENT_PADDING_PX = 20;
const TWO_ROWS_PX = 120; // name and two rows of 48

export class Select extends ControlElement {
  static css = `
:host { width: 272px; height: 84px; }
.name { height: 20px; line-height: 20px; text-align: left; }
.narrow .name { height: 20px; }
.segments { flex: 1; min-height: 44px; display: flex; border: 2px solid var(--edge); border-radius: 8px; overflow: hidden; }
.segments.two { display: grid; grid-template-columns: repeat(var(--half), 1fr); }
.two .segment { border: 0; box-shadow: 0 0 0 1px var(--edge); }
.segment { flex: 1 1 auto; min-width: 0; font-size: 18px; font-weight: 600; border-left: 2px solid var(--edge); outline-offset: -6px; overflow: hidden; white-space: nowrap; }
.segment:focus-visible { outline-color: currentColor; }
.segment:first-child { border-left: 0; }
.segment[aria-checked="true"] { background: var(--mark); color: var(--on); font-weight: 700; }
.list { position: relative; flex: 1; min-height: 44px; border: 2px solid var(--edge); border-radius: 8px; display: flex; }
.list select { flex: 1; width: 100%; padding: 0 44px 0 14px; font-size: 18px; font-weight: 600; text-align: left; outline-offset: -6px; text-overflow: ellipsis; background: transparent; border-radius: 8px; touch-action: manipulation; }
.list select:disabled { opacity: 1; }
.list option { color: #000; background: #fff; }
.list::after { content: ""; position: absolute; right: 16px; top: 50%; width: 14px; height: 9px; margin-top: -4px; background: var(--text2); clip-path: polygon(0 0, 100% 0, 50% 100%); pointer-events: none; }
.mine .segments, .mine .list { border-color: var(--text); box-shadow: 0 0 0 1px var(--text); }
.held .segments, .held .list { border-color: var(--other); box-shadow: 0 0 0 1px var(--other); }
.unconfirmed .segments, .unconfirmed .list { border: 3px dashed var(--warn); }
.unconfirmed .segment[aria-checked="true"] { background: none; color: var(--warn); box-shadow: inset 0 0 0 3px var(--warn); }
.unconfirmed select { color: var(--warn); }
.waiting .segments, .waiting .list { border-style: dotted; }
.waiting .segment { color: var(--text2); }
.silent .segments, .silent .list { background-image: repeating-linear-gradient(135deg, var(--track) 0 4px, transparent 4px 12px); }
.readonly .segments, .readonly .list { border-color: transparent; }
.readonly .list { box-shadow: inset 0 -6px 0 var(--mark); }
.readonly .segment { border-color: transparent; color: var(--text2); }
.readonly .segment[aria-checked="true"] { background: none; color: var(--text); box-shadow: inset 0 -6px 0 var(--mark); }
.readonly .list::after, .locked .list::after { display: none; }
.locked .segments, .locked .list { border-color: var(--track); }
.locked .segment { border-color: var(--track); color: var(--text2); }
.locked .segment[aria-checked="true"] { background: var(--edge); color: var(--bg); }
.offline .segments, .offline .list, .offline .segment { border-color: var(--track); color: var(--edge); }
.offline .segment[aria-checked="true"] { background: var(--track); color: var(--text2); }
`;

  #key = '';
  #buttons = [];

  build(root) {
    this.segments = h('div', { class: 'segments', role: 'radiogroup' });
    this.select = h('select', {});
    this.list = h('div', { class: 'list' }, this.select);
    this.select.addEventListener('input', (event) => event.stopPropagation());
    this.select.addEventListener('change', (event) => {
      event.stopPropagation();
      this.#choose(this.select.value);
    });
    this.segments.addEventListener('keydown', (event) => this.#onKey(event));
    root.append(this.makeName(), this.segments, this.list);
  }

  get choices() {
    return this.control?.choices ?? [];
  }

  #choose(choice) {
    if (!this.isFree) return this.invalidate();
    this.touch();
    this.input(choice);
    this.release();
    return undefined;
  }

  #onKey(event) {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (by === undefined || !this.isFree) return;
    event.preventDefault();
    const { choices } = this;
    const next = (choices.indexOf(this.value) + by + choices.length) % choices.length;
    this.#choose(choices[next]);
    this.#buttons[next]?.focus();
  }

  #build() {
    const { choices, width, height } = this;
    const key = `${choices.join('\n')}|${width}|${height}`;
    if (key === this.#key) return;
    this.#key = key;
    const measure = ruler(18, 700);
    const widths = choices.map((choice) => measure(choice) + SEGMENT_PADDING_PX);
    const isOneRow = choices.length <= MAX_SIDE_BY_SIDE && (width === 0 || widths.reduce((sum, one) => sum + one, 4) <= width);
    const half = Math.ceil(choices.length / 2);
    const isTwoRows = !isOneRow && choices.length <= 2 * MAX_SIDE_BY_SIDE && height >= TWO_ROWS_PX && Math.max(...widths) * half + 4 <= width;
    const isSide = isOneRow || isTwoRows;
    this.segments.classList.toggle('two', isTwoRows);
    this.segments.style.setProperty('--half', half);
    this.segments.hidden = !isSide;
    this.segments.style.display = isSide ? '' : 'none';
    this.list.style.display = isSide ? 'none' : '';
    this.segments.textContent = '';
    this.select.textContent = '';
    this.fingers.length = 0;
    this.#buttons = isSide ? choices.map((choice) => this.#segment(choice)) : [];
    this.segments.append(...this.#buttons);
    if (!isSide) this.select.append(...choices.map((choice) => h('option', { value: choice }, choice)));
  }

  #segment(choice) {
    const button = h('button', { class: 'segment', type: 'button', role: 'radio' }, choice);
    this.fingers.push(new Finger(button, {
      mayStart: () => this.isFree,
      down: () => this.#choose(choice),
      move: () => {},
      up: () => {},
    }));
    button.addEventListener('click', (event) => {
      if (event.detail === 0) this.#choose(choice);
    });
    return button;
  }

  extraClasses() {
    return ['one'];
  }

  draw() {
    this.#build();
    this.drawName(1);
    const value = this.isBlank ? null : law.format(this.control ?? {}, this.value).text;
    setAttribute(this.segments, 'aria-label', this.fullName);
    setAttribute(this.select, 'aria-label', this.fullName);
    this.#buttons.forEach((button, i) => {
      const isChosen = this.choices[i] === value;
      setAttribute(button, 'aria-checked', String(isChosen));
      button.tabIndex = isChosen || (value === null && i === 0) ? 0 : -1;
      setAttribute(button, 'aria-disabled', this.isFree ? null : 'true');
    });
    if (this.select.options.length) {
      this.select.value = value ?? '';
      this.select.disabled = !this.isFree;
    }
    setText(this.nameText, this.nameText.textContent);
  }
}
