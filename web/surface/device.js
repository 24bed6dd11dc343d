// What belongs to this device and not to the show: its name, theme, full screen, and whether its screen may sleep.

import { redrawAll } from '../elements/base.js';
import { memory } from '../lib/device.js';

export { deviceName, memory } from '../lib/device.js';

export const THEMES = ['dark', 'dim', 'sun'];

export function theme() {
  const kept = memory.get('theme');
  return THEMES.includes(kept) ? kept : 'dark';
}

export function setTheme(name) {
  memory.set('theme', name);
  applyTheme(name);
}

export function applyTheme(name) {
  document.documentElement.dataset.theme = name;
  const color = { dark: '#0b0d10', dim: '#040507', sun: '#ffffff' }[name];
  document.querySelector('meta[name="theme-color"]')?.setAttribute('content', color);
  redrawAll();
}

export const fullScreen = {
  get isPossible() {
    const root = document.documentElement;
    return Boolean((root.requestFullscreen ?? root.webkitRequestFullscreen) && !window.navigator.standalone);
  },
  get isOn() {
    return Boolean(document.fullscreenElement ?? document.webkitFullscreenElement);
  },
  toggle() {
    const root = document.documentElement;
    const done = this.isOn
      ? (document.exitFullscreen ?? document.webkitExitFullscreen).call(document)
      : (root.requestFullscreen ?? root.webkitRequestFullscreen).call(root, { navigationUI: 'hide' });
    done?.catch?.(() => {}); // refused by the browser: it says so itself
  },
};

/** Keep the screen awake where the browser lets us (secure contexts). `onChange(isAwake)` is told. */
export class WakeLock {
  #lock = null;
  #isWanted = false;

  constructor(onChange) {
    this.onChange = onChange;
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible' && this.#isWanted) this.request();
    });
    // iOS grants it only after a touch.
    document.addEventListener('pointerup', () => this.request(), { once: true });
  }

  get isPossible() {
    return 'wakeLock' in navigator && window.isSecureContext;
  }

  async request() {
    this.#isWanted = true;
    if (!this.isPossible || this.#lock) return;
    try {
      this.#lock = await navigator.wakeLock.request('screen');
      this.onChange(true);
      this.#lock.addEventListener('release', () => {
        this.#lock = null;
        this.onChange(false);
      });
    } catch {
      this.onChange(false); // battery saver: the hint stays
    }
  }
}

/** What iOS does in spite of `touch-action`: pinch, and zoom by double tap. */
export function blockSystemGestures(root) {
  for (const type of ['gesturestart', 'gesturechange', 'gestureend', 'dblclick']) {
    document.addEventListener(type, (event) => event.preventDefault(), { passive: false });
  }
  root.addEventListener('touchmove', (event) => {
    if (event.cancelable) event.preventDefault();
  }, { passive: false });
  root.addEventListener('contextmenu', (event) => event.preventDefault());
}
