// The words of the monitor: a history record for reading. Pure; no DOM.

/** "21:04:17" in the reader's time zone, of seconds since 1970. */
export function clock(seconds) {
  const at = new Date(seconds * 1000);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}

/** How long: "8 s", "12 min", "3 h 5 min". */
export function secondsAgo(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Who it was: the name that a person knows, and by which way where that is no browser. */
export function whoOf(origin) {
  if (origin.kind === 'browser') return origin.shown || origin.name;
  if (origin.kind === 'osc' && origin.shown) return `${origin.name} (OSC, ${origin.shown})`;
  return `${origin.name} (${origin.kind === 'osc' ? 'OSC' : origin.kind})`;
}

/** What was done: "−10 → −3.5", "fired 1 go", "touched". */
export function describeRecord(record) {
  if (record.what === 'value') return `${shown(record.before)} → ${shown(record.after)}`;
  if (record.what === 'trigger') return ['fired', ...(record.after ?? []).map(shown)].join(' ');
  return record.what === 'touch' ? 'touched' : 'released';
}

/** Whether a record is about what somebody looks for: a part of the path or of a name. */
export function fits(record, words) {
  const wanted = words.trim().toLowerCase();
  return !wanted || record.path.toLowerCase().includes(wanted) || whoOf(record.origin).toLowerCase().includes(wanted);
}

function shown(value) {
  if (value === true) return 'on';
  if (value === false) return 'off';
  if (typeof value === 'number') return String(Number(value.toPrecision(7))).replace('-', '−');
  if (Array.isArray(value)) return value.map(shown).join(', ');
  return value === null ? '–' : String(value);
}
