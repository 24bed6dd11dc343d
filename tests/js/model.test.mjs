import assert from "node:assert/strict";
import { test } from "node:test";

import { Model, STALE_MOVE_MS, UNCONFIRMED_MS, merged, same } from "../../web/lib/model.js";
import { CONTROLS, VALUES, welcome } from "./fakes.mjs";

function welcomed(more) {
  const model = new Model();
  model.welcome(welcome(more));
  return model;
}

/** Move, and send at once as set `n`. */
function send(model, path, value, n, now = 0) {
  model.move(model.get(path), value, now);
  return model.take(n, now, model.review(now));
}

test("a welcome gives controls, values, surface and revision", () => {
  const model = new Model();
  const changes = model.welcome(welcome({ holds: [[2, { client: "c1", name: "Anna" }]], marks: [[1, { text: "-6.0 dB" }]] }));
  assert.deepEqual(changes.added, CONTROLS.map((control) => control.path));
  assert.deepEqual([...changes.values], [["/a", "server"], ["/b", "server"], ["/xy", "server"], ["/mine", "server"]]);
  assert.equal(changes.surface.title, "T");
  assert.deepEqual([model.epoch, model.rev, model.client], ["k3x9", 815, "c7"]);
  assert.equal(model.value("/b"), 0.2);
  assert.equal(model.value("/go"), undefined);
  assert.deepEqual(model.status("/b", "online").held, { mine: false, name: "Anna" });
  assert.equal(model.status("/a", "online").text, "-6.0 dB");
});

test("another role is another look of everything, in a resumed welcome too", () => {
  const model = welcomed({ role: "control" });
  assert.equal(model.status("/a", "online").readonly, false);
  assert.deepEqual(model.welcome({ ...welcome({ role: "control" }), resumed: true }).described, []);
  const changes = model.welcome({ ...welcome({ role: "view" }), resumed: true });
  assert.deepEqual(changes.described, CONTROLS.map((control) => control.path));
  assert.equal(model.status("/a", "online").readonly, true);
});

test("an update is applied in the order removed, controls, values, holds, marks, triggers, surface", () => {
  const model = welcomed();
  const changes = model.update({
    rev: 820, surface: { title: "New" }, triggers: [[9, 1, ["x"]], [4, 2]], marks: [[9, { text: "t" }]],
    holds: [[9, { client: "c2", name: "Ben" }]], values: [[9, 0.9]],
    controls: [{ id: 9, path: "/a", kind: "float" }], removed: [1],
  });
  assert.equal(model.byId(1), undefined);
  assert.equal(model.value("/a"), 0.9);
  assert.equal(model.status("/a", "online").text, "t");
  assert.deepEqual(changes.triggers, [["/a", ["x"]], ["/go", []]]);
  assert.deepEqual([changes.removed, changes.added, changes.described], [[], [], ["/a"]], "another control, the same path");
  assert.equal(changes.surface.title, "New");
  assert.equal(model.rev, 820);
});

test("a described control keeps its value and its finger", () => {
  const model = welcomed();
  model.touch(model.get("/a"));
  const changes = model.update({ rev: 816, controls: [{ id: 1, path: "/a", kind: "float", range: [0, 2] }], values: [[1, 0.1]] });
  assert.deepEqual(changes.described, ["/a"]);
  assert.deepEqual(model.get("/a").control.range, [0, 2]);
  assert.equal(model.get("/a").fingers, 1);
});

test("values, holds and marks of unknown ids are ignored", () => {
  const model = welcomed();
  const changes = model.update({ rev: 816, values: [[99, 1]], holds: [[99, null]], marks: [[99, {}]], triggers: [[99, 1]], removed: [99] });
  assert.equal(changes.values.size, 0);
  assert.deepEqual(changes.triggers, []);
});

test("a value that is the same is no change", () => {
  const model = welcomed();
  assert.equal(model.update({ rev: 816, values: [[1, 0.1], [3, [0.5, 0.5]]] }).values.size, 0);
});

test("null leaves a component of a vector, from the server and from the hand", () => {
  const model = welcomed();
  model.update({ rev: 816, values: [[3, [null, 0.9]]] });
  assert.deepEqual(model.value("/xy"), [0.5, 0.9]);
  model.move(model.get("/xy"), [0.1, null], 0);
  assert.deepEqual(model.value("/xy"), [0.1, 0.9]);
  model.update({ rev: 817, values: [[3, [0.7, 0.8]]] });
  assert.deepEqual(model.value("/xy"), [0.1, 0.8], "the component that the hand left is the server's");
});

test("two moves of different components go out as one value", () => {
  const model = welcomed();
  model.move(model.get("/xy"), [0.1, null], 0);
  model.move(model.get("/xy"), [null, 0.2], 1);
  assert.deepEqual(model.take(1, 1, model.review(1)).values, [[3, [0.1, 0.2]]]);
});

test("only what moved since the last set is sent again", () => {
  const model = welcomed();
  assert.deepEqual(send(model, "/xy", [0.1, null], 1).values, [[3, [0.1, null]]]);
  assert.deepEqual(send(model, "/xy", [null, 0.2], 2).values, [[3, [null, 0.2]]]);
  assert.deepEqual(model.value("/xy"), [0.1, 0.2]);
  assert.equal(model.take(3, 0, model.review(0)), null);
});

test("the last of many moves is the one that is sent, with its own time", () => {
  const model = welcomed();
  for (const [value, now] of [[0.2, 10], [0.3, 14], [0.4, 18]]) model.move(model.get("/a"), value, now);
  assert.deepEqual(model.take(1, 20, model.review(20)), { t: 18, values: [[1, 0.4]] });
});

test("the own finger is shown while it is down, whatever the server says", () => {
  const model = welcomed();
  model.touch(model.get("/a"));
  send(model, "/a", 0.6, 1);
  model.update({ rev: 816, values: [[1, 0.9]] });
  model.applied(1, 5);
  model.update({ rev: 817, values: [[1, 0.3]] });
  assert.equal(model.value("/a"), 0.6);
  const changes = model.release(model.get("/a"));
  assert.equal(model.value("/a"), 0.3);
  assert.equal(changes.values.get("/a"), "server");
});

test("a finger that only rests keeps the control still", () => {
  const model = welcomed();
  model.touch(model.get("/a"));
  const changes = model.update({ rev: 816, values: [[1, 0.9]] });
  assert.equal(model.value("/a"), 0.1);
  assert.equal(changes.values.size, 0);
  model.release(model.get("/a"));
  assert.equal(model.value("/a"), 0.9);
});

test("after the finger is up its value stays until the last set is applied", () => {
  const model = welcomed();
  model.touch(model.get("/a"));
  send(model, "/a", 0.6, 1);
  send(model, "/a", 0.7, 2);
  model.release(model.get("/a"));
  model.update({ rev: 816, values: [[1, 0.6]] });
  model.applied(1, 5);
  assert.equal(model.value("/a"), 0.7, "set 2 is under way");
  model.update({ rev: 817, values: [[1, 0.65]] });
  const changes = model.applied(2, 9);
  assert.equal(model.value("/a"), 0.65, "the server's, whatever it is");
  assert.equal(changes.values.get("/a"), "server");
});

test("applied before the update with the value, or after it, ends the same", () => {
  for (const appliedFirst of [true, false]) {
    const model = welcomed();
    send(model, "/a", 0.7, 1);
    if (appliedFirst) model.applied(1, 5);
    model.update({ rev: 816, values: [[1, 0.7]] });
    if (!appliedFirst) model.applied(1, 5);
    assert.equal(model.value("/a"), 0.7);
    model.update({ rev: 817, values: [[1, 0.2]] });
    assert.equal(model.value("/a"), 0.2);
  }
});

test("a value that the server clamps or refuses is replaced by the truth", () => {
  const model = welcomed();
  send(model, "/a", 0.9, 1);
  model.applied(1, 5);
  assert.equal(model.value("/a"), 0.1);
});

test("applied is cumulative", () => {
  const model = welcomed();
  send(model, "/a", 0.5, 1);
  send(model, "/b", 0.6, 2);
  send(model, "/a", 0.7, 3);
  model.applied(3, 5);
  assert.deepEqual([model.value("/a"), model.value("/b")], [0.1, 0.2]);
});

test("a move that is not sent yet keeps the prediction although all before is applied", () => {
  const model = welcomed();
  send(model, "/a", 0.5, 1);
  model.move(model.get("/a"), 0.6, 10);
  model.applied(1, 11);
  assert.equal(model.value("/a"), 0.6);
});

test("two fingers on one control are one hold", () => {
  const model = welcomed();
  const entry = model.get("/a");
  assert.notEqual(model.touch(entry), null);
  assert.equal(model.touch(entry), null);
  assert.equal(model.release(entry), null);
  assert.notEqual(model.release(entry), null);
  assert.equal(model.release(entry), null, "one up too many changes nothing");
});

test("unconfirmed is shown 400 ms after the oldest move that is not applied", () => {
  const model = welcomed();
  send(model, "/a", 0.5, 1, 1000);
  assert.equal(model.nextReview, 1000 + UNCONFIRMED_MS);
  assert.equal(model.review(1399).unconfirmed.size, 0);
  assert.deepEqual([...model.review(1400).unconfirmed], ["/a"]);
  assert.equal(model.status("/a", "online").unconfirmed, true);
  assert.equal(model.nextReview, Infinity);
  assert.deepEqual([...model.applied(1, 1500).unconfirmed], ["/a"]);
  assert.equal(model.status("/a", "online").unconfirmed, false);
});

test("a drag whose sets are applied in time never looks unconfirmed", () => {
  const model = welcomed();
  model.touch(model.get("/a"));
  for (let n = 1; n <= 100; n += 1) {
    const now = n * 16;
    send(model, "/a", n / 100, n, now);
    if (n > 6) model.applied(n - 6, now); // a round trip of 100 ms
    assert.equal(model.review(now).unconfirmed.size, 0, `at set ${n}`);
  }
});

test("unconfirmed ends with applied although newer sets are under way", () => {
  const model = welcomed();
  send(model, "/a", 0.5, 1, 0);
  model.review(500);
  send(model, "/a", 0.6, 2, 500);
  assert.deepEqual([...model.applied(1, 510).unconfirmed], ["/a"]);
  assert.equal(model.get("/a").late, false);
});

test("a move that could not be sent in time is given up", () => {
  const model = welcomed();
  model.move(model.get("/a"), 0.5, 0);
  const changes = model.review(0);
  assert.equal(model.take(1, STALE_MOVE_MS + 1, changes), null);
  assert.equal(model.value("/a"), 0.1);
  assert.equal(changes.values.get("/a"), "server");
});

test("a given-up move under a resting finger stays shown, as unconfirmed, until the finger is up", () => {
  const model = welcomed();
  model.touch(model.get("/a"));
  model.move(model.get("/a"), 0.5, 0);
  model.take(1, STALE_MOVE_MS + 1, model.review(0));
  assert.equal(model.value("/a"), 0.5);
  assert.equal(model.status("/a", "online").unconfirmed, true);
  model.release(model.get("/a"));
  assert.equal(model.value("/a"), 0.1);
  assert.equal(model.status("/a", "online").unconfirmed, false);
});

test("a closed socket drops every prediction and finger", () => {
  const model = welcomed();
  model.touch(model.get("/a"));
  send(model, "/a", 0.5, 1);
  model.move(model.get("/b"), 0.6, 0);
  const changes = model.dropMine();
  assert.deepEqual([model.value("/a"), model.value("/b")], [0.1, 0.2]);
  assert.deepEqual([...changes.values.keys()].sort(), ["/a", "/b"]);
  assert.equal(model.get("/a").fingers, 0);
  assert.equal(model.hasMoves, false);
});

test("a refused control shows the truth although the finger is down", () => {
  const model = welcomed();
  model.touch(model.get("/mine"));
  send(model, "/mine", 0.5, 1);
  const changes = model.refuse(model.get("/mine"));
  assert.equal(model.value("/mine"), 0);
  assert.equal(changes.values.get("/mine"), "server");
});

test("a snapshot of another epoch replaces everything", () => {
  const model = welcomed();
  model.touch(model.get("/a"));
  const changes = model.welcome(welcome({
    epoch: "new", rev: 3, controls: [{ id: 1, path: "/b", kind: "float" }, { id: 2, path: "/z", kind: "bool" }], values: [[1, 0.4], [2, true]],
  }));
  assert.equal(model.get("/a"), undefined);
  assert.equal(model.value("/b"), 0.4);
  assert.equal(model.get("/b").id, 1);
  assert.deepEqual(changes.added, ["/z"]);
  assert.deepEqual(changes.described, ["/b"]);
  assert.ok(changes.removed.includes("/a") && !changes.removed.includes("/b"));
  assert.equal(model.hasMoves, false);
});

test("a resumed welcome keeps controls and values; the update that follows brings the rest", () => {
  const model = welcomed();
  model.welcome({ type: "welcome", protocol: 1, epoch: "k3x9", rev: 900, client: "c9", role: "control", view: "all", resumed: true });
  assert.equal(model.value("/b"), 0.2);
  model.update({ rev: 900, values: [[2, 0.8]] });
  assert.equal(model.value("/b"), 0.8);
});

test("a welcome in the middle of a session keeps the finger that is down", () => {
  const model = welcomed();
  model.touch(model.get("/a"));
  send(model, "/a", 0.6, 1);
  model.welcome(welcome({ rev: 830, values: [[1, 0.3], ...VALUES.slice(1)] }), true);
  assert.equal(model.value("/a"), 0.6);
  model.applied(1, 5);
  model.release(model.get("/a"));
  assert.equal(model.value("/a"), 0.3);
});

test("a welcome in the middle of a session takes controls away that it does not list", () => {
  const model = welcomed();
  const changes = model.welcome(welcome({ controls: CONTROLS.slice(0, 1), values: [[1, 0.1]] }), true);
  assert.deepEqual(changes.removed, ["/b", "/xy", "/go", "/level", "/mine"]);
  assert.equal(model.get("/b"), undefined);
});

test("status says what a widget must look like", () => {
  const model = welcomed();
  assert.deepEqual(model.status("/nobody", "online"), {
    held: null, unconfirmed: false, waiting: true, offline: false, locked: true, readonly: false, silent: null, awaited: null, hardware: null,
    text: null, pads: null,
  });
  assert.equal(model.status("/a", "offline").locked, true);
  assert.equal(model.status("/a", "connecting").offline, true);
  assert.equal(model.status("/level", "online").readonly, true);
  model.touch(model.get("/a"));
  assert.deepEqual(model.status("/a", "online").held, { mine: true });
  model.update({ rev: 816, holds: [[6, { client: "c1", name: "Anna" }], [2, { client: "c1", name: "Anna" }], [1, { client: "c7", name: "me" }]] });
  assert.equal(model.status("/mine", "online").locked, true, "hold = first: nobody else moves it");
  assert.equal(model.status("/b", "online").locked, false, "hold = last: it is shown, and free");
  model.update({ rev: 817, marks: [[2, { silent: "Live", hardware: 0.25, waiting: true }]], holds: [[2, null]] });
  const status = model.status("/b", "online");
  assert.deepEqual([status.silent, status.hardware, status.waiting, status.locked, status.held], ["Live", 0.25, true, true, null]);
  model.update({ rev: 817, marks: [[2, { awaited: "Live" }]] });
  assert.deepEqual([model.status("/b", "online").silent, model.status("/b", "online").awaited], [null, "Live"]);
  model.update({ rev: 818, marks: [[2, { pad: "playing", name: "Drop", color: "#ff8000" }]] });
  assert.deepEqual(model.status("/b", "online").pads, [{ state: "playing", name: "Drop", color: "#ff8000" }]);
});

test("meters change what is shown and nothing else", () => {
  const model = welcomed();
  assert.deepEqual([...model.meters([[5, -12.5]]).values], [["/level", "server"]]);
  assert.equal(model.rev, 815);
});

test("missed triggers are counted", () => {
  assert.equal(welcomed().update({ rev: 816, missed: 3 }).missed, 3);
});

test("merged and same know vectors", () => {
  assert.deepEqual(merged([1, 2], [null, 3]), [1, 3]);
  assert.deepEqual(merged(undefined, [null, 3]), [null, 3]);
  assert.equal(merged(1, 2), 2);
  assert.ok(same([1, 2], [1, 2]) && !same([1, 2], [1, 3]) && !same([1], [1, 2]) && same("a", "a") && !same(1, "1"));
});
