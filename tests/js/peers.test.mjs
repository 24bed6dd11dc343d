// What a page knows of the peers.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { complaintsOf, fitGone, goneText, peersOf } from '../../web/lib/peers.js';

const model = (...entries) => ({ entries: () => entries.map(([path, shown]) => ({ path, shown })) });

test('peers are read from the controls under /stagebridge/peers: who is gone, then by name', () => {
  const peers = peersOf(model(
    ['/fader', 0.5],
    ['/stagebridge/peers/max', 'silent: heard; host is up but nobody listens on UDP 9001'],
    ['/stagebridge/peers/desk', 'online: heard; we listen on UDP 9000'],
    ['/stagebridge/peers/new', ''],
  ));
  assert.deepEqual(peers, [
    { name: 'max', state: 'silent', text: 'host is up but nobody listens on UDP 9001' },
    { name: 'desk', state: 'online', text: 'we listen on UDP 9000' },
    { name: 'new', state: 'connecting', text: '' },
  ]);
});

test('what a program complains of is told apart from how it is', () => {
  const peers = peersOf(model(
    ['/stagebridge/peers/live', 'online: 2 tracks, 10 steps/s; Live says: Index out of range; or so, after /live/tempo was moved; we listen on UDP 11001'],
    ['/stagebridge/peers/desk', 'online: we listen on UDP 9000'],
  ));
  assert.deepEqual(complaintsOf(peers), [
    { name: 'live', complaint: 'Live says: Index out of range; or so, after /live/tempo was moved' },
  ]);
});

test('who is gone is named; several are counted', () => {
  const peer = (name, state) => ({ name, state, text: '' });
  assert.equal(goneText([peer('desk', 'online'), peer('max', 'connecting')]), '');
  assert.equal(goneText([peer('desk', 'offline'), peer('max', 'online')]), 'desk offline');
  assert.equal(goneText([peer('desk', 'offline'), peer('max', 'silent')]), '2 peers gone');
});

test('where there is no room for the words, a cross stands before the name, or the number', () => {
  const measure = (text) => 10 * text.length;
  assert.equal(fitGone('desk silent', 110, measure), 'desk silent');
  assert.equal(fitGone('desk silent', 100, measure), '\u2715 desk');
  assert.equal(fitGone('2 peers gone', 100, measure), '\u2715 2');
  assert.equal(fitGone('lighting desk offline', 100, measure), '\u2715 lig\u2026desk');
});
