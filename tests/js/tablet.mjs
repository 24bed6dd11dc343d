/* Tablets without a screen: the page's real client (web/lib/client.js) under Node, driven line by line.
 *
 * Commands on stdin, one JSON object each; an answer to each on stdout. Times are ms of the machine's monotonic clock,
 * the same that Python's time.monotonic() reads in seconds. tests/tablets.py is the other end.
 */

import { createInterface } from "node:readline";

import { Client } from "../../web/lib/client.js";
import { WebSocket } from "./websocket.mjs";

globalThis.CustomEvent ??= class extends Event {
  constructor(type, { detail } = {}) {
    super(type);
    this.detail = detail;
  }
};

const clock = () => Number(process.hrtime.bigint()) / 1e6;

class Tablet {
  constructor({ url, hold = true }) {
    this.url = url;
    this.hold = hold;
    this.sockets = [];
    this.records = [];
    this.states = [];
    this.errors = {};
    this.load();
  }

  /** A page is loaded. */
  load() {
    const { sockets } = this;
    this.window = new EventTarget();
    this.client = new Client({
      url: this.url,
      now: clock,
      window: this.window,
      WebSocket: class extends WebSocket {
        constructor(url) {
          super(url);
          sockets.push(this);
        }
      },
    });
    const client = this.client;
    client.addEventListener("value", ({ detail }) => {
      if (this.isWatching && detail.from === "server") this.records.push([clock(), detail.path, detail.value]);
    });
    client.addEventListener("status", ({ detail }) => {
      if (detail.state !== this.states.at(-1)?.[1]) this.states.push([clock(), detail.state]);
    });
    client.addEventListener("cancel", () => this.lift()); // as elements do: that finger is dead until it lifts
    client.addEventListener("error", ({ detail }) => {
      this.errors[detail.code] = (this.errors[detail.code] ?? 0) + 1;
    });
    client.connect();
  }

  /** The page goes, as browsers do it: told, then its sockets are closed. */
  unload() {
    this.window.dispatchEvent(new Event("pagehide"));
    this.lift();
    this.client.close();
    for (const socket of this.sockets.splice(0)) socket.close();
  }

  /** A finger moves a control: its value is the time of the move, in ms since `zero`. */
  drag({ path, hz, zero }) {
    this.path = path;
    this.client.touch(path);
    this.dragging = setInterval(() => this.client.set(path, Math.round(clock() - zero)), 1000 / hz);
  }

  lift() {
    clearInterval(this.dragging);
    if (this.path !== undefined) this.client.release(this.path);
    this.path = undefined;
  }
}

const tablets = new Map();

const commands = {
  open: ({ name, ...options }) => void tablets.set(name, new Tablet(options)),
  reload: ({ name }) => {
    tablets.get(name).unload();
    tablets.get(name).load();
  },
  close: ({ name }) => tablets.get(name).unload(),
  drag: ({ name, ...options }) => tablets.get(name).drag(options),
  lift: ({ name }) => tablets.get(name).lift(),
  watch: ({ name }) => {
    tablets.get(name).isWatching = true;
    tablets.get(name).records = [];
  },
  take: ({ name }) => tablets.get(name).records.splice(0),
  look: ({ name, path }) => {
    const { client, states, errors } = tablets.get(name);
    return { state: client.status.state, rtt: client.status.rtt, value: client.value(path) ?? null, states, errors };
  },
};

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const command = JSON.parse(line);
    process.stdout.write(`${JSON.stringify(commands[command.do](command) ?? null)}\n`);
  })
  .on("close", () => process.exit(0));
