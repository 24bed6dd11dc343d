// web/lib/law.js beyond the shared vectors: what people type, keys, and descriptors with fields left out.

import test from 'node:test';
import assert from 'node:assert/strict';
import { clamp, format, parse, position, step, valueAt } from '../../web/lib/law.js';

const dB = { kind: 'float', range: [-90, 10], curve: 'db', unit: 'dB', decimals: 1 };
const hertz = { kind: 'float', range: [20, 20000], curve: 'log', unit: 'Hz' };
const whole = { kind: 'int' };

test('a descriptor with nothing written is a float from 0 to 1', () => {
  assert.equal(position({ kind: 'float' }, 0.25), 0.25);
  assert.equal(valueAt({ kind: 'float' }, 0.25), 0.25);
  assert.deepEqual(format({ kind: 'float' }, 0.5), { text: '0.50', unit: '' });
  assert.equal(position(whole, 127), 1);
  assert.equal(position({ kind: 'meter' }, -60), 0);
});

test('a dB fader stands at the X32 law', () => {
  for (const [at, value] of [[0, -90], [0.0625, -60], [0.25, -30], [0.5, -10], [0.75, 0], [1, 10]]) {
    assert.ok(Math.abs(valueAt(dB, at) - value) < 1e-9, `${at}`);
    assert.ok(Math.abs(position(dB, value) - at) < 1e-9, `${value}`);
  }
});

test('numbers read with a real minus, never −0, and −∞ at the bottom', () => {
  assert.equal(format(dB, -10).text, '−10.0');
  assert.equal(format(dB, -0.04).text, '0.0');
  assert.equal(format(dB, -90).text, '−∞');
  assert.equal(format({ ...dB, range: [-60, 10] }, -60).text, '−60.0');
  assert.deepEqual(format(hertz, 1250), { text: '1250', unit: 'Hz' });
  assert.equal(format({ kind: 'vector', range: [0, 1] }, [0.5, 0.25]).text, '0.50, 0.25');
  assert.equal(format(dB, null).text, '…');
  assert.equal(format({ kind: 'bool' }, true).text, 'on');
});

test('typed numbers are understood as people type them', () => {
  for (const [typed, value] of [
    ['-10', -10], ['−10 dB', -10], ['– 10dB', -10], ['+3', 3], ['-4,5', -4.5], ['.5', 0.5], ['-inf', -90], ['−∞', -90],
    ['99', 10], ['-200', -90], ['1e0', 1],
  ]) assert.equal(parse(dB, typed), value, typed);
  for (const [typed, value] of [['1.2k', 1200], ['1,2 kHz', 1200], ['440hz', 440], ['1', 20]]) assert.equal(parse(hertz, typed), value, typed);
  assert.equal(parse({ kind: 'float', range: [0, 10], unit: 's' }, '250 ms'), 0.25);
  for (const typed of ['', 'loud', '1.2.3', '--1', 'NaN', 'Infinity', '-inf']) assert.equal(parse(hertz, typed), null, typed);
});

test('what is typed for other kinds becomes their value or nothing', () => {
  assert.equal(parse({ kind: 'bool' }, 'On'), true);
  assert.equal(parse({ kind: 'bool' }, 'maybe'), null);
  assert.equal(parse({ kind: 'choice', choices: ['Saw', 'Sine'] }, 'sine'), 'Sine');
  assert.equal(parse({ kind: 'choice', choices: ['Saw'] }, 'x'), null);
  assert.equal(parse({ kind: 'color' }, '#F80'), '#ff8800');
  assert.equal(parse({ kind: 'color' }, 'ff8800ff'), '#ff8800');
  assert.equal(parse({ kind: 'color' }, 'red'), null);
  assert.deepEqual(parse({ kind: 'vector', size: 2 }, '0.2 0.4'), [0.2, 0.4]);
  assert.deepEqual(parse({ kind: 'vector', size: 2 }, '0.2, 0.4'), [0.2, 0.4]);
  assert.equal(parse({ kind: 'vector', size: 2 }, '0.2'), null);
  assert.equal(parse({ kind: 'string', max_length: 3 }, 'abcd'), 'abc');
  assert.equal(parse({ kind: 'trigger' }, '1'), null);
});

test('values stay on their step and inside their limit', () => {
  assert.equal(clamp({ kind: 'float', range: [0, 10], step: 0.1 }, 0.30000000000000004), 0.3);
  assert.equal(clamp({ kind: 'float', limit: [0, 0.75] }, 0.9), 0.75);
  assert.equal(clamp(whole, 3.6), 4);
  assert.ok(Object.is(clamp({ kind: 'float', range: [-1, 1] }, -0), 0));
});

test('a key moves by a hundredth of the travel, fine by an eighth of that, a step by its own', () => {
  assert.ok(Math.abs(position(dB, step(dB, -10, 1)) - 0.51) < 1e-9);
  assert.ok(Math.abs(position(dB, step(dB, -10, -1, true)) - (0.5 - 0.01 / 8)) < 1e-9);
  assert.equal(step(whole, 5, 1), 6);
  assert.equal(step(whole, 127, 10), 127);
  assert.equal(step({ kind: 'float', range: [20, 300], step: 0.1 }, 120, 1, true), 120.1);
  assert.equal(step({ kind: 'float', range: [20, 300], step: 0.1 }, 120, 1), 121.4);
});
