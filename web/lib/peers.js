// The programs and desks at the other end, as the bridge's own controls tell of them. No DOM.

const PEERS = '/stagebridge/peers/';

export function isPeer(path) {
  return path.startsWith(PEERS);
}

/** [{name, state, text}] by name; state: connecting, online, silent, offline. `text` says why. */
export function peersOf(model) {
  const peers = [];
  for (const { path, shown } of model.entries()) {
    if (!isPeer(path) || typeof shown !== 'string') continue;
    const [, state, text] = /^(\w+): (.*)$/s.exec(shown) ?? [null, 'connecting', shown];
    peers.push({ name: path.slice(PEERS.length), state, text });
  }
  return peers.sort((a, b) => (a.name < b.name ? -1 : 1));
}

export function isGone({ state }) {
  return state === 'silent' || state === 'offline';
}

/** "Live silent", "2 peers gone", "" while all are there. */
export function goneText(peers) {
  const gone = peers.filter(isGone);
  if (gone.length === 0) return '';
  return gone.length === 1 ? `${gone[0].name} ${gone[0].state}` : `${gone.length} peers gone`;
}
