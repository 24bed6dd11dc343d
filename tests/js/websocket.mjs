/* A WebSocket for Node (22 brings its own, Debian's do not): RFC 6455's client side, as far as our server speaks it.
 *
 * Like a browser's: pings are answered, `close` waits for the answer, and a page that goes takes its sockets along.
 */

import { randomBytes } from "node:crypto";
import { connect } from "node:net";

const CLOSING_MS = 2000;
const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

export class WebSocket extends EventTarget {
  readyState = 0;
  #socket;
  #input = Buffer.alloc(0);
  #parts = [];
  #timer = null;

  constructor(url) {
    super();
    const { hostname, port, pathname } = new URL(url);
    this.#socket = connect(Number(port), hostname, () => {
      this.#socket.write(
        `GET ${pathname} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n`,
      );
    });
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (data) => this.#read(data));
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => this.#ended());
  }

  send(text) {
    if (this.readyState === 1) this.#write(TEXT, Buffer.from(text));
  }

  close() {
    if (this.readyState >= 2) return;
    if (this.readyState === 0) {
      this.#socket.destroy();
    } else {
      this.#write(CLOSE, Buffer.from([0x03, 0xe8]));
      this.#socket.end();
      this.#timer = setTimeout(() => this.#socket.destroy(), CLOSING_MS);
      this.#timer.unref();
    }
    this.readyState = 2;
  }

  #write(opcode, payload) {
    if (this.#socket.destroyed || this.#socket.writableEnded) return;
    const size = payload.length;
    const head = Buffer.alloc(size < 126 ? 6 : 8); // the mask stays zero: it hides nothing here
    head[0] = 0x80 | opcode;
    head[1] = 0x80 | Math.min(size, 126);
    if (size >= 126) head.writeUInt16BE(size, 2); // nothing here writes 64 kB
    this.#socket.write(Buffer.concat([head, payload]));
  }

  #read(data) {
    this.#input = this.#input.length > 0 ? Buffer.concat([this.#input, data]) : data;
    if (this.readyState === 0 && !this.#upgraded()) return;
    for (let frame = this.#frame(); frame !== null; frame = this.#frame()) this.#hear(frame);
  }

  #upgraded() {
    const end = this.#input.indexOf("\r\n\r\n");
    if (end < 0) return false;
    if (!this.#input.subarray(0, 12).equals(Buffer.from("HTTP/1.1 101"))) {
      this.#socket.destroy();
      return false;
    }
    this.#input = this.#input.subarray(end + 4);
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
    return true;
  }

  #frame() {
    const input = this.#input;
    if (input.length < 2) return null;
    let size = input[1] & 127;
    let start = 2;
    if (size === 126) {
      if (input.length < 4) return null;
      size = input.readUInt16BE(2);
      start = 4;
    } else if (size === 127) {
      if (input.length < 10) return null;
      size = Number(input.readBigUInt64BE(2));
      start = 10;
    }
    if (input.length < start + size) return null;
    this.#input = input.subarray(start + size);
    return { isLast: (input[0] & 0x80) !== 0, opcode: input[0] & 15, payload: input.subarray(start, start + size) };
  }

  #hear({ isLast, opcode, payload }) {
    if (opcode === PING) this.#write(PONG, payload);
    else if (opcode === CLOSE) {
      this.#write(CLOSE, payload);
      this.#socket.end();
    } else if (opcode <= 2) {
      this.#parts.push(payload);
      if (!isLast) return;
      const event = new Event("message");
      event.data = Buffer.concat(this.#parts.splice(0)).toString();
      if (this.readyState === 1) this.dispatchEvent(event);
    }
  }

  #ended() {
    clearTimeout(this.#timer);
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.dispatchEvent(new Event("close"));
  }
}
