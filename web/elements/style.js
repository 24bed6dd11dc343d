// What all elements share: tokens with their fall-backs, the name row, the value box, and the states.

export const shared = `
:host {
  --bg: var(--sb-bg, #0b0d10);
  --panel: var(--sb-panel, #161a20);
  --track: var(--sb-track, #2a313a);
  --edge: var(--sb-edge, #76828f);
  --text: var(--sb-text, #f4f6f8);
  --text2: var(--sb-text2, #b6c0cb);
  --accent: var(--sb-fill, #4db5ff);
  --other: var(--sb-other, #ffb224);
  --ok: var(--sb-ok, #3dd68c);
  --bad: var(--sb-bad, #ff6369);
  --warn: var(--sb-warn, #ffe047);
  --ink: var(--sb-ink, #0b0d10);
  display: inline-block;
  vertical-align: top;
  box-sizing: border-box;
  position: relative;
  min-width: 0;
  color: var(--text);
  font: 500 18px/1.1 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums;
  letter-spacing: normal;
  text-align: center;
  -webkit-user-select: none;
  user-select: none;
  -webkit-touch-callout: none;
  -webkit-tap-highlight-color: transparent;
  -webkit-text-size-adjust: none;
  touch-action: none;
}
:host([hidden]) { display: none; }
*, *::before, *::after { box-sizing: border-box; }
button, input, select {
  font: inherit; font-variant-numeric: inherit; color: inherit; letter-spacing: inherit;
  margin: 0; padding: 0; border: 0; border-radius: 0; background: none; text-align: inherit;
  -webkit-appearance: none; appearance: none; touch-action: none;
}
.root {
  --mark: var(--fill, var(--accent));
  --on: var(--fill-ink, var(--ink));
  display: flex; flex-direction: column; width: 100%; height: 100%; position: relative;
}
.body { position: relative; flex: 1 1 0; min-height: 0; min-width: 0; }
.name {
  flex: none; height: 40px; line-height: 20px; font-weight: 600; overflow: hidden; overflow-wrap: anywhere;
  display: flex; flex-direction: column; justify-content: flex-end; margin-bottom: 4px;
}
.one .name { height: 20px; white-space: nowrap; }
.narrow .name { font-size: 16px; line-height: 18px; height: 36px; }
.notice { font-size: 14px; line-height: inherit; font-stretch: semi-condensed; white-space: nowrap; }
.notice:empty, .name-text:empty { display: none; }
:host([bare]) .name { display: none; }
.value {
  display: block; flex: none; position: relative; height: 32px; line-height: 32px; width: 100%; font-size: 24px;
  white-space: nowrap; cursor: default; border-radius: 6px; background: var(--well, var(--bg));
}
.value .unit { font-size: 14px; color: var(--text2); margin-left: 4px; }
.value .num, .value .unit { position: relative; z-index: 1; }
.narrow .value { font-size: 20px; height: 28px; line-height: 28px; font-stretch: semi-condensed; }
.narrow .value .unit { display: none; }
/* No rule elsewhere may unset the outline: what has the focus is seen on every element. */
:focus { outline: none; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }

/* unconfirmed, held by another, silent: words and colours; shapes are each widget's own */
.unconfirmed .value .num { color: var(--warn); }
.held .notice { color: var(--other); }
.silent .notice { color: var(--warn); }
/* whose peers were never there yet: nothing is wrong, so a small ring behind the name is enough (base.js: RING_PX) */
.awaited .name-text:not(:empty), :host(:not([bare])) .awaited .face-text, :host(:not([bare])) .single.awaited .pad-text { padding-right: 15px; }
.awaited .name-text:not(:empty)::after, :host(:not([bare])) .awaited .face-text::after, :host(:not([bare])) .single.awaited .pad-text::after {
  content: ""; position: absolute; width: 11px; height: 11px; margin: 5px 0 0 4px; border: 2px solid; border-radius: 50%;
}
.waiting .value .num { color: var(--text2); }
.locked .value .num, .readonly .value .num { color: var(--text2); }
.offline { --mark: var(--edge); --on: var(--bg); --cap: var(--edge); }
.offline .value .num, .offline .value .unit, .offline .name { color: var(--edge); }
`;
