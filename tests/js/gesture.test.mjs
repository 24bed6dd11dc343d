// The laws of the gestures, with coordinates and times as numbers: no DOM, no clock.

import test from 'node:test';
import assert from 'node:assert/strict';
import {
  CancelStorm, Debounce, DETENT, DoubleTap, FrameWatch, Hold, KNOB_TRAVEL_PX, PlaneDrag, RelativeDrag,
} from '../../web/lib/gesture.js';

const near = (a, b, slack = 1e-9) => assert.ok(Math.abs(a - b) <= slack, `${a} is not ${b}`);

/** Drag in steps of 1 px every 8 ms, as a finger does. Returns the time and the last position told. */
function walk(drag, from, to, t = 0) {
  let last = null;
  const by = Math.sign(to - from);
  for (let c = from + by; by > 0 ? c <= to : c >= to; c += by) {
    t += 8;
    last = drag.move(c, t) ?? last;
  }
  return { t, last };
}

test('the first 3 px move nothing, so a tap says nothing', () => {
  const drag = new RelativeDrag({ travel: 400 });
  drag.down(0.5, 100, 0);
  for (const c of [101, 102, 102.9, 98, 97.1, 100]) assert.equal(drag.move(c, 10), null);
});

test('then the finger and the cap go the same way: 50 px of 400 are an eighth', () => {
  const drag = new RelativeDrag({ travel: 400 });
  drag.down(0.5, 100, 0);
  near(walk(drag, 100, 150).last, 0.625);
  near(walk(drag, 150, 80, 1000).last, 0.45, 3.01 / 400);
});

test('at an end it re-bases, so that turning back acts at once', () => {
  const drag = new RelativeDrag({ travel: 400 });
  drag.down(0.9, 0, 0);
  const { t, last } = walk(drag, 0, 200);
  assert.equal(last, 1);
  near(drag.move(190, t + 8), 1 - 10 / 400);
});

test('a limit is an end', () => {
  const drag = new RelativeDrag({ travel: 400, high: 0.75 });
  drag.down(0.7, 0, 0);
  assert.equal(walk(drag, 0, 100).last, 0.75);
});

test('a value outside the limit comes back to it with the first move', () => {
  const drag = new RelativeDrag({ travel: 400, high: 0.5 });
  drag.down(0.8, 0, 0);
  near(drag.move(10, 10), 0.5);
  near(drag.move(-10, 20), 0.45);
});

test('after 120 ms of rest the dead zone is back: lifting the finger wiggles nothing', () => {
  const drag = new RelativeDrag({ travel: 400 });
  drag.down(0.5, 0, 0);
  const { t } = walk(drag, 0, 40);
  assert.equal(drag.move(42, t + 121), null);
  assert.equal(drag.move(38, t + 130), null);
  near(drag.move(36, t + 140), 0.6 - 4 / 400);
});

test('the noise of a digitiser is rest', () => {
  const drag = new RelativeDrag({ travel: 400 });
  drag.down(0.5, 0, 0);
  let { t } = walk(drag, 0, 40);
  for (let i = 0; i < 20; i += 1) drag.move(40 + (i % 2 ? 0.4 : -0.4), (t += 8));
  assert.equal(drag.move(42, t + 8), null);
});

test('a slow drag goes as far as the finger, in steps of the dead zone', () => {
  const drag = new RelativeDrag({ travel: 400 });
  drag.down(0.5, 0, 0);
  let last = 0.5;
  for (let c = 1; c <= 60; c += 1) last = drag.move(c, c * 300) ?? last;
  near(last, 0.5 + 60 / 400, 3 / 400);
});

test('fine is an eighth, and neither its start nor its end jumps', () => {
  const drag = new RelativeDrag({ travel: 400 });
  drag.down(0.5, 0, 0);
  let { t, last } = walk(drag, 0, 40);
  drag.setFine(true);
  ({ t, last } = walk(drag, 40, 80, t));
  near(last, 0.6 + 40 / 400 / 8);
  drag.setFine(false);
  ({ last } = walk(drag, 80, 120, t));
  near(last, 0.7 + 40 / 400 / 8);
});

test('a tablet that is turned under the finger goes on from where it is', () => {
  const drag = new RelativeDrag({ travel: 400 });
  drag.down(0.5, 0, 0);
  const { t } = walk(drag, 0, 40);
  drag.rebase(700, { travel: 200 });
  near(drag.move(710, t + 8), 0.6 + 10 / 200);
});

test('a drag whose control has another limit or value meanwhile goes on from there', () => {
  const drag = new RelativeDrag({ travel: 400 });
  drag.down(0.5, 0, 0);
  const { t } = walk(drag, 0, 40);
  drag.rebase(40, { position: 0.2, high: 0.21 });
  near(drag.move(42, t + 8), 0.2 + 2 / 400);
  assert.equal(drag.move(60, t + 16), 0.21);
});

test('240 px turn a knob through its whole range', () => {
  const drag = new RelativeDrag({ travel: KNOB_TRAVEL_PX });
  drag.down(0, 0, 0);
  assert.equal(walk(drag, 0, 240).last, 1);
});

test('a bipolar knob rests in its centre, and every value beside it can still be reached', () => {
  const drag = new RelativeDrag({ travel: KNOB_TRAVEL_PX, center: 0.5 });
  drag.down(0, 0, 0);
  const told = new Map();
  for (let c = 1; c <= 240; c += 1) told.set(c, drag.move(c, c * 8));
  assert.equal(drag.position, 1);
  const inside = [...told.keys()].filter((c) => Math.abs(c / 240 - 0.5) <= DETENT);
  assert.ok(inside.length >= 7);
  for (const c of inside) assert.ok(told.get(c) === null || told.get(c) === 0.5, `${c}: ${told.get(c)}`);
  const steps = [...told.values()].filter((p) => p !== null);
  for (let i = 1; i < steps.length; i += 1) assert.ok(steps[i] - steps[i - 1] < 1.1 / 240, 'no jump out of the detent');
});

test('a fine turn has no detent', () => {
  const drag = new RelativeDrag({ travel: KNOB_TRAVEL_PX, center: 0.5 });
  drag.down(0.5, 0, 0);
  drag.setFine(true);
  near(walk(drag, 0, 8).last, 0.5 + 8 / 240 / 8);
});

test('a plane moves both ways, and a second finger locks the lazier axis', () => {
  const drag = new PlaneDrag({ width: 200, height: 100 });
  drag.down([0.5, 0.5], 0, 0, 0);
  assert.equal(drag.move(2, 1, 8), null);
  const [x, y] = drag.move(20, 5, 16);
  near(x, 0.6);
  near(y, 0.55);
  drag.setLocked(true);
  const [x2, y2] = drag.move(40, 45, 24);
  near(x2, 0.7);
  assert.equal(y2, y);
  drag.setLocked(false);
  const [x3, y3] = drag.move(40, 55, 32);
  near(x3, x2);
  near(y3, y + 0.1);
});

test('a lock before the first move takes the axis of that move', () => {
  const drag = new PlaneDrag({ width: 100, height: 100 });
  drag.down([0.5, 0.5], 0, 0, 0);
  drag.setLocked(true);
  assert.deepEqual(drag.move(1, 10, 8), [0.5, 0.6]);
});

test('a plane goes on from another screen and value', () => {
  const drag = new PlaneDrag({ width: 100, height: 100 });
  drag.down([0.5, 0.5], 0, 0, 0);
  drag.move(10, 10, 8);
  drag.rebase(300, 500, { width: 200, height: 50, low: [0, 0], high: [1, 0.25], position: [0.2, 0.2] });
  assert.equal(drag.move(300, 500, 16), null);
  const [x, y] = drag.move(310, 520, 24);
  near(x, 0.25);
  assert.equal(y, 0.25);
});

test('a plane stops at its edges and turns back at once', () => {
  const drag = new PlaneDrag({ width: 100, height: 100 });
  drag.down([0.9, 0.5], 0, 0, 0);
  assert.equal(drag.move(50, 0, 8)[0], 1);
  near(drag.move(40, 0, 16)[0], 0.9);
});

function tap(taps, x, y, t, { last = 60, to = [x, y], isAlone = true } = {}) {
  taps.down(x, y, t, isAlone);
  taps.move(...to);
  return taps.up(...to, t + last);
}

test('two short still taps in one place are a double tap, and a third begins anew', () => {
  const taps = new DoubleTap();
  assert.equal(tap(taps, 10, 10, 0), false);
  assert.equal(tap(taps, 20, 20, 200), true);
  assert.equal(tap(taps, 20, 20, 400), false);
});

test('long, moved, distant, late or accompanied taps are none', () => {
  for (const second of [
    [10, 10, 200, { last: 200 }], [10, 10, 200, { to: [18, 10] }], [40, 10, 200, {}], [10, 10, 500, {}], [10, 10, 200, { isAlone: false }],
  ]) {
    const taps = new DoubleTap();
    tap(taps, 10, 10, 0);
    assert.equal(tap(taps, ...second), false, JSON.stringify(second));
  }
});

test('a hold is done once, and only when the time is full', () => {
  const hold = new Hold(500);
  assert.equal(hold.isDone(0), false);
  hold.down(0);
  assert.equal(hold.isDone(499), false);
  assert.equal(hold.isDone(500), true);
  assert.equal(hold.isDone(600), false);
  hold.down(700);
  hold.cancel();
  assert.equal(hold.isDone(5000), false);
});

test('a pad is one blow within 30 ms', () => {
  const pad = new Debounce();
  assert.deepEqual([0, 29, 30, 59, 61].map((t) => pad.fires(t)), [true, false, true, false, true]);
});

test('three cancels within 50 ms are the system stealing fingers', () => {
  const storm = new CancelStorm();
  assert.deepEqual([0, 20, 71, 75, 80].map((t) => storm.cancel(t)), [false, false, false, false, true]);
  assert.equal(storm.cancel(81), false);
});

test('slow frames are noticed by their median, and a page that slept is not slow', () => {
  const slow = new FrameWatch({ frames: 9 });
  let t = 0;
  const run = (watch, gaps) => gaps.map((gap) => watch.frame((t += gap))).includes(true);
  assert.equal(run(slow, Array(10).fill(33)), true);
  assert.equal(run(new FrameWatch({ frames: 9 }), Array(20).fill(16)), false);
  assert.equal(run(new FrameWatch({ frames: 9 }), [16, 16, 16, 5000, 16, 16, 90, 90, 16, 16, 16, 16]), false);
});
