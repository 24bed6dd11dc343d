import assert from 'node:assert/strict';
import { test } from 'node:test';

import { RETRY_MS } from '../../web/lib/stream.js';
import { Traffic, describeLine } from '../../web/lib/traffic.js';
import { FakeSocket } from './fakes.mjs';

function world() {
  const seen = { sockets: [], lines: [], lost: 0, states: [], timers: [] };
  class Socket extends FakeSocket {
    constructor(url) {
      super(url);
      seen.sockets.push(this);
    }
  }
  seen.traffic = new Traffic({
    url: 'ws://here/ws',
    WebSocket: Socket,
    setTimeout: (call, ms) => seen.timers.push({ call, ms }),
    clearTimeout: () => {
      seen.timers.length = 0;
    },
    onLines: (lines, lost) => {
      seen.lines.push(...lines);
      seen.lost += lost;
    },
    onState: (...state) => seen.states.push(state.filter((part) => part !== undefined).join(': ')),
  });
  seen.welcomed = () => {
    const socket = seen.sockets.at(-1);
    socket.opens();
    socket.says({ type: 'welcome' });
    return socket;
  };
  return seen;
}

test('it says hello, then what it wants to see', () => {
  const seen = world();
  seen.traffic.want({ peer: 'max', address: '' });
  const socket = seen.welcomed();
  assert.deepEqual(socket.take(), [
    { type: 'hello', name: 'monitor', acks: false },
    { type: 'subscribe', what: ['monitor'], peer: 'max' },
  ]);
  socket.says({ type: 'update', rev: 3, values: [[1, 2]] });
  socket.says({ type: 'monitor', lines: [{ address: '/a' }], lost: 5 });
  socket.says({ type: 'monitor', lines: [{ address: '/b' }] });
  assert.deepEqual(seen.lines.map((line) => line.address), ['/a', '/b']);
  assert.equal(seen.lost, 5);
  assert.deepEqual(seen.states, ['connecting', 'on']);
});

test('another filter goes by the same connection, and a refusal is said', () => {
  const seen = world();
  seen.traffic.want({});
  const socket = seen.welcomed();
  socket.take();
  seen.traffic.want({ peer: '', address: '/a[' });
  assert.deepEqual(socket.take(), [{ type: 'subscribe', what: ['monitor'], address: '/a[' }]);
  socket.says({ type: 'error', code: 'bad_value', message: '/a[ is no pattern' });
  assert.equal(seen.states.at(-1), 'refused: /a[ is no pattern');
  assert.equal(seen.sockets.length, 1);
});

test('a lost connection comes back with the filter of now', () => {
  const seen = world();
  seen.traffic.want({ peer: 'max' });
  seen.welcomed().ends();
  assert.equal(seen.states.at(-1), 'connecting');
  seen.traffic.want({ peer: 'pd' });
  assert.equal(seen.sockets.length, 2, 'asked for anew, it tries at once');
  seen.welcomed();
  assert.equal(seen.sockets.at(-1).of('subscribe')[0].peer, 'pd');
  seen.sockets.at(-1).ends();
  assert.equal(seen.timers[0].ms, RETRY_MS);
  seen.timers[0].call();
  assert.equal(seen.sockets.length, 3);
});

test('nothing wanted is no connection', () => {
  const seen = world();
  seen.traffic.want({});
  const socket = seen.welcomed();
  seen.traffic.want(null);
  assert.ok(socket.closedByPage);
  socket.says({ type: 'monitor', lines: [{ address: '/late' }] });
  socket.ends();
  assert.deepEqual(seen.lines, []);
  assert.equal(seen.states.at(-1), 'off');
  assert.equal(seen.timers.length, 0);
});

test('a line is read at a glance', () => {
  const line = { time: 10.25, way: 'in', port: 'osc', peer: 'max', where: 'h:1', size: 8, address: '/a', types: ',f' };
  const plain = describeLine({ ...line, args: [0.5, 'x', 'two words', '', null, true, [1, ['y']]], more: 2 });
  assert.match(plain.time, /^\d\d:\d\d:10\.250$/);
  assert.equal(plain.args, '0.5 x "two words" "" nil true [1 [y]] … 2 more');
  assert.deepEqual([plain.peer, plain.way, plain.note, plain.isTrouble], ['max', '← in', '', false]);
  const late = describeLine({ ...line, way: 'out', bundle: { number: 4, at: 10.75 }, note: 'no such control' });
  assert.deepEqual([late.way, late.note, late.isTrouble], ['out →', 'bundle 4, for +0.500 s; no such control', true]);
  assert.equal(describeLine({ ...line, types: undefined }).note, 'no type tags');
  assert.equal(describeLine({ ...line, port: 'midi', types: undefined }).note, '');
  assert.equal(describeLine({ ...line, note: 'nothing new: what we have, or an echo' }).isTrouble, false);
});

test('garbage says where and why', () => {
  const garbage = { time: 1, way: 'in', port: 'osc', peer: '', where: 'h:1', size: 8, error: 'odd', offset: 5, hex: '2f 61' };
  const cells = describeLine(garbage);
  assert.deepEqual([cells.peer, cells.args, cells.note], ['stranger', '2f 61', 'not OSC, 8 bytes: byte 5: odd']);
});
