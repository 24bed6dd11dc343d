import assert from "node:assert/strict";
import { test } from "node:test";

import { Client, socketUrl } from "../../web/lib/client.js";
import { CONTROLS, VALUES, World, listen, welcome } from "./fakes.mjs";

const task = () => new Promise((resolve) => setImmediate(resolve)); // microtasks are over then

/** A client that is online; what it wrote until then is forgotten. */
function online(more = {}) {
  const world = new World();
  const client = new Client(world.options);
  client.connect();
  world.socket.opens();
  world.socket.says(welcome(more));
  world.socket.take();
  return { world, client, socket: world.socket, told: listen(client) };
}

/** Answer pings as a live server does, while `ms` pass. */
function liveFor(world, socket, ms) {
  for (let passed = 0; passed < ms; passed += 100) {
    world.pass(100);
    for (const ping of socket.of("ping")) socket.says({ type: "pong", t: ping.t });
    socket.sent = socket.sent.filter((message) => message.type !== "ping");
  }
}

const states = (told) => told.filter(([type]) => type === "status").map(([, detail]) => detail.state);
const distinct = (list) => list.filter((item, index) => item !== list[index - 1]);

// Hello, welcome, ack

test("hello comes first, with name, page and clock, and without since the first time", () => {
  const world = new World();
  const client = new Client(world.options);
  client.connect();
  assert.equal(world.socket.url, "ws://bridge/ws");
  assert.equal(client.status.state, "connecting");
  world.socket.opens();
  assert.deepEqual(world.socket.sent, [{ type: "hello", name: "FOH iPad", page: "b81f", t: 10_000 }]);
});

test("a welcome puts the page online and is acked at once", () => {
  const world = new World();
  const client = new Client(world.options);
  const told = listen(client);
  client.connect();
  world.socket.opens();
  world.socket.says(welcome());
  assert.deepEqual(world.socket.of("ack"), [{ type: "ack", rev: 815 }]);
  assert.deepEqual(world.socket.of("ping"), [{ type: "ping", t: 10_000 }]);
  assert.equal(client.status.state, "online");
  const order = told.map(([type]) => type);
  assert.ok(order.indexOf("value") < order.indexOf("status"), "the truth comes before the controls are unlocked");
  assert.deepEqual(told.find(([type]) => type === "value")[1], { path: "/a", value: 0.1, from: "server" });
  assert.equal(told.find(([type]) => type === "surface")[1].title, "T");
});

test("pages have ids of their own", () => {
  const ids = new Set();
  for (let i = 0; i < 5; i += 1) {
    const world = new World();
    new Client({ ...world.options, page: undefined }).connect();
    world.socket.opens();
    ids.add(world.socket.sent[0].page);
  }
  assert.equal(ids.size, 5);
});

test("an update is acked at once when the last ack is 50 ms ago, else when they are over, once for all", () => {
  const { world, socket } = online();
  world.pass(60);
  socket.says({ type: "update", rev: 816, values: [[1, 0.2]] });
  assert.deepEqual(socket.of("ack"), [{ type: "ack", rev: 816 }]);
  for (let rev = 817; rev < 825; rev += 1) {
    world.pass(4);
    socket.says({ type: "update", rev, values: [[1, rev / 1000]] });
  }
  assert.equal(socket.of("ack").length, 1);
  world.pass(18); // 50 ms after the first
  assert.deepEqual(socket.of("ack")[1], { type: "ack", rev: 824, held: 18 });
  world.pass(500);
  assert.equal(socket.of("ack").length, 2);
});

test("the welcome may make acks rarer", () => {
  const { world, socket } = online({ ack_ms: 200 });
  world.pass(60);
  socket.says({ type: "update", rev: 816 });
  assert.equal(socket.of("ack").length, 0);
  world.pass(140);
  assert.deepEqual(socket.of("ack"), [{ type: "ack", rev: 816, held: 140 }]);
});

test("until `ack_bytes` have come since the last ack, acks are a second apart", () => {
  const { world, socket } = online({ ack_bytes: 200 });
  const update = (rev, text) => socket.says({ type: "update", rev, values: [[4, text]] });
  world.pass(60);
  update(816, "äöü");
  world.pass(60);
  assert.equal(socket.of("ack").length, 0);
  update(817, "ä".repeat(40)); // 80 bytes of UTF-8, as the server counts them
  assert.equal(socket.of("ack").length, 0);
  update(818, "ä".repeat(20));
  assert.deepEqual(socket.take(), [{ type: "ack", rev: 818 }]);
  world.pass(60);
  update(819, "x");
  world.pass(939);
  assert.deepEqual(socket.take().filter(({ rev }) => rev), [{ type: "ping", t: 11_000, rev: 819, held: 820 }]);
});

test("parts of one truth, all with the same revision, are not forgotten by an ack", () => {
  const { world, socket } = online({ ack_bytes: 200, rev: 0 });
  world.pass(60);
  socket.says({ type: "update", rev: 0, values: [[1, 0.5]], pad: "x".repeat(200) });
  world.pass(60);
  socket.take();
  socket.says({ type: "update", rev: 815, values: [[1, 0.5]] });
  assert.deepEqual(socket.take(), [{ type: "ack", rev: 815 }]);
});

test("a pong may make acks rarer, and an ack that waits rides on a ping", () => {
  const { world, socket } = online();
  socket.says({ type: "pong", t: 10_000, ack_ms: 2000 });
  socket.says({ type: "update", rev: 816 });
  world.pass(990);
  assert.equal(socket.of("ack").length, 0);
  socket.take();
  world.pass(20);
  assert.deepEqual(socket.take(), [{ type: "ping", t: 11_000, rev: 816, held: 1000 }]);
  socket.says({ type: "pong", t: 11_000, ack_ms: 50 });
  world.pass(60);
  socket.says({ type: "update", rev: 817 });
  assert.deepEqual(socket.of("ack"), [{ type: "ack", rev: 817 }]);
});

test("an ack that is due with a ping rides on it: one message a second while little comes", () => {
  const { world, socket } = online({ ack_bytes: 4096 });
  for (let step = 1; step <= 30; step++) {
    world.pass(100);
    socket.says({ type: "update", rev: 815 + step, values: [[1, step / 100]] });
    if (step % 10 === 0) socket.says({ type: "pong", t: 10_000 + 100 * step });
  }
  assert.deepEqual(socket.take().map(({ type, rev }) => [type, rev > 815]), Array(3).fill(["ping", true]));
});

test("a ping goes with what has just come, a little early, and the next is not earlier for it", () => {
  const { world, socket } = online({ ack_bytes: 4096 });
  const pings = [];
  for (let step = 1; step <= 200; step++) {
    world.pass(30);
    socket.says({ type: "update", rev: 815 + step, values: [[1, step / 1000]] });
    pings.push(...socket.take().map(({ type, held }) => [type, 30 * step, held]));
  }
  assert.deepEqual(pings, [750, 1770, 2760, 3750, 4770, 5760].map((at) => ["ping", at, undefined]));
});

test("in a crowd who hears something pings as rarely as the server says, and every second who hears nothing", () => {
  const { world, socket } = online({ ack_bytes: 4096, ping_ms: 2000 });
  const hear = (seconds) => {
    for (let step = 1; step <= 10 * seconds; step++) {
      world.pass(100);
      socket.says({ type: "meters", values: [] });
    }
    return socket.take().filter(({ type }) => type === "ping").length;
  };
  assert.equal(hear(6), 3);
  world.pass(1000);
  assert.equal(socket.take().length, 1);
  socket.says({ type: "pong", t: 17_000, ack_ms: 50, ping_ms: 1000 });
  assert.equal(hear(3), 3);
});

test("a resumed welcome is acked with the revision that the page has, not with the one ahead", () => {
  const { world, socket } = online();
  socket.ends();
  world.pass(3000);
  world.socket.opens();
  assert.deepEqual(world.socket.sent[0].since, ["k3x9", 815]);
  assert.equal(world.socket.sent[0].view, "all");
  world.socket.says({ ...welcome(), resumed: true, rev: 900, controls: undefined, values: undefined, surface: undefined });
  assert.deepEqual(world.socket.of("ack"), [{ type: "ack", rev: 815 }]);
  world.socket.ends(); // before the update came
  world.pass(3000);
  world.socket.opens();
  assert.deepEqual(world.socket.sent[0].since, ["k3x9", 815]);
});

test("another protocol is named, and nothing else is done with it", () => {
  const world = new World();
  const client = new Client(world.options);
  const told = listen(client);
  client.connect();
  world.socket.opens();
  world.socket.says(welcome({ protocol: 2 }));
  assert.equal(told.find(([type]) => type === "error")[1].code, "protocol");
  assert.equal(client.value("/a"), undefined);
  assert.notEqual(client.status.state, "online");
});

// Sets

test("the first move leaves at once, the following with the frames, and the last one always", async () => {
  const { world, client, socket } = online();
  client.set("/a", 0.2);
  await task();
  assert.deepEqual(socket.take(), [{ type: "set", n: 1, t: 10_000, values: [[1, 0.2]] }]);
  for (const value of [0.3, 0.4, 0.5]) {
    world.pass(4);
    client.set("/a", value);
  }
  await task();
  assert.equal(socket.sent.length, 0);
  world.frame();
  assert.deepEqual(socket.take(), [{ type: "set", n: 2, t: 10_012, values: [[1, 0.5]] }]);
  world.frame();
  assert.equal(socket.sent.length, 0);
});

test("ten fingers in one frame are one message", async () => {
  const { world, client, socket } = online();
  client.set("/a", 0.2);
  await task();
  socket.take();
  client.set("/a", 0.3);
  client.set("/b", 0.4);
  client.set("/xy", [null, 0.9]);
  world.frame();
  assert.deepEqual(socket.take().map((message) => message.values), [[[1, 0.3], [2, 0.4], [3, [null, 0.9]]]]);
});

test("everything that one handler sets is one message", async () => {
  const { client, socket } = online();
  client.set("/a", 0.3);
  client.set("/b", 0.4);
  await task();
  assert.deepEqual(socket.take().map((message) => message.values), [[[1, 0.3], [2, 0.4]]]);
});

test("never more than one value of a control in a frame of 16 ms", async () => {
  const { world, client, socket } = online();
  for (let i = 0; i < 200; i += 1) { // a mouse with 1,000 Hz
    client.set("/a", i / 200);
    await task();
    world.pass(1);
    if (i % 16 === 15) {
      world.frame();
      for (const { n } of socket.of("set")) socket.says({ type: "applied", n });
    }
  }
  world.frame();
  const sets = socket.of("set");
  assert.ok(sets.length <= 200 / 16 + 2, `${sets.length} sets`);
  assert.deepEqual(sets[sets.length - 1].values, [[1, 199 / 200]]);
});

test("nothing more leaves while the oldest unapplied set is older than 250 ms, then only the latest", async () => {
  const { world, client, socket } = online();
  client.set("/a", 0.2);
  await task();
  for (let i = 0; i < 30; i += 1) {
    world.pass(16);
    client.set("/a", i / 100);
    client.set("/b", i / 100);
    await task();
    world.frame();
  }
  const before = socket.of("set").length;
  assert.ok(before >= 13 && before <= 17, `${before} sets in the first 250 ms`);
  socket.take();
  socket.says({ type: "applied", n: before });
  assert.deepEqual(socket.take().map((message) => message.values), [[[1, 0.29], [2, 0.29]]]);
});

test("a long link is not taken for one that stalls", async () => {
  const { world, client, socket } = online();
  world.pass(500);
  socket.says({ type: "pong", t: 10_000 });
  for (let i = 0; i < 60; i += 1) {
    client.set("/a", i / 100);
    await task();
    world.frame();
    world.pass(16);
  }
  const before = socket.of("set").length;
  assert.ok(before >= 44 && before <= 48, `${before} sets in the first 750 ms`);
});

test("a move that waited too long in a stall is given up, not sent late", async () => {
  const { world, client, socket } = online();
  client.set("/a", 0.2);
  await task();
  world.pass(260);
  client.set("/a", 0.9);
  await task();
  world.frame();
  liveFor(world, socket, 1000);
  socket.take();
  socket.says({ type: "applied", n: 1 });
  assert.deepEqual(socket.of("set"), []);
  assert.equal(client.value("/a"), 0.1);
});

test("what may not be moved is not, and says so", () => {
  const { client } = online();
  assert.equal(client.set("/level", 1), false);
  assert.equal(client.set("/nobody", 1), false);
  assert.equal(client.touch("/level"), false);
  assert.equal(client.set("/a", 0.5), true);
});

test("own moves are told as mine, the server's as server", async () => {
  const { client, socket, told } = online();
  client.set("/a", 0.5);
  await task();
  socket.says({ type: "update", rev: 816, values: [[1, 0.5]] });
  socket.says({ type: "applied", n: 1 });
  socket.says({ type: "update", rev: 817, values: [[1, 0.7]] });
  const values = told.filter(([type]) => type === "value").map(([, detail]) => detail);
  assert.deepEqual(values, [{ path: "/a", value: 0.5, from: "mine" }, { path: "/a", value: 0.7, from: "server" }]);
});

test("n goes on across sockets", async () => {
  const { world, client, socket } = online();
  client.set("/a", 0.5);
  await task();
  socket.ends();
  world.pass(300);
  world.socket.opens();
  world.socket.says(welcome({ rev: 820 }));
  world.pass(50);
  client.set("/a", 0.6);
  await task();
  assert.equal(world.socket.of("set")[0].n, 2);
});

// Holds, triggers

test("touch is first, then the moves, and release comes after the last value", async () => {
  const { world, client, socket } = online();
  client.touch("/a");
  client.set("/a", 0.2);
  await task();
  client.set("/a", 0.3); // waits for the frame
  client.release("/a");
  assert.deepEqual(socket.take().map((message) => [message.type, message.values?.[0][1] ?? message.ids]), [
    ["touch", [1]], ["set", 0.2], ["set", 0.3], ["release", [1]],
  ]);
  world.frame();
  assert.equal(socket.sent.length, 0);
});

test("in a stall the release waits for its value; touched again, neither is sent", async () => {
  const { world, client, socket } = online();
  client.touch("/a");
  client.set("/a", 0.2);
  await task();
  world.pass(260);
  client.set("/a", 0.3);
  client.release("/a");
  assert.deepEqual(socket.of("release"), []);
  client.touch("/a");
  socket.says({ type: "applied", n: 1 });
  assert.deepEqual(socket.of("release"), []);
  assert.equal(socket.of("touch").length, 1);
  client.release("/a");
  assert.deepEqual(socket.of("release"), [{ type: "release", ids: [1] }]);
});

test("a trigger leaves at once, after what was set before it", async () => {
  const { client, socket } = online();
  client.set("/a", 0.2);
  assert.equal(client.trigger("/go", ["intro", 2]), true);
  assert.deepEqual(socket.take(), [
    { type: "set", n: 1, t: 10_000, values: [[1, 0.2]] },
    { type: "trigger", n: 2, t: 10_000, id: 4, args: ["intro", 2] },
  ]);
  await task();
  assert.equal(socket.sent.length, 0);
});

test("triggers that nobody applies are refused after 32", () => {
  const { client, socket } = online();
  const taken = Array.from({ length: 40 }, () => client.trigger("/go"));
  assert.equal(taken.filter(Boolean).length, 32);
  socket.says({ type: "applied", n: 32 });
  assert.equal(client.trigger("/go"), true);
});

test("triggers of others are told, in order, and missed ones are counted", () => {
  const { socket, told } = online();
  socket.says({ type: "update", rev: 818, triggers: [[4, 7, ["x"]], [4, 8]], missed: 2 });
  assert.deepEqual(told.filter(([type]) => type === "trigger").map(([, detail]) => detail), [
    { path: "/go", args: ["x"] }, { path: "/go", args: [] },
  ]);
  assert.deepEqual(told.find(([type]) => type === "missed")[1], { count: 2 });
});

test("held by the first: the control shows the truth and the finger is dead", async () => {
  const { client, socket, told } = online();
  client.touch("/mine");
  client.set("/mine", 0.5);
  await task();
  socket.says({ type: "error", code: "held", message: "/mine is held by Anna", n: 1, path: "/mine" });
  socket.says({ type: "applied", n: 1 });
  assert.equal(client.value("/mine"), 0);
  assert.deepEqual(told.filter(([type]) => type === "cancel"), [["cancel", { paths: ["/mine"] }]]);
  assert.deepEqual(socket.of("release"), [{ type: "release", ids: [6] }]);
});

test("the finger on a control that goes, or is another one now, is dead before the page hears of the change", () => {
  const { client, socket, told } = online();
  for (const path of ["/a", "/b"]) client.touch(path);
  told.length = 0;
  socket.says({ type: "update", rev: 816, removed: [1, 2, 3], controls: [{ id: 7, path: "/b", kind: "int" }], values: [[7, 1]] });
  assert.deepEqual(told.slice(0, 2).map(([type]) => type), ["cancel", "controls"]);
  assert.deepEqual(told[0][1], { paths: ["/a", "/b"] });
});

test("unconfirmed is told when 400 ms have passed without applied", async () => {
  const { world, client, socket, told } = online();
  client.set("/a", 0.5);
  await task();
  world.pass(399);
  assert.equal(told.some(([type]) => type === "unconfirmed"), false);
  world.pass(1);
  assert.deepEqual(told.filter(([type]) => type === "unconfirmed"), [["unconfirmed", { path: "/a" }]]);
  assert.equal(client.model.status("/a", "online").unconfirmed, true);
  socket.says({ type: "applied", n: 1 });
  assert.equal(client.model.status("/a", "online").unconfirmed, false);
});

// Declares and meters

test("controls that only this page names are declared, those that exist are not", () => {
  const world = new World();
  const client = new Client(world.options);
  client.declare([{ path: "/a", kind: "int" }, { path: "/slider1", kind: "int", range: [0, 50] }]);
  client.connect();
  world.socket.opens();
  world.socket.says(welcome());
  assert.deepEqual(world.socket.of("declare"), [{ type: "declare", controls: [{ path: "/slider1", kind: "int", range: [0, 50] }] }]);
  client.declare([{ path: "/later", kind: "bool" }]);
  assert.deepEqual(world.socket.of("declare")[1].controls, [{ path: "/later", kind: "bool" }]);
});

test("a server that was restarted is told again what the page declares", () => {
  const { world, client, socket } = online();
  client.declare([{ path: "/slider1", kind: "int" }]);
  socket.ends();
  world.pass(300);
  world.socket.opens();
  world.socket.says(welcome({ epoch: "new", rev: 2 }));
  assert.deepEqual(world.socket.of("declare"), [{ type: "declare", controls: [{ path: "/slider1", kind: "int" }] }]);
});

test("the meters that are drawn are told once, again on a new socket, and none while hidden", () => {
  const { world, client, socket } = online();
  client.show(["/level", "/nobody"]);
  client.show(["/level"]);
  assert.deepEqual(socket.of("show"), [{ type: "show", ids: [5] }]);
  world.hide();
  assert.deepEqual(socket.of("show")[1], { type: "show", ids: [] });
  world.show();
  assert.deepEqual(socket.of("show")[2], { type: "show", ids: [5] });
  socket.ends();
  world.pass(300);
  world.socket.opens();
  world.socket.says(welcome());
  assert.deepEqual(world.socket.of("show"), [{ type: "show", ids: [5] }]);
  world.socket.says({ type: "meters", values: [[5, -3]] });
  assert.equal(client.value("/level"), -3);
});

// Silence, closing, retry

test("pings every second while visible, and measures the round trip", () => {
  const { world, client, socket } = online();
  world.pass(1000);
  const [ping] = socket.of("ping");
  assert.equal(ping.t, 11_000);
  world.pass(320);
  socket.says({ type: "pong", t: ping.t });
  assert.equal(client.status.rtt, null, "the page was still starting");
  world.pass(1000);
  assert.equal(socket.of("ping").length, 2);
  const { t } = socket.of("ping")[1];
  world.pass(42);
  socket.says({ type: "pong", t });
  assert.equal(client.status.rtt, world.time - t);
});

test("any frame is a sign of life", () => {
  const { world, socket, client } = online();
  for (let i = 0; i < 10; i += 1) {
    world.pass(1000);
    socket.says({ type: "update", rev: 816 + i });
  }
  assert.equal(world.sockets.length, 1);
  assert.equal(client.status.state, "online");
});

test("after 1.5 s of silence a second socket is opened and the first welcome wins", async () => {
  const { world, client, socket, told } = online();
  client.set("/a", 0.5);
  await task();
  world.pass(1499);
  assert.equal(world.sockets.length, 1);
  world.pass(1);
  assert.equal(world.sockets.length, 2);
  assert.equal(client.status.state, "online");
  world.socket.opens();
  assert.deepEqual(world.socket.sent[0].since, ["k3x9", 815]);
  world.socket.says({ ...welcome({ client: "c8" }), resumed: true });
  assert.ok(socket.closedByPage);
  assert.equal(client.value("/a"), 0.1, "the prediction went with its socket");
  assert.ok(told.some(([type, detail]) => type === "cancel" && detail.paths === null));
  assert.equal(client.status.state, "online");
  socket.says({ type: "update", rev: 999, values: [[1, 0.99]] });
  assert.equal(client.value("/a"), 0.1, "nobody listens to the old socket");
});

test("a socket that wakes up before the second one has said hello stays", () => {
  const { world, client, socket } = online();
  world.pass(1500);
  const second = world.socket;
  socket.says({ type: "pong", t: 11_000 });
  assert.ok(second.closedByPage);
  assert.equal(client.status.state, "online");
  world.pass(1400);
  assert.equal(world.sockets.length, 2);
});

test("once the second socket has said hello it is waited for: the server ends the older session", () => {
  const { world, client, socket, told } = online();
  world.pass(1500);
  const second = world.socket;
  second.opens();
  socket.says({ type: "pong", t: 11_000 });
  assert.equal(second.closedByPage, undefined);
  socket.ends();
  assert.equal(client.status.state, "connecting");
  second.says(welcome({ client: "c8" }));
  assert.deepEqual(distinct(states(told)), ["online", "connecting", "online"]);
});

test("after 3 s of silence the page is offline, since the last sign of life", () => {
  const { world, client, socket } = online();
  world.pass(2999);
  assert.equal(client.status.state, "online");
  world.pass(1);
  assert.equal(client.status.state, "offline");
  assert.equal(client.status.since, world.wallShift + 10_000);
  assert.ok(socket.closedByPage);
  assert.equal(client.set("/a", 0.7), false);
  assert.equal(client.touch("/a"), false);
  assert.equal(client.trigger("/go"), false);
});

test("a closed socket is offline at once, and nothing of the offline time is sent later", async () => {
  const { world, client, socket, told } = online();
  client.touch("/a");
  client.set("/a", 0.5);
  socket.ends();
  await task();
  assert.equal(client.status.state, "offline");
  assert.equal(client.value("/a"), 0.1);
  for (let i = 0; i < 20; i += 1) client.set("/a", i / 20);
  client.release("/a");
  world.frame();
  world.pass(250);
  world.socket.opens();
  world.socket.says(welcome({ rev: 820 }));
  world.frame();
  await task();
  assert.deepEqual(world.socket.sent.map((message) => message.type), ["hello", "ack", "ping"]);
  assert.ok(told.some(([type, detail]) => type === "cancel" && detail.paths === null));
});

test("it retries for ever, with pauses that grow to 3 s and no further", () => {
  const { world, socket, client } = online();
  socket.ends();
  const opened = [];
  for (let i = 0; i < 40; i += 1) {
    const before = world.sockets.length;
    const start = world.time;
    while (world.sockets.length === before) world.pass(10);
    opened.push(world.time - start);
    world.socket.ends();
  }
  assert.ok(opened[0] <= 260, `first after ${opened[0]}`);
  assert.ok(opened.every((pause) => pause <= 3010));
  assert.ok(opened[39] >= 2990);
  assert.equal(client.status.state, "offline");
});

test("pauses are jittered to between a half and the whole", () => {
  for (const [random, expected] of [[0, 125], [1, 250]]) {
    const { world, socket } = online();
    world.random = random;
    socket.ends();
    world.pass(expected - 1);
    assert.equal(world.sockets.length, 1);
    world.pass(1);
    assert.equal(world.sockets.length, 2);
  }
});

test("CONNECTING gets 5 s, a silent open socket 3 s", () => {
  const world = new World();
  const client = new Client(world.options);
  client.connect();
  world.pass(4999);
  assert.equal(world.sockets.length, 1);
  world.pass(1);
  assert.ok(world.sockets[0].closedByPage);
  assert.equal(client.status.state, "offline");
  world.pass(250);
  assert.equal(world.sockets.length, 2);
  world.socket.opens();
  world.pass(3000);
  assert.ok(world.sockets[1].closedByPage);
});

test("a first attempt that fails is offline; the next one gets the page online", () => {
  const world = new World();
  const client = new Client(world.options);
  client.connect();
  world.socket.ends();
  assert.equal(client.status.state, "offline");
  world.pass(250);
  world.socket.opens();
  world.socket.says(welcome());
  assert.equal(client.status.state, "online");
});

test("another epoch replaces everything", () => {
  const { world, client, socket, told } = online();
  socket.ends();
  world.pass(250);
  world.socket.opens();
  world.socket.says(welcome({ epoch: "new", rev: 1, controls: CONTROLS.slice(0, 1), values: [[1, 0.9]] }));
  assert.equal(client.value("/a"), 0.9);
  assert.equal(client.value("/b"), undefined);
  assert.deepEqual(told.filter(([type]) => type === "controls").pop()[1].removed, ["/b", "/xy", "/go", "/level", "/mine"]);
});

test("a stale gesture drops the predictions and opens a new socket; a second one soon after waits", async () => {
  const { world, client, socket } = online();
  client.set("/a", 0.5);
  await task();
  socket.says({ type: "error", code: "stale", message: "late", n: 1 });
  assert.equal(client.value("/a"), 0.1);
  assert.equal(client.status.state, "connecting");
  assert.equal(world.sockets.length, 2);
  world.socket.opens();
  world.socket.says(welcome({ rev: 815 }));
  client.set("/a", 0.6);
  await task();
  world.socket.says({ type: "error", code: "stale", message: "late", n: 2 });
  assert.equal(world.sockets.length, 2);
  world.pass(250);
  assert.equal(world.sockets.length, 3);
});

test("what is not JSON is named and survived", () => {
  const { socket, client, told } = online();
  socket.says("{");
  socket.says({ type: "from the future" });
  assert.equal(told.find(([type]) => type === "error")[1].code, "bad_message");
  assert.equal(client.status.state, "online");
});

test("close ends it for good", () => {
  const { world, client, socket } = online();
  client.close();
  assert.ok(socket.closedByPage);
  world.pass(60_000);
  world.show();
  assert.equal(world.sockets.length, 1);
  assert.equal(world.timers.size, 0);
});

// Hidden pages, sleeping devices

test("hiding releases every hold and stops every timer", async () => {
  const { world, client, socket, told } = online();
  client.touch("/a");
  client.touch("/b");
  client.set("/a", 0.5);
  await task();
  client.set("/a", 0.6);
  world.hide();
  assert.deepEqual(socket.take().map((message) => [message.type, message.ids ?? message.values]), [
    ["touch", [1]], ["touch", [2]], ["set", [[1, 0.5]]], ["set", [[1, 0.6]]], ["release", [1, 2]],
  ]);
  assert.deepEqual(told.filter(([type]) => type === "cancel"), [["cancel", { paths: ["/a", "/b"] }]]);
  world.pass(60_000);
  assert.equal(world.timers.size, 0);
  assert.equal(socket.sent.length, 0);
  assert.equal(world.sockets.length, 1);
});

test("hidden in a stall, a held value is let go, not sent late", async () => {
  const { world, client, socket } = online();
  client.touch("/a");
  client.set("/a", 0.5);
  await task();
  world.pass(260);
  client.set("/a", 0.6);
  world.hide();
  assert.deepEqual(socket.of("release"), [{ type: "release", ids: [1] }]);
  socket.says({ type: "applied", n: 1 });
  assert.equal(socket.of("set").length, 1);
});

test("shown again it acks and pings at once, and moves nothing until the ping is answered", async () => {
  const { world, client, socket, told } = online();
  world.hide();
  socket.says({ type: "update", rev: 816, values: [[1, 0.3]] });
  socket.says({ type: "update", rev: 817, values: [[1, 0.4]] });
  world.time += 20_000;
  socket.take();
  world.show();
  assert.deepEqual(socket.take(), [{ type: "ack", rev: 817, held: 20_000 }, { type: "ping", t: 30_000 }]);
  assert.equal(client.status.state, "connecting");
  assert.equal(client.set("/a", 0.9), false);
  socket.says({ type: "update", rev: 818, values: [[1, 0.5]] }); // may have lain in a buffer
  assert.equal(client.status.state, "connecting");
  world.pass(5);
  socket.says({ type: "pong", t: 30_000 });
  assert.equal(client.status.state, "online");
  assert.deepEqual(distinct(states(told)), ["connecting", "online"]);
});

test("a resumed socket that does not answer gets a rival soon, and is offline after 3 s", () => {
  const { world, client } = online();
  world.hide();
  world.time += 600_000;
  world.show();
  world.pass(500);
  assert.equal(world.sockets.length, 2);
  world.pass(2500);
  assert.equal(client.status.state, "offline");
});

test("a frame that lay in a suspect socket's buffer does not call the rival back, the answer to the ping does", () => {
  const { world, client, socket } = online();
  world.hide();
  world.time += 600_000;
  world.show();
  const asked = world.time;
  world.pass(500);
  const rival = world.socket;
  socket.says({ type: "update", rev: 816, values: [[1, 0.5]] });
  assert.equal(rival.closedByPage, undefined);
  socket.says({ type: "pong", t: asked });
  assert.ok(rival.closedByPage);
  assert.equal(client.status.state, "online");
});

test("closed while hidden it stays quiet, and connects at once when shown", () => {
  const { world, client, socket } = online();
  world.hide();
  socket.ends();
  world.pass(60_000);
  assert.equal(world.sockets.length, 1);
  assert.equal(client.status.state, "offline");
  world.show();
  assert.equal(world.sockets.length, 2);
});

test("a page that comes back from the back-forward cache is treated as shown again", () => {
  const { world, client, socket } = online();
  world.window.dispatchEvent(new Event("pagehide"));
  const event = new Event("pageshow");
  event.persisted = true;
  world.window.dispatchEvent(event);
  assert.equal(client.status.state, "connecting");
  socket.says({ type: "pong", t: world.time });
  assert.equal(client.status.state, "online");
});

test("the first pageshow of a page casts no suspicion", () => {
  const { world, client } = online();
  world.window.dispatchEvent(new Event("pageshow"));
  assert.equal(client.status.state, "online");
});

test("a device that slept suspects its socket, whether its clock went on or not", () => {
  for (const clockStops of [false, true]) {
    const { world, client, socket } = online();
    socket.take();
    world.sleep(3_600_000, clockStops);
    assert.notEqual(client.status.state, "online", `clock stops: ${clockStops}`);
    socket.says({ type: "pong", t: world.time });
    assert.equal(client.status.state, "online");
  }
});

test("a script that sets in a hidden page has one set under way at a time", async () => {
  const { world, client, socket } = online();
  world.hide();
  client.set("/a", 0.2);
  await task();
  client.set("/a", 0.3);
  client.set("/a", 0.4);
  await task();
  assert.deepEqual(socket.of("set").map((message) => message.values), [[[1, 0.2]]]);
  socket.says({ type: "applied", n: 1 });
  assert.deepEqual(socket.of("set")[1].values, [[1, 0.4]]);
});

test("a script goes on in a page that is hidden while a frame was asked for", async () => {
  const { world, client, socket } = online();
  client.set("/a", 0.2);
  await task();
  client.set("/a", 0.3);
  world.hide(); // the frame that was asked for comes when the page is shown
  socket.says({ type: "applied", n: 1 });
  socket.says({ type: "applied", n: 2 });
  client.set("/a", 0.4);
  await task();
  assert.deepEqual(socket.of("set").map((message) => message.values[0][1]), [0.2, 0.3, 0.4]);
});

test("the address of the socket follows the page's", () => {
  assert.equal(socketUrl("http://10.0.0.2:8080/stagebridge.js"), "ws://10.0.0.2:8080/ws");
  assert.equal(socketUrl("https://foh.local/pages/x.html?y#z"), "wss://foh.local/ws");
});

test("a snapshot in parts is whole in the end", () => {
  const { world, client, socket } = online();
  socket.ends();
  world.pass(250);
  world.socket.opens();
  world.socket.says(welcome({ epoch: "new", rev: 0, controls: CONTROLS.slice(0, 2), values: VALUES.slice(0, 2) }));
  world.socket.says({ type: "update", rev: 40, controls: CONTROLS.slice(2), values: VALUES.slice(2) });
  assert.deepEqual([client.value("/a"), client.value("/xy"), client.model.rev], [0.1, [0.5, 0.5], 40]);
});

// Learning

test("who follows what is learnt says so again on each new socket, and arms and forgets in between", () => {
  const { world, client, socket, told } = online();
  client.followLearning(true);
  client.learn("/xy", 1);
  client.learn("/a");
  client.learn(null);
  client.forget([4]);
  assert.deepEqual(socket.take(), [
    { type: "subscribe", what: ["learn"] },
    { type: "learn", id: "/xy", component: 1 },
    { type: "learn", id: "/a" },
    { type: "learn" },
    { type: "forget", bindings: [4] },
  ]);
  const learning = { type: "learning", state: "idle", bindings: [] };
  socket.says(learning);
  assert.deepEqual(told.filter(([type]) => type === "learning"), [["learning", learning]]);
  socket.ends();
  world.pass(1000);
  world.socket.opens();
  world.socket.says(welcome());
  assert.deepEqual(world.socket.of("subscribe"), [{ type: "subscribe", what: ["learn"] }]);
  client.followLearning(false);
  assert.deepEqual(world.socket.of("subscribe").at(-1), { type: "subscribe", what: [] });
});

// Whom nobody has let in

for (const code of [4401, 4403]) {
  test(`a page that is closed with ${code} says so once and knocks no more`, () => {
    const { world, client, socket, told } = online();
    socket.ends(code);
    assert.deepEqual(told.filter(([type]) => type === "shut-out"), [["shut-out", { code }]]);
    assert.equal(client.status.state, "offline");
    world.pass(60_000);
    assert.equal(world.socket, socket, "no other socket was opened");
  });
}

test("more moves at once than one message may have leave in several", async () => {
  const controls = Array.from({ length: 1500 }, (_, n) => ({ ...CONTROLS[0], id: n + 1, path: `/many/${n}` }));
  const { client, socket } = online({ controls, values: controls.map(({ id }) => [id, 0]) });
  for (const { path } of controls) client.set(path, 0.5);
  await task();
  const sets = socket.take();
  assert.deepEqual(sets.map(({ type, n, values }) => [type, n, values.length]), [["set", 1, 1024], ["set", 2, 476]]);
  assert.equal(new Set(sets.flatMap(({ values }) => values.map(([id]) => id))).size, 1500);
});

/** Let `ms` pass on a link of this round trip; what is pinged at `slow.at` or later is answered `slow.by` later. */
function overLongLink(world, ms, trip, { slow = { at: Infinity, by: 0 }, opening = 2 } = {}) {
  const due = [];
  const opened = new Set([world.sockets[0]]);
  for (const end = world.time + ms; world.time < end; ) {
    for (const socket of world.sockets) {
      if (!opened.has(socket)) due.push([world.time + opening * trip, () => socket.readyState === 0 && socket.opens()]);
      opened.add(socket);
    }
    for (const { type, t } of world.sockets[0].take()) {
      if (type !== "ping") continue;
      const late = t >= slow.at ? slow.by : 0;
      due.push([t + trip + late, () => world.sockets[0].says({ type: "pong", t })]);
    }
    world.pass(10);
    for (const one of due.filter(([at]) => at <= world.time)) due.splice(due.indexOf(one), 1)[0][1]();
  }
}

test("updates that end, just after a ping went with them, get a link with a round trip of 300 ms no rival", () => {
  const { world, socket } = online({ ack_bytes: 4096 });
  overLongLink(world, 750, 300);
  socket.says({ type: "update", rev: 816, values: [[1, 0.3]] });
  overLongLink(world, 5000, 300);
  assert.equal(world.sockets.length, 1);
});

test("one pong that is 450 ms late on a link of 150 ms does not end the session of a live page", () => {
  const { world, socket } = online({ ack_bytes: 4096 });
  overLongLink(world, 750, 150);
  socket.says({ type: "update", rev: 816, values: [[1, 0.3]] });
  overLongLink(world, 5000, 150, { slow: { at: 11_500, by: 450 } });
  assert.deepEqual(world.sockets.slice(1).flatMap((rival) => rival.of("hello")), []);
});

test("a page that hears updates knows the round trip within two seconds", () => {
  const { world, client, socket } = online({ ack_bytes: 4096 });
  for (let step = 1; step <= 20; step++) {
    overLongLink(world, 100, 10);
    socket.says({ type: "update", rev: 815 + step, values: [[1, step / 100]] });
  }
  assert.notEqual(client.status.rtt, null);
});

test("the slow first answer of a page that starts is not the round trip for long: a stall holds moves back", async () => {
  const { world, client, socket } = online({ ack_bytes: 4096 });
  world.pass(600);
  socket.says({ type: "pong", t: 10_000 });
  for (let step = 1; step <= 20; step++) {
    overLongLink(world, 100, 10);
    socket.says({ type: "update", rev: 815 + step, values: [[2, step / 100]] });
  }
  socket.take();
  client.touch("/a");
  for (let step = 1; step <= 60; step++) {
    client.set("/a", step / 60);
    await task();
    world.pass(16);
    world.frame();
  }
  const sets = socket.of("set");
  assert.ok(sets.at(-1).t - sets[0].t <= 300, `moves went out for ${sets.at(-1).t - sets[0].t} ms of a stall`);
});
