import assert from 'node:assert/strict';
import { test } from 'node:test';

import { RETRY_MS, Stream } from '../../web/lib/stream.js';
import { FakeSocket } from './fakes.mjs';

function world(more = {}) {
  const seen = { sockets: [], messages: [], states: [], timers: [] };
  class Socket extends FakeSocket {
    constructor(url) {
      super(url);
      seen.sockets.push(this);
    }
  }
  seen.stream = new Stream({
    url: 'ws://here/ws',
    name: 'dashboard',
    ...more,
    WebSocket: Socket,
    setTimeout: (call, ms) => seen.timers.push({ call, ms }),
    clearTimeout: () => (seen.timers.length = 0),
    onMessage: (message) => seen.messages.push(message.type),
    onState: (state) => seen.states.push(state),
  });
  return seen;
}

function closes(socket, code) {
  const event = new Event('close');
  event.code = code;
  socket.dispatchEvent(event);
}

test('it asks again when the connection was lost', () => {
  const seen = world();
  seen.stream.want({ what: ['metrics'] });
  seen.sockets[0].opens();
  seen.sockets[0].says({ type: 'welcome' });
  seen.sockets[0].says({ type: 'metrics' });
  closes(seen.sockets[0], 1006);
  assert.equal(seen.timers[0].ms, RETRY_MS);
  seen.timers[0].call();
  seen.sockets[1].opens();
  seen.sockets[1].says({ type: 'welcome' });
  assert.deepEqual(seen.sockets[1].sent.at(-1), { type: 'subscribe', what: ['metrics'] });
  assert.deepEqual(seen.messages, ['metrics']);
  assert.deepEqual(seen.states, ['connecting', 'on', 'connecting', 'connecting', 'on']);
});

test('whoever is told all the time takes silence for a loss, and a refusal for none', () => {
  const seen = world({ silenceMs: 3000 });
  seen.stream.want({ what: ['metrics'] });
  seen.sockets[0].opens();
  for (const type of ['welcome', 'metrics']) seen.sockets[0].says({ type });
  assert.deepEqual(seen.timers.map(({ ms }) => ms), [3000]);
  seen.timers[0].call();
  assert.equal(seen.states.at(-1), 'connecting');
  assert.ok(seen.sockets[0].closedByPage);
  seen.sockets[1].opens();
  seen.sockets[1].says({ type: 'welcome' });
  seen.sockets[1].says({ type: 'error', message: 'for admins' });
  assert.deepEqual(seen.timers, []);
});

test('whoever is not let in does not knock for ever', () => {
  for (const code of [4401, 4403]) {
    const seen = world();
    seen.stream.want({ what: ['metrics'] });
    closes(seen.sockets[0], code);
    assert.equal(seen.states.at(-1), 'out');
    assert.equal(seen.timers.length, 0);
  }
});
