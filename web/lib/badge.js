/* The bar over somebody's own page that says, unmistakably, that the page is offline; and how its inputs look that are
 * offline, held elsewhere or unconfirmed, on a page that has no style for it.
 *
 * A shadow root of its own, so that the page's style and this one leave each other alone.
 */

const PAGE_STYLE = `
  :where(input, select, textarea):where(.sync[data-held-by]) { outline: 3px solid #c27c00; outline-offset: 2px; }
  :where(input, select, textarea):where(.sync[data-sync="unconfirmed"]) { outline: 3px dashed #c27c00; outline-offset: 2px; }
  :is(input, select, textarea).sync:is([data-sync="offline"], [data-sync="mismatch"]) {
    opacity: 0.4; filter: grayscale(1); cursor: not-allowed;
  }`;

const BAR_STYLE = `
  :host { all: initial; }
  [role="status"] {
    position: fixed; inset: 0 0 auto 0; z-index: 2147483647; box-sizing: border-box; margin: 0;
    padding: calc(10px + env(safe-area-inset-top)) 12px 10px; text-align: center; pointer-events: none;
    font: 600 18px/1.2 system-ui, sans-serif; font-variant-numeric: tabular-nums;
    background: #b3001b; color: #fff;
  }
  [role="status"].connecting { background: #2a313a; color: #f4f6f8; }
  [hidden] { display: none; }`;

const PATIENCE_MS = 800; // a page that connects sooner says nothing

/** "00:07", "12:34", "1:02:03". */
export function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (part) => String(part).padStart(2, "0");
  const clock = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return seconds < 3600 ? clock : `${Math.floor(seconds / 3600)}:${clock}`;
}

/** Show the client's state on top of the page, until the returned function is called. */
export function showBadge(client, document = globalThis.document) {
  const host = document.createElement("div");
  host.className = "stagebridge-badge";
  const shadow = host.attachShadow({ mode: "open" });
  const bar = document.createElement("div");
  bar.setAttribute("role", "status");
  bar.hidden = true;
  addStyle(shadow, BAR_STYLE, document);
  addStyle(document, PAGE_STYLE, document);
  shadow.append(bar);
  document.documentElement.append(host);
  let timer = 0;

  function draw() {
    clearTimeout(timer);
    const { state, since } = client.status;
    const age = Date.now() - since;
    bar.hidden = state === "online" || (state === "connecting" && age < PATIENCE_MS);
    bar.className = state;
    const text = state === "offline" ? `OFFLINE ${duration(age)}, reconnecting` : "connecting…";
    if (bar.textContent !== text) bar.textContent = text;
    if (state !== "online" && document.visibilityState !== "hidden") {
      timer = setTimeout(draw, state === "connecting" ? PATIENCE_MS : 1000 - (age % 1000));
    }
  }

  client.addEventListener("status", draw);
  document.addEventListener("visibilitychange", draw);
  draw();
  return () => {
    clearTimeout(timer);
    client.removeEventListener("status", draw);
    document.removeEventListener("visibilitychange", draw);
    host.remove();
  };
}

/** A style that a Content-Security-Policy does not forbid, where the browser can make one (Safari from 16.4). */
function addStyle(root, css, document) {
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
  } catch {
    const style = document.createElement("style");
    style.textContent = css;
    (root.head ?? root).append(style);
  }
}
