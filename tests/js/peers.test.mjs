// What a page knows of the peers.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { goneText, peersOf } from '../../web/lib/peers.js';

const model = (...entries) => ({ entries: () => entries.map(([path, shown]) => ({ path, shown })) });

test('peers are read from the controls under /stagebridge/peers, by name', () => {
  const peers = peersOf(model(
    ['/fader', 0.5],
    ['/stagebridge/peers/max', 'silent: heard; host is up but nobody listens on UDP 9001'],
    ['/stagebridge/peers/desk', 'online: heard; we listen on UDP 9000'],
    ['/stagebridge/peers/new', ''],
  ));
  assert.deepEqual(peers, [
    { name: 'desk', state: 'online', text: 'heard; we listen on UDP 9000' },
    { name: 'max', state: 'silent', text: 'heard; host is up but nobody listens on UDP 9001' },
    { name: 'new', state: 'connecting', text: '' },
  ]);
});

test('who is gone is named; several are counted', () => {
  const peer = (name, state) => ({ name, state, text: '' });
  assert.equal(goneText([peer('desk', 'online'), peer('max', 'connecting')]), '');
  assert.equal(goneText([peer('desk', 'offline'), peer('max', 'online')]), 'desk offline');
  assert.equal(goneText([peer('desk', 'offline'), peer('max', 'silent')]), '2 peers gone');
});
