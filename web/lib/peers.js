// The programs and desks at the other end, as the bridge's own controls tell of them. No DOM.

import { fitName, fits } from './names.js';

const PEERS = '/stagebridge/peers/';

export function isPeer(path) {
  return path.startsWith(PEERS);
}

/** [{name, state, text}], who is gone first, then by name; state: connecting, online, silent, offline. `text` says why. */
export function peersOf(model) {
  const peers = [];
  for (const { path, shown } of model.entries()) {
    if (!isPeer(path) || typeof shown !== 'string') continue;
    const [, state, text] = /^(\w+): (.*)$/s.exec(shown) ?? [null, 'connecting', shown];
    peers.push({ name: path.slice(PEERS.length), state, text: wordsOf(text) });
  }
  return peers.sort((a, b) => isGone(b) - isGone(a) || (a.name < b.name ? -1 : 1));
}

/** How a peer is, beside its state: that it was heard at all goes without saying. */
export function wordsOf(text) {
  return text.replace(/^heard(; |$)/, '');
}

export function isGone({ state }) {
  return state === 'silent' || state === 'offline';
}

/** What programs have just complained of, [{name, complaint}]: "Live says: …". */
export function complaintsOf(peers) {
  return peers.flatMap(({ name, text }) => {
    const [, complaint] = /(?:^|; )(\w+ says: .*?)(?:; we listen on [^;]*)?$/s.exec(text) ?? [];
    return complaint ? [{ name, complaint }] : [];
  });
}

/** "Live silent", "2 peers gone", "" while all are there. */
export function goneText(peers) {
  const gone = peers.filter(isGone);
  if (gone.length === 0) return '';
  return gone.length === 1 ? `${gone[0].name} ${gone[0].state}` : `${gone.length} peers gone`;
}

/** That text on one line of `width` px: where it is too long, the name alone behind a cross. */
export function fitGone(text, width, measure) {
  if (fits(text, width, 1, measure)) return text;
  return fitName(`\u2715 ${text.replace(/ (silent|offline|peers gone)$/, '')}`, width, 1, measure);
}
