// "/pair": lets this device in by a code, from the address or typed, and returns to where it was going.

import { deviceName, memory } from './lib/device.js';
import { codeIn, spaced, wayBack, wordsFor } from './lib/pairing.js';

const LOOK_MS = 5000; // somebody may open the door, or another tab of ours may have come in
const TIMEOUT_MS = 8000;

const form = document.getElementById('form');
const code = document.getElementById('code');
const name = document.getElementById('name');
const go = document.getElementById('go');
const said = document.getElementById('said');
const { origin, search, hash } = window.location;
const back = wayBack(origin, search, hash);

function say(text, isWrong = false) {
  said.textContent = text;
  said.hidden = text === '';
  said.classList.toggle('is-wrong', isWrong);
}

async function ask(method, body) {
  const answer = await fetch('/api/pair', {
    method,
    cache: 'no-store',
    signal: AbortSignal.timeout?.(TIMEOUT_MS),
    ...(body === undefined ? {} : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
  });
  return [answer.ok, await answer.json()];
}

function leave() {
  window.location.replace(back);
}

async function pair(digits) {
  go.disabled = true;
  say('…');
  try {
    const called = name.value.trim() || deviceName();
    const [isIn, answer] = await ask('POST', { code: digits, name: called });
    if (!isIn) {
      say(wordsFor(answer), true);
      code.select();
      return;
    }
    if (answer.name !== deviceName()) memory.set('name', answer.name); // as it was typed, or "iPad 2"
    const [, now] = await ask('GET');
    if (!now.paired) {
      say('The code was right, but this browser keeps no cookies for this address, and without one it cannot be known again. Allow them, and ask for a new code.', true);
      return;
    }
    say(`${answer.name} is in.`);
    leave();
  } catch {
    say('stagebridge does not answer. Is this device still on its network?', true);
  } finally {
    go.disabled = false;
  }
}

async function look() {
  if (document.visibilityState === 'hidden' || go.disabled) return;
  try {
    const [, now] = await ask('GET');
    if (now.paired && !go.disabled) leave();
  } catch {
    // It will be asked again.
  }
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  pair(code.value);
});
code.addEventListener('input', () => {
  const shown = spaced(code.value.replace(/\D/g, '').slice(0, 6));
  if (code.value !== shown) code.value = shown;
});
name.value = deviceName();
const given = codeIn(hash);
if (given) {
  // Before anything else: nobody reads it over a shoulder, and no history keeps it.
  window.history.replaceState(null, '', `${window.location.pathname}${search}`);
  pair(given);
} else {
  if (new URLSearchParams(search).get('why') === 'revoked') {
    say('This device is let in no longer. To come back it needs a new code.', true);
  }
  code.focus();
  look();
}
setInterval(look, LOOK_MS);
document.addEventListener('visibilitychange', look);
