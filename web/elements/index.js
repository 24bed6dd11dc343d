// Defines all elements. A page that loads this (or /stagebridge.js) can use them.

import { Button } from './button.js';
import { ColorPicker } from './color.js';
import { Fader } from './fader.js';
import { Knob } from './knob.js';
import { Label } from './label.js';
import { Meter } from './meter.js';
import { NumberBox } from './number.js';
import { Pads } from './pads.js';
import { Select } from './select.js';
import { Text } from './text.js';
import { Toggle } from './toggle.js';
import { XY } from './xy.js';

export const elements = {
  fader: Fader,
  knob: Knob,
  button: Button,
  toggle: Toggle,
  xy: XY,
  color: ColorPicker,
  select: Select,
  text: Text,
  number: NumberBox,
  pads: Pads,
  meter: Meter,
  label: Label,
};

for (const [widget, element] of Object.entries(elements)) {
  if (!customElements.get(`sb-${widget}`)) customElements.define(`sb-${widget}`, element);
}
