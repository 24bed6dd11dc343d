// The gallery: widget × state × theme, without a server. `?theme=sun` picks a theme, `?run` keeps values running.

import { redrawAll } from './elements/base.js';
import './elements/index.js';
import * as law from './lib/law.js';

export const STATES = {
  normal: {},
  mine: { held: { mine: true } },
  held: { held: { mine: false, name: 'FOH iPad' } },
  unconfirmed: { unconfirmed: true },
  waiting: { waiting: true, locked: true },
  pickup: { hardware: 'behind' },
  silent: { silent: 'Live' },
  awaited: { awaited: 'Live' },
  'read-only': { readonly: true },
  locked: { locked: true },
  offline: { offline: true, locked: true },
};

const DB = { kind: 'float', range: [-90, 10], curve: 'db', unit: 'dB', decimals: 1 };

/** name → {widget, control, value, hardware?, wide?}. Values are chosen so that every part of a widget is seen. */
export const SAMPLES = {
  fader: { widget: 'fader', control: { ...DB, label: 'Volume' }, value: -10, hardware: -34 },
  'fader, coloured': { widget: 'fader', control: { ...DB, label: 'Lead Vocal', color: '#d7a6ff' }, value: 0, hardware: -34 },
  'fader, bipolar': { widget: 'fader', control: { kind: 'float', range: [-12, 12], bipolar: true, unit: 'st', label: 'Pitch' }, value: 4.5, hardware: -3 },
  'fader in a row': { widget: 'fader', control: { kind: 'float', range: [20, 20000], curve: 'log', unit: 'Hz', label: 'Cutoff' }, value: 1250, hardware: 300, across: true },
  knob: { widget: 'knob', control: { kind: 'float', range: [0, 1], label: 'Send A', widget: 'knob' }, value: 0.62, hardware: 0.2 },
  'knob, bipolar': { widget: 'knob', control: { kind: 'float', range: [-1, 1], bipolar: true, reset: true, label: 'Pan', widget: 'knob' }, value: -0.32, hardware: 0.4 },
  'toggle, off': { widget: 'toggle', control: { kind: 'bool', label: 'Mute', color: '#ff6369' }, value: false },
  'toggle, on': { widget: 'toggle', control: { kind: 'bool', label: 'Mute', color: '#ff6369' }, value: true },
  'toggle, guarded': { widget: 'toggle', control: { kind: 'bool', label: 'Record', guard: true }, value: true },
  'button, momentary': { widget: 'button', control: { kind: 'bool', label: 'Talk', momentary: true, rest: false }, value: false },
  'button, pressed': { widget: 'button', control: { kind: 'bool', label: 'Talk', momentary: true, rest: false }, value: true },
  'button, trigger': { widget: 'button', control: { kind: 'trigger', label: 'Next cue' }, value: undefined },
  xy: { widget: 'xy', control: { kind: 'vector', size: 2, range: [0, 1], label: 'Space' }, value: [0.62, 0.7] },
  color: { widget: 'color', control: { kind: 'color', label: 'Wash' }, value: '#e0457b' },
  'select, side by side': { widget: 'select', control: { kind: 'choice', choices: ['Clean', 'Crunch', 'Lead'], label: 'Amp' }, value: 'Crunch' },
  'select, list': { widget: 'select', control: { kind: 'choice', choices: ['Verse', 'Chorus', 'Bridge', 'Solo', 'Breakdown', 'Outro', 'Encore'], label: 'Scene' }, value: 'Bridge' },
  text: { widget: 'text', control: { kind: 'string', label: 'Caption' }, value: 'Good evening, Berlin' },
  number: { widget: 'number', control: { kind: 'float', range: [20, 300], step: 0.1, unit: 'BPM', label: 'Tempo', widget: 'number' }, value: 124 },
  pads: { widget: 'pads', control: { kind: 'choice', choices: ['Kick', 'Snare', 'Clap', 'Hat'], label: 'Drums', widget: 'pads' }, value: 'Snare' },
  'pads, clips': {
    widget: 'pads', control: { kind: 'choice', choices: ['a', 'b', 'c', 'd', 'e', 'f'], label: 'Clips', widget: 'pads' }, value: 'a',
    status: {
      pads: [
        { state: 'playing', name: 'Intro', color: '#3dd68c' }, { state: 'loaded', name: 'Verse', color: '#4db5ff' }, { state: 'queued', name: 'Drop', color: '#ffb224' },
        { state: 'recording', name: 'Take 2' }, { state: 'loaded', name: 'Outro', color: '#d7a6ff' }, { state: 'empty', name: '' },
      ],
    },
  },
  'pad, playing': {
    widget: 'pads', control: { kind: 'trigger', label: '1', widget: 'pads' }, value: undefined,
    status: { pads: [{ state: 'playing', name: 'Drop the bass', color: '#3dd68c' }] },
  },
  'pad, loaded': {
    widget: 'pads', control: { kind: 'trigger', label: '2', widget: 'pads' }, value: undefined,
    status: { pads: [{ state: 'loaded', name: 'Verse', color: '#4db5ff' }] },
  },
  'pad, empty': {
    widget: 'pads', control: { kind: 'trigger', label: '3', widget: 'pads' }, value: undefined, status: { pads: [{ state: 'empty', name: '' }] },
  },
  meter: { widget: 'meter', control: { kind: 'meter', range: [-60, 0], unit: 'dB', label: 'Level' }, value: -14 },
  label: { widget: 'label', control: { kind: 'string', label: 'Now playing', widget: 'label' }, value: 'Blue Hour' },
};

/** An element of a sample in a state, as the binder would leave it. */
export function specimen(name, state, path = `/${name.replace(/\W+/g, '-')}/${state}`) {
  const sample = SAMPLES[name];
  const element = document.createElement(`sb-${sample.widget}`);
  element.setAttribute('path', path);
  if (sample.across) element.setAttribute('orientation', 'horizontal');
  const status = { ...STATES[state], ...sample.status };
  if (status.hardware) status.hardware = sample.hardware ?? null;
  element.control = { id: path, path, ...sample.control };
  element.value = status.waiting ? undefined : sample.value;
  element.status = status;
  return element;
}

function figure(name, state) {
  const box = document.createElement('figure');
  const caption = document.createElement('figcaption');
  caption.textContent = state;
  box.append(caption, specimen(name, state));
  return box;
}

function build(root) {
  for (const name of Object.keys(SAMPLES)) {
    const section = document.createElement('section');
    const title = document.createElement('h2');
    title.textContent = name;
    const row = document.createElement('div');
    row.className = 'row';
    const { widget } = SAMPLES[name];
    const states = Object.keys(STATES).filter((state) => state !== 'pickup' || widget === 'fader' || widget === 'knob');
    row.append(...states.map((state) => figure(name, state)));
    section.append(title, row);
    root.append(section);
  }
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  for (const button of document.querySelectorAll('#themes button')) button.setAttribute('aria-pressed', String(button.textContent === theme));
  redrawAll();
}

/** Values that run through all they can be: nothing may move but what shows them. */
function run() {
  const started = performance.now();
  setInterval(() => {
    const phase = (performance.now() - started) / 2000;
    for (const element of document.querySelectorAll('main [path]')) {
      const { control } = element;
      const at = (1 + Math.sin(phase * 2)) / 2;
      if (element.status.waiting || typeof element.value !== 'number') continue;
      element.value = law.clamp(control, law.valueAt(control, at));
    }
  }, 33);
}

const query = new URLSearchParams(window.location.search);
const themes = document.getElementById('themes');
for (const theme of ['dark', 'dim', 'sun']) {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = theme;
  button.addEventListener('click', () => setTheme(theme));
  themes.append(button);
}
const gallery = document.getElementById('gallery');
// A loop in place of a server: what a hand does is shown at once.
gallery.addEventListener('control-input', ({ target, detail }) => {
  target.value = detail.value;
});
build(gallery);
setTheme(query.get('theme') ?? 'dark');
if (query.has('run')) run();
// A meter that hears nothing for a second says so; here somebody has to speak.
setInterval(() => {
  for (const meter of gallery.querySelectorAll('sb-meter')) if (!meter.status.waiting && !meter.status.silent) meter.value = meter.value;
}, 500);
