// The law of each gesture, as pure state machines: coordinates (CSS pixels) and times (ms) are passed in.
//
// No DOM, no clock, no values: positions 0..1 go in and come out. `elements/` feeds them pointer events.

export const DEAD_PX = 3; // a tap moves nothing
export const STILL_MS = 120; // after this long at rest the dead zone is back: lifting a finger wiggles it
export const STILL_PX = 1; // less than this is the digitiser's noise
export const FINE = 8;
export const KNOB_TRAVEL_PX = 240;
export const DETENT = 0.015;
export const TAP_MS = 200;
export const TAP_PX = 8;
export const TAP_APART_PX = 24;
export const TAP_GAP_MS = 300;
export const GUARD_MS = 500;
export const UNLOCK_MS = 1000;
export const PANIC_MS = 400;
export const DEBOUNCE_MS = 30;
export const STORM_COUNT = 3;
export const STORM_MS = 50;

/**
 * A relative drag along one axis: fader and knob.
 *
 * The coordinate grows in the direction in which the position grows (a vertical fader passes −clientY).
 * `low` and `high` are the ends that the finger may reach, in positions (a control's limit); `travel` is the way in px
 * from position 0 to 1. With `center`, ±DETENT around that position is one place, and everything else stays reachable.
 */
export class RelativeDrag {
  constructor({ travel, low = 0, high = 1, center = null }) {
    this.travel = travel;
    this.center = center;
    this.isFine = false;
    this.isMoving = false;
    this.low = low;
    this.high = high;
  }

  /** A finger has come down at `c` while the control stands at `position`. */
  down(position, c, t) {
    this.position = position;
    this.isMoving = false;
    this.last = this.anchor = c;
    this.anchorTime = t;
    this.#base(c);
  }

  /** An absolute control: it stands where the finger is, at once. Gives the position inside the limit. */
  jump(position, c, t) {
    this.down(Math.min(this.high, Math.max(this.low, position)), c, t);
    this.isMoving = true;
    return this.position;
  }

  /** The finger is at `c`: the new position, or null when that changes nothing. */
  move(c, t) {
    if (this.isMoving && t - this.anchorTime >= STILL_MS) {
      this.isMoving = false;
      this.#base(this.last);
    }
    if (Math.abs(c - this.anchor) >= STILL_PX) {
      this.anchor = c;
      this.anchorTime = t;
    }
    this.last = c;
    if (!this.isMoving) {
      if (Math.abs(c - this.start) < DEAD_PX) return null;
      this.isMoving = true;
      this.anchor = c;
      this.anchorTime = t;
    }
    let raw = this.startRaw + (c - this.start) / (this.travel * (this.isFine ? FINE : 1));
    const [low, high] = [this.#raw(this.low), this.#raw(this.high)];
    const stopped = Math.min(high, Math.max(low, raw));
    if (stopped !== raw) {
      // At an end it re-bases, so that turning back acts at once.
      raw = stopped;
      this.start = c;
      this.startRaw = raw;
    }
    const position = this.#position(raw);
    if (position === this.position) return null;
    this.position = position;
    return position;
  }

  /** 1/8 of the way per pixel from here on, or again the whole of it; nothing jumps. */
  setFine(isFine) {
    if (isFine === this.isFine) return;
    this.isFine = isFine;
    this.#base(this.last);
  }

  /**
   * Go on from the coordinate `c`, with what of `travel`, `low`, `high`, `center` and `position` is another now: the
   * tablet was turned under the finger, the control's law has changed, something else has moved it.
   */
  rebase(c, changed) {
    Object.assign(this, changed);
    this.last = this.anchor = c;
    this.#base(c);
  }

  #base(c) {
    this.start = c;
    this.startRaw = this.#raw(this.position);
  }

  // Around the centre the finger's way is longer than the value's: raw is where the finger is, and a fine drag has no
  // detent, for it would be 58 px wide.
  #raw(position) {
    const { center } = this;
    if (center === null || this.isFine || position === center) return position;
    const side = position > center ? 1 - center : center;
    const away = DETENT + Math.abs(position - center) * (side - DETENT) / side;
    return position > center ? center + away : center - away;
  }

  #position(raw) {
    const { center } = this;
    if (center === null || this.isFine) return raw;
    const side = raw > center ? 1 - center : center;
    const away = Math.max(0, Math.abs(raw - center) - DETENT) * side / (side - DETENT);
    return raw > center ? Math.min(1, center + away) : Math.max(0, center - away);
  }
}

/**
 * A relative drag over a plane. A second finger locks the axis along which the first one moves less: the one it has
 * moved least along since it last rested, or, if it has not moved yet, the one it then moves least along.
 */
export class PlaneDrag {
  constructor({ width, height, low = [0, 0], high = [1, 1] }) {
    this.axes = [width, height].map((travel, i) => new RelativeDrag({ travel, low: low[i], high: high[i] }));
    this.isLocked = false;
    this.free = null; // index of the axis that may still move while locked
  }

  /** `position` is [x, y]; x grows with the position, y too (pass −clientY). */
  down(position, x, y, t) {
    this.position = [...position];
    this.isMoving = false;
    this.last = this.start = this.anchor = [x, y];
    this.anchorTime = t;
    this.#base();
  }

  /** An absolute plane: the puck is where the finger is, at once. Gives [x, y] inside the limit. */
  jump(position, x, y, t) {
    this.down(position.map((p, i) => Math.min(this.axes[i].high, Math.max(this.axes[i].low, p))), x, y, t);
    this.isMoving = true;
    return [...this.position];
  }

  /** The new [x, y] position, or null when nothing changes. */
  move(x, y, t) {
    if (this.isMoving && t - this.anchorTime >= STILL_MS) {
      this.isMoving = false;
      this.start = this.last;
      this.#base();
    }
    if (distance([x, y], this.anchor) >= STILL_PX) {
      this.anchor = [x, y];
      this.anchorTime = t;
    }
    this.last = [x, y];
    if (!this.isMoving) {
      if (distance([x, y], this.start) < DEAD_PX) return null;
      this.isMoving = true;
      this.anchor = [x, y];
      this.anchorTime = t;
    }
    if (this.isLocked && this.free === null) this.free = this.#livelier();
    let isChanged = false;
    [x, y].forEach((c, i) => {
      const axis = this.axes[i];
      if (this.isLocked && this.free !== i) return;
      axis.isMoving = true;
      axis.anchorTime = t; // the plane itself watches for rest
      const position = axis.move(c, t);
      if (position === null) return;
      this.position[i] = position;
      isChanged = true;
    });
    return isChanged ? [...this.position] : null;
  }

  setLocked(isLocked) {
    if (isLocked === this.isLocked) return;
    this.isLocked = isLocked;
    this.free = isLocked && this.isMoving ? this.#livelier() : null;
    this.start = this.last;
    this.#base();
  }

  /** As of RelativeDrag, at (x, y): all of `width`, `height`, `low`, `high` and `position`. */
  rebase(x, y, { width, height, low, high, position }) {
    this.position = [...position];
    this.last = this.start = this.anchor = [x, y];
    [width, height].forEach((travel, i) => Object.assign(this.axes[i], { travel, low: low[i], high: high[i] }));
    this.#base();
  }

  #livelier() {
    const [dx, dy] = [0, 1].map((i) => Math.abs(this.last[i] - this.start[i]));
    return dx >= dy ? 0 : 1;
  }

  #base() {
    this.axes.forEach((axis, i) => axis.down(this.position[i], this.last[i], this.anchorTime));
  }
}

/** Two short, still taps in one place with no other finger down: `up` is true for the second. */
export class DoubleTap {
  #down = null;
  #first = null;

  down(x, y, t, isAlone = true) {
    this.#down = isAlone ? { x, y, t } : null;
    if (!isAlone) this.#first = null;
  }

  move(x, y) {
    if (this.#down && distance([x, y], [this.#down.x, this.#down.y]) >= TAP_PX) this.cancel();
  }

  up(x, y, t) {
    this.move(x, y);
    const tap = this.#down;
    this.#down = null;
    if (!tap || t - tap.t >= TAP_MS) {
      this.#first = null;
      return false;
    }
    const first = this.#first;
    const isSecond = first !== null && tap.t - first.up <= TAP_GAP_MS
      && distance([tap.x, tap.y], [first.x, first.y]) <= TAP_APART_PX;
    this.#first = isSecond ? null : { x: tap.x, y: tap.y, up: t };
    return isSecond;
  }

  cancel() {
    this.#down = this.#first = null;
  }
}

/** A press that must last: guarded toggles (GUARD_MS), unlock (UNLOCK_MS), panic (PANIC_MS). */
export class Hold {
  #since = null;

  constructor(ms) {
    this.ms = ms;
  }

  get isRunning() {
    return this.#since !== null;
  }

  down(t) {
    this.#since = t;
  }

  /** True exactly once, when the time is full. */
  isDone(t) {
    if (this.#since === null || t - this.#since < this.ms) return false;
    this.#since = null;
    return true;
  }

  cancel() {
    this.#since = null;
  }
}

/** A pad fires on the way down; a second contact within 30 ms is the same blow. */
export class Debounce {
  #fired = -Infinity;

  constructor(ms = DEBOUNCE_MS) {
    this.ms = ms;
  }

  fires(t) {
    if (t - this.#fired < this.ms) return false;
    this.#fired = t;
    return true;
  }
}

/** The system takes all fingers at once for a gesture of its own: `cancel` is true at the third within 50 ms. */
export class CancelStorm {
  #times = [];

  cancel(t) {
    this.#times = this.#times.filter((time) => t - time <= STORM_MS);
    this.#times.push(t);
    if (this.#times.length < STORM_COUNT) return false;
    this.#times = [];
    return true;
  }
}

/** Median of the last frames while a finger moves: above 25 ms a tablet is probably saving power. */
export class FrameWatch {
  #frames = [];
  #last = null;

  constructor({ frames = 90, slowMs = 25 } = {}) {
    this.size = frames;
    this.slowMs = slowMs;
  }

  /** A frame was drawn at `t`: true when there are enough of them and the median is too slow. */
  frame(t) {
    if (this.#last !== null && t - this.#last < 250) this.#frames.push(t - this.#last); // longer: the page slept
    this.#last = t;
    if (this.#frames.length < this.size) return false;
    const median = [...this.#frames].sort((a, b) => a - b)[this.size >> 1];
    this.#frames = [];
    return median > this.slowMs;
  }

  pause() {
    this.#last = null;
  }
}

function distance([x0, y0], [x1, y1]) {
  return Math.hypot(x0 - x1, y0 - y1);
}
