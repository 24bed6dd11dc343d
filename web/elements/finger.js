// One finger on one area: capture, cancel, second fingers, and the fingers that are dead until they lift.
//
// Pointer events in, four calls out. What a drag means is lib/gesture.js; what it changes is the element's.

const down = new Set(); // every Finger that has a pointer now

/** Page hidden (screen locked, other app): whatever was down is up. */
function hide() {
  for (const finger of [...down]) finger.cancel();
}

if (typeof document !== 'undefined') {
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden') hide();
  });
  window.addEventListener('pagehide', hide);
}

export class Finger {
  #area;
  #calls;
  #id = null;
  #seconds = new Set();

  /**
   * `calls`: `mayStart(event)` → bool, `down(event)`, `move(event)`, `up(event | null, isCancelled)`, and optionally
   * `second(isDown)` when further fingers come to the same area and when the last of them has gone.
   */
  constructor(area, calls) {
    this.#area = area;
    this.#calls = calls;
    area.addEventListener('pointerdown', (event) => this.#down(event));
    area.addEventListener('pointermove', (event) => {
      if (event.pointerId === this.#id) calls.move(event);
    });
    area.addEventListener('pointerup', (event) => this.#up(event, false));
    area.addEventListener('pointercancel', (event) => this.#up(event, true));
    area.addEventListener('lostpointercapture', (event) => this.#up(event, true));
    area.addEventListener('contextmenu', (event) => event.preventDefault());
    area.addEventListener('dragstart', (event) => event.preventDefault());
  }

  get isDown() {
    return this.#id !== null;
  }

  get isAlone() {
    return this.#seconds.size === 0;
  }

  /** The finger that is down is dead until it lifts; a new one may start. */
  cancel() {
    if (this.#id === null) return;
    const id = this.#id;
    this.#forget();
    if (this.#area.hasPointerCapture?.(id)) this.#area.releasePointerCapture(id);
    this.#calls.up(null, true);
  }

  #down(event) {
    if (event.pointerType === 'mouse' && event.button !== 0) return;
    if (this.#id !== null) {
      if (event.pointerId === this.#id) return;
      this.#capture(event.pointerId);
      this.#seconds.add(event.pointerId);
      if (this.#seconds.size === 1) this.#calls.second?.(true);
      return;
    }
    if (!this.#calls.mayStart(event)) return;
    this.#id = event.pointerId;
    down.add(this);
    this.#capture(event.pointerId);
    this.#calls.down(event);
  }

  #up(event, isCancelled) {
    if (this.#seconds.delete(event.pointerId)) {
      if (this.#seconds.size === 0 && this.#id !== null) this.#calls.second?.(false);
      return;
    }
    if (event.pointerId !== this.#id) return;
    this.#forget();
    this.#calls.up(event, isCancelled);
  }

  #forget() {
    this.#id = null;
    this.#seconds.clear();
    down.delete(this);
  }

  #capture(id) {
    try {
      this.#area.setPointerCapture(id);
    } catch {
      // The pointer has gone in the meantime: its pointerup or pointercancel is on the way.
    }
  }
}
