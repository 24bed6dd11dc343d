/* Any interleaving of hands, other writers, delays and cuts: after quiet the page shows the server's
 * values, and nothing moved under a finger. The other end is a server of a few lines. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Client } from "../../web/lib/client.js";
import { World, welcome } from "./fakes.mjs";

const SCHEDULES = 400;
const STEPS = 120;
const PATHS = ["/a", "/b"];

/** Small, fast, seeded: a schedule that fails is told by its seed and can be run again. */
function dice(seed) {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

class Server {
  epoch = "e";
  rev = 1;
  values = new Map([[1, 0], [2, 0]]);
  changed = new Map(); // id → rev

  write(id, value) {
    if (this.values.get(id) === value) return;
    this.rev += 1;
    this.values.set(id, value);
    this.changed.set(id, this.rev);
  }

  restart() {
    Object.assign(this, { epoch: `${this.epoch}x`, rev: 1, changed: new Map() });
  }

  since(rev) {
    return [...this.changed].filter(([, at]) => at > rev).map(([id]) => [id, this.values.get(id)]);
  }
}

/** One connection: both directions are queues that the schedule moves on. */
class Line {
  up = [];
  down = [];
  told = 0;
  read = 0;

  constructor(server, socket) {
    this.server = server;
    this.socket = socket;
  }

  get isOpen() {
    return this.socket.readyState === 1;
  }

  /** The server reads one message of the page. */
  hear() {
    const message = this.socket.sent[this.read];
    if (message === undefined || !this.isOpen) return false;
    this.read += 1;
    if (message.type === "hello") {
      const resumed = message.since?.[0] === this.server.epoch && message.since[1] <= this.server.rev;
      this.told = resumed ? message.since[1] : this.server.rev;
      const snapshot = welcome({ epoch: this.server.epoch, rev: this.server.rev, values: [...this.server.values] });
      this.down.push(resumed ? { ...snapshot, resumed, controls: undefined, values: undefined } : snapshot);
    } else if (message.type === "set") {
      for (const [id, value] of message.values) this.server.write(id, value);
      this.tell();
      this.down.push({ type: "applied", n: message.n });
    } else if (message.type === "ping") {
      this.down.push({ type: "pong", t: message.t });
    }
    return true;
  }

  /** The server sends what is new. */
  tell() {
    if (this.told === this.server.rev || this.read === 0) return;
    this.down.push({ type: "update", rev: this.server.rev, values: this.server.since(this.told) });
    this.told = this.server.rev;
  }

  /** One message arrives at the page. */
  arrive() {
    const message = this.down.shift();
    if (message === undefined || !this.isOpen) return false;
    this.socket.says(message);
    return true;
  }
}

const task = () => new Promise((resolve) => setImmediate(resolve));

async function play(seed) {
  const roll = dice(seed);
  const world = new World();
  const server = new Server();
  const client = new Client(world.options);
  const lines = [];
  const fingers = new Map(); // path → the value under the finger
  client.addEventListener("cancel", ({ detail }) => (detail.paths ?? PATHS).forEach((path) => fingers.delete(path)));
  const follow = () => {
    while (lines.length < world.sockets.length) lines.push(new Line(server, world.sockets[lines.length]));
  };
  const actions = [
    () => { // a finger comes down or goes up
      const path = PATHS[roll(2)];
      if (fingers.has(path)) {
        client.release(path);
        fingers.delete(path);
      } else if (client.touch(path)) {
        fingers.set(path, client.value(path));
      }
    },
    () => { // the hand moves
      const path = PATHS[roll(2)];
      const value = roll(1000);
      if (client.set(path, value) && fingers.has(path)) fingers.set(path, value);
    },
    () => server.write(1 + roll(2), roll(1000)), // somebody else moves
    () => world.frame(),
    () => world.pass(roll(60)),
    () => lines.forEach((line) => line.hear()),
    () => lines.forEach((line) => line.hear()),
    () => lines.forEach((line) => line.tell()),
    () => lines.forEach((line) => line.arrive()),
    () => lines.forEach((line) => line.arrive()),
    () => world.sockets.forEach((socket) => socket.readyState === 0 && roll(4) > 0 && socket.opens()),
  ];
  const accidents = [
    () => world.socket.ends(),
    () => world.pass(1000 + roll(4000)),
    () => (world.hide(), world.pass(roll(5000)), world.show()),
    () => (server.restart(), world.sockets.forEach((socket) => socket.readyState === 1 && socket.ends())),
  ];
  client.connect();
  for (let step = 0; step < STEPS; step += 1) {
    if (roll(25) === 0) accidents[roll(accidents.length)]();
    else actions[roll(actions.length)]();
    if (roll(3) === 0) await task();
    follow();
    for (const [path, value] of fingers) assert.equal(client.value(path), value, `seed ${seed}: ${path} moved under the finger`);
  }
  for (const path of fingers.keys()) client.release(path);
  for (let quiet = 0; quiet < 400; quiet += 1) { // until nobody has anything to say
    await task();
    world.sockets.forEach((socket) => socket.readyState === 0 && socket.opens());
    follow();
    lines.forEach((line) => {
      while (line.hear());
      line.tell();
      while (line.arrive());
    });
    world.frame();
    world.pass(10);
  }
  assert.equal(client.status.state, "online", `seed ${seed}`);
  for (const [id, path] of [[1, "/a"], [2, "/b"]]) assert.equal(client.value(path), server.values.get(id), `seed ${seed}: ${path}`);
  assert.equal(client.model.hasMoves, false, `seed ${seed}`);
  client.close();
}

test(`page and server agree after quiet in ${SCHEDULES} random schedules`, async () => {
  for (let seed = 1; seed <= SCHEDULES; seed += 1) await play(seed);
});
