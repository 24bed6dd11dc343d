// The dashboard's numbers: rows of the last minutes, and where they are on a chart. No DOM.

/** The last `seconds` of what the bridge has told, by field; it never grows beyond that. */
export class Rows {
  #seconds;
  #rows = []; // objects by field, oldest first
  #isFresh = true;

  constructor(seconds) {
    this.#seconds = seconds;
  }

  /** What comes next begins at the beginning: it is told everything again. */
  begin() {
    this.#isFresh = true;
  }

  add(fields, rows) {
    if (this.#isFresh) this.#rows = [];
    this.#isFresh = false;
    for (const row of rows) this.#rows.push(Object.fromEntries(fields.map((field, i) => [field, row[i]])));
    const from = (this.last?.time ?? 0) - this.#seconds;
    const kept = this.#rows.findIndex((row) => row.time >= from);
    if (kept > 0) this.#rows.splice(0, kept);
  }

  get length() {
    return this.#rows.length;
  }

  get last() {
    return this.#rows.at(-1);
  }

  /** The highest of these fields, 0 where there is none. */
  highest(fields, seconds = this.#seconds) {
    const from = (this.last?.time ?? 0) - seconds;
    return this.#rows.reduce(
      (most, row) => (row.time < from ? most : Math.max(most, ...fields.map((field) => row[field] ?? 0))), 0);
  }

  /** Lines of [x, y], x and y 0..1 from bottom left: now is at the right, `top` at 1. Where nothing was measured, or
      nothing told for `gap` seconds, a line ends and another begins. */
  lines(field, top, gap = 3) {
    const lines = [];
    let line = null;
    let before = -Infinity;
    const end = this.last?.time ?? 0;
    for (const { time, [field]: value } of this.#rows) {
      if (value === null || value === undefined || time - before > gap) line = null;
      before = time;
      if (value === null || value === undefined) continue;
      if (line === null) lines.push((line = []));
      line.push([1 + (time - end) / this.#seconds, Math.min(1, value / top)]);
    }
    return lines;
  }
}

/** The next number that reads well: 1, 2 or 5 times a power of ten; at least `least`. */
export function niceTop(value, least) {
  const wanted = Math.max(value, least);
  const power = 10 ** Math.floor(Math.log10(wanted));
  return [1, 2, 5, 10].map((factor) => factor * power).find((top) => top >= wanted * (1 - 1e-9));
}

/** "1,234", "12", "1.2", "0.04", "–". */
export function short(value) {
  if (value === null || value === undefined) return '–';
  const digits = value === 0 || Math.abs(value) >= 10 ? 0 : Math.abs(value) >= 1 ? 1 : Math.abs(value) >= 0.1 ? 2 : 3;
  return value.toLocaleString('en', { maximumFractionDigits: digits });
}

/** "12 unknown, 1 bad"; "" where nothing was dropped. */
export function dropsOf(drops) {
  return Object.entries(drops).filter(([, count]) => count > 0).sort(([, a], [, b]) => b - a)
    .map(([cause, count]) => `${short(count)} ${cause}`).join(', ');
}
