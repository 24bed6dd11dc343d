// Learning: tap a control, move the hardware, done. What is learnt, to forget it or to copy it.
//
// While it is on, nothing on the stage moves: a tap chooses. What the hardware says comes from the bridge ("learning").

import { h, setAttribute, setText } from '../elements/dom.js';
import { button } from './bar.js';

const BLOCKED = ['pointerdown', 'pointerup', 'click', 'dblclick', 'wheel', 'keydown', 'input', 'change'];
const ASKING = ['waiting', 'hearing', 'refused'];
const NOTHING = { state: 'idle', bindings: [], toml: '' };
const FIRST = 'Tap a control, then move the hardware.';

export class LearnMode {
  #client;
  #root;
  #stage;
  #sheet;
  #told = NOTHING;
  #path = null; // the control that was tapped last
  #name = '';
  #component;
  #error = '';

  constructor({ client, root, stage, sheet }) {
    this.#client = client;
    this.#root = root;
    this.#stage = stage;
    this.#sheet = sheet;
    this.name = h('b', {});
    this.text = h('span', {});
    this.forget = choice('Forget', () => this.#client.forget(this.#bindingsOf(this.#path).map(({ binding }) => binding)));
    this.all = choice('Show all', () => this.#showAll());
    this.element = h('section', { class: 'learn', 'aria-label': 'Learn from hardware' },
      h('p', { 'aria-live': 'polite' }, this.name, ' ', this.text),
      h('div', { class: 'learn-acts' }, this.forget, this.all, choice('Done', () => this.stop())));
    this.element.hidden = true;
    this.list = h('div', { class: 'learnt' });
    this.toml = h('textarea', { readonly: '', 'aria-label': 'For the configuration', spellcheck: 'false' });
    this.trouble = h('p', { class: 'sheet-note is-trouble' });
    for (const type of BLOCKED) stage.addEventListener(type, (event) => this.#block(event), { capture: true, passive: false });
    stage.addEventListener('control-connect', ({ target }) => this.isOn && this.#mark(target));
    document.addEventListener('keydown', (event) => this.isOn && event.key === 'Escape' && !sheet.element.contains(event.target) && this.stop());
    client.addEventListener('learning', ({ detail }) => this.#hear(detail));
    client.addEventListener('error', ({ detail }) => {
      if (!this.isOn || !['bad_value', 'unknown_control', 'not_allowed'].includes(detail.code)) return;
      this.#error = detail.message;
      this.#draw();
    });
    client.addEventListener('status', () => this.isOn && this.#draw());
  }

  get isOn() {
    return !this.element.hidden;
  }

  start() {
    this.#path = null;
    this.#error = '';
    this.element.hidden = false;
    this.#root.classList.add('is-learning');
    this.#client.followLearning(true);
    this.#draw();
  }

  stop() {
    this.#client.followLearning(false);
    this.element.hidden = true;
    this.#root.classList.remove('is-learning');
    this.#told = NOTHING;
  }

  #block(event) {
    if (!this.isOn || event.key === 'Tab' || event.key === 'Escape') return;
    event.stopPropagation();
    if (event.cancelable) event.preventDefault();
    const isChosen = event.type === 'pointerdown' || (event.type === 'keydown' && (event.key === 'Enter' || event.key === ' '));
    const element = isChosen ? event.composedPath().find((node) => node.localName?.startsWith('sb-') && node.hasAttribute('path')) : null;
    if (!element) return;
    const { kind, size } = element.control ?? {};
    // Of a vector one number after the other, tap by tap: the hand may still be on the first.
    this.#component = kind === 'vector' ? (this.#path === element.path ? (this.#component + 1) % size : 0) : undefined;
    this.#path = element.path;
    this.#name = element.fullName;
    this.#error = '';
    this.#client.learn(this.#path, this.#component);
    this.#draw();
  }

  #hear(told) {
    this.#told = told;
    if (this.isOn) this.#draw();
  }

  get #isMine() {
    return this.#told.client === this.#client.model.client && this.#told.path === this.#path;
  }

  #bindingsOf(path) {
    return this.#told.bindings.filter((one) => one.path === path);
  }

  #draw() {
    const { state, client, text, trouble } = this.#told;
    const isOffline = this.#client.status.state !== 'online';
    const isOthers = ASKING.includes(state) && client !== this.#client.model.client;
    const which = this.#component === undefined ? '' : ` ${this.#component + 1}`;
    const isAbout = this.#path !== null && !isOffline && !isOthers;
    setText(this.name, isAbout ? `${this.#name}${which}` : '');
    const learnt = trouble ? `learnt: ${text}. It is forgotten when the bridge ends: ${trouble}` : `learnt: ${text}`;
    const more = this.#component === undefined ? '' : ' Tap it again for its next number.';
    const said = { learnt: learnt + more, waiting: text + more, idle: this.#path === null ? FIRST : '' }[state] ?? text;
    setText(this.text, isOffline ? 'Offline.' : this.#error || (isOthers ? 'Another device is learning.' : this.#path === null || this.#isMine ? said : FIRST));
    this.text.classList.toggle('is-trouble', Boolean(this.#error) || state === 'refused' || Boolean(trouble));
    this.forget.hidden = this.#bindingsOf(this.#path).length === 0;
    this.all.hidden = this.#told.bindings.length === 0;
    for (const element of this.#stage.querySelectorAll('[path]')) this.#mark(element);
    this.#drawAll();
  }

  #mark(element) {
    const isArmed = ASKING.includes(this.#told.state) && this.#told.path === element.path;
    setAttribute(element, 'data-learn', isArmed ? 'armed' : this.#bindingsOf(element.path).length > 0 ? 'learnt' : null);
  }

  // All that is learnt.

  #showAll() {
    this.#drawAll();
    const copied = h('span', { 'aria-live': 'polite' });
    const copy = choice('Copy', async () => setText(copied, (await copyText(this.toml)) ? ' \u2713' : ': press Ctrl-C'));
    copy.append(copied);
    this.#sheet.open('Learnt', h('p', { class: 'sheet-line' }, 'Learnt from hardware'), this.trouble, this.list,
      h('p', { class: 'sheet-note' }, 'For the end of the configuration:'), this.toml, copy, choice('Close', () => this.#sheet.close()));
  }

  #drawAll() {
    const { bindings, toml, trouble } = this.#told;
    setText(this.trouble, trouble ? `It is forgotten when the bridge ends: ${trouble}` : '');
    this.trouble.hidden = !trouble;
    this.list.replaceChildren(...bindings.map(({ binding, path, text }) => h('div', { class: 'learnt-one' },
      h('div', {}, h('b', {}, path), ' ', h('span', {}, text)),
      choice('Forget', () => this.#client.forget([binding])))));
    this.toml.value = toml;
  }
}

function choice(text, act) {
  const element = button('choice', '', act);
  element.append(text);
  return element;
}

/** Put a text into the clipboard. Over plain http there is only the old way. */
async function copyText(area) {
  try {
    await navigator.clipboard.writeText(area.value);
    return true;
  } catch {
    area.select();
    return document.execCommand('copy');
  }
}
