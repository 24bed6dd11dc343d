// What the bridge tells beside the controls (docs/protocol.md, "subscribe"), by a connection of its own that is made
// again when it is lost. WebSocket and timers are handed in; no DOM.

import { SHUT_OUT } from './pairing.js';

export const RETRY_MS = 1000;

/** `onMessage(message)`; `onState(state, message)`: "off", "connecting", "on", "refused", "out" (not let in: the close code). */
export class Stream {
  #url;
  #name;
  #env;
  #onMessage;
  #onState;
  #socket = null;
  #wanted = null; // the subscription; null: nothing is wanted
  #isWelcome = false;
  #silenceMs;
  #timer = null; // to connect again

  /** `silenceMs`: after so long without a message the other end hangs, and another connection is tried. */
  constructor({
    url,
    name,
    silenceMs = Infinity,
    onMessage,
    onState,
    WebSocket = globalThis.WebSocket,
    setTimeout = globalThis.setTimeout.bind(globalThis),
    clearTimeout = globalThis.clearTimeout.bind(globalThis),
  }) {
    this.#url = url;
    this.#name = name;
    this.#silenceMs = silenceMs;
    this.#onMessage = onMessage;
    this.#onState = onState;
    this.#env = { WebSocket, setTimeout, clearTimeout };
  }

  /** Be told `{ what: […], … }`; null ends it, and the connection. */
  want(subscription) {
    this.#wanted = subscription;
    if (subscription === null) {
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
    this.#connectIn(this.#silenceMs);
    this.#onState('connecting');
    const socket = new this.#env.WebSocket(this.#url);
    this.#socket = socket;
    socket.addEventListener('open', () => {
      if (socket === this.#socket) socket.send(JSON.stringify({ type: 'hello', name: this.#name, acks: false }));
    });
    socket.addEventListener('message', (event) => socket === this.#socket && this.#hear(JSON.parse(event.data)));
    socket.addEventListener('close', (event) => socket === this.#socket && this.#lose(event.code));
  }

  #hear(message) {
    this.#connectIn(message.type === 'error' ? Infinity : this.#silenceMs);
    if (message.type === 'welcome' && !this.#isWelcome) {
      this.#isWelcome = true;
      this.#subscribe();
    } else if (message.type === 'error') {
      this.#onState('refused', message.message);
    } else {
      this.#onMessage(message);
    }
  }

  #subscribe() {
    this.#onState('on');
    this.#socket.send(JSON.stringify({ type: 'subscribe', ...this.#wanted }));
  }

  #lose(code) {
    this.#drop();
    if (SHUT_OUT.has(code)) {
      this.#onState('out', code);
      return;
    }
    this.#onState('connecting');
    this.#connectIn(RETRY_MS);
  }

  #connectIn(ms) {
    this.#env.clearTimeout(this.#timer);
    if (ms !== Infinity) this.#timer = this.#env.setTimeout(() => this.#connect(), ms);
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.#isWelcome = false;
    this.#env.clearTimeout(this.#timer);
    socket?.close();
  }
}
