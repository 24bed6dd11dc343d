// <sb-text>: a line of text. Typing holds it from the first keystroke to Enter, blur or 1 s of rest; focus alone does not.

import { ControlElement } from './base.js';
import { h, setAttribute } from './dom.js';

const REST_MS = 1000;

export class Text extends ControlElement {
  static css = `
:host { width: 272px; height: 84px; }
.name { height: 20px; line-height: 20px; text-align: left; }
.narrow .name { height: 20px; }
input {
  flex: 1; min-height: 40px; width: 100%; border: 2px solid var(--edge); border-radius: 8px; padding: 0 12px;
  font-size: 20px; text-align: left; background: var(--well, var(--bg));
  -webkit-user-select: text; user-select: text; touch-action: manipulation;
}
input:focus { border-color: var(--mark); }
input:disabled { -webkit-text-fill-color: currentColor; opacity: 1; }
.mine input { border-color: var(--text); box-shadow: 0 0 0 1px var(--text); }
.held input { border-color: var(--other); box-shadow: 0 0 0 1px var(--other); }
.unconfirmed input { border: 3px dashed var(--warn); color: var(--warn); }
.waiting input { border-style: dotted; color: var(--text2); }
.silent input { background-image: repeating-linear-gradient(135deg, var(--track) 0 4px, transparent 4px 12px); }
.readonly input { border-color: transparent; background: none; padding-left: 0; }
.locked input { border-color: var(--track); color: var(--text2); background: none; }
.offline input { border-color: var(--track); color: var(--edge); }
`;

  #isTyping = false;
  #isComposing = false;
  #timer = 0;

  build(root) {
    this.field = h('input', { type: 'text', autocomplete: 'off', autocapitalize: 'off', autocorrect: 'off', spellcheck: 'false', enterkeyhint: 'done' });
    this.field.addEventListener('compositionstart', () => (this.#isComposing = true));
    this.field.addEventListener('compositionend', () => {
      this.#isComposing = false;
      this.#typed();
    });
    this.field.addEventListener('input', (event) => {
      event.stopPropagation(); // a host page's own listeners must not take it for a form field of theirs
      this.#typed();
    });
    this.field.addEventListener('change', (event) => event.stopPropagation());
    this.field.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && !event.isComposing) this.field.blur();
    });
    this.field.addEventListener('blur', () => this.#end());
    root.append(this.makeName(), this.field);
  }

  #typed() {
    if (!this.isFree) return;
    if (!this.#isTyping) {
      this.#isTyping = true;
      this.touch();
    }
    clearTimeout(this.#timer);
    if (this.#isComposing) return; // half a character is nobody's text
    this.input(this.field.value);
    this.#timer = setTimeout(() => this.#end(), REST_MS);
  }

  #end() {
    if (!this.#isTyping) return;
    clearTimeout(this.#timer);
    this.#isTyping = false;
    this.release();
    this.invalidate();
  }

  cancelGesture() {
    super.cancelGesture();
    this.#end();
  }

  extraClasses() {
    return ['one'];
  }

  draw() {
    const { field } = this;
    this.drawName(1);
    const text = this.isBlank ? '' : this.reading.text;
    if (!this.#isTyping && field.value !== text) {
      const [start, end] = [field.selectionStart, field.selectionEnd];
      const isFocused = this.shadowRoot.activeElement === field;
      field.value = text;
      if (isFocused) field.setSelectionRange(start, end);
    }
    field.placeholder = this.status.waiting ? '\u2026' : '';
    field.disabled = !this.isFree;
    field.maxLength = this.control?.max_length ?? 1000;
    setAttribute(field, 'aria-label', this.fullName);
  }
}
