/* Elements (`sb-fader`, …) ↔ client: what a hand does goes out, what is true comes in.
 *
 * Here: finding elements, handing them control, value and status, forwarding their events, telling
 * the server which meters are really in view. Not here: native inputs (sync.js), the socket
 * (client.js), how a widget looks (web/elements/).
 */

const EVENTS = ["control-connect", "control-touch", "control-input", "control-trigger", "control-release"];
const CHANGES = ["status", "controls", "value", "trigger", "held", "mark", "unconfirmed", "cancel"];

/** Bind every `sb-*` element with a `path` in `root`, now and later, until the returned function is called. */
export function bind(root, client) {
  const binder = new Binder(root, client);
  return () => binder.end();
}

class Binder {
  #root;
  #client;
  #byPath = new Map(); // path → Set of elements
  #paths = new Map(); // element → the path it is bound to
  #touched = new Map(); // element → its fingers that the client knows of
  #cancelling = null; // what an element says while it lets go is nobody's: the server has ended it, presses too
  #inView = new Set(); // elements; only meters count
  #viewer = null;
  #observer;
  #state;
  #isShowing = false;

  constructor(root, client) {
    this.#root = root;
    this.#client = client;
    this.#state = client.status.state;
    for (const type of EVENTS) root.addEventListener(type, this);
    for (const type of CHANGES) client.addEventListener(type, this);
    if (typeof IntersectionObserver !== "undefined") {
      this.#viewer = new IntersectionObserver((entries) => this.#viewed(entries));
    }
    this.#observer = new MutationObserver((records) => records.forEach(({ target }) => this.#renamed(target)));
    this.#observer.observe(root, { attributes: true, subtree: true, attributeFilter: ["path"] });
    for (const element of root.querySelectorAll("[path]")) if (isWidget(element)) this.#add(element);
  }

  end() {
    for (const type of EVENTS) this.#root.removeEventListener(type, this);
    for (const type of CHANGES) this.#client.removeEventListener(type, this);
    this.#observer.disconnect();
    for (const element of [...this.#paths.keys()]) this.#remove(element);
    this.#viewer?.disconnect();
  }

  handleEvent(event) {
    const { type, detail } = event;
    switch (type) {
      case "control-connect":
        this.#add(event.composedPath()[0]);
        break;
      case "control-disconnect": // heard on the element: it is out of the document by now
        this.#remove(event.target);
        break;
      case "control-touch":
      case "control-input":
      case "control-trigger":
      case "control-release":
        this.#acted(type, event.composedPath()[0], detail);
        break;
      case "status":
        if (detail.state === this.#state) break; // a new round trip time
        this.#state = detail.state;
        for (const element of this.#paths.keys()) this.#showStatus(element);
        break;
      case "controls":
        for (const path of [...detail.added, ...detail.described, ...detail.removed]) this.#each(path, this.#showAll);
        break;
      case "value":
        this.#each(detail.path, this.#showValue);
        break;
      case "trigger":
        this.#each(detail.path, (element) => element.flash?.());
        break;
      case "cancel":
        this.#cancelled(detail.paths);
        break;
      default: // held, mark, unconfirmed
        this.#each(detail.path, this.#showStatus);
    }
  }

  // From the hand.

  #acted(type, element, { path, value, args }) {
    if (!this.#paths.has(element) || element === this.#cancelling) return;
    const client = this.#client;
    if (type === "control-touch") {
      if (client.touch(path)) this.#touched.set(element, (this.#touched.get(element) ?? 0) + 1);
      else element.cancelGesture?.();
    } else if (type === "control-input") {
      if (!client.set(path, value)) this.#showValue(element, path);
    } else if (type === "control-trigger") {
      client.trigger(path, args ?? []);
    } else if (this.#touched.has(element)) {
      const left = this.#touched.get(element) - 1;
      if (left > 0) this.#touched.set(element, left);
      else this.#touched.delete(element);
      client.release(path);
    }
  }

  #cancelled(paths) {
    for (const element of paths === null ? [...this.#paths.keys()] : paths.flatMap((path) => this.#elements(path))) {
      this.#touched.delete(element);
      this.#cancelling = element;
      element.cancelGesture?.();
      this.#cancelling = null;
    }
  }

  // To the elements.

  #add(element) {
    const path = element.getAttribute("path");
    if (!path || this.#paths.has(element)) return;
    if (!this.#byPath.has(path)) this.#byPath.set(path, new Set());
    this.#byPath.get(path).add(element);
    this.#paths.set(element, path);
    element.addEventListener("control-disconnect", this);
    if (this.#viewer === null) this.#inView.add(element);
    else this.#viewer.observe(element);
    this.#showAll(element, path);
  }

  #remove(element) {
    const path = this.#paths.get(element);
    if (path === undefined) return;
    for (let fingers = this.#touched.get(element) ?? 0; fingers > 0; fingers -= 1) this.#client.release(path);
    this.#touched.delete(element);
    this.#paths.delete(element);
    this.#byPath.get(path).delete(element);
    if (this.#byPath.get(path).size === 0) this.#byPath.delete(path);
    element.removeEventListener("control-disconnect", this);
    this.#viewer?.unobserve(element);
    if (this.#inView.delete(element)) this.#showMeters();
  }

  #renamed(element) {
    if (!isWidget(element) || this.#paths.get(element) === element.getAttribute("path")) return;
    this.#remove(element);
    if (element.isConnected) this.#add(element);
  }

  #elements(path) {
    return [...(this.#byPath.get(path) ?? [])];
  }

  #each(path, show) {
    for (const element of this.#elements(path)) show.call(this, element, path);
  }

  #showAll(element, path) {
    const control = this.#client.model.get(path)?.control ?? null;
    if (element.control !== control) element.control = control;
    this.#showValue(element, path);
    this.#showStatus(element, path);
    if (this.#inView.has(element)) this.#showMeters();
  }

  #showValue(element, path) {
    element.value = this.#client.value(path);
  }

  #showStatus(element, path = this.#paths.get(element)) {
    element.status = this.#client.model.status(path, this.#client.status.state);
  }

  // Meters.

  #viewed(entries) {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting && this.#paths.has(target)) this.#inView.add(target);
      else this.#inView.delete(target);
    }
    this.#showMeters();
  }

  #showMeters() {
    if (this.#isShowing) return; // once for all that change in this turn
    this.#isShowing = true;
    queueMicrotask(() => {
      this.#isShowing = false;
      const paths = new Set([...this.#inView].map((element) => this.#paths.get(element)));
      this.#client.show([...paths].filter((path) => this.#client.model.get(path)?.control.kind === "meter"));
    });
  }
}

function isWidget(element) {
  return element.localName.startsWith("sb-");
}
