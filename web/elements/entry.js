// Typing a value: a small pad of keys beside the control, the same for fingers, keyboards and screen readers.
//
// Not the system's keyboard: on an iPhone its number pad has no minus sign, and on an iPad it covers half of the page.

import * as law from '../lib/law.js';
import { adopt, h, setText } from './dom.js';

const KEYS = ['7', '8', '9', '4', '5', '6', '1', '2', '3', '\u00b1', '0', '.'];
const WIDTH_PX = 264;
const MARGIN_PX = 8;

const css = `
:host { all: initial; position: fixed; z-index: 2147483000; inset: 0; pointer-events: none; }
*, *::before { box-sizing: border-box; }
.pad {
  position: absolute; width: min(${WIDTH_PX}px, calc(100vw - 16px)); pointer-events: auto; padding: 12px; border-radius: 14px;
  background: var(--sb-panel, #161a20); color: var(--sb-text, #f4f6f8); border: 2px solid var(--sb-edge, #76828f);
  box-shadow: 0 12px 40px rgba(0, 0, 0, .5); display: grid; gap: 8px; grid-template-columns: repeat(3, 1fr);
  font: 500 18px/1.2 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
  -webkit-user-select: none; user-select: none; touch-action: none; -webkit-tap-highlight-color: transparent;
}
.title { grid-column: 1 / -1; display: flex; justify-content: space-between; gap: 8px; align-items: baseline; min-width: 0; }
.title b { font-weight: 600; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.title span { font-size: 14px; color: var(--sb-text2, #b6c0cb); white-space: nowrap; }
.field { grid-column: 1 / -1; position: relative; display: flex; align-items: center; }
input {
  width: 100%; height: 56px; font: inherit; font-size: 32px; font-weight: 600; font-variant-numeric: tabular-nums; text-align: right; color: inherit;
  padding: 0 12px; border-radius: 8px; border: 2px solid var(--sb-fill, #4db5ff); background: var(--sb-bg, #0b0d10); outline: none;
  -webkit-appearance: none; appearance: none; -webkit-user-select: text; user-select: text;
}
.has-unit input { padding-right: 56px; }
.wide input { font-size: 22px; text-align: left; }
.field i { position: absolute; right: 12px; font-style: normal; font-size: 16px; color: var(--sb-text2, #b6c0cb); }
.bad input { border-color: var(--sb-bad, #ff6369); }
button {
  font: inherit; font-size: 22px; font-weight: 600; color: inherit; height: min(56px, calc((100vh - 150px) / 5)); border: 0; border-radius: 8px;
  background: var(--sb-track, #2a313a); touch-action: none; -webkit-appearance: none; appearance: none;
}
button:active { background: var(--sb-edge, #76828f); }
button.text { font-size: 18px; }
button.enter { background: var(--sb-fill, #4db5ff); color: var(--sb-ink, #0b0d10); }
button:focus-visible { outline: 2px solid var(--sb-text, #f4f6f8); outline-offset: 2px; }
`;

let close = null;

/**
 * Let a person type a value for `control`, beside `anchor`; `done(value)` gets it, clamped, and returns why it was not
 * taken, else "". One at a time.
 */
export function askValue(anchor, { name, control, value, done }) {
  close?.();
  const isNumber = ['float', 'int', 'meter'].includes(control.kind);
  const host = h('div');
  const shadow = host.attachShadow({ mode: 'open' });
  const { text, unit } = law.format(control, value);
  const [low, high] = isNumber ? law.limit(control).map((end) => law.format(control, end).text) : ['', ''];

  const input = h('input', { type: 'text', inputmode: isNumber ? 'none' : 'text', autocomplete: 'off', autocorrect: 'off', autocapitalize: 'off', spellcheck: 'false', enterkeyhint: 'done', 'aria-label': name });
  input.value = text;
  const range = isNumber ? `${low} \u2026 ${high}` : '';
  const note = h('span', { role: 'status' }, range);
  const pad = h('div', { class: `pad${isNumber ? '' : ' wide'}${unit ? ' has-unit' : ''}`, role: 'dialog', 'aria-label': `${name}: type a value` },
    h('div', { class: 'title' }, h('b', {}, name), note),
    h('div', { class: 'field' }, input, h('i', { 'aria-hidden': 'true' }, unit)));
  let isFresh = true; // the first key replaces what stands there

  const isTyped = () => {
    isFresh = false;
    pad.classList.remove('bad');
    setText(note, range);
  };
  const type = (change) => {
    input.value = change(isFresh ? '' : input.value);
    isTyped();
  };
  const enter = () => {
    const wanted = law.parse(control, input.value);
    const why = wanted === null ? '' : done(wanted);
    if (wanted !== null && !why) {
      close();
      return;
    }
    setText(note, why || range);
    pad.classList.add('bad');
    input.select();
    isFresh = true;
  };
  const key = (label, act, attributes = {}) => {
    const button = h('button', { type: 'button', ...attributes }, label);
    button.addEventListener('click', act);
    return button;
  };
  if (isNumber) {
    for (const sign of KEYS) {
      pad.append(sign === '\u00b1'
        ? key(sign, () => {
          isFresh = false;
          type((old) => (/^[-\u2212]/.test(old) ? old.slice(1) : law.MINUS + old));
        }, { 'aria-label': 'change sign' })
        : key(sign, () => type((old) => (sign === '.' && old.includes('.') ? old : old + sign))));
    }
  }
  pad.append(
    key('Cancel', () => close(), { class: 'text' }),
    key('\u232b', () => {
      isFresh = false;
      type((old) => old.slice(0, -1));
    }, { 'aria-label': 'delete', class: 'text' }),
    key('Enter', enter, { class: 'text enter' }),
  );
  shadow.append(pad);
  adopt(shadow, [css]);

  input.addEventListener('input', isTyped);
  pad.addEventListener('keydown', (event) => {
    event.stopPropagation();
    if (event.key === 'Escape') close();
    if (event.key !== 'Enter' || event.target !== input) return;
    event.preventDefault(); // or it would press what has the focus when the pad has gone
    enter();
  });
  const outside = (event) => {
    if (!event.composedPath().includes(host)) close();
  };
  close = () => {
    close = null;
    document.removeEventListener('pointerdown', outside, true);
    host.remove();
    anchor.focus?.({ preventScroll: true });
  };
  document.body.append(host);
  place(pad, anchor.getBoundingClientRect());
  document.addEventListener('pointerdown', outside, true);
  setText(pad.querySelector('.title b'), name);
  input.focus({ preventScroll: true });
  input.select();
}

/** Beside the control, where there is room; else in the middle. */
function place(pad, rect) {
  const { innerWidth, innerHeight } = window;
  const { offsetWidth: width, offsetHeight: height } = pad;
  const clampX = (x) => Math.max(MARGIN_PX, Math.min(innerWidth - width - MARGIN_PX, x));
  const clampY = (y) => Math.max(MARGIN_PX, Math.min(innerHeight - height - MARGIN_PX, y));
  const isRoomRight = rect.right + MARGIN_PX + width < innerWidth;
  const isRoomLeft = rect.left - MARGIN_PX - width > 0;
  const x = isRoomRight ? rect.right + MARGIN_PX : isRoomLeft ? rect.left - MARGIN_PX - width : (innerWidth - width) / 2;
  pad.style.left = `${clampX(x)}px`;
  pad.style.top = `${clampY(isRoomRight || isRoomLeft ? rect.top : (innerHeight - height) / 2)}px`;
}
