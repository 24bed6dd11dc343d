/* stagebridge for your own page:
 *
 *   <script type="module" src="/stagebridge.js"></script>
 *   <input class="sync" id="slider1" type="range" min="0" max="50" value="25">
 *
 * Every input, select, textarea and button of class "sync" is the same on all screens, and is OSC at its path
 * ("/slider1"). docs/pages.md tells the rest. For scripts: `import stagebridge from "/stagebridge.js"`,
 * or `window.stagebridge`.
 */

import { showBadge } from "./lib/badge.js";
import { bind } from "./lib/binder.js";
import { Client, socketUrl } from "./lib/client.js";
import { deviceName } from "./lib/device.js";
import { sync } from "./lib/sync.js";

const RELOAD_MS = 3000; // a page does not load itself again sooner than this after it was loaded

class Stagebridge {
  #client;
  #listeners = new Map(); // path → Set of functions
  #said = new Set();

  constructor(client) {
    this.#client = client;
    client.addEventListener("value", ({ detail }) => this.#tell(detail.path, detail.value, detail));
    client.addEventListener("trigger", ({ detail }) => this.#tell(detail.path, detail.args, { ...detail, from: "server" }));
    let state = client.status.state;
    client.addEventListener("status", ({ detail }) => {
      if (detail.state === state) return;
      state = detail.state;
      this.#tell("state", state, detail);
    });
  }

  /** "connecting", "online" or "offline". */
  get state() {
    return this.#client.status.state;
  }

  /** The value now: a number, text, true or false, "#rrggbb", or a list; undefined while it is not known. */
  get(path) {
    return this.#client.value(path);
  }

  /** Set it everywhere. False when that cannot be (offline, no such control, read-only): nothing is kept for later. */
  set(path, value) {
    return this.#client.set(path, value) || this.#failed(path);
  }

  /** Fire a trigger, with what it is to carry. False when that cannot be. */
  trigger(path, ...args) {
    return this.#client.trigger(path, args) || this.#failed(path);
  }

  /** Call `fn(value, {path, from})` with the value as soon as it is known and whenever it changes, whoever
   *  changed it (`from`: "mine" or "server"). A trigger gives its list of arguments. `on("state", fn)`
   *  tells of the connection. Returns the function that ends it. */
  on(path, fn) {
    if (!this.#listeners.has(path)) this.#listeners.set(path, new Set());
    const listener = { fn, isFresh: true };
    this.#listeners.get(path).add(listener);
    const value = path === "state" ? this.state : this.get(path);
    if (value !== undefined) {
      queueMicrotask(() => {
        if (listener.isFresh && this.#listeners.get(path)?.has(listener)) this.#call(listener, this.get(path) ?? value, { path, from: "server" });
      });
    }
    return () => this.#listeners.get(path)?.delete(listener);
  }

  #tell(path, value, info) {
    for (const listener of [...(this.#listeners.get(path) ?? [])]) this.#call(listener, value, info);
  }

  #call(listener, value, info) {
    listener.isFresh = false;
    try {
      listener.fn(value, info);
    } catch (error) {
      reportLater(error); // one listener never keeps the next from hearing
    }
  }

  #failed(path) {
    if (this.state === "online" && this.#client.model.get(path) === undefined && !this.#said.has(path)) {
      this.#said.add(path);
      console.warn(`stagebridge: there is no control ${path}`);
    }
    return false;
  }
}

function reportLater(error) {
  setTimeout(() => {
    throw error;
  });
}

/** Our own elements are loaded when a page has one, at once or later. */
function watchElements(document) {
  const hasWidgets = (node) => node.localName?.startsWith("sb-") || [...node.querySelectorAll("*")].some((inner) => inner.localName.startsWith("sb-"));
  const load = () => {
    observer.disconnect();
    import("./elements/index.js").catch((error) => console.error("stagebridge: the elements cannot be loaded:", error));
  };
  const observer = new MutationObserver((records) => {
    if (records.some(({ addedNodes }) => [...addedNodes].some((node) => node.nodeType === 1 && hasWidgets(node)))) load();
  });
  observer.observe(document, { childList: true, subtree: true });
  if (hasWidgets(document.documentElement)) load();
}

/** What the server wrote into this page when it served it: pages in /pages/ run without an origin, so without a cookie. */
function ticketOf(document) {
  return document.querySelector('meta[name="stagebridge-ticket"]')?.content ?? null;
}

/** The ticket is worth nothing any more: a week has passed, or the device was shut out, or the server forgot its key. The
 *  page is loaded again, which gives it another, or leads to the code. */
function comeInAnew({ location }) {
  if (ticketOf(document) === null && (location.protocol === "file:" || location.origin !== new URL(import.meta.url).origin)) {
    console.error(
      `stagebridge: this page was not let in, since it does not come from the bridge: put it into the folder that [http] pages ` +
        `names, and open it at ${new URL("/pages/", import.meta.url)}`,
    );
    return;
  }
  setTimeout(() => location.reload(), Math.max(0, RELOAD_MS - performance.now()));
}

const client = new Client({ url: socketUrl(import.meta.url), name: deviceName(), token: ticketOf(document) });
client.addEventListener("shut-out", () => comeInAnew(document));
const stagebridge = new Stagebridge(client);
window.stagebridge = stagebridge;
sync(client);
bind(document, client);
showBadge(client);
watchElements(document);
client.connect();

export default stagebridge;
export const { get, set, on, trigger } = Object.fromEntries(
  ["get", "set", "on", "trigger"].map((name) => [name, stagebridge[name].bind(stagebridge)]),
);
