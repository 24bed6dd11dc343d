// Names cut to the place there is: in the middle, because names that begin alike differ at the end.
//
// Pure: whoever calls measures text (`measure(text)` → px; a canvas does it without a layout).

/** The name as it fits into `lines` lines of `width` px: whole, or with "…" in its middle. */
export function fitName(name, width, lines, measure) {
  if (width <= 0 || fits(name, width, lines, measure)) return name;
  const letters = [...name];
  for (let kept = letters.length - 1; kept > 1; kept -= 1) {
    const tail = Math.floor(kept / 2);
    const cut = `${letters.slice(0, kept - tail).join('').trimEnd()}\u2026${letters.slice(letters.length - tail).join('').trimStart()}`;
    if (fits(cut, width, lines, measure)) return cut;
  }
  return '\u2026';
}

/** What stands in the place of a name, on one line; where "Live offline" is too long it is "\u2715 Live". */
export function fitNotice(notice, width, measure) {
  const gone = / offline$/.exec(notice);
  if (!gone || width <= 0 || fits(notice, width, 1, measure)) return fitName(notice, width, 1, measure);
  return fitName(`\u2715 ${notice.slice(0, gone.index)}`, width, 1, measure);
}

/** True when greedy wrapping (at spaces, else anywhere) needs no more than `lines` lines. */
export function fits(text, width, lines, measure) {
  let used = 1;
  let line = '';
  for (const word of text.split(/\s+/)) {
    const joined = line ? `${line} ${word}` : word;
    if (measure(joined) <= width) {
      line = joined;
      continue;
    }
    if (line) used += 1;
    line = '';
    for (const letter of word) {
      if (measure(line + letter) > width) {
        if (!line) return false;
        used += 1;
        line = '';
      }
      line += letter;
    }
    if (used > lines) return false;
  }
  return used <= lines;
}
