import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Rows, dropsOf, niceTop, short } from '../../web/lib/chart.js';

const FIELDS = ['time', 'in'];

test('an hour of rows takes the room of ten minutes', () => {
  const rows = new Rows(600);
  for (let second = 0; second < 3600; second += 1) rows.add(FIELDS, [[second, second % 7]]);
  assert.equal(rows.length, 601);
  assert.equal(rows.last.time, 3599);
  assert.equal(rows.highest(['in']), 6);
});

test('what is told again from the beginning replaces what was', () => {
  const rows = new Rows(600);
  rows.add(FIELDS, [[1, 100], [2, 100]]);
  rows.begin();
  rows.add(FIELDS, [[2, 5]]);
  rows.add(FIELDS, [[3, 6]]);
  assert.equal(rows.length, 2);
  assert.equal(rows.highest(['in']), 6);
});

test('now is at the right, and a line ends where nothing was measured or told', () => {
  const rows = new Rows(10);
  rows.add(FIELDS, [[90, 1], [91, 2], [92, null], [93, 4], [99, 8], [100, 20]]);
  assert.deepEqual(rows.lines('in', 10), [
    [[0, 0.1], [0.09999999999999998, 0.2]],
    [[0.30000000000000004, 0.4]],
    [[0.9, 0.8], [1, 1]],
  ]);
  assert.equal(rows.highest(['in'], 1), 20);
  assert.deepEqual(new Rows(10).lines('in', 10), []);
});

test('a scale ends at a number that reads well', () => {
  assert.deepEqual([0, 0.3, 1, 1.2, 7, 10, 11, 4200].map((value) => niceTop(value, 0.1)), [0.1, 0.5, 1, 2, 10, 10, 20, 5000]);
});

test('numbers are short', () => {
  assert.deepEqual([null, 0, 0.0412, 0.25, 1.234, 12.6, 12345].map(short), ['–', '0', '0.041', '0.25', '1.2', '13', '12,345']);
  assert.equal(dropsOf({ bad: 1, unknown: 1200, lost: 0 }), '1,200 unknown, 1 bad');
  assert.equal(dropsOf({ bad: 0 }), '');
});
