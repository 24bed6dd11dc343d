import assert from 'node:assert/strict';
import { test } from 'node:test';

import { clock, hostOf, lastSeen, newcomers, worth } from '../../web/lib/devices.js';
import { spaced } from '../../web/lib/pairing.js';

test('what a device may is its role, and what limits it', () => {
  assert.equal(worth({ role: 'admin', access: '' }), 'admin');
  assert.equal(worth({ role: 'control', access: 'Anna' }), 'control (Anna)');
  assert.equal(worth({ role: '', access: 'gone' }), 'nothing (gone)');
});

test('when it was seen is said as people say it', () => {
  const seen = (ago, connected = 0) => lastSeen({ connected, seen: 1000 }, 1000 + ago);
  assert.deepEqual([0, 59, 60, 3600, 172800].map((ago) => seen(ago)), ['just now', 'just now', '1 min ago', '1 h ago', '2 d ago']);
  assert.equal(seen(500, 2), 'connected');
  assert.equal(seen(-5), 'just now'); // another clock
});

test('a code runs down and is read out in threes', () => {
  assert.deepEqual([600, 599.2, 61, 9, 0, -3].map(clock), ['10:00', '10:00', '1:01', '0:09', '0:00', '0:00']);
  assert.deepEqual(['012345', '0123', '012', ''].map(spaced), ['012 345', '012 3', '012', '']);
  assert.equal(hostOf('http://[fd00::2]:8080/pair#code=012345'), '[fd00::2]:8080');
});

test('who has come by a code was not there, or could do something else, and may what the code is worth', () => {
  const device = (id, role = 'control', access = '') => ({ id, role, access });
  const before = [device('old'), device('promoted', 'view')];
  const now = [device('old'), device('promoted'), device('watcher', 'view'), device('limited', 'control', 'Anna'), device('new')];
  assert.deepEqual(newcomers(now, before, device('code')).map(({ id }) => id), ['promoted', 'new']);
});
