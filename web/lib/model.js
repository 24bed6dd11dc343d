/* The state that one page knows: controls, the server's values, and what its own hand made of them.
 *
 * Here: applying `welcome`, `update`, `meters` and `applied`; predictions, fingers, "unconfirmed".
 * Not here: sockets, timers, the DOM, clocks (whoever calls gives `now` in ms). Every method that
 * changes something returns `Changes` or null: what to redraw and whom to tell.
 *
 * A page shows its own finger until its last `set` of that control is applied and the finger is
 * up; then the server's value, whatever it is (DESIGN.md, `applied {n}`).
 */

/** A value that the server has not applied for this long is shown as unconfirmed (page.md). */
export const UNCONFIRMED_MS = 400;

/** A move that could not be sent for this long is not sent at all: the server refuses gestures
 *  more than 1 s late, and an older one must not arrive as if it were new. */
const MAX_MOVES = 1024; // of one set, as the server takes
export const STALE_MOVE_MS = 900;

/** What one step did to the state. `values`: path → "server" or "mine". */
export class Changes {
  added = [];
  described = [];
  removed = [];
  cancelled = []; // gone, or another control now, under a finger of this page
  values = new Map();
  held = new Set();
  marked = new Set();
  unconfirmed = new Set();
  triggers = [];
  missed = 0;
  surface = undefined;
}

class Entry {
  constructor(control) {
    this.id = control.id;
    this.path = control.path;
    this.control = control;
    this.server = undefined; // the server's value
    this.hold = null; // {client, name} of whoever has a finger on it
    this.mark = {};
    this.mine = undefined; // what the own hand made of it since it was last the server's
    this.fingers = 0;
    this.dirty = undefined; // moved and not sent yet
    this.dirtyAt = 0; // its first move
    this.movedAt = 0; // its last move
    this.pending = []; // sets under way: {n, at}, oldest first
    this.lost = false; // a move was given up (STALE_MOVE_MS)
    this.late = false; // shown as unconfirmed
  }

  get shown() {
    return this.mine === undefined ? this.server : merged(this.server, this.mine);
  }

  /** When the oldest move was made that the server has not applied; undefined when there is none. */
  get waitingSince() {
    if (this.pending.length > 0) return this.pending[0].at;
    return this.dirty === undefined ? undefined : this.dirtyAt;
  }

  /** Give the control back to the server if the finger is up and nothing is under way. */
  settle() {
    if (this.fingers > 0 || this.dirty !== undefined || this.pending.length > 0) return;
    this.mine = undefined;
    this.lost = false;
  }
}

export class Model {
  epoch = null;
  rev = 0;
  client = null;
  role = null;
  isOpen = false; // everybody on the network may move everything
  view = null;
  surface = null;
  #byId = new Map();
  #byPath = new Map();
  #moving = new Set(); // entries that the own hand has to do with

  get(path) {
    return this.#byPath.get(path);
  }

  byId(id) {
    return this.#byId.get(id);
  }

  entries() {
    return this.#byPath.values();
  }

  /** What to show for a path; undefined where the control or its value is not known. */
  value(path) {
    return this.#byPath.get(path)?.shown;
  }

  // What the server says.

  /** A `welcome`. A snapshot replaces everything, a resumed one keeps all and changes come as an
   *  `update`. `sameSocket`: what this page has sent on it is still under way, so fingers stay. */
  welcome(message, sameSocket = false) {
    const changes = new Changes();
    const sameEpoch = this.epoch === message.epoch;
    this.epoch = message.epoch;
    this.client = message.client;
    const isOtherRole = this.role !== (message.role ?? null);
    this.role = message.role ?? null;
    this.isOpen = message.server?.auth === "open";
    this.view = message.view ?? null;
    if (message.resumed) {
      if (isOtherRole) changes.described.push(...this.#byPath.keys()); // what a hand may move is something else now
      return changes; // the revision too: only the update that follows leads there
    }
    this.rev = message.rev;
    const keep = sameSocket && sameEpoch;
    const listed = new Set((message.controls ?? []).map((control) => control.id));
    for (const entry of [...this.#byId.values()]) {
      if (!keep || !listed.has(entry.id)) this.#remove(entry, changes);
      else this.#hear(entry, changes, () => Object.assign(entry, { hold: null, mark: {} }));
    }
    this.#apply(message, changes);
    return changes;
  }

  update(message) {
    const changes = new Changes();
    this.rev = message.rev;
    this.#apply(message, changes);
    return changes;
  }

  /** The latest values of meters; they carry no revision. An equal one is told too: it says that the meter lives. */
  meters(values) {
    const changes = new Changes();
    this.#values(values, changes);
    for (const [id] of values) {
      const entry = this.#byId.get(id);
      if (entry !== undefined) changes.values.set(entry.path, "server");
    }
    return changes;
  }

  /** Everything up to `n` has been executed by the server. */
  applied(n, now) {
    const changes = new Changes();
    for (const entry of [...this.#moving]) {
      const before = entry.shown;
      while (entry.pending.length > 0 && entry.pending[0].n <= n) entry.pending.shift();
      this.#settle(entry, before, changes);
      this.#review(entry, now, changes);
    }
    return changes;
  }

  // What the own hand does.

  /** A finger came down: from now on nothing moves under it. Changes when it is the first, else null. */
  touch(entry) {
    entry.fingers += 1;
    if (entry.fingers > 1) return null;
    if (entry.mine === undefined) entry.mine = entry.server;
    this.#moving.add(entry);
    const changes = new Changes();
    changes.held.add(entry.path);
    return changes;
  }

  /** A finger went up: Changes when it was the last one, else null. */
  release(entry) {
    if (entry.fingers === 0) return null;
    entry.fingers -= 1;
    if (entry.fingers > 0) return null;
    const changes = new Changes();
    changes.held.add(entry.path);
    this.#settle(entry, entry.shown, changes);
    return changes;
  }

  /** The own hand moved a control; in a vector null leaves a component. */
  move(entry, value, now) {
    const changes = new Changes();
    const before = entry.shown;
    entry.mine = entry.mine === undefined ? value : merged(entry.mine, value);
    if (entry.dirty === undefined) entry.dirtyAt = now;
    entry.dirty = entry.dirty === undefined ? value : merged(entry.dirty, value);
    entry.movedAt = now;
    entry.lost = false;
    this.#moving.add(entry);
    if (!same(before, entry.shown)) changes.values.set(entry.path, "mine");
    return changes;
  }

  get hasMoves() {
    for (const entry of this.#moving) if (entry.dirty !== undefined) return true;
    return false;
  }

  /** What moved and was not sent, at most MAX_MOVES, as the body of `set` number n: `{t, values}` or null.
   *  Moves older than STALE_MOVE_MS are given up (told in `changes`). */
  take(n, now, changes) {
    const values = [];
    let t = now;
    for (const entry of [...this.#moving]) {
      if (entry.dirty === undefined) continue;
      if (values.length === MAX_MOVES) break;
      const before = entry.shown;
      if (now - entry.movedAt > STALE_MOVE_MS) {
        entry.dirty = undefined;
        entry.lost = true;
        this.#settle(entry, before, changes);
        this.#review(entry, now, changes);
      } else {
        values.push([entry.id, entry.dirty]);
        entry.pending.push({ n, at: entry.dirtyAt });
        entry.dirty = undefined;
        t = Math.min(t, entry.movedAt);
      }
    }
    return values.length > 0 ? { t, values } : null;
  }

  /** The server refused this control to this hand: it shows the truth again. */
  refuse(entry) {
    const changes = new Changes();
    this.#drop(entry, changes);
    return changes;
  }

  /** The socket is gone: no prediction and no finger outlives it. */
  dropMine() {
    const changes = new Changes();
    for (const entry of [...this.#moving]) this.#drop(entry, changes);
    return changes;
  }

  /** Compare with the clock what is unconfirmed. */
  review(now) {
    const changes = new Changes();
    for (const entry of this.#moving) this.#review(entry, now, changes);
    return changes;
  }

  /** When `review` has something to find next; Infinity when nothing is under way. */
  get nextReview() {
    let next = Infinity;
    for (const entry of this.#moving) {
      const since = entry.waitingSince;
      if (since !== undefined && !entry.late) next = Math.min(next, since + UNCONFIRMED_MS);
    }
    return next;
  }

  /** How a widget looks besides its value; `state` is the connection's. */
  status(path, state) {
    const entry = this.#byPath.get(path);
    const offline = state !== "online";
    if (entry === undefined) return { ...NO_STATUS, offline, waiting: true, locked: true };
    const { control, mark, hold } = entry;
    const other = hold !== null && hold.client !== this.client;
    const readonly = control.access === "read" || control.kind === "meter" || this.role === "view";
    const refused = other && control.hold === "first";
    const waiting = mark.waiting === true;
    return {
      held: entry.fingers > 0 ? { mine: true } : other ? { mine: false, name: hold.name ?? "" } : null,
      unconfirmed: entry.late,
      waiting,
      offline,
      locked: offline || waiting || refused,
      readonly,
      silent: mark.silent ?? null,
      awaited: mark.awaited ?? null,
      hardware: mark.hardware ?? null,
      text: mark.text ?? null,
      pads: mark.pad === undefined ? null : [{ state: mark.pad, name: mark.name ?? "", color: mark.color ?? null }],
    };
  }

  #apply(message, changes) {
    for (const id of message.removed ?? []) {
      const entry = this.#byId.get(id);
      if (entry !== undefined) this.#remove(entry, changes);
    }
    for (const control of message.controls ?? []) this.#describe(control, changes);
    this.#values(message.values ?? [], changes);
    for (const [id, hold] of message.holds ?? []) {
      const entry = this.#byId.get(id);
      if (entry === undefined) continue;
      entry.hold = hold ?? null;
      changes.held.add(entry.path);
    }
    for (const [id, mark] of message.marks ?? []) {
      const entry = this.#byId.get(id);
      if (entry === undefined) continue;
      entry.mark = mark ?? {};
      changes.marked.add(entry.path);
    }
    for (const [id, , args] of message.triggers ?? []) {
      const entry = this.#byId.get(id);
      if (entry !== undefined) changes.triggers.push([entry.path, args ?? []]);
    }
    changes.missed += message.missed ?? 0;
    if (message.surface !== undefined) {
      this.surface = message.surface;
      changes.surface = message.surface;
    }
    // What went and came under the same path is, for whoever draws it, described anew.
    const gone = new Set(changes.removed);
    changes.described.push(...changes.added.filter((path) => gone.has(path)));
    changes.added = changes.added.filter((path) => !gone.has(path));
    changes.removed = changes.removed.filter((path) => !this.#byPath.has(path));
  }

  #describe(control, changes) {
    const known = this.#byId.get(control.id);
    if (known !== undefined && known.path === control.path) {
      known.control = control;
      changes.described.push(known.path);
      return;
    }
    const old = known ?? this.#byPath.get(control.path);
    if (old !== undefined) this.#remove(old, changes);
    const entry = new Entry(control);
    this.#byId.set(entry.id, entry);
    this.#byPath.set(entry.path, entry);
    changes.added.push(entry.path);
  }

  #values(values, changes) {
    for (const [id, value] of values) {
      const entry = this.#byId.get(id);
      if (entry !== undefined) this.#hear(entry, changes, () => (entry.server = merged(entry.server, value)));
    }
  }

  #hear(entry, changes, change) {
    const before = entry.shown;
    change();
    if (!same(before, entry.shown)) changes.values.set(entry.path, "server");
  }

  #remove(entry, changes) {
    this.#byId.delete(entry.id);
    if (this.#byPath.get(entry.path) === entry) this.#byPath.delete(entry.path);
    this.#moving.delete(entry);
    changes.removed.push(entry.path);
    if (entry.fingers > 0) changes.cancelled.push(entry.path);
    changes.values.delete(entry.path);
  }

  #settle(entry, before, changes) {
    entry.settle();
    if (entry.mine === undefined && entry.fingers === 0) this.#moving.delete(entry);
    if (entry.late && entry.waitingSince === undefined && !entry.lost) this.#flag(entry, false, changes);
    if (!same(before, entry.shown)) changes.values.set(entry.path, "server");
  }

  #drop(entry, changes) {
    const before = entry.shown;
    const held = entry.fingers > 0;
    Object.assign(entry, { fingers: 0, dirty: undefined, pending: [], lost: false });
    this.#settle(entry, before, changes);
    if (held) changes.held.add(entry.path);
  }

  #review(entry, now, changes) {
    const since = entry.waitingSince;
    const late = entry.lost || (since !== undefined && now - since >= UNCONFIRMED_MS);
    if (late !== entry.late) this.#flag(entry, late, changes);
  }

  #flag(entry, late, changes) {
    entry.late = late;
    changes.unconfirmed.add(entry.path);
  }
}

const NO_STATUS = Object.freeze({
  held: null,
  unconfirmed: false,
  waiting: false,
  offline: false,
  locked: false,
  readonly: false,
  silent: null,
  awaited: null,
  hardware: null,
  text: null,
  pads: null,
});

/** `value` laid over `below`: null components of a vector leave what is below. */
export function merged(below, value) {
  if (!Array.isArray(value) || !value.includes(null)) return value;
  if (!Array.isArray(below)) return value;
  return value.map((part, index) => (part === null ? below[index] ?? null : part));
}

/** True when two values are the same; vectors by component. */
export function same(a, b) {
  if (!Array.isArray(a) || !Array.isArray(b)) return a === b;
  return a.length === b.length && a.every((part, index) => part === b[index]);
}
