// Devices: who was let in, to cut them off; and one more, by a QR code or six digits. For admins.
//
// All over REST: the bridge says nothing of devices to pages that did not ask.

import { h, setText } from '../elements/dom.js';
import { clock, hostOf, lastSeen, newcomers, worth } from '../lib/devices.js';
import { spaced } from '../lib/pairing.js';
import { button } from './bar.js';

const LOOK_MS = 2000;
const ROLES = { view: 'Watches', control: 'Moves', admin: 'Admin' };

export class Devices {
  #client;
  #sheet;
  #timer = 0;
  #doomed = null; // id of the device that is asked about
  #mine = ''; // id of this one
  #told = { devices: [], access: {}, kept: '', mode: 'token' };

  constructor({ client, sheet }) {
    this.#client = client;
    this.#sheet = sheet;
    this.list = h('div', { class: 'devices', role: 'list', 'aria-label': 'Devices' });
    this.trouble = h('p', { class: 'sheet-note is-trouble', role: 'status' });
  }

  open() {
    this.#doomed = null;
    this.#say('');
    this.list.replaceChildren();
    this.list.dataset.text = '';
    this.#open('Devices', h('p', { class: 'sheet-line' }, 'Devices that were let in'), this.trouble,
      act('Add device', () => this.#add()), this.list, act('Close', () => this.#sheet.close()));
    this.#follow(() => this.#look());
    this.#ask('GET', '/api/pair').then((mine) => {
      this.#mine = mine?.device;
    });
  }

  /** Ask now and then, while this is what the sheet shows. */
  #follow(look) {
    clearTimeout(this.#timer);
    const shown = this.#sheet.body.lastChild; // the first is the sheet's own
    const isShown = () => !this.#sheet.element.hidden && this.#sheet.body.lastChild === shown;
    const again = async () => {
      if (!isShown()) return;
      await look();
      if (isShown()) this.#timer = setTimeout(again, LOOK_MS);
    };
    again();
  }

  #open(label, ...children) {
    this.#sheet.open(label, ...children);
    this.#sheet.body.scrollTop = 0;
  }

  async #look() {
    const told = await this.#ask('GET', '/api/devices');
    if (!told) return;
    this.#told = told;
    this.#say(told.mode === 'open' ? 'auth mode "open": whoever is on this network may do everything.'
      : told.kept ? `They are forgotten when the bridge ends: ${told.kept}` : '');
    this.#drawList();
  }

  #drawList() {
    const now = Date.now() / 1000;
    const rows = [...this.#told.devices].reverse().map((device) => { // who came last stands at the top
      const isDoomed = device.id === this.#doomed;
      const row = h('div', { class: 'device', role: 'listitem' },
        h('div', {}, h('b', {}, device.id === this.#mine ? `${device.name} (this device)` : device.name), ' ', h('span', {}, `${worth(device)}, ${lastSeen(device, now)}`)));
      if (isDoomed) {
        row.append(h('div', { class: 'sheet-row' },
          act('Cut it off', () => this.#revoke(device)), act('Keep', () => this.#doom(null))));
      } else {
        row.append(act('Revoke', () => this.#doom(device.id), `Revoke ${device.name}`));
      }
      row.classList.toggle('is-doomed', isDoomed);
      return row;
    });
    // Drawn anew only where something is new: a finger may be on its way to a button.
    const text = JSON.stringify([this.#doomed, rows.map((row) => row.textContent)]);
    if (text === this.list.dataset.text) return;
    this.list.dataset.text = text;
    this.list.replaceChildren(...(rows.length ? rows : [h('p', { class: 'sheet-note' }, 'None yet.')]));
  }

  #doom(id) {
    this.#doomed = id;
    this.#drawList();
    this.list.querySelector('.is-doomed button')?.focus({ preventScroll: true });
  }

  async #revoke(device) {
    this.#doomed = null;
    if (await this.#ask('DELETE', `/api/devices/${device.id}`)) await this.#look();
  }

  // One more

  #add() {
    const { access } = this.#told;
    const worths = [
      ...Object.entries(ROLES).map(([role, text]) => ({ text, wanted: { role } })),
      ...Object.keys(access).map((name) => ({ text: name, wanted: { access: name } })),
    ];
    let chosen = worths[1];
    const choices = worths.map((one) => {
      const choice = act(one.text, () => {
        chosen = one;
        choices.forEach((other, i) => other.setAttribute('aria-pressed', String(worths[i] === one)));
      });
      choice.setAttribute('aria-pressed', String(one === chosen));
      return choice;
    });
    const pages = (this.#client.model.surface?.pages ?? []).map(({ name }) => name);
    const page = h('select', { id: 'device-page' }, h('option', { value: '' }, 'The first page'),
      ...pages.map((name) => h('option', { value: name }, name)));
    this.#say('');
    this.#open('Add device', h('p', { class: 'sheet-line' }, 'What may it do?'),
      h('div', { class: 'sheet-pages', role: 'group', 'aria-label': 'What may it do?' }, ...choices),
      h('label', { for: 'device-page' }, 'It opens'), page, this.trouble,
      act('Show the code', () => this.#show({ ...chosen.wanted, page: page.value })), act('Back', () => this.open()));
  }

  async #show(wanted) {
    const before = await this.#ask('GET', '/api/devices'); // before there is a code: whoever uses it is not in it
    const code = before && await this.#ask('POST', '/api/codes', { ...wanted, qr: true });
    if (!code) return;
    const made = performance.now();
    const picture = h('img', { class: 'qr', alt: 'QR code' });
    const address = h('p', { class: 'sheet-note qr-address' });
    const addresses = code.urls.map((url, i) => act(hostOf(url), () => turn(i)));
    const turn = (shown) => {
      picture.src = code.qr[shown];
      setText(address, `${new URL(code.urls[shown]).origin}/`); // there the digits are asked for
      addresses.forEach((choice, i) => choice.setAttribute('aria-pressed', String(i === shown)));
    };
    turn(0);
    const digits = h('p', { class: 'digits' }, code.code ? spaced(code.code) : '');
    const state = h('p', { class: 'sheet-note', role: 'status' });
    const left = h('span', { class: 'left' });
    const again = act('New code', () => this.#show(wanted));
    again.hidden = true;
    this.#open('Add device', h('p', { class: 'sheet-line' }, `Scan it with the device's camera${code.code ? ', or open the address there and type the digits' : ''}`),
      picture, ...(addresses.length > 1 ? [h('div', { class: 'sheet-pages', role: 'group', 'aria-label': 'Address' }, ...addresses)] : []),
      digits, address, h('p', { class: 'sheet-note' }, code.code ? `For one device: ${worth(code)}. ` : 'auth mode "open": no code is needed.', left),
      state, this.trouble, again, act('Back', () => this.open()));
    if (!code.code) return;
    let isUsed = false;
    const tick = () => {
      const rest = isUsed ? 0 : code.expires_s - (performance.now() - made) / 1000;
      setText(left, isUsed ? 'It is used.' : rest > 0 ? `Good for ${clock(rest)}.` : 'It is over.');
      again.hidden = rest > 0;
      picture.classList.toggle('is-over', rest <= 0);
      digits.classList.toggle('is-over', rest <= 0);
      if (rest > 0 && picture.isConnected && !this.#sheet.element.hidden) setTimeout(tick, 1000 * (rest % 1) || 1000);
    };
    tick();
    this.#follow(async () => {
      const told = await this.#ask('GET', '/api/devices');
      if (!told) return;
      this.#told = told;
      const came = newcomers(told.devices, before.devices, code).map(({ name }) => name);
      if (came.length === 0) return;
      setText(state, `\u2713 ${came.join(', ')} ${came.length > 1 ? 'are' : 'is'} in.`);
      isUsed = true;
      tick();
    });
  }

  #say(text) {
    setText(this.trouble, text);
    this.trouble.hidden = !text;
  }

  /** The answer; null where it was refused, which is said. */
  async #ask(method, path, body) {
    try {
      const answer = await fetch(path, {
        method,
        cache: 'no-store',
        headers: body ? { 'Content-Type': 'application/json' } : {},
        body: body && JSON.stringify(body),
        signal: AbortSignal.timeout?.(3000),
      });
      const said = await answer.json();
      if (answer.ok) return said;
      this.#say(said.message);
    } catch {
      this.#say('No answer.');
    }
    return null;
  }
}

function act(text, run, label = '') {
  const element = button('choice', label, run);
  element.append(text);
  return element;
}
