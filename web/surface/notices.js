// What is laid over the page: the offline bar, banners, the held value, the menu. None of it moves anything.

import { h, setText } from '../elements/dom.js';
import { duration } from '../lib/badge.js';
import { button } from './bar.js';
import { icon } from './icons.js';

const PATIENCE_MS = 800; // a page that connects sooner says nothing

/** "OFFLINE 00:07, reconnecting", over the full width, until the connection is back. */
export class OfflineBar {
  #timer = 0;

  constructor() {
    this.time = h('span', { class: 'clock', 'aria-hidden': 'true' });
    this.word = h('span', {});
    this.element = h('div', { class: 'offline-bar', role: 'alert' }, this.word, this.time, h('span', {}, ', reconnecting'));
    this.element.hidden = true;
  }

  setStatus({ state, since }) {
    clearInterval(this.#timer);
    if (state === 'online') {
      this.element.hidden = true;
      return;
    }
    const tick = () => {
      const age = Date.now() - since;
      this.element.hidden = state === 'connecting' && age < PATIENCE_MS;
      this.element.classList.toggle('connecting', state === 'connecting');
      setText(this.word, state === 'offline' ? 'OFFLINE\u00a0' : 'CONNECTING\u00a0');
      setText(this.time, duration(age));
    };
    tick();
    this.#timer = setInterval(tick, state === 'connecting' ? 200 : 500);
  }
}

/** One line at the top that can be put away; each is said once a visit. */
export class Banner {
  #said = new Set();
  #kept = new Map();
  #shown = null; // key of what stands there

  constructor() {
    this.text = h('p', {});
    const close = button('banner-close', 'Put away', () => (this.element.hidden = true));
    close.append(icon('close'));
    this.element = h('div', { class: 'banner', role: 'status' }, this.text, close);
    this.element.hidden = true;
  }

  show(key, title, text, again = false) {
    if (this.#said.has(key) && !again) return;
    this.#said.add(key);
    this.#shown = key;
    this.text.replaceChildren(h('b', {}, title), ` ${text}`);
    this.element.hidden = false;
  }

  /** What is so until it is mended, which is `text` "": said when it begins or is another, and put away with its end. */
  keep(key, title, text) {
    if ((this.#kept.get(key) ?? '') === text) return;
    this.#kept.set(key, text);
    if (text) this.show(key, title, text, true);
    else if (this.#shown === key) this.element.hidden = true;
  }
}

/** The value being held, over the bar: where a strip is too narrow to show it large itself. */
export class HeldValue {
  #element = null;

  constructor(root) {
    this.name = h('span', { class: 'held-name' });
    this.num = h('span', { class: 'held-num' });
    this.unit = h('span', { class: 'held-unit' });
    this.element = h('div', { class: 'held-value', 'aria-hidden': 'true' }, this.name, this.num, this.unit);
    this.element.hidden = true;
    root.addEventListener('control-touch', ({ target }) => {
      if (!['sb-fader', 'sb-knob'].includes(target.localName) || target.width >= 100) return;
      this.#element = target;
      target.addEventListener('control-disconnect', this.#release); // heard on the element alone
      this.#draw();
    });
    root.addEventListener('control-value', ({ target }) => {
      if (target === this.#element) this.#draw();
    });
    root.addEventListener('control-release', this.#release);
  }

  /** Nobody holds this one any more. One function for all: added again it is still one listener. */
  #release = ({ target }) => {
    if (target !== this.#element) return;
    this.#element = null;
    this.element.hidden = true;
  };

  #draw() {
    const { text, unit } = this.#element.reading;
    setText(this.name, this.#element.fullName);
    setText(this.num, text);
    setText(this.unit, unit);
    this.element.hidden = false;
  }
}

/** A sheet over the page: the pages where tabs do not fit, or the device's switches. */
export class Sheet {
  #back = null;

  constructor() {
    this.body = h('div', { class: 'sheet-body', role: 'dialog', 'aria-modal': 'true' });
    this.away = button('sheet-away', 'Put this away', () => this.close());
    this.away.append(icon('close'));
    this.element = h('div', { class: 'sheet' }, this.body);
    this.element.hidden = true;
    this.element.addEventListener('click', (event) => {
      if (event.target === this.element) this.close();
    });
    this.element.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.close();
    });
  }

  open(label, ...children) {
    this.#back = document.activeElement;
    this.body.setAttribute('aria-label', label);
    this.body.replaceChildren(this.away, ...children);
    this.body.scrollTop = 0;
    this.element.hidden = false;
    this.body.querySelector('button:not(.sheet-away), input')?.focus({ preventScroll: true });
  }

  close() {
    if (this.element.hidden) return;
    this.element.hidden = true;
    this.#back?.focus?.({ preventScroll: true });
  }
}
