// What goes in and out, as the bridge's monitor tells it (docs/protocol.md, "The monitor"): the stream, and the words of
// a line. WebSocket and timers are handed in; no DOM.

export const RETRY_MS = 1000;

/** The stream. `onLines(lines, lost)`; `onState(state, message)`: "off", "connecting", "on", "refused". */
export class Traffic {
  #url;
  #env;
  #onLines;
  #onState;
  #socket = null;
  #wanted = null; // the filter; null: nothing is wanted
  #isWelcome = false;
  #retry = null;

  constructor({
    url,
    onLines,
    onState,
    WebSocket = globalThis.WebSocket,
    setTimeout = globalThis.setTimeout.bind(globalThis),
    clearTimeout = globalThis.clearTimeout.bind(globalThis),
  }) {
    this.#url = url;
    this.#onLines = onLines;
    this.#onState = onState;
    this.#env = { WebSocket, setTimeout, clearTimeout };
  }

  /** Watch what fits `{ peer, address }` (each "" or left out: all); null ends it, and the connection. */
  want(filter) {
    this.#wanted = filter;
    if (filter === null) {
      this.#drop();
      this.#onState('off');
    } else if (this.#isWelcome) {
      this.#subscribe();
    } else if (this.#socket === null) {
      this.#connect();
    }
  }

  #connect() {
    this.#drop();
    this.#onState('connecting');
    const socket = new this.#env.WebSocket(this.#url);
    this.#socket = socket;
    socket.addEventListener('open', () => {
      if (socket === this.#socket) socket.send(JSON.stringify({ type: 'hello', name: 'monitor', acks: false }));
    });
    socket.addEventListener('message', (event) => socket === this.#socket && this.#hear(JSON.parse(event.data)));
    socket.addEventListener('close', () => socket === this.#socket && this.#lose());
  }

  #hear(message) {
    if (message.type === 'welcome' && !this.#isWelcome) {
      this.#isWelcome = true;
      this.#subscribe();
    } else if (message.type === 'monitor') {
      this.#onLines(message.lines, message.lost ?? 0);
    } else if (message.type === 'error') {
      this.#onState('refused', message.message);
    }
  }

  #subscribe() {
    const { peer, address } = this.#wanted;
    this.#onState('on');
    const filter = { ...(peer ? { peer } : {}), ...(address ? { address } : {}) };
    this.#socket.send(JSON.stringify({ type: 'subscribe', what: ['monitor'], ...filter }));
  }

  #lose() {
    this.#drop();
    this.#onState('connecting');
    this.#retry = this.#env.setTimeout(() => this.#connect(), RETRY_MS);
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.#isWelcome = false;
    this.#env.clearTimeout(this.#retry);
    socket?.close();
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
