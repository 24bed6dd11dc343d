// Coming in: what stands in the address of /pair, and the way there and back. Without DOM.

export const NOT_PAIRED = 4401; // close codes of the WebSocket
export const REVOKED = 4403;
/** After these it is no use to knock again: see `wayIn`. */
export const SHUT_OUT = new Set([NOT_PAIRED, REVOKED]);

/** `#code=123456` → "123456", however people's tools write it; "" where there is none. */
export function codeIn(hash) {
  return /^#code=(\d{6})$/.exec(hash)?.[1] ?? '';
}

/** Where to go after that, as a whole address below `origin`; never anywhere else, whatever stands in `to`.
 *  A fragment that came along ("#/Mixer") goes back with it. */
export function wayBack(origin, search, hash) {
  const home = `${origin}/`;
  const to = new URLSearchParams(search).get('to') ?? '/';
  if (!to.startsWith('/')) return home;
  let url;
  try {
    url = new URL(to, home);
  } catch {
    return home;
  }
  if (url.origin !== origin || url.pathname === '/pair') return home;
  if (url.hash === '' && hash.startsWith('#/')) url.hash = hash;
  return url.href;
}

/** Address of the page that lets a device in, and returns to `location`. `code`: the close code that sends us there. */
export function wayIn(location, code) {
  const to = `${location.pathname}${location.search}${location.hash}`;
  const why = code === REVOKED ? 'why=revoked&' : '';
  return `/pair?${why}to=${encodeURIComponent(to)}`;
}

/** The list of devices calls it so too. Nothing of it is worth an error: where nobody is told apart, there is no list. */
export function rename(name) {
  const headers = { 'Content-Type': 'application/json' };
  return fetch('/api/pair', { method: 'PATCH', headers, body: JSON.stringify({ name }), signal: AbortSignal.timeout?.(2000) }).catch(() => {});
}

/** Six digits, or the first of them, as people read them out. */
export function spaced(code) {
  return `${code.slice(0, 3)} ${code.slice(3)}`.trim();
}

/** What to say of a refusal, for a person with a tablet in the hand. */
export function wordsFor({ error, message }) {
  switch (error) {
    case 'wrong_code':
      return 'That is not a code that is valid now. Look at the digits again, or ask for a new code.';
    case 'used_code':
      return 'This code has let a device in already; each is good for one. Ask for a new one.';
    case 'expired_code':
      return 'This code is over: each is good for ten minutes. Ask for a new one.';
    case 'too_many':
      return 'Too many wrong codes. Wait a minute, then try again.';
    default:
      return message || 'That did not work.';
  }
}
