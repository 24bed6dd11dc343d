// Colours as numbers: hex ↔ rgb ↔ hsv, contrast, and a control's own colour made legible on each theme.
//
// Pure. Channels are 0..1; colours on the wire are "#rrggbb" or "#rrggbbaa", lower case.

/** Panel behind a control, per theme (tokens.css), and the least contrast that a drawn shape needs on it. */
const PANELS = { dark: '#161a20', dim: '#0b0d11', sun: '#f1f3f5' };
const SHAPE_CONTRAST = 3;
const DIM_LUMINANCE = 0.4;

/** [r, g, b, a] of "#rgb", "#rrggbb" or "#rrggbbaa"; black for anything else. */
export function toRgb(hex) {
  let digits = /^#([0-9a-f]{3}|[0-9a-f]{6}|[0-9a-f]{8})$/i.exec(hex ?? '')?.[1] ?? '000000';
  if (digits.length === 3) digits = [...digits].map((digit) => digit + digit).join('');
  const byte = (at) => parseInt(digits.slice(at, at + 2), 16) / 255;
  return [byte(0), byte(2), byte(4), digits.length === 8 ? byte(6) : 1];
}

export function toHex([r, g, b, a = 1]) {
  const byte = (part) => Math.round(Math.min(1, Math.max(0, part)) * 255).toString(16).padStart(2, '0');
  return `#${byte(r)}${byte(g)}${byte(b)}${byte(a) === 'ff' ? '' : byte(a)}`;
}

/** [hue, saturation, value], each 0..1. Grey has hue 0, black saturation 0: a picker must remember them itself. */
export function toHsv([r, g, b]) {
  const top = Math.max(r, g, b);
  const span = top - Math.min(r, g, b);
  if (span === 0) return [0, 0, top];
  const sixth = top === r ? ((g - b) / span + 6) % 6 : top === g ? (b - r) / span + 2 : (r - g) / span + 4;
  return [sixth / 6, span / top, top];
}

export function fromHsv([h, s, v]) {
  const part = (n) => {
    const k = (n + h * 6) % 6;
    return v - v * s * Math.max(0, Math.min(k, 4 - k, 1));
  };
  return [part(5), part(3), part(1)];
}

/** Relative luminance, WCAG 2. */
export function luminance([r, g, b]) {
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
}

/** WCAG contrast of two colours, 1..21. */
export function contrast(a, b) {
  const [low, high] = [luminance(toRgb(a)), luminance(toRgb(b))].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

/** A control's own colour as a shape on a theme's panel: dimmed in "dim", and moved to contrast 3 where it has less. */
export function themed(hex, theme) {
  const panel = PANELS[theme] ?? PANELS.dark;
  let rgb = toRgb(hex).slice(0, 3);
  if (theme === 'dim') rgb = rgb.map((part) => encoded(linear(part) * DIM_LUMINANCE));
  const towards = theme === 'sun' ? 0 : 1;
  for (let i = 0; i < 20 && contrast(toHex(rgb), panel) < SHAPE_CONTRAST; i += 1) {
    rgb = rgb.map((part) => part + (towards - part) * 0.1);
  }
  return toHex(rgb);
}

/** The darker or the lighter ink, whichever reads better on a colour. */
export function inkOn(hex, dark = '#0b0d10', light = '#ffffff') {
  return contrast(hex, dark) >= contrast(hex, light) ? dark : light;
}

function linear(part) {
  return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
}

function encoded(part) {
  return part <= 0.0031308 ? part * 12.92 : 1.055 * part ** (1 / 2.4) - 0.055;
}
