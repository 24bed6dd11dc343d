/* Inputs of class `sync` on people's own pages ↔ client.
 *
 * Here: finding them (also later ones), declaring, hands and typing, showing values, locking. Not
 * here: what one element means (inputs.js), the socket (client.js), the offline bar (badge.js).
 *
 * What a browser restored into a form is never sent: only events are, and none before the truth has
 * come. A value from outside dispatches `control-value` {path, value}, never `input` or `change`; a trigger, whoever
 * has fired it, `control-trigger` {path, args} on its buttons.
 * `data-sync` on an element says how it is: online, unconfirmed, waiting, mismatch, offline; `data-held-by` who has it.
 */

import { adapt, contradiction, declarations, isShowable, isSync, isTyped, kindOf, pathOf, read, write } from "./inputs.js";

/** Typing that rests for so long lets go of the text. */
export const TYPING_MS = 1000;

const BOUNCE_MS = 30; // two presses of a button are further apart
const CLICK_AFTER_MS = 700; // a click this soon after a finger was on a button is the same press
const FIRED_MS = 150; // for so long a button shows that it was fired

const SELECTOR = "input.sync, select.sync, textarea.sync, button.sync";
const HANDS = ["input", "change", "pointerdown", "click", "keydown", "focusout", "compositionstart", "compositionend", "reset"];
const LIFTS = ["pointerup", "pointercancel", "lostpointercapture"];
const CHANGES = ["status", "controls", "value", "trigger", "held", "mark", "unconfirmed", "cancel", "error"];

/** One synced element. */
class Field {
  control = null; // the descriptor that it was adapted to
  isHeld = false; // our touch
  isDead = false; // the finger that is down counts no more until it lifts
  isComposing = false;
  hasSpoken = false; // `control-value` was dispatched once
  pointers = new Set();
  typing = 0; // timer
  pressedAt = -Infinity; // a finger was on the button
  firedAt = -Infinity;
  fired = 0; // timer
  lock = null; // what the author had, while it is locked

  constructor(node, path) {
    this.node = node;
    this.path = path;
  }
}

/** Keep all sync inputs of a document in step with the client, until the returned function is called. */
export function sync(client, document = globalThis.document) {
  const synced = new Sync(client, document);
  return () => synced.end();
}

class Sync {
  #client;
  #document;
  #window;
  #fields = new Map(); // node → Field
  #byPath = new Map(); // path → Set of Fields
  #observer;
  #state;
  #said = new Set(); // what the console was told, once each

  constructor(client, document) {
    this.#client = client;
    this.#document = document;
    this.#window = document.defaultView;
    this.#state = client.status.state;
    for (const type of HANDS) document.addEventListener(type, this, true);
    for (const type of LIFTS) this.#window.addEventListener(type, this, true);
    for (const type of ["pageshow", "DOMContentLoaded"]) this.#window.addEventListener(type, this);
    for (const type of CHANGES) client.addEventListener(type, this);
    this.#adopt(document.querySelectorAll(SELECTOR));
    this.#observer = new MutationObserver((records) => this.#mutated(records));
    this.#observer.observe(document, {
      childList: true, subtree: true, attributes: true, attributeFilter: ["class", "data-path"],
    });
  }

  end() {
    for (const type of HANDS) this.#document.removeEventListener(type, this, true);
    for (const type of LIFTS) this.#window.removeEventListener(type, this, true);
    for (const type of ["pageshow", "DOMContentLoaded"]) this.#window.removeEventListener(type, this);
    for (const type of CHANGES) this.#client.removeEventListener(type, this);
    this.#observer.disconnect();
    for (const field of [...this.#fields.values()]) this.#forget(field);
  }

  handleEvent(event) {
    const { type, detail, target } = event;
    if (event.currentTarget === this.#client) this.#told(type, detail);
    else if (LIFTS.includes(type)) this.#lifted(event.pointerId);
    else if (type === "reset") setTimeout(() => this.#wasReset(target)); // its inputs change after the event
    else if (type === "pageshow" || type === "DOMContentLoaded") this.#showEverything(); // over what was restored
    else {
      const node = target.closest?.("button.sync") ?? target; // what is in a button is the button
      if (this.#fields.has(node)) this.#acted(type, this.#fields.get(node), event);
    }
  }

  // From the client.

  #told(type, detail) {
    switch (type) {
      case "status":
        if (detail.state === this.#state) break;
        this.#state = detail.state;
        for (const field of this.#fields.values()) this.#showStatus(field);
        break;
      case "controls":
        for (const path of [...detail.added, ...detail.described, ...detail.removed]) this.#each(path, this.#describe);
        break;
      case "value":
        this.#each(detail.path, this.#show);
        break;
      case "trigger":
        this.#each(detail.path, (field) => this.#showFired(field, detail.args));
        break;
      case "cancel":
        if (detail.paths === null) for (const field of this.#fields.values()) this.#cancel(field);
        else for (const path of detail.paths) this.#each(path, this.#cancel);
        break;
      case "error":
        if (this.#byPath.has(detail.path)) this.#say(detail.path, detail.message);
        break;
      default: // held, mark, unconfirmed
        this.#each(detail.path, this.#showStatus);
    }
  }

  #each(path, act) {
    for (const field of [...(this.#byPath.get(path) ?? [])]) act.call(this, field);
  }

  // Elements that come and go.

  #adopt(nodes) {
    const fresh = [];
    for (const node of nodes) {
      if (this.#fields.has(node) || !isSync(node) || !node.isConnected) continue;
      fresh.push(node);
    }
    const { controls, problems } = declarations(fresh);
    const broken = new Set(problems.map(([node]) => node));
    for (const [node, text] of problems) console.warn(`stagebridge: ${pathOf(node) ?? "an element"}: ${text}`, node);
    for (const node of fresh) {
      if (broken.has(node)) continue;
      const field = new Field(node, pathOf(node));
      // Else Firefox and Chromium put the values of an older visit into the fields.
      if (!node.hasAttribute("autocomplete")) node.autocomplete = "off";
      this.#fields.set(node, field);
      if (!this.#byPath.has(field.path)) this.#byPath.set(field.path, new Set());
      this.#byPath.get(field.path).add(field);
    }
    this.#client.declare(controls);
    for (const node of fresh) if (this.#fields.has(node)) this.#describe(this.#fields.get(node));
  }

  #forget(field) {
    this.#letGo(field);
    this.#unlock(field);
    delete field.node.dataset.sync;
    delete field.node.dataset.heldBy;
    clearTimeout(field.fired);
    delete field.node.dataset.fired;
    this.#fields.delete(field.node);
    this.#byPath.get(field.path).delete(field);
    if (this.#byPath.get(field.path).size === 0) this.#byPath.delete(field.path);
  }

  #mutated(records) {
    for (const field of [...this.#fields.values()]) {
      const { node, path } = field;
      if (!node.isConnected || !isSync(node) || pathOf(node) !== path) this.#forget(field);
    }
    const nodes = new Set();
    for (const { type, target, addedNodes } of records) {
      for (const node of type === "attributes" ? [target] : addedNodes) {
        if (node.nodeType !== 1) continue;
        if (node.matches(SELECTOR)) nodes.add(node);
        for (const inner of node.querySelectorAll(SELECTOR)) nodes.add(inner);
      }
    }
    if (nodes.size > 0) this.#adopt(nodes);
  }

  /** The control of this element has come, changed or gone. */
  #describe(field) {
    const control = this.#client.model.get(field.path)?.control ?? null;
    if (control !== null && control !== field.control) {
      const said = contradiction(field.node, control);
      if (said !== "" && (field.control === null || !isShowable(field.node, control))) this.#say(field.path, said);
      if (isShowable(field.node, control)) adapt(field.node, control);
    }
    field.control = control;
    this.#showStatus(field);
    this.#show(field, true);
  }

  #say(path, text) {
    if (this.#said.has(path)) return;
    this.#said.add(path);
    const message = text.startsWith(path) ? text : `${path}: ${text}`;
    console.warn(`stagebridge: ${message}`);
  }

  // To the page.

  #showEverything() {
    for (const field of this.#fields.values()) this.#show(field, true);
  }

  #show(field, isForced = false) {
    const { node, control, path } = field;
    const value = this.#client.value(path);
    if (value === undefined || control === null || !isShowable(node, control)) return;
    if (field.isComposing) return; // the text under an input method may not be touched
    if (field.isHeld && isTyped(node) && !isForced) return; // "007" is on its way to "007.5"
    const isChanged = write(node, control, value);
    if (!isChanged && field.hasSpoken) return;
    field.hasSpoken = true;
    node.dispatchEvent(new CustomEvent("control-value", { bubbles: true, detail: { path, value } }));
  }

  /** It was fired, here or elsewhere. */
  #showFired(field, args) {
    const { node, control, path } = field;
    if (control === null || !isShowable(node, control)) return;
    node.dataset.fired = "";
    clearTimeout(field.fired);
    field.fired = setTimeout(() => delete node.dataset.fired, FIRED_MS);
    node.dispatchEvent(new CustomEvent("control-trigger", { bubbles: true, detail: { path, args } }));
  }

  #showStatus(field) {
    const { node, control, path } = field;
    const { held, unconfirmed, waiting, offline, locked, readonly, silent, awaited } = this.#client.model.status(path, this.#client.status.state);
    const isMismatch = control !== null && !isShowable(node, control);
    const word = offline ? "offline" : isMismatch ? "mismatch" : waiting ? "waiting" : unconfirmed ? "unconfirmed" : "online";
    if (node.dataset.sync !== word) node.dataset.sync = word;
    if (held !== null && !held.mine) node.dataset.heldBy = held.name;
    else delete node.dataset.heldBy;
    if (silent) node.dataset.silent = silent;
    else delete node.dataset.silent;
    if (awaited) node.dataset.awaited = awaited;
    else delete node.dataset.awaited;
    if (locked || readonly || control === null || isMismatch) this.#lock(field);
    else this.#unlock(field);
  }

  /** Fields that are typed into keep their focus and caret; all others are disabled. */
  #lock(field) {
    if (field.lock !== null) return;
    const { node } = field;
    const name = isTyped(node) ? "readOnly" : "disabled";
    field.lock = { name, was: node[name] };
    node[name] = true;
  }

  #unlock(field) {
    if (field.lock === null) return;
    field.node[field.lock.name] = field.lock.was;
    field.lock = null;
  }

  // From the hand.

  #acted(type, field, event) {
    const { node } = field;
    switch (type) {
      case "input":
        this.#moved(field, event.isComposing === true);
        break;
      case "change":
        if (kindOf(node) === "color") this.#letGo(field); // its picker was closed
        break;
      case "pointerdown":
        if (kindOf(node) === "range") this.#pressed(field, event.pointerId);
        else if (kindOf(node) === "button" && event.button === 0) this.#push(field, event.pointerId);
        break;
      case "click": // of the keyboard or a screen reader, or what follows a finger
        if (kindOf(node) === "button" && performance.now() - field.pressedAt > CLICK_AFTER_MS) this.#fire(field);
        break;
      case "keydown":
        if (kindOf(node) === "button") {
          if (event.repeat) event.preventDefault(); // else Enter that is held clicks on and on
        } else if (event.key === "Enter" && !event.isComposing && node.localName === "input") this.#letGo(field);
        break;
      case "focusout":
        field.isComposing = false;
        if (isTyped(node)) this.#letGo(field);
        break;
      case "compositionstart":
        field.isComposing = this.#type(field);
        break;
      case "compositionend":
        if (!field.isComposing) break;
        field.isComposing = false;
        this.#moved(field, false);
        break;
    }
  }

  #moved(field, isComposing) {
    const { node, control, path } = field;
    if (field.isDead || control === null || field.lock !== null) {
      this.#show(field, true);
      return;
    }
    const isHolding = isTyped(node) || kindOf(node) === "color"; // a picker is open until `change`
    if (isHolding && !this.#type(field)) return;
    if (isComposing || field.isComposing) return; // half a character
    const value = read(node, control);
    if (value === undefined) return;
    if (!this.#client.set(path, value)) this.#show(field, true);
  }

  /** The text is held from here to Enter, blur or a pause. */
  #type(field) {
    if (!field.isHeld) field.isHeld = this.#client.touch(field.path);
    clearTimeout(field.typing);
    if (field.isHeld) field.typing = setTimeout(() => this.#letGo(field), TYPING_MS);
    else this.#show(field, true);
    return field.isHeld;
  }

  #pressed(field, pointer) {
    if (field.pointers.size === 0) field.isDead = false;
    field.pointers.add(pointer);
    if (field.isHeld || field.isDead) return;
    field.isHeld = this.#client.touch(field.path);
    field.isDead = !field.isHeld;
  }

  /** A button acts on the way down. */
  #push(field, pointer) {
    field.pointers.add(pointer);
    field.pressedAt = performance.now();
    this.#fire(field);
  }

  #fire(field) {
    const now = performance.now();
    if (field.control === null || now - field.firedAt < BOUNCE_MS) return;
    field.firedAt = now;
    this.#client.trigger(field.path);
  }

  #lifted(pointer) {
    for (const field of this.#fields.values()) {
      if (!field.pointers.delete(pointer)) continue;
      if (kindOf(field.node) === "button") field.pressedAt = performance.now();
      if (field.pointers.size > 0) continue;
      field.isDead = false;
      this.#letGo(field);
    }
  }

  #letGo(field) {
    clearTimeout(field.typing);
    if (!field.isHeld) return;
    field.isHeld = false;
    this.#client.release(field.path);
    this.#show(field, true);
  }

  /** The socket is gone, the page was hidden, or somebody else has it. */
  #cancel(field) {
    clearTimeout(field.typing);
    field.isHeld = false;
    field.isDead = field.pointers.size > 0;
    this.#show(field, true);
  }

  /** A reset button is a hand on every input of its form. */
  #wasReset(form) {
    for (const field of this.#fields.values()) if (field.node.form === form) this.#moved(field, false);
  }
}
