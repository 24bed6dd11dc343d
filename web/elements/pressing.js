// PressElement: what button and toggle share. A real <button> that acts on the way down, not on click.

import { GUARD_MS, Hold } from '../lib/gesture.js';
import { ControlElement } from './base.js';
import { fitName, fitNotice } from '../lib/names.js';
import { h, ruler, setText, svg } from './dom.js';
import { Finger } from './finger.js';

const CLICK_AFTER_MS = 700; // a click this soon after a finger is the same press

export class PressElement extends ControlElement {
  static pressCss = `
:host { width: 112px; height: 64px; }
.root { min-height: 44px; }
.face {
  position: relative; flex: 1; width: 100%; min-height: 0; border-radius: 8px; border: 2px solid var(--edge); color: var(--text);
  font-size: 18px; font-weight: 600; line-height: 20px; padding: 0 6px; overflow: visible; cursor: default;
  display: flex; flex-direction: column; align-items: center; justify-content: center; overflow-wrap: anywhere;
}
.narrow .face { font-size: 16px; padding: 0 4px; }
.narrow.noticed .face { padding: 0; }
.face-text { pointer-events: none; max-height: 40px; overflow: hidden; }
.colored .face { border-color: var(--mark); }
.on .face { background: var(--mark); border-color: var(--mark); color: var(--on); font-weight: 700; }
.big .face { font-size: 28px; line-height: 32px; }
.big .face-text { max-height: 64px; }
.sub { font-size: 14px; line-height: 16px; font-weight: 600; pointer-events: none; color: var(--warn); max-width: 100%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.sub:empty { display: none; }
.held .sub { color: var(--other); }
.on .sub { color: var(--on); }
.noticed .face-text { max-height: 20px; white-space: nowrap; text-overflow: ellipsis; max-width: 100%; }
.mine .face { box-shadow: 0 0 0 2px var(--well, var(--bg)), 0 0 0 5px var(--text); }
.held .face { box-shadow: 0 0 0 2px var(--well, var(--bg)), 0 0 0 5px var(--other); }
.unconfirmed .face { border: 3px dashed var(--warn); background: none; color: var(--warn); }
.unconfirmed.on .face { box-shadow: inset 0 0 0 5px var(--well, var(--panel)), inset 0 0 0 40px var(--track); color: var(--text); }
.silent .face {
  background-image: repeating-linear-gradient(135deg, var(--track) 0 4px, transparent 4px 10px);
  border-color: var(--edge); color: var(--text);
}
.silent.on .face { background-color: var(--mark); background-image: repeating-linear-gradient(135deg, var(--well, var(--panel)) 0 4px, transparent 4px 10px); }
.silent .face-text, .silent .sub { background: var(--well, var(--panel)); padding: 0 4px; color: var(--text); }
.silent .sub { color: var(--warn); }
.narrow.silent .face-text, .narrow.silent .sub { padding: 0 1px; }
.readonly .face { border-color: transparent; border-radius: 2px; background: var(--well, var(--panel)); }
.readonly.on .face { color: var(--text); box-shadow: inset 0 -6px 0 var(--mark); }
.readonly:not(.on) .face { box-shadow: inset 0 -6px 0 var(--track); }
.locked .face { border-color: transparent; background: var(--track); color: var(--text2); }
.locked.on .face { background: var(--edge); color: var(--bg); }
.locked:not(.waiting) .face::before { content: ""; position: absolute; right: 9px; top: 5px; width: 8px; height: 7px; border: 2px solid; border-bottom: 0; border-radius: 4px 4px 0 0; }
.locked:not(.waiting) .face::after { content: ""; position: absolute; right: 7px; top: 11px; width: 12px; height: 9px; border-radius: 2px; background: currentColor; }
.offline .face { border-color: var(--track); color: var(--edge); background: none; }
.offline.on .face { background: var(--track); color: var(--text2); border-color: var(--edge); }
/* last: it wins over locked, which it also is */
.waiting .face, .waiting.on .face { border: 2px dotted var(--edge); background: none; color: var(--text2); box-shadow: none; }
.guard { position: absolute; inset: -6px; width: calc(100% + 12px); height: calc(100% + 12px); pointer-events: none; overflow: visible; }
.guard rect { fill: none; stroke: var(--text); stroke-width: 4; stroke-dasharray: 0 100; opacity: 0; }
.pressing .guard rect { opacity: 1; stroke-dasharray: 100 100; transition: stroke-dasharray ${GUARD_MS}ms linear; }
`;

  #pressedAt = -Infinity;
  #guard = new Hold(GUARD_MS);
  #guardTimer = 0;
  #isKeyDown = false;

  /** For widgets. `press` acts; `unpress` is the end of it, however it ends. */
  press() {}

  unpress() {}

  makeFace(root) {
    this.faceText = h('span', { class: 'face-text' });
    this.sub = h('span', { class: 'sub' });
    const ring = svg('svg', { class: 'guard', 'aria-hidden': 'true' },
      svg('rect', { x: 2, y: 2, width: 'calc(100% - 4px)', height: 'calc(100% - 4px)', rx: 11, pathLength: 100 }));
    this.face = h('button', { class: 'face', type: 'button', part: 'face' }, this.faceText, this.sub);
    this.ring = ring;
    this.fingers.push(new Finger(this.face, {
      mayStart: () => this.isFree,
      down: () => this.#down(),
      move: () => {},
      up: () => this.#up(),
    }));
    this.face.addEventListener('keydown', (event) => {
      if (event.key !== ' ' && event.key !== 'Enter') return;
      event.preventDefault();
      if (event.repeat || this.#isKeyDown || !this.isFree) return;
      this.#isKeyDown = true;
      this.#down();
    });
    this.face.addEventListener('keyup', (event) => {
      if (event.key === ' ' || event.key === 'Enter') this.#keyUp();
    });
    this.face.addEventListener('blur', () => this.#keyUp());
    // A screen reader's activation comes as a click alone.
    this.face.addEventListener('click', () => {
      if (performance.now() - this.#pressedAt < CLICK_AFTER_MS || !this.isFree) return;
      this.#act();
      this.unpress();
    });
    root.append(this.face);
  }

  drawFace(text) {
    setText(this.faceText, this.#fitted(text));
    setText(this.sub, this.status.waiting || !this.notice ? '' : this.#fittedNotice());
    if (this.control?.guard && !this.ring.isConnected) this.face.append(this.ring);
    this.face.setAttribute('aria-label', this.fullName);
    this.face.setAttribute('aria-disabled', String(!this.isFree));
  }

  get #isBig() {
    return this.width >= 110 && this.height >= 120;
  }

  #fitted(text) {
    if (!this.width) return text;
    const size = this.#isBig ? 28 : this.width < 100 ? 16 : 18;
    return fitName(text, this.width - (this.width < 100 ? 12 : 20) - this.ringRoom, this.notice ? 1 : 2, ruler(size, 700));
  }

  #fittedNotice() {
    return this.width ? fitNotice(this.notice, this.width - (this.width < 100 ? 8 : 24), ruler(14, 600)) : this.notice;
  }

  extraClasses() {
    return [...(this.#guard.isRunning ? ['pressing'] : []), ...(this.notice ? ['noticed'] : []), ...(this.#isBig ? ['big'] : [])];
  }

  cancelGesture() {
    super.cancelGesture();
    this.#keyUp();
  }

  #down() {
    this.#pressedAt = performance.now();
    if (!this.control.guard) {
      this.#act();
      return;
    }
    this.#guard.down(performance.now());
    this.#guardTimer = setTimeout(() => {
      this.#guard.cancel();
      if (this.isFree) this.#act();
      this.invalidate();
    }, GUARD_MS);
    this.invalidate();
  }

  #act() {
    this.#pressedAt = performance.now();
    this.press();
  }

  #up() {
    this.#pressedAt = performance.now();
    clearTimeout(this.#guardTimer);
    this.#guard.cancel();
    this.unpress();
    this.invalidate();
  }

  #keyUp() {
    if (!this.#isKeyDown) return;
    this.#isKeyDown = false;
    this.#up();
  }
}
