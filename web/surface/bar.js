// The top bar: pages, banks, the state of the connection, and the device's own switches.

import { h, ruler, setAttribute, setText } from '../elements/dom.js';
import { fitGone } from '../lib/peers.js';
import { fitName } from '../lib/names.js';
import { PANIC_MS, UNLOCK_MS } from '../lib/gesture.js';
import { THEMES, fullScreen, setTheme, theme } from './device.js';
import { holdButton } from './hold.js';
import { icon, turnIcon } from './icons.js';

const TAB_MIN = 72;
const TAB_PADDING = 32;
const GAP = 8;
const NARROW = 744; // below it the device's switches live in the menu
const BADGE = 100; // as wide as a round trip
const MOST_BADGE = 200;
const BADGE_DOT = 36; // the dot, the gaps
const WATCHING = 92;
const DOOR = 68;
const SMALL = 400; // below it one button is pages, state and menu
export const OPEN = 'Open: everybody on this network can move everything';
const WORDS = { connecting: 'connecting', online: 'online', offline: 'offline' };

export class Bar {
  #pages = [];
  #page = null;
  #tabs = [];
  #width = 0;
  #isCollapsed = null;
  #isOpen = false;
  #hasPanic = false;
  #hasSleepHint = false;
  #status = { state: 'connecting', rtt: null };
  #gone = ''; // who of the peers is, in words
  #badgeRoom = MOST_BADGE;

  /** `calls`: showPage(name), turnBank(±1), turnLayer(), openMenu(), openPages(), setLocked(bool), panic(), explainSleep(),
   *  explainOpen(). */
  constructor(calls) {
    this.calls = calls;
    this.tabs = h('nav', { class: 'tabs', role: 'tablist', 'aria-label': 'Pages' });
    this.pageButton = button('page-button', 'Choose a page', () => calls.openPages());
    this.pageName = h('span', {});
    this.pageButton.append(h('i', { class: 'dot' }), this.pageName, icon('down'));
    this.back = button('bank-turn', 'Previous bank', () => calls.turnBank(-1));
    this.back.append(icon('left'));
    this.forth = button('bank-turn', 'Next bank', () => calls.turnBank(1));
    this.forth.append(icon('right'));
    this.bankText = h('span', { 'aria-live': 'polite' });
    this.layerName = h('span', { class: 'layer' });
    this.bankName = button('bank-name', '', () => calls.turnLayer());
    this.bankName.append(this.bankText, this.layerName);
    this.banks = h('div', { class: 'banks' }, this.back, this.bankName, this.forth);

    this.dot = h('i', { class: 'dot' });
    this.state = h('span', { class: 'state' });
    this.badge = button('badge', '', () => calls.openMenu());
    this.badge.append(this.dot, this.state);
    this.sleep = button('sleep', 'The screen may sleep: what to do', () => calls.explainSleep());
    this.sleep.append('screen may sleep');
    this.watching = h('span', { class: 'watching', role: 'status' }, 'watching');
    this.door = button('door', OPEN, () => calls.explainOpen());
    this.door.title = OPEN;
    this.door.append('open');
    this.door.hidden = true;
    this.theme = button('tool', 'Theme', () => {
      setTheme(THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length]);
      this.drawTheme();
    });
    this.theme.append(icon('dark'));
    this.full = button('tool', 'Full screen', () => fullScreen.toggle());
    this.full.append(icon('full'));
    this.lock = button('tool lock', 'Lock this page');
    this.lockIcon = icon('unlocked');
    this.lock.append(this.lockIcon);
    holdButton(this.lock, UNLOCK_MS, { isNeeded: () => this.isLocked, done: () => calls.setLocked(!this.isLocked) });
    this.menu = button('tool', 'Menu', () => calls.openMenu());
    this.menu.append(icon('menu'));
    this.panic = button('panic', 'Panic: hold');
    this.panic.append(h('span', {}, 'PANIC'));
    holdButton(this.panic, PANIC_MS, { done: () => calls.panic() });
    this.tools = h('div', { class: 'tools' }, this.watching, this.sleep, this.door, this.badge, this.theme, this.full, this.lock, this.menu, this.panic);
    this.element = h('header', { class: 'bar' }, this.tabs, this.pageButton, this.banks, h('div', { class: 'space' }), this.tools);
    this.isLocked = false;
    this.full.hidden = !fullScreen.isPossible;
    this.panic.hidden = true;
    this.watching.hidden = true;
    this.drawTheme();
    this.setBank({ text: '', index: 0, count: 1 });
  }

  setPages(names, current) {
    const isSame = names.length === this.#pages.length && names.every((name, i) => name === this.#pages[i]);
    if (!isSame) {
      this.#pages = [...names];
      this.#tabs = names.map((name) => {
        const tab = button('tab', '', () => this.calls.showPage(name));
        tab.setAttribute('role', 'tab');
        tab.append(name);
        return tab;
      });
      this.tabs.replaceChildren(...this.#tabs);
      this.tabs.onkeydown = (event) => this.#key(event);
    }
    this.#page = current;
    this.#tabs.forEach((tab, i) => {
      tab.setAttribute('aria-selected', String(names[i] === current));
      tab.tabIndex = names[i] === current ? 0 : -1;
    });
    this.pageButton.setAttribute('aria-label', `Page ${current ?? ''}: choose another`); // and, where it is small, the menu
    this.#isCollapsed = null;
    this.resize(this.#width);
  }

  /** What fits: tabs or one button for them, switches or the menu. Computed, so that nothing is laid out twice. */
  resize(width) {
    this.#width = width;
    const isNarrow = width < NARROW;
    const isSmall = width < SMALL;
    this.element.classList.toggle('narrow', isNarrow);
    this.element.classList.toggle('small', isSmall);
    this.isSmall = isSmall;
    const watching = this.watching.hidden ? 0 : WATCHING;
    const tools = watching + (isSmall ? 0 : isNarrow ? 88 : 4 * 52 + BADGE + (this.#hasSleepHint ? 160 : 0));
    const banks = this.banks.hidden ? 0 : isNarrow ? 132 : 190;
    const panic = this.#hasPanic ? (isSmall ? 68 : isNarrow ? 76 : 92) : 0;
    const bare = width - (isNarrow ? 16 : 24) - tools - banks - panic;
    const measure = ruler(18, 600);
    const needed = this.#pages.reduce((sum, name) => sum + Math.max(TAB_MIN, measure(name) + TAB_PADDING) + GAP, 0);
    // "open" goes before the tabs do: then it stands small below what opens the menu, which says the rest.
    this.door.hidden = !this.#isOpen || isNarrow || (needed > bare - DOOR && needed <= bare);
    this.element.classList.toggle('says-open', this.#isOpen && this.door.hidden);
    const free = bare - (this.door.hidden ? 0 : DOOR);
    const isCollapsed = isSmall || (needed > free && this.#pages.length > 1);
    const room = Math.max(36, Math.min(200, free - (isSmall ? 50 : 24)));
    const pageName = fitName(this.#page ?? '', room, 1, ruler(isSmall ? 16 : 18, 600));
    setText(this.pageName, pageName);
    // Who is gone takes what is free beside the tabs: they stay where they are, whoever comes and goes.
    const taken = isCollapsed ? Math.max(TAB_MIN, 24 + measure(pageName)) : needed;
    this.#badgeRoom = Math.max(BADGE, Math.min(MOST_BADGE, BADGE + free - taken));
    this.#drawBadge();
    if (isCollapsed === this.#isCollapsed) return;
    this.#isCollapsed = isCollapsed;
    this.tabs.hidden = isCollapsed || this.#pages.length < 2;
    this.pageButton.hidden = !isCollapsed;
  }

  /** `layer`: {name, isOn} where strips keep something for a second look at the same bank, else null. */
  setBank({ text, index, count, layer = null }) {
    const wasHidden = this.banks.hidden;
    this.banks.hidden = count < 2;
    setText(this.bankText, text);
    setText(this.layerName, layer ? fitName(layer.name, 52, 1, ruler(13, 600)) : '');
    this.bankName.disabled = !layer;
    setAttribute(this.bankName, 'aria-pressed', layer ? String(layer.isOn) : null);
    setAttribute(this.bankName, 'aria-label', layer ? `${text}, ${layer.name}` : null);
    this.back.disabled = index === 0;
    this.forth.disabled = index >= count - 1;
    if (wasHidden !== this.banks.hidden) this.resize(this.#width);
  }

  setStatus({ state, rtt }) {
    this.#status = { state, rtt };
    this.#drawBadge();
  }

  /** `text`: who of the peers is gone; "" while all are there. */
  setPeers(text) {
    if (text === this.#gone) return;
    this.#gone = text;
    this.#drawBadge();
  }

  #drawBadge() {
    const { state, rtt } = this.#status;
    const isGone = state === 'online' && this.#gone !== '';
    this.badge.dataset.state = this.pageButton.dataset.state = state;
    for (const element of [this.badge, this.pageButton]) element.classList.toggle('has-gone', isGone);
    const trip = state === 'online' && rtt !== null ? `${rtt < 10 ? rtt.toFixed(1) : Math.round(rtt)} ms` : WORDS[state];
    const measure = ruler(16, 400);
    setText(this.state, isGone ? fitGone(this.#gone, this.#badgeRoom - BADGE_DOT, measure) : trip);
    this.badge.setAttribute('aria-label',
      `Connection: ${WORDS[state]}${state === 'online' && rtt !== null ? `, round trip ${trip}` : ''}. ${isGone ? `${this.#gone}. ` : ''}Menu`);
  }

  setLocked(isLocked) {
    this.isLocked = isLocked;
    turnIcon(this.lockIcon, isLocked ? 'locked' : 'unlocked');
    this.lock.classList.toggle('on', isLocked);
    this.lock.setAttribute('aria-pressed', String(isLocked));
    this.lock.setAttribute('aria-label', isLocked ? 'Locked: hold for a second to unlock' : 'Lock this page');
  }

  /** A finger on a page that nothing moves on: say why, and what unlocks it. */
  nudge() {
    const reason = this.watching.hidden ? this.lock : this.watching;
    if (reason === this.lock && !this.isLocked) return;
    reason.classList.remove('nudge');
    requestAnimationFrame(() => reason.classList.add('nudge'));
  }

  /** This device may only watch: it says so, and there is nothing to lock. */
  setWatching(isWatching) {
    this.watching.hidden = !isWatching;
    this.lock.hidden = isWatching;
    this.resize(this.#width);
  }

  setPanic(isThere) {
    this.#hasPanic = isThere;
    this.panic.hidden = !isThere;
    this.resize(this.#width);
  }

  setSleepHint(isShown) {
    this.#hasSleepHint = isShown;
    this.sleep.hidden = !isShown;
    this.resize(this.#width);
  }

  /** Whether everybody on the network may move everything. */
  setOpen(isOpen) {
    if (this.#isOpen === isOpen) return;
    this.#isOpen = isOpen;
    this.resize(this.#width);
  }

  drawTheme() {
    turnIcon(this.theme.firstChild, theme());
    this.theme.setAttribute('aria-label', `Theme: ${theme()}`);
  }

  #key(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const count = this.#pages.length;
    const next = (this.#pages.indexOf(this.#page) + by + count) % count;
    this.calls.showPage(this.#pages[next]);
    this.#tabs[next].focus();
  }
}

/** A button of the bar; it acts on click, so that a finger may think again. */
export function button(classes, label, act) {
  const element = h('button', { class: classes, type: 'button' });
  if (label) element.setAttribute('aria-label', label);
  if (act) element.addEventListener('click', act);
  return element;
}
