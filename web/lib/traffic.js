// What goes in and out, as the bridge's monitor tells it (docs/protocol.md, "The monitor"): the stream, and the words of
// a line. WebSocket and timers are handed in; no DOM.

import { Stream } from './stream.js';

/** The stream. `onLines(lines, lost)`; `onState(state, message)`, `url` and the rest as in `Stream`. */
export class Traffic {
  #stream;

  constructor({ onLines, ...rest }) {
    this.#stream = new Stream({
      ...rest,
      name: 'monitor',
      onMessage: ({ type, lines, lost = 0 }) => type === 'monitor' && onLines(lines, lost),
    });
  }

  /** Watch what fits `{ peer, address }` (each "" or left out: all); null ends it, and the connection. */
  want(filter) {
    if (filter === null) return this.#stream.want(null);
    const { peer, address } = filter;
    return this.#stream.want({ what: ['monitor'], ...(peer ? { peer } : {}), ...(address ? { address } : {}) });
  }
}

/** "21:04:17.250" in the reader's time zone. */
export function clockMs(seconds) {
  const at = new Date(Math.round(seconds * 1000));
  const parts = [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, '0'));
  return `${parts.join(':')}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}

/** A line as the cells of a table; `isTrouble` where something is wrong with it. */
export function describeLine(line) {
  const cells = {
    time: clockMs(line.time),
    peer: line.peer || 'stranger',
    way: line.way === 'in' ? '← in' : 'out →',
    where: line.where,
    address: line.address ?? '',
    types: line.types ?? '',
    args: (line.args ?? []).map(word).join(' '),
    note: '',
    isTrouble: Boolean(line.error || (line.note && !line.note.startsWith('nothing new'))),
  };
  const notes = [];
  if (line.more) cells.args += ` … ${line.more} more`;
  if (line.address !== undefined && line.types === undefined && line.port !== 'midi') notes.push('no type tags');
  if (line.error) {
    cells.args = line.hex ?? '';
    notes.push(`not OSC, ${line.size} bytes: byte ${line.offset ?? 0}: ${line.error}`);
  }
  if (line.bundle) {
    const ahead = line.bundle.at === undefined ? '' : `, for ${signed(line.bundle.at - line.time)} s`;
    notes.push(`bundle ${line.bundle.number}${ahead}`);
  }
  if (line.note) notes.push(line.note);
  cells.note = notes.join('; ');
  return cells;
}

function word(value) {
  if (Array.isArray(value)) return `[${value.map(word).join(' ')}]`;
  if (value === null) return 'nil';
  if (typeof value === 'string') return /^[^\s"[\]]+$/.test(value) ? value : JSON.stringify(value);
  return String(value);
}

function signed(seconds) {
  return `${seconds < 0 ? '−' : '+'}${Math.abs(seconds).toFixed(3)}`;
}
