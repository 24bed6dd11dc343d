// <sb-number>: a value with − and +; held, they repeat. A tap on the value lets a person type.

import * as law from '../lib/law.js';
import { ControlElement } from './base.js';
import { h, setAttribute } from './dom.js';
import { Finger } from './finger.js';

const REPEAT_AFTER_MS = 400;
const REPEAT_MS = 90;
const FAST_AFTER = 12; // repeats until each counts for ten

export class NumberBox extends ControlElement {
  static css = `
:host { width: 272px; height: 84px; }
.name { height: 20px; line-height: 20px; text-align: left; }
.narrow .name { height: 20px; }
.row { flex: 1; min-height: 44px; display: flex; gap: 8px; align-items: stretch; border-radius: 8px; }
.by {
  flex: 0 0 60px; border: 2px solid var(--edge); border-radius: 8px; font-size: 30px; font-weight: 600; line-height: 1;
  display: flex; align-items: center; justify-content: center; min-width: 44px;
}
.by svg { width: 22px; height: 22px; stroke: currentColor; stroke-width: 4; }
.by.pressed { background: var(--mark); border-color: var(--mark); color: var(--on); }
.value { flex: 1; height: auto; border-radius: 8px; display: flex; align-items: center; justify-content: center; min-width: 0; }
.tight .row { gap: 6px; }
.tight .by { flex-basis: 48px; }
.tight .value { font-size: 20px; font-stretch: semi-condensed; }
.tiny .row { gap: 4px; }
.tiny .by { flex: 0 1 44px; min-width: 24px; font-size: 26px; }
.tiny .value { font-size: 17px; }
.narrow .value { height: auto; }
.tight .value .unit { display: none; }
.mine .value { box-shadow: inset 0 0 0 3px var(--text); font-weight: 600; }
.mine:not(.tight) .value .num { font-size: 28px; }
.held .value { box-shadow: inset 0 0 0 3px var(--other); }
.unconfirmed .value { box-shadow: none; border: 3px dashed var(--warn); }
.silent .value { background-image: repeating-linear-gradient(135deg, var(--track) 0 4px, transparent 4px 10px); }
.waiting .by, .locked .by, .offline .by { border-color: var(--track); color: var(--edge); }
.readonly .by { visibility: hidden; }
.locked .value { background: none; }
`;

  #timer = 0;

  build(root) {
    this.row = h('div', { class: 'row', role: 'spinbutton', tabindex: 0 });
    const by = (sign) => {
      const button = h('button', { class: 'by', type: 'button', tabindex: -1 }, sign < 0 ? '\u2212' : '+');
      let count = 0;
      const move = () => {
        count += 1;
        this.input(law.step(this.control, Number(this.value), sign * (count > FAST_AFTER ? 10 : 1), true));
        this.#timer = setTimeout(move, count === 1 ? REPEAT_AFTER_MS : REPEAT_MS);
      };
      this.fingers.push(new Finger(button, {
        mayStart: () => this.isFree && !this.isBlank,
        down: () => {
          count = 0;
          button.classList.add('pressed');
          this.touch();
          move();
        },
        move: () => {},
        up: () => {
          clearTimeout(this.#timer);
          button.classList.remove('pressed');
          this.release();
        },
      }));
      // A screen reader's activation comes as a click alone (no pointer): detail 0.
      button.addEventListener('click', (event) => {
        if (event.detail !== 0 || !this.isFree || this.isBlank) return;
        this.inputByKey(law.step(this.control, Number(this.value), sign, true));
      });
      return button;
    };
    this.less = by(-1);
    this.more = by(1);
    this.row.append(this.less, this.makeValueBox(), this.more);
    this.row.addEventListener('keydown', (event) => this.#key(event));
    this.row.addEventListener('blur', () => this.endKeys());
    root.append(this.makeName(), this.row);
  }

  #key(event) {
    if (event.target !== this.row || !this.isFree || this.isBlank) return;
    const [low, high] = law.limit(this.control);
    const steps = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10 }[event.key];
    if (event.key === 'Enter') this.askValue();
    else if (steps !== undefined) this.inputByKey(law.step(this.control, Number(this.value), steps, event.shiftKey));
    else if (event.key === 'Home') this.inputByKey(low);
    else if (event.key === 'End') this.inputByKey(high);
    else return;
    event.preventDefault();
  }

  extraClasses() {
    return ['one', ...(this.width < 260 ? ['tight'] : []), ...(this.width < 200 ? ['tiny'] : [])];
  }

  draw() {
    this.drawName(1);
    this.drawValueBox();
    const [low, high] = this.control ? law.limit(this.control) : [0, 1];
    setAttribute(this.row, 'aria-label', this.fullName);
    setAttribute(this.row, 'aria-valuemin', low);
    setAttribute(this.row, 'aria-valuemax', high);
    setAttribute(this.row, 'aria-valuenow', this.isBlank ? low : Number(this.value));
    setAttribute(this.row, 'aria-valuetext', this.spoken);
    setAttribute(this.row, 'aria-disabled', this.isFree ? null : 'true');
    setAttribute(this.less, 'aria-label', `${this.fullName} less`);
    setAttribute(this.more, 'aria-label', `${this.fullName} more`);
  }
}
