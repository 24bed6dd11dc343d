// The laws between a widget's position and a control's value, and numbers as people read and type them.
//
// Pure, the same as bridge/law.py and bridge/coercion.py; tests/vectors/laws.json holds both to it.
// A control is a descriptor as it comes over the wire: fields equal to their default may be missing.
// A position is 0..1 along the travel of a fader or the turn of a knob.

/** The four straight pieces of the X32's fader, [position, dB]; the de-facto law of digital desks. */
export const DB_TABLE = Object.freeze([[0, -90], [0.0625, -60], [0.25, -30], [0.5, -10], [1, 10]]);

export const MINUS = '\u2212';
export const MINUS_INFINITY = '\u2212\u221e';

/** Travel of one arrow key, and how much finer Shift makes it. */
const KEY_TRAVEL = 0.01;
const KEY_FINE = 8;

/** [low, high] of a control's range, in its unit. */
export function range(control) {
  return control.range ?? { int: [0, 127], meter: [-60, 0] }[control.kind] ?? [0, 1];
}

/** [low, high] of what may be reached, whoever asks. */
export function limit(control) {
  return control.limit ?? range(control);
}

/** Step of a control in its unit, or null where it is continuous. */
export function stepOf(control) {
  return control.step ?? (control.kind === 'int' ? 1 : null);
}

/** Digits after the point. */
export function decimals(control) {
  if (control.decimals !== undefined && control.decimals !== null) return control.decimals;
  const step = stepOf(control);
  if (step !== null && isDecimal(step)) return stepDigits(step);
  const [low, high] = range(control);
  const span = high - low;
  return span >= 1000 ? 0 : span >= 10 ? 1 : span >= 0.5 ? 2 : 4;
}

/** Position 0..1 of a number in the control's unit; the number is clamped to the range. */
export function position(control, value) {
  const [low, high] = range(control);
  const v = Math.min(high, Math.max(low, value));
  if (control.curve === 'log') return Math.log(v / low) / Math.log(high / low);
  if (control.curve === 'db') {
    const table = control.table ?? DB_TABLE;
    const start = tablePosition(low, table);
    return between((tablePosition(v, table) - start) / (tablePosition(high, table) - start), 0, 1);
  }
  return (v - low) / (high - low);
}

/** Number in the control's unit at a position; the position is clamped to 0..1. Neither stepped nor limited: `clamp`. */
export function valueAt(control, at) {
  const [low, high] = range(control);
  const p = Math.min(1, Math.max(0, at));
  if (p === 0) return low;
  if (p === 1) return high;
  // Rounding may pass an end by a bit in its last place.
  if (control.curve === 'log') return between(low * (high / low) ** p, low, high);
  if (control.curve === 'db') {
    const table = control.table ?? DB_TABLE;
    const start = tablePosition(low, table);
    return between(tableValue(start + p * (tablePosition(high, table) - start), table), low, high);
  }
  return between(low + p * (high - low), low, high);
}

/** The nearest number that the control can hold: one of low, low + step, … that lies inside its limit. */
export function clamp(control, value) {
  const [bottom, top] = limit(control);
  const v = between(value, bottom, top);
  const step = stepOf(control);
  if (step === null) return v;
  const snap = grid(range(control)[0], step);
  return between(snap(v), ...gridEnds(snap, step, bottom, top));
}

/** {text, unit} of a value as a person reads it. No value yet is "…". */
export function format(control, value) {
  const unit = control.unit ?? '';
  if (value === null || value === undefined) return { text: '\u2026', unit: '' };
  if (Array.isArray(value)) return { text: value.map((part) => numberText(control, part)).join(', '), unit };
  if (typeof value === 'boolean') return { text: value ? 'on' : 'off', unit: '' };
  if (typeof value === 'number') return { text: numberText(control, value), unit };
  return { text: String(value), unit: '' };
}

/**
 * What a person typed, as a value of the control, clamped; null where it is none. Numbers may carry a sign of any
 * shape, a decimal comma, the unit, and k (or m before the unit): "−10 dB", "1.2k", "1,2 kHz", "250 ms", "-inf".
 */
export function parse(control, typed) {
  const text = String(typed).trim();
  switch (control.kind) {
    case 'string':
      return String(typed).slice(0, control.max_length ?? 1000);
    case 'bool':
      if (/^(on|true|yes|1)$/i.test(text)) return true;
      return /^(off|false|no|0)$/i.test(text) ? false : null;
    case 'choice': {
      const wanted = text.toLowerCase();
      return (control.choices ?? []).find((choice) => choice.toLowerCase() === wanted) ?? null;
    }
    case 'color':
      return parseColor(text);
    case 'vector': {
      const parts = text.split(/[;\s]+|,\s+/).filter(Boolean).map((part) => parseNumber(control, part));
      return parts.length === (control.size ?? 2) && !parts.includes(null) ? parts : null;
    }
    case 'trigger':
      return null;
    default:
      return parseNumber(control, text);
  }
}

/** The value `steps` keys away: whole steps where the control has one, else hundredths of the travel (fine: an eighth). */
export function step(control, value, steps, fine = false) {
  const size = stepOf(control);
  const [low, high] = range(control);
  if (size !== null) {
    // A step far smaller than what a hand can mean would make the keys useless: at least 1/200 of the range.
    const unit = fine ? size : Math.max(1, Math.round((high - low) / 200 / size)) * size;
    return clamp(control, value + steps * unit);
  }
  return clamp(control, valueAt(control, position(control, value) + steps * KEY_TRAVEL / (fine ? KEY_FINE : 1)));
}

function numberText(control, value) {
  if (control.curve === 'db' && value <= (control.table ?? DB_TABLE)[0][1]) return MINUS_INFINITY;
  const text = fixed(Math.abs(value), decimals(control));
  return value < 0 && /[1-9]/.test(text) ? MINUS + text : text;
}

/** Like toFixed, but a true tie goes to the even digit, as in Python: both sides must show the same text. */
function fixed(value, digits) {
  const text = value.toFixed(digits);
  const isTie = Number.isInteger(value * 2 ** (digits + 1)) && !Number.isInteger(value * 2 ** digits);
  if (!isTie || Number(text[text.length - 1]) % 2 === 0) return text;
  return (Number(text) - 10 ** -digits).toFixed(digits);
}

function parseNumber(control, typed) {
  const unit = (control.unit ?? '').toLowerCase();
  let text = typed.toLowerCase().replace(/[\u2212\u2013\u2010\u2011]/g, '-').replace(/\s+/g, '').replace(',', '.');
  if (/^-(\u221e|inf|infinity|oo)/.test(text)) return control.curve === 'db' ? clamp(control, range(control)[0]) : null;
  if (unit && text.endsWith(unit)) text = text.slice(0, -unit.length);
  const found = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(k|m)?$/.exec(text);
  if (!found) return null;
  const value = Number(found[1]) * ({ k: 1000, m: 0.001 }[found[2]] ?? 1);
  return Number.isFinite(value) ? clamp(control, value) : null;
}

function parseColor(text) {
  const found = /^#?([0-9a-f]{3}|[0-9a-f]{6}|[0-9a-f]{8})$/i.exec(text);
  if (!found) return null;
  let digits = found[1].toLowerCase();
  if (digits.length === 3) digits = [...digits].map((digit) => digit + digit).join('');
  return `#${digits.length === 8 && digits.endsWith('ff') ? digits.slice(0, 6) : digits}`;
}

function between(value, bottom, top) {
  return (value < bottom ? bottom : value > top ? top : value) + 0; // + 0: never −0
}

/** The nearest of low, low + step, low + 2 step, …; free of binary dust where both are decimal numbers. */
function grid(low, step) {
  if (!isDecimal(low) || !isDecimal(step)) return (value) => low + Math.floor((value - low) / step + 0.5) * step;
  const scale = 10 ** Math.max(stepDigits(low), stepDigits(step));
  const [first, each] = [Math.round(low * scale), Math.round(step * scale)];
  return (value) => (first + Math.floor((value - low) / step + 0.5) * each) / scale;
}

/** Lowest and highest step inside the limit; three times a third may miss an end by a bit in its last place. */
function gridEnds(snap, step, bottom, top) {
  const dust = step * 1e-6;
  const [first, last] = [snap(bottom), snap(top)];
  return [
    first >= bottom - dust ? Math.max(first, bottom) : snap(first + step),
    last <= top + dust ? Math.min(last, top) : snap(last - step),
  ];
}

/** True if 9 decimals write it: 0.05 is, a third is not. */
function isDecimal(value) {
  return Number(value.toFixed(9)) === value;
}

function stepDigits(step) {
  return step.toFixed(9).replace(/\.?0+$/, '').split('.')[1]?.length ?? 0;
}

function tableValue(at, table) {
  const index = segment(table, at, 0);
  const [[p0, v0], [p1, v1]] = [table[index - 1], table[index]];
  return v0 + (at - p0) * (v1 - v0) / (p1 - p0);
}

function tablePosition(value, table) {
  const v = Math.min(table[table.length - 1][1], Math.max(table[0][1], value));
  const index = segment(table, v, 1);
  const [[p0, v0], [p1, v1]] = [table[index - 1], table[index]];
  return p0 + (v - v0) * (p1 - p0) / (v1 - v0);
}

/** Index of the upper end of the piece that holds `x` in column 0 (position) or 1 (value). */
function segment(table, x, column) {
  let index = table.findIndex((point) => point[column] > x);
  if (index < 0) index = table.length - 1;
  return Math.max(1, index);
}
