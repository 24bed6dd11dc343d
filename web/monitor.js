// The monitor page: peers, browsers and who did what, asked for once a second while somebody looks; and what goes in and
// out, as it happens.

import { Traffic, describeLine } from './lib/traffic.js';
import { clock, describeRecord, fits, secondsAgo, whoOf } from './lib/history.js';
import { REVOKED, wayIn } from './lib/pairing.js';
import { wordsOf } from './lib/peers.js';
import { h, setText } from './elements/dom.js';

const EVERY_MS = 1000;
const SHOWN = 200;
const TRAFFIC_SHOWN = 300;
const TYPING_MS = 250; // a filter that is being typed is not asked for letter by letter
const NOT_FOR_US = "only an admin's device may see this";

const server = document.getElementById('server');
const filter = document.getElementById('filter');
let records = [];

async function ask(path) {
  const answer = await fetch(path, { cache: 'no-store', signal: AbortSignal.timeout?.(3000) });
  if (answer.status === 401) window.location.replace(wayIn(window.location, REVOKED)); // it was in when it was loaded
  if (answer.status === 403) throw new Error(NOT_FOR_US);
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.json();
}

function cell(text, kind = '') {
  return h('td', kind ? { class: kind } : {}, text === null || text === undefined ? '–' : String(text));
}

function fill(id, rows, columns, why = 'none') {
  const none = () => h('tr', {}, h('td', { class: 'none', colspan: columns }, why));
  document.getElementById(id).replaceChildren(...(rows.length > 0 ? rows : [none()]));
}

function drawHealth(health) {
  server.classList.remove('is-bad');
  document.body.classList.remove('is-stale');
  server.textContent = `${health.name} ${health.version}, up ${secondsAgo(health.uptime_s)}, ${health.controls} controls`;
  drawPeers(health.peers);
  fill('clients', health.clients.map((client) => h('tr', {},
    cell(client.name), cell(secondsAgo(client.connected_s)),
    cell(client.round_trip_ms === null ? null : `${client.round_trip_ms} ms`, 'number'),
    cell(`${client.buffered_bytes + client.waiting_bytes} B`, 'number'), cell(client.frames_under_way, 'number'))), 5);
}

const peerRows = new Map(); // name → row: its button must stay where the finger is

function drawPeers(peers) {
  const known = new Set(peers.map((peer) => peer.name));
  for (const name of peerRows.keys()) if (!known.has(name)) peerRows.delete(name);
  for (const peer of peers) {
    if (!peerRows.has(peer.name)) peerRows.set(peer.name, peerRow(peer.name));
    const cells = [...peerRows.get(peer.name).children];
    const texts = [peer.name, null, howPeerIs(peer), peer.received, peer.sent, peer.bad, peer.unknown];
    texts.forEach((text, place) => text === null || setText(cells[place], String(text)));
    cells[2].classList.toggle('is-trouble', peer.state !== 'online');
  }
  const rows = peers.map((peer) => peerRows.get(peer.name));
  const table = document.getElementById('peers');
  if (rows.length === 0) fill('peers', [], 7);
  else if (rows.some((row, place) => table.children[place] !== row)) table.replaceChildren(...rows);
  offerPeers([...known]);
}

/** "online, heard 3 s ago; we listen on UDP 9000" */
function howPeerIs({ state, text, heard_s_ago: age }) {
  const heard = age === null || age === undefined ? '' : `heard ${secondsAgo(age)} ago`;
  const words = heard ? wordsOf(text).replace(/^nothing heard for [\d.]+ s(, |; |$)/, '') : text;
  return `${state}, ${[heard, words].filter(Boolean).join('; ')}`;
}

function peerRow(name) {
  const push = h('button', { type: 'button', title: `Send ${name} every value` }, 'Push');
  push.addEventListener('click', () => pushTo(name, push));
  const numbers = Array.from({ length: 4 }, () => h('td', { class: 'number' }));
  return h('tr', {}, h('td'), h('td', {}, push), h('td', { class: 'wide' }), ...numbers);
}

async function pushTo(name, button) {
  try {
    const answer = await fetch(`api/peers/${encodeURIComponent(name)}/push`, { method: 'POST' });
    const said = await answer.json();
    setText(button, answer.ok ? `${said.values} sent` : 'Not sent');
    button.title = answer.ok ? `Send ${name} every value` : said.message;
  } catch {
    setText(button, 'Not sent');
  }
  setTimeout(() => setText(button, 'Push'), 3000);
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
  } catch (error) {
    server.classList.add('is-bad');
    document.body.classList.add('is-stale'); // what was last known of peers and browsers is no longer so
    server.textContent = error.message === NOT_FOR_US ? NOT_FOR_US : 'no answer from the bridge';
    if (error.message === NOT_FOR_US) for (const [id, columns] of [['peers', 7], ['clients', 5], ['history', 5]]) fill(id, [], columns, NOT_FOR_US);
  }
}

async function run() {
  for (;;) {
    if (!document.hidden) await refresh();
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}

// What goes in and out

const traffic = document.getElementById('traffic');
const trafficPeer = document.getElementById('traffic-peer');
const trafficAddress = document.getElementById('traffic-address');
const trafficPause = document.getElementById('traffic-pause');
const trafficState = document.getElementById('traffic-state');
const STATES = { off: 'paused', connecting: 'connecting…', on: '' };
let typing = null;

function drawLines(lines, lost) {
  const rows = lines.map((line) => {
    const shown = describeLine(line);
    return h('tr', shown.isTrouble ? { class: 'is-trouble' } : line.way === 'out' ? { class: 'is-out' } : {},
      cell(shown.time), cell(shown.peer), cell(shown.way), cell(shown.where), cell(shown.address, 'wide'),
      cell(shown.types, 'wide'), cell(shown.args, 'wide'), cell(shown.note, 'wide'));
  });
  if (lost > 0) rows.push(h('tr', {}, h('td', { class: 'none', colspan: 8 }, `… ${lost} more, too many to show`)));
  traffic.prepend(...rows.reverse());
  while (traffic.children.length > TRAFFIC_SHOWN) traffic.lastChild.remove();
}

function offerPeers(names) {
  const offered = [...trafficPeer.options].slice(1).map((option) => option.value);
  if (offered.join(' ') === names.join(' ')) return;
  const chosen = trafficPeer.value;
  trafficPeer.replaceChildren(h('option', { value: '' }, 'all'), ...names.map((name) => h('option', { value: name }, name)));
  trafficPeer.value = names.includes(chosen) ? chosen : '';
}

const stream = new Traffic({
  url: new URL('ws', document.baseURI).href.replace(/^http/, 'ws'),
  onLines: drawLines,
  onState: (state, message) => {
    if (state === 'out') window.location.replace(wayIn(window.location, message));
    trafficState.classList.toggle('is-trouble', state === 'refused');
    setText(trafficState, message ?? STATES[state] ?? '');
  },
});

function watchTraffic() {
  clearTimeout(typing);
  const isPaused = trafficPause.getAttribute('aria-pressed') === 'true';
  // Where nobody looks, nothing is asked for: then the monitor costs the bridge nothing.
  stream.want(isPaused || document.hidden ? null : { peer: trafficPeer.value, address: trafficAddress.value.trim() });
}

document.getElementById('traffic-filter').addEventListener('submit', (event) => event.preventDefault());
document.getElementById('traffic-clear').addEventListener('click', () => traffic.replaceChildren());
trafficPeer.addEventListener('change', watchTraffic);
trafficAddress.addEventListener('input', () => {
  clearTimeout(typing);
  typing = setTimeout(watchTraffic, TYPING_MS);
});
trafficPause.addEventListener('click', () => {
  trafficPause.setAttribute('aria-pressed', String(trafficPause.getAttribute('aria-pressed') !== 'true'));
  watchTraffic();
});
document.addEventListener('visibilitychange', watchTraffic);
watchTraffic();

filter.addEventListener('input', drawHistory);
document.addEventListener('visibilitychange', () => document.hidden || refresh());
run();
