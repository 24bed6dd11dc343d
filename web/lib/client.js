/* One page's connection to the bridge, protocol `stagebridge.v1` (docs/protocol.md).
 *
 * Here: sockets, hello and resume, acks, silence, retry, hidden pages. Not here: what
 * the state is (model.js), pacing of what the hand does (outbox.js), widgets (binder.js, sync.js). WebSocket, clocks,
 * timers, frames, document and window are handed in, so that `node --test` drives all of it.
 *
 * Events (CustomEvent, with detail): "status" {state, rtt, since} · "surface" the surface ·
 * "controls" {added, described, removed} (paths) · "value" {path, value, from: "server"|"mine"} ·
 * "trigger" {path, args} · "held" {path} · "mark" {path} · "unconfirmed" {path} · "missed" {count} ·
 * "learning" what is being learnt, and was (docs/protocol.md) ·
 * "shut-out" {code}: this device is not let in (4401), or no longer (4403), and nothing more is tried ·
 * "cancel" {paths}: what a finger held there is dead until it lifts · "error" {code, message, n?, path?}.
 */

import { Link } from "./link.js";
import { Model } from "./model.js";
import { Outbox } from "./outbox.js";
import { SHUT_OUT } from "./pairing.js";

export const PROTOCOL = 1;

export const PING_MS = 1000; // while visible; more rarely as the server says, where something was heard since
export const EARLY_MS = 250; // a ping that is due so soon goes with the ack of what has just come
export const RIVAL_MS = 1500; // silence after which a second socket is opened
export const OFFLINE_MS = 3000; // silence after which the page is offline
export const SUSPECT_MS = 500; // how long a resumed socket may take to answer before a second one is opened
export const CONNECTING_MS = 5000; // tablet.md: give CONNECTING 5 s
export const WELCOME_MS = 3000; // from open to welcome
export const JUMP_MS = 2500; // an alarm that is later than this means that the device slept
export const RETRY_MS = [250, 3000]; // first and longest pause between attempts, before jitter
export const ACK_MS = 50; // until the welcome says otherwise
const UTF8 = new TextEncoder();
const RETRY_GROWTH = 1.6;
const DECLARE_CHUNK = 64; // controls per message, far below the server's frame limit

const REVERTING = new Set(["held", "read_only", "not_allowed"]); // the finger has no business there

export class Client extends EventTarget {
  model = new Model();
  #env;
  #url;
  #name;
  #token;
  #page;
  #state = "connecting";
  #since;
  #rtt = null;
  #current = null; // the welcomed link
  #candidate = null; // the one that is being opened
  #running = false;
  #hidden = false;
  #failures = 0;
  #retryAt = Infinity;
  #staleAt = -Infinity;
  #heardAt;
  #outbox;
  #ackMs = ACK_MS;
  #pingMs = PING_MS; // also the pause of acks while less than the welcome's `ack_bytes` have come
  #ackedAt = -Infinity;
  #ackAt = Infinity;
  #ackBytes = 0;
  #ackedRev = 0;
  #unacked = 0; // bytes that came after that revision
  #revAt = 0; // when the model's revision came
  #declared = new Map();
  #shown = [];
  #learns = false;
  #alarm = null;
  #alarmAt = Infinity;
  #alarmWall = 0;
  #listening = [];

  /** `url`: ws:// or wss:// address of `/ws`; `name`: how this device is called elsewhere;
   *  `token`: what lets it in where no cookie does. The rest
   *  are the page's own surroundings: `now` is a monotonic clock, `wall` is Date.now, both in ms. */
  constructor({
    url,
    name = "",
    token = null,
    WebSocket = globalThis.WebSocket,
    now = () => performance.now(),
    wall = () => Date.now(),
    setTimeout = globalThis.setTimeout.bind(globalThis),
    clearTimeout = globalThis.clearTimeout.bind(globalThis),
    requestFrame = globalThis.requestAnimationFrame?.bind(globalThis) ?? ((fn) => setTimeout(fn, 16)),
    random = Math.random,
    document = globalThis.document ?? null,
    window = globalThis.window ?? null,
    page = randomId(random),
  }) {
    super();
    this.#env = { WebSocket, now, wall, setTimeout, clearTimeout, requestFrame, random, document, window };
    this.#url = url;
    this.#name = name;
    this.#token = token;
    this.#page = page;
    this.#since = wall();
    this.#heardAt = now();
    this.#outbox = new Outbox(this.model, {
      now,
      requestFrame,
      isOpen: () => this.#state === "online",
      trip: () => this.#current?.trip ?? 0,
      send: (message) => this.#current !== null && this.#current.send(message),
      emit: (changes) => {
        this.#emit(changes);
        this.#arm();
      },
    });
  }

  /** {state: "connecting" | "online" | "offline", rtt: ms or null, since: Date.now() of the state's
   *  start; for offline, of the last sign of life}. */
  get status() {
    return { state: this.#state, rtt: this.#rtt, since: this.#since };
  }

  /** Open the connection and keep it open for ever. */
  connect() {
    if (this.#running) return;
    this.#running = true;
    const { document, window } = this.#env;
    this.#hidden = this.#outbox.isHidden = document?.visibilityState === "hidden";
    this.#listen(document, "visibilitychange", () => (document.visibilityState === "hidden" ? this.#hide() : this.#wake()));
    this.#listen(document, "freeze", () => this.#hide());
    this.#listen(window, "pagehide", () => this.#hide());
    this.#listen(window, "pageshow", (event) => (event.persisted || this.#hidden ? this.#wake() : undefined));
    this.#listen(window, "online", () => this.#wake());
    this.#listen(window, "offline", () => this.#wake());
    this.#open();
    this.#arm();
  }

  /** End it; `connect` starts anew. */
  close() {
    this.#running = false;
    for (const [target, type, listener] of this.#listening.splice(0)) target.removeEventListener(type, listener);
    this.#disarm();
    this.#candidate?.drop();
    this.#candidate = null;
    this.#retryAt = Infinity;
    if (this.#current !== null) this.#lose("offline");
  }

  /** The value to show; undefined while it is not known. */
  value(path) {
    return this.model.value(path);
  }

  /** The own hand moves a control. False when it may not (offline, unknown, read-only): nothing is kept. */
  set(path, value) {
    const entry = this.#mine(path);
    if (entry === null) return false;
    this.#outbox.move(entry, value);
    return true;
  }

  /** Fire a trigger, at once and in order. False when it cannot be sent. */
  trigger(path, args = []) {
    const entry = this.#mine(path);
    return entry !== null && this.#outbox.trigger(entry, args);
  }

  /** A finger comes down on a control. False when it may not. */
  touch(path) {
    const entry = this.#mine(path);
    if (entry === null) return false;
    this.#outbox.touch(entry);
    return true;
  }

  /** A finger goes up. */
  release(path) {
    const entry = this.model.get(path);
    if (entry !== undefined) this.#outbox.release(entry);
  }

  /** Controls that this page names (descriptors without id). Those that exist already stay as they are. */
  declare(controls) {
    for (const control of controls) this.#declared.set(control.path, control);
    if (this.#state === "online") this.#sendDeclared(controls);
  }

  /** The meters that this page draws now; replaces the list before. */
  show(paths) {
    this.#shown = [...paths];
    this.#sendShown();
  }

  /** Be told what is being learnt ("learning"), or no more: then this page waits for no hand either. */
  followLearning(isWanted) {
    this.#learns = isWanted;
    this.#current?.send({ type: "subscribe", what: isWanted ? ["learn"] : [] });
  }

  /** The next move of the hardware is for this control (of a vector: for its number `component`); null: for none. */
  learn(path, component) {
    this.#current?.send({ type: "learn", ...(path === null ? {} : { id: path }), ...(component === undefined ? {} : { component }) });
  }

  /** Forget learnt bindings, by their numbers. */
  forget(bindings) {
    this.#current?.send({ type: "forget", bindings });
  }

  // Sending.

  #mine(path) {
    const entry = this.model.get(path);
    if (this.#state !== "online" || entry === undefined) return null;
    return entry.control.access === "read" || entry.control.kind === "meter" ? null : entry;
  }

  #sendDeclared(controls) {
    const unknown = controls.filter((control) => this.model.get(control.path) === undefined);
    for (let start = 0; start < unknown.length; start += DECLARE_CHUNK) {
      this.#current?.send({ type: "declare", controls: unknown.slice(start, start + DECLARE_CHUNK) });
    }
  }

  #sendShown() {
    const link = this.#current;
    if (link === null) return;
    const known = this.#hidden ? [] : this.#shown.map((path) => this.model.get(path)).filter(Boolean);
    const ids = known.map((entry) => entry.id);
    if (JSON.stringify(ids) === link.shows) return;
    if (link.send({ type: "show", ids })) link.shows = JSON.stringify(ids);
  }

  #ack(now) {
    this.#current?.send({ type: "ack", ...this.#acked(now) });
  }

  /** What an ack says; it is said now. */
  #acked(now) {
    const { rev } = this.model;
    this.#ackedAt = now;
    this.#ackAt = Infinity;
    if (rev > this.#ackedRev) this.#unacked = 0; // parts of one truth have the same rev, and add up
    this.#ackedRev = rev;
    const held = Math.round(now - this.#revAt);
    return held > 0 ? { rev, held } : { rev };
  }

  /** `data` with a new revision has come. */
  #ackSoon(link, data, now) {
    this.#revAt = now;
    this.#unacked += UTF8.encode(data).length;
    const isLittle = this.#unacked < this.#ackBytes;
    const ackAt = isLittle ? Math.max(this.#ackedAt, link.pingedAt) + this.#pingMs : this.#ackedAt + this.#ackMs;
    this.#ackAt = Math.min(this.#ackAt, ackAt);
    const pingAt = this.#pingAt(link);
    if (now >= pingAt - EARLY_MS) this.#ping(link, now, pingAt);
    else if (now >= this.#ackAt) this.#ack(now);
  }

  /** An ack that waits for its time rides along. `due`: whoever pings early does not ping more often for it. */
  #ping(link, now, due = now) {
    link.pingedAt = Math.max(now, due);
    link.send({ type: "ping", t: now, ...(this.#ackAt === Infinity ? {} : this.#acked(now)) });
  }

  // Receiving.

  #hear(link, data) {
    const now = this.#env.now();
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      this.#tell("error", { code: "bad_message", message: "the server sent what is not JSON" });
      return;
    }
    link.heardAt = this.#heardAt = now;
    if (link === this.#candidate) {
      if (message.type === "welcome") this.#adopt(link, message);
      else if (message.type === "error") this.#tell("error", message);
      this.#arm();
      return;
    }
    if (this.#candidate !== null && !this.#candidate.greeted && link.suspectSince === null) this.#dropCandidate();
    this.#handle(link, message, data, now);
    this.#arm();
  }

  #handle(link, message, data, now) {
    switch (message.type) {
      case "update":
        this.#emit(this.model.update(message));
        this.#ackSoon(link, data, now);
        break;
      case "applied":
        this.#outbox.applied(message.n);
        break;
      case "meters":
        this.#emit(this.model.meters(message.values));
        break;
      case "learning":
        this.#tell("learning", message);
        break;
      case "pong":
        this.#ackMs = message.ack_ms ?? this.#ackMs;
        this.#pingMs = message.ping_ms ?? this.#pingMs;
        this.#pong(link, message.t, now);
        break;
      case "welcome":
        this.#emit(this.model.welcome(message, true));
        this.#ackSoon(link, data, now);
        break;
      case "error":
        this.#refused(message, now);
        break;
    }
  }

  #pong(link, t, now) {
    const trip = Math.max(0, now - t);
    // The first answer of a socket waits while the page itself starts: it says nothing about the link.
    if (link.trip !== null) this.#rtt = trip;
    link.trip = Math.min(link.trip ?? Infinity, trip);
    if (link.suspectSince !== null && t >= link.suspectSince) {
      link.suspectSince = null;
      if (this.#candidate !== null && !this.#candidate.greeted) this.#dropCandidate();
      this.#become("online");
      this.#outbox.flush();
    } else {
      this.#tell("status", this.status);
    }
  }

  #refused(message, now) {
    this.#tell("error", message);
    if (message.code === "stale") {
      // The clock base of this socket is wrong (the device slept, or the link held everything back).
      const again = now - this.#staleAt < OFFLINE_MS;
      this.#staleAt = now;
      this.#lose("connecting");
      if (again) this.#retryLater(now);
      else this.#open();
    } else if (REVERTING.has(message.code)) {
      const named = this.model.get(message.path);
      const entries = named !== undefined ? [named] : this.#outbox.entriesOf(message.n);
      for (const entry of entries) this.#outbox.refuse(entry);
      if (entries.length > 0) this.#tell("cancel", { paths: entries.map((entry) => entry.path) });
    }
  }

  // Connecting.

  #open() {
    if (this.#candidate !== null || !this.#running) return;
    const now = this.#env.now();
    this.#retryAt = Infinity;
    const link = new Link(new this.#env.WebSocket(this.#url), now, {
      open: (opened) => this.#greet(opened),
      message: (heard, data) => this.#hear(heard, data),
      close: (closed, code) => this.#closed(closed, code),
    });
    link.deadline = now + CONNECTING_MS;
    this.#candidate = link;
  }

  #greet(link) {
    const now = this.#env.now();
    const hello = { type: "hello", name: this.#name, page: this.#page, t: Math.round(now) };
    if (this.#token !== null) hello.token = this.#token;
    if (this.model.epoch !== null) Object.assign(hello, { since: [this.model.epoch, this.model.rev], view: this.model.view ?? undefined });
    link.greeted = link.send(hello);
    link.deadline = now + WELCOME_MS;
    this.#arm();
  }

  #adopt(link, message) {
    if (message.protocol !== PROTOCOL) {
      this.#tell("error", { code: "protocol", message: `the bridge speaks protocol ${message.protocol}: reload this page` });
      this.#dropCandidate();
      this.#retryLater(this.#env.now());
      return;
    }
    const now = this.#env.now();
    this.#candidate = null;
    if (this.#current !== null) this.#lose(this.#state);
    this.#current = link;
    link.welcomed = true;
    link.deadline = Infinity;
    link.pingedAt = now;
    this.#failures = 0;
    this.#retryAt = Infinity;
    this.#ackMs = message.ack_ms ?? ACK_MS;
    this.#pingMs = message.ping_ms ?? PING_MS;
    this.#ackBytes = message.ack_bytes ?? 0;
    this.#ackedRev = this.#unacked = 0;
    this.#revAt = now;
    const before = this.#state;
    this.#state = "online"; // listeners of the values below may already set
    this.#emit(this.model.welcome(message));
    this.#ack(now);
    this.#ping(link, now);
    this.#sendDeclared([...this.#declared.values()]);
    this.#sendShown();
    if (this.#learns) this.followLearning(true);
    this.#state = before;
    this.#become("online");
  }

  /** The welcomed link is over: nothing that the hand did on it outlives it. */
  #lose(state) {
    this.#current.drop();
    this.#current = null;
    this.#outbox.reset();
    this.#ackAt = Infinity;
    const changes = this.model.dropMine();
    this.#become(state);
    this.#emit(changes);
    this.#tell("cancel", { paths: null }); // null: every one
  }

  #closed(link, code) {
    const now = this.#env.now();
    if (SHUT_OUT.has(code) && (link === this.#candidate || link === this.#current)) {
      this.close(); // nothing that we could try again
      this.#become("offline");
      this.#tell("shut-out", { code });
      return;
    }
    if (link === this.#candidate) {
      this.#dropCandidate();
      this.#retryLater(now);
      if (this.#current === null) this.#become("offline");
    } else if (link === this.#current) {
      this.#lose(this.#candidate?.greeted ? "connecting" : "offline");
      if (this.#candidate === null) this.#retryLater(now);
    }
    this.#arm();
  }

  #dropCandidate() {
    this.#candidate.drop();
    this.#candidate = null;
  }

  #retryLater(now) {
    const pause = Math.min(RETRY_MS[1], RETRY_MS[0] * RETRY_GROWTH ** this.#failures);
    this.#failures += 1;
    this.#retryAt = now + pause * (0.5 + 0.5 * this.#env.random());
  }

  #become(state) {
    if (state !== this.#state) {
      const { now, wall } = this.#env;
      this.#since = state === "offline" ? wall() - (now() - this.#heardAt) : wall();
      this.#state = state;
    }
    this.#tell("status", this.status);
  }

  // Hidden pages, and devices that slept.

  #hide() {
    if (this.#hidden) return;
    this.#hidden = true;
    this.#disarm();
    this.#letGo();
    this.#outbox.isHidden = true;
    this.#sendShown();
  }

  /** No finger outlives a sleep: the server took its holds away meanwhile. */
  #letGo() {
    const held = this.#outbox.letGo();
    if (held.length > 0) this.#tell("cancel", { paths: held.map((entry) => entry.path) });
  }

  /** Shown again, or back from sleep: an "open" socket proves nothing until a ping is answered. */
  #wake() {
    const { document, now } = this.#env;
    if (!this.#running || document?.visibilityState === "hidden") return;
    this.#hidden = this.#outbox.isHidden = false;
    const time = now();
    const link = this.#current;
    if (link !== null) {
      link.heardAt = time; // silence counts from here: nobody listened before
      link.suspectSince = time;
      this.#ack(time);
      this.#ping(link, time);
      this.#become("connecting");
      this.#sendShown();
    } else {
      this.#failures = 0;
      if (this.#candidate !== null && time >= this.#candidate.deadline) this.#dropCandidate();
      this.#open();
    }
    this.#arm();
  }

  // One alarm for everything that has a time; none while the page is hidden.

  #nextAt() {
    let next = Math.min(this.#retryAt, this.#ackAt, this.#candidate?.deadline ?? Infinity, this.model.nextReview);
    const link = this.#current;
    if (link === null) return next;
    next = Math.min(next, this.#pingAt(link), link.heardAt + OFFLINE_MS);
    return this.#isRivalWanted ? Math.min(next, this.#rivalAt(link)) : next;
  }

  #pingAt(link) {
    return Math.min(link.pingedAt + this.#pingMs, Math.max(link.pingedAt, link.heardAt) + PING_MS);
  }

  get #isRivalWanted() {
    return this.#current !== null && this.#candidate === null && this.#retryAt === Infinity;
  }

  #rivalAt(link) {
    const silent = link.heardAt + RIVAL_MS;
    return link.suspectSince === null ? silent : Math.min(silent, link.suspectSince + SUSPECT_MS);
  }

  #arm() {
    if (!this.#running || this.#hidden) return;
    const next = this.#nextAt();
    if (next >= this.#alarmAt) return; // the alarm that is set comes first, and sets the next
    this.#disarm();
    if (next === Infinity) return;
    const { now, wall, setTimeout } = this.#env;
    const pause = Math.max(0, next - now());
    this.#alarmAt = next;
    this.#alarmWall = wall() + pause;
    this.#alarm = setTimeout(() => this.#ring(), pause);
  }

  #disarm() {
    if (this.#alarm !== null) this.#env.clearTimeout(this.#alarm);
    this.#alarm = null;
    this.#alarmAt = Infinity;
  }

  #ring() {
    const now = this.#env.now();
    const slept = Math.max(now - this.#alarmAt, this.#env.wall() - this.#alarmWall) > JUMP_MS;
    this.#alarm = null;
    this.#alarmAt = Infinity;
    if (slept) {
      // performance.now stands still while some devices sleep, Date.now does not.
      this.#letGo();
      this.#wake();
    }
    const link = this.#current;
    if (link !== null && now >= this.#pingAt(link)) this.#ping(link, now); // takes the ack along
    if (now >= this.#ackAt) this.#ack(now);
    this.#emit(this.model.review(now));
    if (this.#candidate !== null && now >= this.#candidate.deadline) {
      this.#dropCandidate();
      this.#retryLater(now);
      if (link === null) this.#become("offline");
    }
    if (link !== null && now >= link.heardAt + OFFLINE_MS) {
      this.#lose("offline");
      if (this.#candidate === null) this.#open();
    } else if (now >= this.#retryAt || (this.#isRivalWanted && now >= this.#rivalAt(link))) {
      this.#open();
    }
    this.#arm();
  }

  // Telling.

  #listen(target, type, listener) {
    if (!target?.addEventListener) return;
    target.addEventListener(type, listener);
    this.#listening.push([target, type, listener]);
  }

  #emit(changes) {
    if (changes === null) return;
    const { added, described, removed, cancelled } = changes;
    if (cancelled.length > 0) this.#tell("cancel", { paths: cancelled });
    if (added.length + described.length + removed.length > 0) {
      this.#tell("controls", { added, described, removed });
      this.#sendShown();
    }
    for (const [path, from] of changes.values) this.#tell("value", { path, value: this.model.value(path), from });
    for (const path of changes.held) this.#tell("held", { path });
    for (const path of changes.marked) this.#tell("mark", { path });
    for (const path of changes.unconfirmed) this.#tell("unconfirmed", { path });
    for (const [path, args] of changes.triggers) this.#tell("trigger", { path, args });
    if (changes.missed > 0) this.#tell("missed", { count: changes.missed });
    if (changes.surface !== undefined) this.#tell("surface", changes.surface);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** Address of the bridge's WebSocket, seen from a page or module that it served. */
export function socketUrl(base) {
  const url = new URL("/ws", base);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/** Unguessable where the browser can: whoever knows it may end this session. */
function randomId(random) {
  const words = globalThis.crypto?.getRandomValues?.(new Uint32Array(3));
  if (words !== undefined) return Array.from(words, (word) => word.toString(36)).join("");
  const part = () => Math.floor(random() * 2 ** 32).toString(36);
  return part() + part();
}
