// ControlElement: what every widget is. Properties in, events out; it never sees the socket.
//
//   path     attribute: which control
//   control  descriptor or null
//   value    what to show; setting it dispatches `control-value`, never input or change
//   status   {held, unconfirmed, waiting, offline, locked, readonly, silent, awaited, hardware, text, pads}, replaced whole
//
// A hand dispatches `control-touch`, `control-input` {path, value} (every move), `control-trigger` {path, args} and
// `control-release`. An element does not move by itself: it shows what it is handed.

import { inkOn, themed } from '../lib/color.js';
import * as law from '../lib/law.js';
import { fitName, fitNotice } from '../lib/names.js';
import { adopt, h, ruler, setText } from './dom.js';
import { askValue } from './entry.js';
import { shared } from './style.js';

const IDLE = Object.freeze({
  held: null, unconfirmed: false, waiting: false, offline: false, locked: false, readonly: false, silent: null,
  awaited: null, hardware: null, text: null, pads: null,
});
const NARROW_PX = 100;
export const RING_PX = 15; // what the ring behind the name of an awaited peer's control takes from the name
const KEY_RELEASE_MS = 500;

const SLOW_MS = 40; // from frame to frame: the device does not keep up
const FAST_MS = 25;
const [FEWEST, MOST] = [4, 1024];

const connected = new Set();
const dirty = new Set(); // the oldest first
const touched = new Set();
let frame = 0;
let drawnAt = 0;
let share = MOST;
let isPageLocked = false;

/**
 * One frame for all elements that changed since the last one. While a finger is down on a device that does not keep up,
 * what it holds is drawn in each frame, and of the others as many as leave it quick, in turn.
 */
function drawAll(time) {
  frame = 0;
  const batch = [...dirty];
  dirty.clear();
  const gap = time - drawnAt;
  drawnAt = time;
  if (touched.size === 0) share = MOST;
  else if (gap > SLOW_MS) share = Math.max(FEWEST, Math.floor(Math.min(share, batch.length) / 2));
  else if (gap < FAST_MS) share = Math.min(MOST, 2 * share);
  let left = share;
  for (const element of batch) {
    if (!touched.has(element) && left-- <= 0) element.invalidate();
    else if (element.isConnected) element.drawNow(time);
  }
}

const sizes = typeof ResizeObserver === 'undefined' ? null : new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) target.resized(contentRect.width, contentRect.height);
});

/** Lock every element of this page (or give them back): fingers are cancelled, nothing can be moved. */
export function lockPage(isLocked) {
  isPageLocked = isLocked;
  for (const element of connected) {
    if (isLocked) element.cancelGesture();
    element.invalidate();
  }
}

/** Draw everything again: the theme has changed. */
export function redrawAll() {
  for (const element of connected) element.invalidate();
}

/** The theme that an element stands in: dark, dim or sun. */
export function themeOf(element) {
  return element.closest('[data-theme]')?.dataset.theme ?? document.documentElement.dataset.theme ?? 'dark';
}

/**
 * Write a name and a notice into a name row of one or two lines. A notice takes the first of two, so that a short name
 * does not move; where there is one line alone it takes that.
 */
export function writeName(nameNode, noticeNode, { name, notice, width, lines, size }) {
  const isTwo = lines > 1;
  const fit = (text, count, px) => (width > 0 ? fitName(text, width, count, ruler(px, 600)) : text);
  setText(noticeNode, notice ? fitNotice(notice, width, ruler(14, 600)) : '');
  setText(nameNode, notice && !isTwo ? '' : fit(name, notice ? 1 : lines, size));
}

export class ControlElement extends HTMLElement {
  static css = '';
  static observedAttributes = ['path', 'label', 'bare', 'orientation'];

  #control = null;
  #value = undefined;
  #status = IDLE;
  #isBuilt = false;
  #touches = 0;
  #classes = '';
  #color = null;
  #name = '';
  #keyTimer = 0;

  constructor() {
    super();
    const shadow = this.attachShadow({ mode: 'open', delegatesFocus: true });
    this.root = h('div', { class: 'root' });
    this.width = 0;
    this.height = 0;
    this.fingers = [];
    shadow.append(this.root);
    adopt(shadow, [shared, this.constructor.css]);
  }

  // For widgets.

  /** Make the shadow tree inside `root`. Called once, when the element first comes into a document. */
  build() {}

  /** Bring the shadow tree up to `control`, `value` and `status`. Called at most once a frame. */
  draw() {}

  /** A hand may move this now. */
  get isFree() {
    const { offline, locked, readonly, waiting, held } = this.#status;
    const control = this.#control;
    return control !== null && !offline && !locked && !readonly && !waiting && !isPageLocked
      && control.access !== 'read' && !(control.hold === 'first' && held && !held.mine);
  }

  get isLocked() {
    return this.#status.locked || isPageLocked;
  }

  get isReadonly() {
    return this.#status.readonly || this.#control?.access === 'read';
  }

  get isMine() {
    return this.#touches > 0 || this.#status.held?.mine === true;
  }

  /** No value to draw: the peer has not said it yet, or nobody has bound this element. */
  get isBlank() {
    return this.#status.waiting || this.#value === undefined || this.#value === null;
  }

  get label() {
    return this.getAttribute('label') ?? this.#control?.label ?? this.path.split('/').pop();
  }

  /** Name for screen readers: with the group, because eight faders are all called "Volume". */
  get fullName() {
    return [this.group, this.label].filter(Boolean).join(' ');
  }

  /** {text, unit} as drawn: the peer's own text where it sends one, "…" while waiting. */
  get reading() {
    if (this.isBlank || !this.#control) return { text: '\u2026', unit: '' };
    if (this.#status.text !== null && this.#status.text !== undefined) return { text: this.#status.text, unit: '' };
    return law.format(this.#control, this.#value);
  }

  /** The reading in words: "−10.0 dB", who holds it, and whose program was not there yet. */
  get spoken() {
    const { text, unit } = this.reading;
    const who = this.notice && this.#status.held ? `, held by ${this.#status.held.name}` : '';
    const { offline, awaited } = this.#status;
    const state = offline ? ', offline' : this.isLocked ? ', locked' : awaited ? `, no ${awaited} yet` : '';
    return `${text === '\u2026' ? 'waiting' : text}${unit ? ` ${unit}` : ''}${who}${state}`;
  }

  touch() {
    this.#touches += 1;
    if (this.#touches > 1) return;
    touched.add(this);
    this.#emit('control-touch');
    this.invalidate();
  }

  release() {
    if (this.#touches === 0) return;
    this.#touches -= 1;
    if (this.#touches > 0) return;
    touched.delete(this);
    this.#emit('control-release');
    this.invalidate();
  }

  /** A hand wants this value. */
  input(value) {
    this.#emit('control-input', { value });
  }

  trigger(args) {
    this.#emit('control-trigger', args === undefined ? {} : { args });
  }

  /** A move by key: holds the control until half a second after the last one. */
  inputByKey(value) {
    if (!this.#keyTimer) this.touch();
    clearTimeout(this.#keyTimer);
    this.#keyTimer = setTimeout(() => this.endKeys(), KEY_RELEASE_MS);
    this.input(value);
  }

  /** The value box: a tap on it (or Enter) lets a person type. */
  makeValueBox() {
    this.num = h('span', { class: 'num' });
    this.unit = h('span', { class: 'unit' });
    const box = h('button', { class: 'value', type: 'button', part: 'value' }, this.num, this.unit);
    box.addEventListener('click', () => this.askValue());
    this.valueBox = box;
    return box;
  }

  drawValueBox() {
    const { text, unit } = this.reading;
    setText(this.num, text);
    setText(this.unit, unit);
    this.valueBox.classList.toggle('long', text.length > 5);
    const label = `${this.fullName} ${this.spoken}: type a value`;
    if (this.valueBox.getAttribute('aria-label') !== label) this.valueBox.setAttribute('aria-label', label);
    this.valueBox.disabled = !this.isFree;
  }

  askValue() {
    if (!this.isFree) return;
    askValue(this, {
      name: this.fullName,
      control: this.#control,
      value: this.#value,
      done: (value) => {
        if (this.#status.offline) return 'not taken: offline';
        if (!this.isFree) return 'not taken: locked';
        if (!this.isConnected) return 'not taken: gone'; // from the page
        this.touch();
        this.input(value);
        this.release();
        return '';
      },
    });
  }

  makeName() {
    this.noticeText = h('span', { class: 'notice' });
    this.nameText = h('span', { class: 'name-text' });
    this.nameRow = h('div', { class: 'name', part: 'name' }, this.noticeText, this.nameText);
    return this.nameRow;
  }

  /** What the name row has to say besides the name: whose finger is on it, that the peer is silent; else nothing. */
  get notice() {
    const { held, silent, offline } = this.#status;
    if (offline) return '';
    if (held && !held.mine && !this.isMine) return held.name || 'held';
    return silent ? `${silent} offline` : '';
  }

  /** What `awaited` takes from a text, px. */
  get ringRoom() {
    const { awaited, silent, offline } = this.#status;
    return awaited && !silent && !offline ? RING_PX : 0;
  }

  /** Room for the name, px; 0 while it is not known. */
  get nameWidth() {
    return this.width;
  }

  drawName(lines = this.root.classList.contains('one') ? 1 : 2) {
    if (!this.nameText || this.hasAttribute('bare')) return;
    const { notice, label } = this;
    const { nameWidth } = this;
    const width = nameWidth - 4 - this.ringRoom;
    const key = `${notice}|${label}|${width}|${lines}`;
    if (key === this.#name) return;
    this.#name = key;
    writeName(this.nameText, this.noticeText, { name: label, notice, width, lines, size: nameWidth < NARROW_PX ? 16 : 18 });
  }

  // For the binder and the surface.

  get path() {
    return this.getAttribute('path') ?? '';
  }

  set path(path) {
    this.setAttribute('path', path);
  }

  get control() {
    return this.#control;
  }

  set control(control) {
    this.#control = control ?? null;
    if (this.#isBuilt) this.described();
    this.invalidate();
  }

  get value() {
    return this.#value;
  }

  set value(value) {
    this.#value = value;
    if (this.#isBuilt) this.valued(value);
    this.invalidate();
    this.#emit('control-value', { value });
  }

  get status() {
    return this.#status;
  }

  set status(status) {
    this.#status = { ...IDLE, ...status };
    if (!this.isFree) this.cancelGesture();
    this.invalidate();
    this.#emit('control-status', { status: this.#status });
  }

  /** The finger that is down is dead until it lifts. */
  cancelGesture() {
    for (const finger of this.fingers) finger.cancel();
    this.endKeys();
  }

  /** Draw at the next frame. */
  invalidate() {
    if (!this.isConnected) return;
    dirty.add(this);
    if (!frame) frame = requestAnimationFrame(drawAll);
  }

  /** Called once a frame by the shared frame; tests may call it too. */
  drawNow(time) {
    this.#drawState();
    this.draw(time);
  }

  /** Hooks for widgets: a new descriptor, a new value, a new size. */
  described() {}

  valued() {}

  resized(width, height) {
    this.width = width;
    this.height = height;
    this.drawNow(performance.now()); // before the first paint: nothing may jump
  }

  connectedCallback() {
    for (const name of ['control', 'value', 'status', 'group']) this.#upgrade(name);
    if (!this.#isBuilt) this.#build();
    connected.add(this);
    sizes?.observe(this);
    this.#emit('control-connect');
    this.invalidate();
  }

  disconnectedCallback() {
    this.cancelGesture();
    connected.delete(this);
    touched.delete(this);
    sizes?.unobserve(this);
    this.#emit('control-disconnect');
  }

  attributeChangedCallback() {
    this.#name = '';
    this.invalidate();
  }

  // Not in the constructor: a subclass has its private fields only when that has returned.
  #build() {
    this.#isBuilt = true;
    this.build(this.root);
    this.described();
    if (this.#value !== undefined) this.valued(this.#value);
  }

  #drawState() {
    const { held, unconfirmed, waiting, offline, silent, hardware } = this.#status;
    const isMine = this.isMine && this.isFree;
    const words = ['root'];
    const put = (test, word) => test && words.push(word);
    put(this.width > 0 && this.width < NARROW_PX, 'narrow');
    put(isMine, 'mine');
    put(held && !held.mine && !isMine && !offline, 'held');
    put(unconfirmed, 'unconfirmed');
    put(waiting || this.#control === null, 'waiting');
    put(silent && !offline, 'silent');
    put(this.ringRoom, 'awaited');
    put(hardware !== null && hardware !== undefined, 'pickup');
    put(this.isReadonly, 'readonly');
    put(this.isLocked && !offline, 'locked');
    put(offline, 'offline');
    words.push(...this.extraClasses());
    const classes = words.join(' ');
    if (classes !== this.#classes) {
      this.#classes = classes;
      this.root.className = classes;
    }
    const color = this.#control?.color ? themed(this.#control.color, themeOf(this)) : null;
    if (color !== this.#color) {
      this.#color = color;
      if (color) {
        this.root.style.setProperty('--fill', color);
        this.root.style.setProperty('--fill-ink', inkOn(color));
      } else {
        this.root.style.removeProperty('--fill');
        this.root.style.removeProperty('--fill-ink');
      }
    }
  }

  extraClasses() {
    return [];
  }

  /** The keys have been at rest for a while, or the focus has gone. */
  endKeys() {
    if (!this.#keyTimer) return;
    clearTimeout(this.#keyTimer);
    this.#keyTimer = 0;
    this.release();
  }

  #emit(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { bubbles: true, composed: true, detail: { path: this.path, ...detail } }));
  }

  /** A property that was set before this class was known hides the accessor. */
  #upgrade(name) {
    if (!Object.prototype.hasOwnProperty.call(this, name)) return;
    const value = this[name];
    delete this[name];
    this[name] = value;
  }
}
