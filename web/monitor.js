// The monitor page: peers, browsers and who did what, asked for once a second while somebody looks.

import { clock, describeRecord, fits, secondsAgo, whoOf } from './lib/history.js';
import { h } from './elements/dom.js';

const EVERY_MS = 1000;
const SHOWN = 200;

const server = document.getElementById('server');
const filter = document.getElementById('filter');
let records = [];

async function ask(path) {
  const answer = await fetch(path, { cache: 'no-store', signal: AbortSignal.timeout?.(3000) });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.json();
}

function cell(text, kind = '') {
  return h('td', kind ? { class: kind } : {}, text === null || text === undefined ? '–' : String(text));
}

function fill(id, rows, columns) {
  const none = () => h('tr', {}, h('td', { class: 'none', colspan: columns }, 'none'));
  document.getElementById(id).replaceChildren(...(rows.length > 0 ? rows : [none()]));
}

function drawHealth(health) {
  server.classList.remove('is-bad');
  server.textContent = `${health.name} ${health.version}, up ${secondsAgo(health.uptime_s)}, ${health.controls} controls`;
  fill('peers', health.peers.map((peer) => h('tr', {},
    cell(peer.name), cell(peer.text, peer.state === 'online' ? 'wide' : 'wide is-trouble'),
    cell(peer.received, 'number'), cell(peer.sent, 'number'), cell(peer.bad, 'number'), cell(peer.unknown, 'number'))), 6);
  fill('clients', health.clients.map((client) => h('tr', {},
    cell(client.name), cell(secondsAgo(client.connected_s)),
    cell(client.round_trip_ms === null ? null : `${client.round_trip_ms} ms`, 'number'),
    cell(`${client.buffered_bytes + client.waiting_bytes} B`, 'number'), cell(client.frames_under_way, 'number'))), 5);
}

function drawHistory() {
  const shown = records.filter((record) => fits(record, filter.value)).slice(0, SHOWN);
  fill('history', shown.map((record) => h('tr', {},
    cell(clock(record.time)), cell(whoOf(record.origin)), cell(record.path), cell(describeRecord(record), 'wide'),
    cell(record.count, 'number'))), 5);
}

async function refresh() {
  try {
    const [health, history] = await Promise.all([ask('healthz'), ask('api/history?limit=1000')]);
    records = history.records;
    drawHealth(health);
    drawHistory();
  } catch {
    server.classList.add('is-bad');
    server.textContent = 'no answer from the bridge';
  }
}

async function run() {
  for (;;) {
    if (!document.hidden) await refresh();
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}

filter.addEventListener('input', drawHistory);
document.addEventListener('visibilitychange', () => document.hidden || refresh());
run();
