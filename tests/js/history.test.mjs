import assert from 'node:assert/strict';
import { test } from 'node:test';

import { clock, describeRecord, fits, secondsAgo, whoOf } from '../../web/lib/history.js';

const anna = { kind: 'browser', name: 'c7', shown: 'Anna' };

test('a change says from where to where', () => {
  assert.equal(describeRecord({ what: 'value', before: -10, after: 0.8500000238418579 }), '−10 → 0.85');
  assert.equal(describeRecord({ what: 'value', before: false, after: true }), 'off → on');
  assert.equal(describeRecord({ what: 'value', before: [0, 0.25], after: [1, 0.5] }), '0, 0.25 → 1, 0.5');
});

test('a trigger says with what it was fired', () => {
  assert.equal(describeRecord({ what: 'trigger', before: null, after: [1, 'go'] }), 'fired 1 go');
  assert.equal(describeRecord({ what: 'trigger', before: null, after: [] }), 'fired');
});

test('holds are said', () => {
  assert.equal(describeRecord({ what: 'touch' }), 'touched');
  assert.equal(describeRecord({ what: 'release' }), 'released');
});

test('who it was is the name that people know', () => {
  assert.equal(whoOf(anna), 'Anna');
  assert.equal(whoOf({ kind: 'browser', name: 'c7', shown: '' }), 'c7');
  assert.equal(whoOf({ kind: 'osc', name: 'max', shown: '10.0.0.2:9001' }), 'max (OSC, 10.0.0.2:9001)');
  assert.equal(whoOf({ kind: 'rest', name: '10.0.0.9', shown: '' }), '10.0.0.9 (rest)');
});

test('a record is found by its path or by who it was', () => {
  const record = { path: '/mixer/1/volume', origin: anna };
  assert.ok(fits(record, ''));
  assert.ok(fits(record, ' MIXER/1 '));
  assert.ok(fits(record, 'anna'));
  assert.ok(!fits(record, 'ben'));
});

test('times are short', () => {
  assert.match(clock(0), /^\d\d:\d\d:\d\d$/);
  assert.equal(secondsAgo(8.4), '8 s');
  assert.equal(secondsAgo(740), '12 min');
  assert.equal(secondsAgo(11100), '3 h 5 min');
});
