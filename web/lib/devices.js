// The devices that were let in, in words. Without DOM.

/** What a device may: its role, and the [[access]] entry that limits it. */
export function worth({ role, access }) {
  const may = role || 'nothing';
  return access ? `${may} (${access})` : may;
}

/** When it was seen last; `now` in seconds since 1970. */
export function lastSeen({ connected, seen }, now) {
  if (connected) return 'connected';
  const ago = now - seen;
  for (const [size, unit] of [[86400, 'd'], [3600, 'h'], [60, 'min']]) {
    if (ago >= size) return `${Math.round(ago / size)} ${unit} ago`;
  }
  return 'just now';
}

/** `9:59`; never below 0:00. */
export function clock(seconds) {
  const left = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`;
}

/** "http://10.0.0.5:8080/pair?…#code=…" → "10.0.0.5:8080". */
export function hostOf(url) {
  return new URL(url).host;
}

/** Who has come in by a code since `before`: who was not there or might do something else, and may now what it is worth. */
export function newcomers(devices, before, code) {
  const known = new Map(before.map((device) => [device.id, worth(device)]));
  return devices.filter((device) => worth(device) === worth(code) && known.get(device.id) !== worth(code));
}
