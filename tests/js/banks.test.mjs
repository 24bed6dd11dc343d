import assert from 'node:assert/strict';
import { test } from 'node:test';

import { banksOnPage, holderOf, isHeld, runsOf, windowOf } from '../../web/lib/banks.js';

const group = (...paths) => ({ items: paths.map((path) => ({ path })) });
const bank = (count, size = 8, more = {}) => ({
  path: '/bank/mixer', name: 'mixer', peers: ['desk'], size, strips: Array.from({ length: count }, (_, i) => [`/${i + 1}/volume`, `/${i + 1}/mute`]), ...more,
});

test('a bank is on a page where one of its controls is', () => {
  const groups = [group('/3/mute', '/x'), group('/y')];
  assert.deepEqual(banksOnPage([bank(4), bank(2)], groups).map(({ strips }) => strips.length), [4]);
  assert.deepEqual(banksOnPage(undefined, groups), []);
});

test('the last window may be partly empty, and a value beyond it is the last', () => {
  const { at, count, paths, text } = windowOf(bank(20), 3);
  assert.deepEqual([at, count, text, paths.size], [3, 3, '17–20', 8]);
  assert.equal(windowOf(bank(20), 9).at, 3);
  assert.equal(windowOf(bank(20), undefined).text, '1–8');
  assert.equal(windowOf(bank(17), 3).text, '17');
});

test('strips that stand together share a bracket', () => {
  const window = windowOf(bank(8, 4), 2);
  const groups = [1, 5, 6, 2, 7, 3].map((n) => group(`/${n}/volume`));
  assert.deepEqual(runsOf(groups, window), [{ from: 1, to: 3 }, { from: 4, to: 5 }]);
  assert.equal(isHeld(group('/x', '/5/mute'), window), true);
});

test('who holds it is said unless the bank is called so, and whether they are gone', () => {
  const goneOf = (name) => (name === 'xt' ? 'offline' : '');
  assert.deepEqual(holderOf(bank(1), goneOf), { text: 'desk', isGone: false });
  assert.deepEqual(holderOf(bank(1, 8, { name: 'desk' }), goneOf), { text: '', isGone: false });
  assert.deepEqual(holderOf(bank(1, 8, { peers: ['desk', 'mcu'] }), goneOf), { text: 'desk + mcu', isGone: false });
  assert.deepEqual(holderOf(bank(1, 8, { peers: ['desk', 'xt'] }), goneOf), { text: 'xt offline', isGone: false });
  assert.deepEqual(holderOf(bank(1, 8, { peers: ['xt'] }), goneOf), { text: 'xt offline', isGone: true });
});
