// The surface: the page that "/" shows. It composes the top bar, the pages of the config and what is laid over them.
//
// `new Surface(root, client)` draws whatever the client says there is. It never speaks to the socket itself.

import { lockPage } from './elements/base.js';
import './elements/index.js';
import { bind } from './lib/binder.js';
import { CancelStorm, FrameWatch } from './lib/gesture.js';
import { rename } from './lib/pairing.js';
import { complaintsOf, goneText, isGone, isPeer, peersOf } from './lib/peers.js';
import { h } from './elements/dom.js';
import { Bar, OPEN, button } from './surface/bar.js';
import { Devices } from './surface/devices.js';
import { LearnMode } from './surface/learn.js';
import { THEMES, WakeLock, applyTheme, blockSystemGestures, deviceName, fullScreen, memory, setTheme, theme } from './surface/device.js';
import { Banner, HeldValue, OfflineBar, Sheet } from './surface/notices.js';
import { PageView } from './surface/pageview.js';

const PANIC = '/stagebridge/panic';
const CONFIG = '/stagebridge/config'; // there while the file has mistakes and another copy runs
const STATE = '/stagebridge/state'; // saved, unsaved: why, off
const OWN_PAGES = 'pages/'; // the list of them

export class Surface {
  #client;
  #views = new Map(); // page name → PageView
  #page = null;
  #isDirty = false;
  #isBracketDirty = false;
  #downs = 0;
  #frames = new FrameWatch();

  constructor(root, client) {
    this.#client = client;
    this.root = root;
    this.bar = new Bar({
      showPage: (name) => this.showPage(name),
      turnBank: (by) => this.bar.setBank(this.#view.turnBank(by)),
      turnLayer: () => this.bar.setBank(this.#view.turnLayer()),
      openMenu: () => this.#openMenu(),
      openPages: () => this.#openPages(),
      setLocked: (isLocked) => this.setLocked(isLocked),
      panic: () => client.trigger(PANIC),
      explainSleep: () => this.#explainSleep(),
      explainOpen: () => this.banner.show('open', 'Open:', 'everybody on this network can move everything. To let in only whom you choose: [auth] mode = "token".', true),
    });
    this.offline = new OfflineBar();
    this.banner = new Banner();
    this.sheet = new Sheet();
    this.peers = h('div', { class: 'sheet-peers', role: 'group', 'aria-label': 'Peers' });
    this.stage = h('div', { class: 'stage' });
    const own = h('a', { href: OWN_PAGES }, 'a page of your own');
    this.empty = h('p', { class: 'empty' }, 'Nothing on the surface yet: add a [[control]] to the configuration, or open ', own, '.');
    this.held = new HeldValue(this.stage);
    this.learn = new LearnMode({ client, root, stage: this.stage, sheet: this.sheet });
    this.devices = new Devices({ client, sheet: this.sheet });
    this.bar.element.append(this.held.element);
    root.append(this.bar.element, this.stage, this.empty, this.learn.element, this.banner.element, this.offline.element, this.sheet.element);
    applyTheme(theme());
    this.#watchDevice();
    bind(this.stage, client);
    client.addEventListener('status', () => this.#drawStatus());
    client.addEventListener('surface', () => this.#changed());
    client.addEventListener('controls', () => this.#changed());
    client.addEventListener('value', ({ detail }) => {
      if (isPeer(detail.path) || detail.path === CONFIG || detail.path === STATE) this.#drawPeers();
      if (isPeer(detail.path) || this.#view?.brackets.watches(detail.path)) this.#drawBrackets();
    });
    window.addEventListener('hashchange', () => this.showPage(pageInAddress()));
    new ResizeObserver(([{ contentRect }]) => this.#resized(contentRect.width, contentRect.height)).observe(root);
    this.#drawStatus();
    this.#rebuild();
  }

  get pages() {
    return this.#client.model.surface?.pages ?? [];
  }

  /** This device sees some pages alone. */
  get #isLimited() {
    return (this.#client.model.view ?? 'all') !== 'all';
  }

  get #view() {
    return this.#views.get(this.#page);
  }

  /** Show a page, or the first where there is none of that name. The address keeps it; the history does not grow. */
  showPage(name) {
    this.#show(name);
    this.sheet.close();
  }

  #show(name) {
    const { pages } = this;
    if (!pages.length) return;
    const page = pages.find((one) => one.name === name) ?? pages[0];
    this.#page = page.name;
    if (pageInAddress() !== page.name) window.history.replaceState(null, '', `#/${encodeURIComponent(page.name)}`);
    if (!this.#views.has(page.name)) {
      this.#views.set(page.name, new PageView(page, (path) => this.#client.model.get(path)?.control, {
        banks: () => this.#client.model.surface?.banks ?? [],
        value: (path) => this.#client.value(path),
        goneOf: (name) => peersOf(this.#client.model).find((peer) => peer.name === name && isGone(peer))?.state ?? '',
        turn: (path, window) => this.bar.isLocked || this.#client.set(path, window),
        redraw: () => this.#draw(),
      }));
    }
    const view = this.#view;
    this.bar.setPages(pages.map((one) => one.name), page.name);
    if (this.stage.firstChild !== view.element) this.stage.replaceChildren(view.element);
    this.#draw();
  }

  setLocked(isLocked) {
    this.bar.setLocked(isLocked);
    this.root.classList.toggle('is-locked', isLocked);
    lockPage(isLocked);
  }

  #draw() {
    if (!this.#view || !this.width) return;
    this.bar.setBank(this.#view.render(this.width, this.height));
  }

  /** Once for all that changes in this turn. */
  #drawBrackets() {
    if (this.#isBracketDirty) return;
    this.#isBracketDirty = true;
    queueMicrotask(() => {
      this.#isBracketDirty = false;
      if (this.width) this.#view?.drawBrackets();
    });
  }

  #resized(width, height) {
    this.width = width;
    this.height = height;
    this.bar.resize(width);
    this.#draw();
  }

  /** Something of the surface or its controls is new: rebuilt once, in place, before the next frame. */
  #changed() {
    if (this.#isDirty) return;
    this.#isDirty = true;
    requestAnimationFrame(() => {
      this.#isDirty = false;
      this.#rebuild();
    });
  }

  #rebuild() {
    const { pages } = this;
    this.root.classList.toggle('is-empty', pages.length === 0);
    const names = new Set(pages.map((page) => page.name));
    for (const name of [...this.#views.keys()]) if (!names.has(name)) this.#views.delete(name);
    for (const page of pages) this.#views.get(page.name)?.update(page);
    const { title } = this.#client.model.surface ?? {};
    if (title) document.title = title;
    const isWatching = this.#client.model.role === 'view';
    this.root.classList.toggle('is-watching', isWatching);
    this.root.classList.toggle('is-limited', this.#isLimited);
    this.bar.setWatching(isWatching);
    this.bar.setPanic(this.#client.model.get(PANIC) !== undefined && !isWatching);
    this.#show(this.#page ?? pageInAddress()); // the menu stays open: nobody has asked for another page
    this.#drawPeers();
  }

  #drawPeers() {
    const peers = peersOf(this.#client.model);
    this.bar.setPeers(goneText(peers));
    const troubles = [
      ['config', 'The configuration has mistakes:', this.#client.value(CONFIG) || ''],
      ['state', 'Moves are not saved:', /^unsaved: (.*)$/s.exec(this.#client.value(STATE) ?? '')?.[1] ?? ''],
    ];
    for (const each of troubles) this.banner.keep(...each);
    for (const { name, complaint } of complaintsOf(peers)) this.banner.show(complaint, `${name}:`, complaint);
    // In the menu, also while it is open.
    const line = (state, isWrong, name, text) => h('p', { class: `sheet-peer${isWrong ? ' has-gone' : ''}`, 'data-state': state },
      h('i', { class: 'dot' }), h('span', {}, h('b', {}, name), text && ` ${text}`));
    const lines = peers.map((peer) => line(peer.state, isGone(peer), `${peer.name} ${peer.state}`, peer.text));
    lines.unshift(...troubles.filter(([, , text]) => text).map(([, title, text]) => line('offline', true, title, text)));
    this.peers.hidden = lines.length === 0;
    this.peers.replaceChildren(...lines);
  }

  #drawStatus() {
    const { status } = this.#client;
    this.bar.setStatus(status);
    this.bar.setOpen(this.#client.model.isOpen);
    this.offline.setStatus(status);
    this.root.dataset.state = status.state;
  }

  // The device.

  #watchDevice() {
    blockSystemGestures(this.root);
    const storm = new CancelStorm();
    document.addEventListener('pointercancel', (event) => {
      if (storm.cancel(event.timeStamp)) this.#warnOfGestures();
    }, true);
    // A median frame over 25 ms while a hand moves something.
    const watch = (time) => {
      if (this.#downs === 0) return this.#frames.pause();
      if (this.#frames.frame(time)) {
        this.banner.show('slow', 'Low Power Mode?', 'This device draws fewer than 40 frames a second. Low Power Mode, or a full battery saver, makes faders lag.');
      }
      return requestAnimationFrame(watch);
    };
    document.addEventListener('pointerdown', (event) => {
      if (this.stage.contains(event.target)) this.bar.nudge();
      this.#downs += 1;
      if (this.#downs === 1) requestAnimationFrame(watch);
    }, true);
    for (const type of ['pointerup', 'pointercancel']) {
      document.addEventListener(type, () => (this.#downs = Math.max(0, this.#downs - 1)), true);
    }
    this.wake = new WakeLock((isAwake) => this.bar.setSleepHint(!isAwake && memory.get('sleep') !== 'known'));
    const isTouch = navigator.maxTouchPoints > 0;
    this.bar.setSleepHint(isTouch && !this.wake.isPossible && memory.get('sleep') !== 'known');
  }

  #warnOfGestures() {
    this.banner.show('gestures', 'The tablet took your fingers.',
      'Switch its own gestures off: Settings › Multitasking & Gestures › Four & Five Finger Gestures (on older iPads: General).', true);
  }

  #explainSleep() {
    memory.set('sleep', 'known');
    this.bar.setSleepHint(false);
    this.banner.show('sleep', 'This screen may sleep.',
      'Over plain http a page cannot keep it awake. Settings › Display & Brightness › Auto-Lock › Never, and a charger.', true);
  }

  #pageChoices() {
    return h('div', { class: 'sheet-pages' }, ...this.pages.map(({ name }) => {
      const choice = button('choice', '', () => this.showPage(name));
      choice.setAttribute('aria-pressed', String(name === this.#page));
      choice.append(name);
      return choice;
    }));
  }

  #openPages() {
    if (this.bar.isSmall) this.#openMenu([this.#pageChoices()]);
    else this.sheet.open('Pages', this.#pageChoices());
  }

  #openMenu(above = []) {
    const { state, rtt } = this.#client.status;
    const themes = THEMES.map((name) => {
      const choice = button('choice', '', () => {
        setTheme(name);
        this.bar.drawTheme();
        for (const one of themes) one.setAttribute('aria-pressed', String(one === choice));
      });
      choice.append(name);
      choice.setAttribute('aria-pressed', String(name === theme()));
      return choice;
    });
    const act = (text, run) => {
      const choice = button('choice', '', () => {
        this.sheet.close();
        run();
      });
      choice.append(text);
      return choice;
    };
    const isWatching = this.#client.model.role === 'view';
    const forAdmins = this.#client.model.role === 'admin' ? [
      act('Devices', () => this.devices.open()),
      act('Learn from hardware', () => this.learn.start()),
      h('a', { class: 'choice', href: 'monitor.html' }, 'Monitor: what goes in and out'),
      h('a', { class: 'choice', href: 'dashboard.html' }, 'Dashboard: how it is'),
    ] : [];
    const name = h('input', { type: 'text', id: 'device-name', maxlength: 40, autocomplete: 'off', spellcheck: 'false', enterkeyhint: 'done' });
    name.value = deviceName();
    name.addEventListener('change', () => {
      memory.set('name', name.value.trim());
      rename(deviceName()).finally(() => window.location.reload()); // it is said when the connection is made
    });
    const line = state === 'online' ? `Connected${rtt === null ? '' : `, round trip ${rtt.toFixed(1)} ms`}` : state === 'offline' ? 'Offline' : 'Connecting';
    this.sheet.open('Menu',
      h('p', { class: 'sheet-line' }, line),
      ...above,
      ...(isWatching ? [h('p', { class: 'sheet-note' }, 'Watching: this device shows everything live and moves nothing.')] : []),
      ...(this.#client.model.isOpen ? [h('p', { class: 'sheet-note is-trouble' }, `${OPEN}.`)] : []),
      this.peers,
      h('div', { class: 'sheet-row' }, ...themes),
      h('div', { class: 'sheet-row' },
        ...(isWatching ? [] : [act(this.bar.isLocked ? 'Locked: hold the lock' : 'Lock this page', () => this.bar.isLocked || this.setLocked(true))]),
        ...(fullScreen.isPossible ? [act(fullScreen.isOn ? 'Leave full screen' : 'Full screen', () => fullScreen.toggle())] : [])),
      ...forAdmins,
      ...(this.#isLimited ? [] : [h('a', { class: 'choice', href: OWN_PAGES }, 'Pages of your own')]),
      h('label', { for: 'device-name' }, 'This device is called'), name,
      h('p', { class: 'sheet-note' }, this.wake.isPossible ? 'The screen stays awake while this page is open.' : 'The screen may sleep: set Auto-Lock to Never.'));
  }
}

function pageInAddress() {
  try {
    return decodeURIComponent(/^#\/(.+)$/.exec(window.location.hash)?.[1] ?? '');
  } catch {
    return '';
  }
}
