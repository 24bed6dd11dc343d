// The dashboard: how much goes through and how fast, over the last ten minutes, and what is wrong. Told once a second by
// the bridge while somebody looks; nothing here grows.

import { Rows, dropsOf, niceTop, short } from './lib/chart.js';
import { Stream } from './lib/stream.js';
import { secondsAgo } from './lib/history.js';
import { isGone } from './lib/peers.js';
import { wayIn } from './lib/pairing.js';
import { h, setText } from './elements/dom.js';

const MINUTES = 10;
const RECENT_S = 60; // the tiles' "worst" is of so long
const SLOW_MS = 50; // a loop that is so late is felt
const SILENCE_MS = 3000; // it is told every second

const rows = new Rows(MINUTES * 60);
const server = document.getElementById('server');
const verdict = document.querySelector('.verdict');

// title, fields (the second is drawn dashed), their names, the least top of the scale
const CHARTS = [
  ['Messages a second', ['in', 'out'], ['in', 'out'], 10],
  ['To programs, ms', ['out_p50', 'out_p99'], ['median', '99 %'], 0.1],
  ['To browsers, ms', ['told_p50', 'told_p99'], ['median', '99 %'], 1],
  ['Loop lag, ms', ['lag'], ['worst'], 1],
  ['Browsers', ['clients'], ['connected'], 5],
  ['Dropped a second', ['drops'], ['dropped'], 1],
].map(([title, fields, names, least]) => {
  const canvas = h('canvas', { role: 'img' });
  const keys = names.map((name, i) => h('span', { class: i ? 'key is-second' : 'key' }, name));
  document.getElementById('charts').append(h('figure', {}, h('figcaption', {}, h('b', {}, title), ...keys), canvas));
  return { title, fields, names, least, canvas };
});

const TILES = [
  ['in, a second', () => [short(rows.last.in)]],
  ['out, a second', () => [short(rows.last.out)]],
  ['browsers', () => [short(rows.last.clients)]],
  ['to programs, 99\u00a0%', () => [short(rows.last.out_p99), 'ms']],
  ['to browsers, 99\u00a0%', () => [short(rows.last.told_p99), 'ms']],
  ['loop lag, worst of a minute', () => [short(rows.highest(['lag'], RECENT_S)), 'ms', rows.highest(['lag'], RECENT_S) > SLOW_MS]],
  ['changes a second', () => [short(rows.last.revisions)]],
  ['memory', () => [short(rows.last.memory), 'MB']],
].map(([name, read]) => {
  const value = h('b', {}, '–');
  const element = h('div', { class: 'tile' }, value, h('span', {}, name));
  document.getElementById('tiles').append(element);
  return { element, value, read };
});

function drawTiles() {
  for (const { element, value, read } of TILES) {
    const [text, unit = '', isHigh = false] = read();
    const shown = `${text} ${unit}`;
    if (value.dataset.shown !== shown) {
      value.dataset.shown = shown;
      value.replaceChildren(text, ...(unit ? [h('small', {}, ` ${unit}`)] : []));
    }
    element.classList.toggle('is-high', isHigh);
  }
}

function drawChart({ title, fields, names, least, canvas }) {
  const { clientWidth: width, clientHeight: height } = canvas;
  if (!width) return;
  const ratio = window.devicePixelRatio || 1;
  const [pixelWidth, pixelHeight] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== pixelWidth || canvas.height !== pixelHeight) [canvas.width, canvas.height] = [pixelWidth, pixelHeight];
  const style = getComputedStyle(canvas);
  const colour = (name) => style.getPropertyValue(`--sb-${name}`).trim();
  const top = niceTop(rows.highest(fields), least);
  const [left, right, up, down] = [44, width - 4, 8, height - 22];
  const at = ([x, y]) => [left + x * (right - left), down - y * (down - up)];
  const draw = canvas.getContext('2d');
  draw.setTransform(ratio, 0, 0, ratio, 0, 0);
  draw.clearRect(0, 0, width, height);
  draw.font = `14px ${style.fontFamily}`;
  draw.fillStyle = colour('text2');
  draw.strokeStyle = colour('track');
  draw.lineWidth = 1;
  draw.setLineDash([]);
  for (const share of [0, 0.5, 1]) {
    const [, y] = at([0, share]);
    draw.beginPath();
    draw.moveTo(left, y);
    draw.lineTo(right, y);
    draw.stroke();
    draw.textAlign = 'right';
    draw.textBaseline = 'middle';
    draw.fillText(short(top * share), left - 6, y);
  }
  draw.textBaseline = 'alphabetic';
  for (const [share, text, align] of [[0, `−${MINUTES} min`, 'left'], [0.5, `−${MINUTES / 2}`, 'center'], [1, 'now', 'right']]) {
    draw.textAlign = align;
    draw.fillText(text, at([share, 0])[0], height - 4);
  }
  fields.forEach((field, i) => {
    draw.strokeStyle = draw.fillStyle = colour(i ? 'other' : 'fill');
    draw.lineWidth = 2;
    draw.setLineDash(i ? [5, 3] : []);
    for (const line of rows.lines(field, top)) {
      draw.beginPath();
      for (const point of line) draw.lineTo(...at(point));
      draw.stroke();
      if (line.length === 1) draw.fillRect(at(line[0])[0] - 1, at(line[0])[1] - 1, 2, 2);
    }
  });
  const now = fields.map((field, i) => `${names[i]} ${short(rows.last?.[field])}`).join(', ');
  canvas.setAttribute('aria-label', `${title}: ${now}; the highest of ${MINUTES} minutes is ${short(rows.highest(fields))}`);
}

function drawCharts() {
  CHARTS.forEach(drawChart);
}

const ago = (seconds) => (seconds === null || seconds === undefined ? '–' : seconds < 2 ? 'now' : `${secondsAgo(seconds)} ago`);

/** Rows of cells, in place: what is drawn anew each second must not lose a selection or a scroll position. */
function fill(id, lines, name = () => {}) {
  const body = document.getElementById(id);
  while (body.children.length > lines.length) body.lastChild.remove();
  lines.forEach((texts, i) => {
    const row = body.children[i] ?? body.appendChild(h('tr', {}));
    while (row.children.length > texts.length) row.lastChild.remove();
    texts.forEach((text, place) => {
      const cell = row.children[place] ?? row.appendChild(h('td', body.dataset.numbers?.includes(place) ? { class: 'number' } : {}));
      setText(cell, text);
    });
    name(row, i);
  });
}

for (const [id, numbers] of [['peers', '23456'], ['latency', '1234']]) document.getElementById(id).dataset.numbers = numbers;

function drawVerdict(isOk, text, reasons) {
  verdict.classList.toggle('is-ok', isOk);
  verdict.classList.toggle('is-bad', !isOk);
  setText(verdict.querySelector('h2'), text);
  const list = document.getElementById('reasons');
  while (list.children.length > reasons.length) list.lastChild.remove();
  reasons.forEach((reason, i) => setText(list.children[i] ?? list.appendChild(h('li', {})), reason));
}

function drawHealth({ status, reasons, name, version, uptime_s: uptime, controls, peers, state, latency_ms: latency }) {
  setText(server, `${name} ${version}, up ${secondsAgo(uptime)}, ${controls} controls`);
  drawVerdict(status === 'ok', status === 'ok' ? 'All is well' : reasons.length === 1 ? 'Something is wrong' : `${reasons.length} things are wrong`, reasons);
  fill('peers', peers.map((peer) => [
    peer.name, peer.state, ago(peer.heard_s_ago), ago(peer.sent_s_ago), short(peer.received), short(peer.sent),
    short(peer.waiting), dropsOf(peer.drops) || '–',
  ]), (row, i) => {
    row.dataset.state = peers[i].state;
    row.classList.toggle('is-gone', isGone(peers[i]));
    row.title = peers[i].text;
  });
  fill('latency', Object.entries(latency).map(([way, { p50, p99, max, count }]) => [way, short(p50), short(p99), short(max), short(count)]));
  fill('state', [
    ['State', state.state], ['File', state.file ?? '–'], ['Writes', short(state.writes)],
    ['Last', ago(state.written_s_ago)], ['Failures', short(state.failures)],
  ]);
}

const SAID = { connecting: 'no answer from the bridge', off: '' };

let before = 'off'; // the stream's state
const stream = new Stream({
  url: new URL('ws', document.baseURI).href.replace(/^http/, 'ws'),
  name: 'dashboard',
  silenceMs: SILENCE_MS,
  onMessage: ({ type, fields, rows: told, health }) => {
    if (type !== 'metrics') return;
    server.classList.remove('is-bad');
    document.body.classList.remove('is-stale');
    rows.add(fields, told);
    drawHealth(health);
    if (rows.last) drawTiles();
    drawCharts();
  },
  onState: (state, message) => {
    if (state === 'out') window.location.replace(wayIn(window.location, message));
    if (state === 'on') rows.begin();
    const isBack = before === 'off'; // shown again: it was we who wanted nothing
    before = state;
    const isLost = state === 'refused' || (state === 'connecting' && rows.length > 0 && !isBack);
    server.classList.toggle('is-bad', isLost);
    document.body.classList.toggle('is-stale', isLost); // what was last known is no longer so
    if (!isLost) return;
    setText(server, message ?? SAID[state]);
    drawVerdict(false, state === 'refused' ? 'Nothing is told to this device' : 'Nothing is heard', []);
  },
});

const look = () => stream.want(document.hidden ? null : { what: ['metrics'] });
document.addEventListener('visibilitychange', look);
new ResizeObserver(drawCharts).observe(document.getElementById('charts'));
look();
