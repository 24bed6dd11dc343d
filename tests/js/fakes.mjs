/* The world around a page, for tests: a clock that stands until told, sockets whose other end the
 * test plays, animation frames, and a document that can be hidden. */

// Debian 12 has Node 18, where this is not global yet.
globalThis.CustomEvent ??= class extends Event {
  constructor(type, { detail } = {}) {
    super(type);
    this.detail = detail;
  }
};

export class FakeSocket extends EventTarget {
  readyState = 0;
  sent = []; // what the page wrote, parsed

  constructor(url) {
    super();
    this.url = url;
  }

  send(text) {
    if (this.readyState !== 1) throw new Error("send on a socket that is not open");
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.readyState = 3;
    this.closedByPage = true;
  }

  // The other end.

  opens() {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
  }

  says(message) {
    const event = new Event("message");
    event.data = typeof message === "string" ? message : JSON.stringify(message);
    this.dispatchEvent(event);
  }

  ends(code = 1006) {
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event("close"), { code }));
  }

  /** Messages of one type, oldest first. */
  of(type) {
    return this.sent.filter((message) => message.type === type);
  }

  /** Forget what was written, and return it. */
  take() {
    return this.sent.splice(0);
  }
}

class FakeDocument extends EventTarget {
  visibilityState = "visible";
}

export class World {
  time = 10_000; // ms
  wallShift = 1_700_000_000_000;
  timers = new Map();
  frames = [];
  sockets = [];
  document = new FakeDocument();
  window = new EventTarget();
  random = 1; // the longest jitter
  #ids = 0;

  /** Options for `new Client`. */
  get options() {
    const world = this;
    return {
      url: "ws://bridge/ws",
      name: "FOH iPad",
      page: "b81f",
      WebSocket: class extends FakeSocket {
        constructor(url) {
          super(url);
          world.sockets.push(this);
        }
      },
      now: () => this.time,
      wall: () => this.wallShift + this.time,
      setTimeout: (fn, pause) => {
        this.#ids += 1;
        this.timers.set(this.#ids, { at: this.time + pause, fn });
        return this.#ids;
      },
      clearTimeout: (id) => this.timers.delete(id),
      requestFrame: (fn) => this.frames.push(fn),
      random: () => this.random,
      document: this.document,
      window: this.window,
    };
  }

  get socket() {
    return this.sockets[this.sockets.length - 1];
  }

  /** Let `ms` pass, timer by timer. */
  pass(ms) {
    const end = this.time + ms;
    for (;;) {
      const due = [...this.timers].filter(([, timer]) => timer.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (due === undefined) break;
      this.timers.delete(due[0]);
      this.time = Math.max(this.time, due[1].at);
      due[1].fn();
    }
    this.time = end;
  }

  /** Let `ms` pass with the device asleep: no timer runs before it is over. `clockStops`: as on devices
   *  whose performance.now stands still meanwhile. */
  sleep(ms, clockStops = false) {
    if (clockStops) this.wallShift += ms;
    else this.time += ms;
    this.pass(clockStops ? 2000 : 0);
  }

  frame() {
    for (const fn of this.frames.splice(0)) fn();
  }

  hide() {
    this.document.visibilityState = "hidden";
    this.document.dispatchEvent(new Event("visibilitychange"));
  }

  show() {
    this.document.visibilityState = "visible";
    this.document.dispatchEvent(new Event("visibilitychange"));
  }
}

export const CONTROLS = [
  { id: 1, path: "/a", kind: "float", range: [0, 1] },
  { id: 2, path: "/b", kind: "float", range: [0, 1] },
  { id: 3, path: "/xy", kind: "vector", size: 2 },
  { id: 4, path: "/go", kind: "trigger" },
  { id: 5, path: "/level", kind: "meter", access: "read" },
  { id: 6, path: "/mine", kind: "float", hold: "first" },
];

export const VALUES = [[1, 0.1], [2, 0.2], [3, [0.5, 0.5]], [6, 0]];

export function welcome(more = {}) {
  return {
    type: "welcome", protocol: 1, epoch: "k3x9", rev: 815, client: "c7", role: "control", view: "all",
    resumed: false, ack_ms: 50, surface: { title: "T", pages: [] }, controls: CONTROLS, values: VALUES, ...more,
  };
}

/** Everything that a client tells, as [type, detail]. */
export function listen(client) {
  const told = [];
  for (const type of ["status", "surface", "controls", "value", "trigger", "held", "mark", "unconfirmed", "missed", "cancel", "learning", "error", "shut-out"]) {
    client.addEventListener(type, (event) => told.push([type, event.detail]));
  }
  return told;
}
