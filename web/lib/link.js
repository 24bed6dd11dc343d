/* One WebSocket, from `new` to the end: opened, greeted, heard, dropped.
 *
 * Here: what belongs to a single socket. Not here: which of two sockets wins, and what the
 * messages mean (client.js).
 */

const OPEN = 1; // WebSocket.OPEN

export class Link {
  welcomed = false;
  greeted = false; // our hello is out: the server ends the older session of this page now
  suspectSince = null; // ms; frames prove nothing until a ping sent since then is answered
  trip = null; // the shortest round trip, ms; null until a ping was answered
  shows = "[]"; // the list of meters this socket was last told, as text

  /** `on`: {open(link), message(link, object), close(link, code)}, none of them called after `drop`. */
  constructor(socket, now, on) {
    this.openedAt = now;
    this.heardAt = now;
    this.pingedAt = -Infinity;
    this.deadline = Infinity;
    this.socket = socket;
    this.listeners = {
      open: () => on.open(this),
      message: (event) => on.message(this, event.data),
      close: (event) => on.close(this, event?.code),
    };
    for (const [type, listener] of Object.entries(this.listeners)) socket.addEventListener(type, listener);
  }

  /** Write one message. False when the socket is not open: then it is not kept either. */
  send(message) {
    if (this.socket.readyState !== OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  /** Close it and hear nothing more from it, whatever still arrives. */
  drop() {
    for (const [type, listener] of Object.entries(this.listeners)) this.socket.removeEventListener(type, listener);
    this.socket.close();
  }
}
