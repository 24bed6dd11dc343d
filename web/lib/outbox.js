/* What the own hand does, on its way to the server: sets, triggers, touches, releases.
 *
 * Here: how often and in which order. At most one value per control and animation frame, always the
 * last one; nothing more while the oldest unapplied set is older than the round trip and STALL_MS, then only
 * the latest; a release never overtakes the value before it. Not here: sockets (client.js), values (model.js).
 */

export const STALL_MS = 250;
export const MAX_TRIP_MS = 500; // of a link that is merely long, not stalled
export const QUIET_MS = 34; // two frames: after that much quiet a move leaves at once, else with the next frame
const MAX_TRIGGERS = 32; // under way; more are refused here

export class Outbox {
  /** No animation frames run: then one set at a time is under way. */
  isHidden = false;
  #model;
  #surroundings;
  #n = 0; // goes on across sockets, so that an answer never means another message
  #sets = []; // unapplied: {n, at, entries}
  #triggers = []; // unapplied: n
  #lastSetAt = -Infinity;
  #isFrameAsked = false;
  #isTaskAsked = false;
  #releasing = new Set(); // entries whose last value goes out before their release

  /** `isOpen()`: moves may leave; `trip()`: the link's shortest round trip in ms; `send(message)` → false where
   *  there is no socket at all (a release is also sent to one that is under suspicion); `emit(changes)` is told
   *  what the hand changed. */
  constructor(model, { now, requestFrame, isOpen, trip, send, emit }) {
    this.#model = model;
    this.#surroundings = { now, requestFrame, isOpen, trip, send, emit };
  }

  move(entry, value) {
    const { now, emit } = this.#surroundings;
    emit(this.#model.move(entry, value, now()));
    this.#flushSoon();
  }

  /** Send now; false when it cannot be. */
  trigger(entry, args) {
    if (this.#triggers.length >= MAX_TRIGGERS) return false;
    this.flush(); // what was set before it arrives before it
    const { now, send } = this.#surroundings;
    const message = { type: "trigger", n: this.#n + 1, t: Math.round(now()), id: entry.id };
    if (args.length > 0) message.args = args;
    if (!send(message)) return false;
    this.#n = message.n;
    this.#triggers.push(message.n);
    return true;
  }

  touch(entry) {
    const { send, emit } = this.#surroundings;
    const changes = this.#model.touch(entry);
    if (changes === null) return; // another finger is there
    // A release that waits for its value is not sent: the server never saw the finger go.
    if (!this.#releasing.delete(entry)) send({ type: "touch", ids: [entry.id] });
    emit(changes);
  }

  release(entry) {
    const changes = this.#model.release(entry);
    if (changes === null) return;
    this.#releasing.add(entry);
    this.flush();
    this.#surroundings.emit(changes);
  }

  /** Everything up to `n` has been executed. */
  applied(n) {
    const { now, emit } = this.#surroundings;
    while (this.#sets.length > 0 && this.#sets[0].n <= n) this.#sets.shift();
    while (this.#triggers.length > 0 && this.#triggers[0] <= n) this.#triggers.shift();
    emit(this.#model.applied(n, now()));
    if (!this.#hasFrame && !this.#isTaskAsked) this.flush(); // what a stall held back
  }

  /** What set `n` moved; [] when it is answered. */
  entriesOf(n) {
    return this.#sets.find((set) => set.n === n)?.entries ?? [];
  }

  /** The server refused this control: give it back, and let go. */
  refuse(entry) {
    const { send, emit } = this.#surroundings;
    if (entry.fingers > 0 || this.#releasing.delete(entry)) send({ type: "release", ids: [entry.id] });
    emit(this.#model.refuse(entry));
  }

  /** The page is being hidden: every finger lifts, at once. Returns the entries that were held. */
  letGo() {
    this.flush();
    const held = [...this.#model.entries()].filter((entry) => entry.fingers > 0);
    for (const entry of held) {
      if (entry.dirty !== undefined) this.refuse(entry); // held back by a stall: it would come late
      else this.#liftAll(entry);
    }
    this.flush();
    return held;
  }

  /** The socket is gone: nothing is kept for the next one. */
  reset() {
    this.#sets = [];
    this.#triggers = [];
    this.#releasing.clear();
  }

  flush() {
    const { now, isOpen, trip, send, emit } = this.#surroundings;
    const time = now();
    const isStalled = this.#sets.length > 0 && time - this.#sets[0].at > STALL_MS + Math.min(trip(), MAX_TRIP_MS);
    while (this.#model.hasMoves && !isStalled && isOpen()) {
      const changes = this.#model.review(time);
      const body = this.#model.take(this.#n + 1, time, changes);
      if (body !== null) {
        this.#n += 1;
        this.#lastSetAt = time;
        this.#sets.push({ n: this.#n, at: time, entries: body.values.map(([id]) => this.#model.byId(id)) });
        send({ type: "set", n: this.#n, t: Math.round(body.t), values: body.values });
      }
      emit(changes);
    }
    const ids = [];
    for (const entry of this.#releasing) {
      if (entry.dirty !== undefined) continue;
      this.#releasing.delete(entry);
      ids.push(entry.id);
    }
    if (ids.length > 0) send({ type: "release", ids });
  }

  #liftAll(entry) {
    while (entry.fingers > 0) this.#surroundings.emit(this.#model.release(entry));
    this.#releasing.add(entry);
  }

  /** A frame will come: one that was asked for before the page was hidden does not, until it is shown again. */
  get #hasFrame() {
    return this.#isFrameAsked && !this.isHidden;
  }

  #flushSoon() {
    if (this.#hasFrame || this.#isTaskAsked) return;
    const { now, requestFrame } = this.#surroundings;
    if (this.isHidden) {
      if (this.#sets.length > 0) return; // `applied` sends it
    } else if (now() - this.#lastSetAt < QUIET_MS) {
      this.#isFrameAsked = true;
      requestFrame(() => {
        this.#isFrameAsked = false;
        this.flush();
      });
      return;
    }
    this.#isTaskAsked = true; // everything that one event handler sets is one message
    queueMicrotask(() => {
      this.#isTaskAsked = false;
      this.flush();
    });
  }
}
