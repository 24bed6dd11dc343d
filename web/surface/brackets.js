// Brackets around what hardware holds of a page, a row for each bank, with the arrows that turn its window.
//
// What a browser looks at turns nothing: only these arrows do, and only for the hardware.

import { arrange, h, ruler, setAttribute, setText } from '../elements/dom.js';
import { banksOnPage, holderOf, isHeld, runsOf, windowOf } from '../lib/banks.js';
import { BRACKET, GAP } from '../lib/layout.js';
import { fitName } from '../lib/names.js';
import { button } from './bar.js';
import { icon } from './icons.js';

const TURN = 52; // px of an arrow
const MOST_NAME = 220;

export class Brackets {
  #rows = new Map(); // bank's path → {row, lines, tag, …}
  #here = [];

  /**
   * `calls`: banks() → the surface's, value(path), goneOf(peer) → "offline", "silent" or "", turn(path, window),
   * look(path) when somebody wants to see what is held.
   */
  constructor(calls) {
    this.calls = calls;
    this.element = h('div', { class: 'brackets' });
  }

  /** The page has these groups now. */
  update(groups) {
    this.#here = banksOnPage(this.calls.banks(), groups);
  }

  /** px that they take from the page. */
  get height() {
    return this.#here.length * (BRACKET + GAP);
  }

  /** What is held, of each bank: [{paths}]. */
  get windows() {
    return this.#here.map((bank) => this.#window(bank)).filter(({ isGone }) => !isGone);
  }

  /** True if a value of this path is seen here. */
  watches(path) {
    return this.#here.some((bank) => bank.path === path);
  }

  /**
   * `groups` are those in view, each `step` px right of the last, from `left` on, `before` and `after` those beside them;
   * `step` is 0 where they are no strips.
   */
  draw(view) {
    for (const path of [...this.#rows.keys()]) if (!this.watches(path)) this.#rows.delete(path);
    arrange(this.element, this.#here.map((bank) => this.#draw(bank, view)));
  }

  #window(bank) {
    const holder = holderOf(bank, this.calls.goneOf);
    return { ...windowOf(bank, this.calls.value(bank.path)), holder: holder.text, isGone: holder.isGone };
  }

  #draw(bank, { groups, before, after, width, left, step }) {
    const parts = this.#row(bank);
    const { at, count, text, holder, isGone, ...window } = this.#window(bank);
    const runs = step ? runsOf(groups, window) : [];
    parts.lines.replaceChildren(...(isGone ? [] : runs).map(({ from, to }) => {
      const line = h('i', { class: 'bracket-line' });
      line.classList.toggle('from-before', from === 0 && Boolean(before) && isHeld(before, window));
      line.classList.toggle('goes-on', to === groups.length && Boolean(after) && isHeld(after, window));
      line.style.left = `${left + from * step}px`;
      line.style.width = `${(to - from) * step - GAP}px`;
      return line;
    }));
    const most = Math.min(MOST_NAME, width - 2 * TURN - 16);
    const measure = ruler(16, 600);
    const shown = fitName([bank.name, text, holder && `· ${holder}`].filter(Boolean).join(' '), most, 1, measure);
    const tagWidth = 2 * TURN + Math.ceil(measure(shown)) + 16;
    const middle = runs.length ? left + ((runs[0].from + runs[0].to) * step - GAP) / 2 : 0;
    parts.tag.style.left = `${Math.max(0, Math.min(width - tagWidth, Math.round(middle - tagWidth / 2)))}px`;
    parts.tag.style.width = `${tagWidth}px`;
    setText(parts.name, shown);
    setAttribute(parts.name, 'aria-label', `${bank.name}: ${text}, ${holder || 'held by hardware'}`);
    parts.row.classList.toggle('is-gone', isGone);
    parts.back.disabled = at <= 1;
    parts.forth.disabled = at >= count;
    parts.at = at;
    return parts.row;
  }

  #row(bank) {
    if (!this.#rows.has(bank.path)) {
      const parts = {};
      const turn = (by) => this.calls.turn(bank.path, parts.at + by);
      parts.lines = h('div', { class: 'bracket-lines' });
      parts.back = button('bracket-turn', `${bank.name}: previous window`, () => turn(-1));
      parts.back.append(icon('left'));
      parts.name = button('bracket-name', '', () => this.calls.look(bank.path));
      parts.forth = button('bracket-turn', `${bank.name}: next window`, () => turn(1));
      parts.forth.append(icon('right'));
      parts.tag = h('div', { class: 'bracket-tag' }, parts.back, parts.name, parts.forth);
      parts.row = h('div', { class: 'bracket', role: 'group', 'data-bank': bank.path }, parts.lines, parts.tag);
      this.#rows.set(bank.path, parts);
    }
    return this.#rows.get(bank.path);
  }
}
