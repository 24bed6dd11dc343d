// What hardware holds of a page: the windows of the bridge's banks (`surface.banks`). No DOM.

/** The banks of which something stands in these groups: [{items: [{path}]}]. */
export function banksOnPage(banks, groups) {
  const here = new Set(groups.flatMap((group) => group.items.map(({ path }) => path)));
  return (banks ?? []).filter((bank) => bank.strips.some((paths) => paths.some((path) => here.has(path))));
}

/** The window that the hardware holds where its control says `value`: {at, count, paths: Set, text: "9–16"}. */
export function windowOf({ size, strips }, value) {
  const count = Math.ceil(strips.length / size);
  const at = Math.max(1, Math.min(count, value ?? 1));
  const from = (at - 1) * size;
  const to = Math.min(strips.length, from + size);
  return { at, count, paths: new Set(strips.slice(from, to).flat()), text: to - from > 1 ? `${from + 1}–${to}` : `${to}` };
}

/** True if something of this group stands in the window. */
export function isHeld({ items }, { paths }) {
  return items.some(({ path }) => paths.has(path));
}

/** Neighbours among these groups that the window holds: [{from, to}], `to` is not one of them any more. */
export function runsOf(groups, window) {
  const runs = [];
  groups.forEach((group, i) => {
    if (!isHeld(group, window)) return;
    const last = runs.at(-1);
    if (last?.to === i) last.to += 1;
    else runs.push({ from: i, to: i + 1 });
  });
  return runs;
}

/** Who holds it, in words, and whether nobody does because all are gone: {text, isGone}. `goneOf(name)` → its state or "". */
export function holderOf({ name, peers }, goneOf) {
  const gone = peers.filter(goneOf);
  if (gone.length) return { text: gone.map((one) => `${one} ${goneOf(one)}`).join(', '), isGone: gone.length === peers.length };
  return { text: peers.filter((one) => one !== name).join(' + '), isGone: false };
}
