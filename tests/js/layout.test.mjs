// Geometry, names and colours: what web/lib/{layout,names,color}.js promise to the eye.

import test from 'node:test';
import assert from 'node:assert/strict';
import { contrast, fromHsv, themed, toHex, toHsv, toRgb } from '../../web/lib/color.js';
import { GAP, gridGrowth, gridLayout, gridSpan, padLayout, rowLayout, stripLayout } from '../../web/lib/layout.js';
import { fitName, fitNotice, fits } from '../../web/lib/names.js';

const SCREENS = [[1180, 718], [1024, 670], [744, 1030], [390, 664], [320, 454], [664, 390], [568, 320], [1920, 1080]];
const plain = Array(8).fill(['fader', 'toggle', 'meter']);
const full = Array(8).fill(['fader', 'knob', 'toggle', 'meter']);

test('strips of fader and mute reach the travels of the reference', () => {
  const isOneLine = () => true;
  for (const [width, height, strip, travel] of [[1180, 718, 136, 418], [1024, 670, 118, 370], [744, 1030, 83, 730]]) {
    const layout = stripLayout({ strips: full, width, height, isOneLine });
    assert.ok(layout.travel >= travel, `with knobs, ${width}×${height}: ${layout.travel}`);
  }
  for (const [width, height, strip, travel] of [[1180, 718, 136, 418], [1024, 670, 118, 370], [744, 1030, 83, 730], [320, 454, 72, 252]]) {
    const layout = stripLayout({ strips: plain, width, height });
    assert.equal(layout.mode, 'strips');
    assert.equal(layout.stripWidth, strip);
    assert.ok(layout.travel >= travel, `${width}×${height}: ${layout.travel}`);
    assert.equal(layout.columns, width >= 744 ? 8 : 4);
  }
});

test('no fader has less than 240 px: knobs move to a layer, or strips lie down', () => {
  for (const [width, height] of SCREENS) {
    const layout = stripLayout({ strips: full, width, height });
    if (layout.mode === 'strips') assert.ok(layout.travel >= 240, `${width}×${height}`);
    else assert.ok(height < 450);
  }
  const small = stripLayout({ strips: full, width: 320, height: 454 });
  assert.deepEqual(small.layers.map((layer) => layer[0]), [[0, 2, 3], [1]]);
  assert.deepEqual(small.banks.map(({ from, to, layer }) => [from, to, layer]), [[0, 4, 0], [4, 8, 0], [0, 4, 1], [4, 8, 1]]);
});

test('strips never need more width than there is', () => {
  for (const [width, height] of SCREENS) {
    const { columns, stripWidth, mode } = stripLayout({ strips: full, width, height });
    if (mode === 'strips') assert.ok(columns * stripWidth + (columns - 1) * GAP <= width, `${width}×${height}`);
  }
});

test('rows are 64 high and fill banks', () => {
  assert.equal(rowLayout({ count: 12, height: 390 }).perBank, 4);
  assert.deepEqual(rowLayout({ count: 5, height: 390 }).banks.map(({ from, to }) => [from, to]), [[0, 4], [4, 5]]);
});

test('a grid shows every widget once, overlaps none and stays on its screen', () => {
  const widgets = [['xy', 'fader', 'select'], ['color', 'text', 'button', 'number'], ['knob', 'knob', 'toggle', 'toggle', 'pads', 'label', 'meter']];
  const groups = widgets.map((group) => ({ heading: true, spans: group.map((widget) => gridSpan(widget)), growth: group.map(gridGrowth) }));
  for (const [width, height] of SCREENS) {
    const { columns, banks } = gridLayout({ groups, width, height });
    const seen = [];
    for (const { rows, unit, columnWidth, places } of banks) {
      assert.ok(rows * unit + (rows - 1) * GAP <= height - 64, `${width}×${height}: rows`);
      assert.ok(columns * columnWidth + (columns - 1) * GAP <= width, `${width}×${height}: columns`);
      assert.ok(unit >= 28, 'cells of 64 px');
      const taken = new Set();
      for (const { group, first, heading, items } of places) {
        items.forEach((_, i) => seen.push(`${group}.${first + i}`));
        assert.equal(heading !== null, height >= 360);
        for (const place of heading ? [heading, ...items] : items) {
          assert.ok(place.column + place.width <= columns && place.row + place.height <= rows, 'inside');
          for (let r = place.row; r < place.row + place.height; r += 1) {
            for (let c = place.column; c < place.column + place.width; c += 1) {
              assert.ok(!taken.has(`${r} ${c}`), `${width}×${height}: ${r} ${c} twice`);
              taken.add(`${r} ${c}`);
            }
          }
        }
      }
    }
    assert.deepEqual(seen.sort(), widgets.flatMap((group, g) => group.map((_, i) => `${g}.${i}`)).sort(), `${width}×${height}`);
  }
});

test('the columns that a page asks for are used where they fit', () => {
  const groups = [{ heading: false, spans: Array(12).fill([1, 1]), growth: [] }];
  assert.equal(gridLayout({ groups, width: 1180, height: 718, columns: 4 }).columns, 4);
  assert.ok(gridLayout({ groups, width: 320, height: 454, columns: 12 }).columns <= 3);
});

const ten = (text) => [...text].length * 10; // every letter is 10 px wide

test('a name that fits is whole; a long one loses its middle, because beginnings are alike', () => {
  assert.equal(fitName('Kick', 100, 1, ten), 'Kick');
  assert.equal(fitName('Lead Vocal', 60, 2, ten), 'Lead Vocal');
  assert.equal(fitName('Keyboards Left', 90, 1, ten), 'Keyb…Left');
  assert.equal(fitName('Keyboards Right', 90, 1, ten), 'Keyb…ight');
  assert.ok(fits(fitName('Überlangername­ohneLeerzeichen', 70, 2, ten), 70, 2, ten));
  assert.equal(fitName('abc', 0, 1, ten), 'abc');
  assert.equal(fitNotice('Live offline', 120, ten), 'Live offline');
  assert.equal(fitNotice('Live offline', 80, ten), '\u2715 Live');
  assert.equal(fitNotice('Anna, FOH iPad', 60, ten), 'Ann…ad');
});

test('colours survive hex, rgb and hsv', () => {
  for (const hex of ['#000000', '#ffffff', '#ff8800', '#4db5ff', '#123456', '#e0457b']) assert.equal(toHex(fromHsv(toHsv(toRgb(hex)))), hex);
  assert.deepEqual(toRgb('#f80').slice(0, 3), [1, 0x88 / 255, 0]);
  assert.equal(toHex(toRgb('#11223380')), '#11223380');
  assert.deepEqual(toRgb('nonsense').slice(0, 3), [0, 0, 0]);
});

test('any colour of a control can be seen on any theme', () => {
  const panels = { dark: '#161a20', dim: '#0b0d11', sun: '#f1f3f5' };
  for (const [theme, panel] of Object.entries(panels)) {
    for (const hex of ['#000000', '#ffffff', '#101020', '#ffff00', '#ff0000', '#0000ff', '#777777']) {
      assert.ok(contrast(themed(hex, theme), panel) >= 3, `${hex} on ${theme}: ${themed(hex, theme)}`);
    }
  }
});

test('columns of pads: none is smaller than a finger needs, each is in one bank, and what is no pad in all of them', () => {
  const columns = [...Array(8).fill({ count: 8, isPinned: false }), { count: 8, isPinned: true }, { count: 4, isPinned: true }];
  for (const [width, height] of SCREENS) {
    const layout = padLayout({ columns, width, height });
    assert.ok(layout.width >= 88 && layout.height >= 64, `${width}×${height}: ${layout.width}×${layout.height}`);
    const seen = new Map();
    for (const bank of layout.banks) {
      assert.ok(bank.columns.length * (layout.width + GAP) - GAP <= width - 8, `${width}×${height}: columns`);
      assert.ok((bank.bottom - bank.top) * (layout.height + GAP) - GAP <= height - 52 - 12 - 28, `${width}×${height}: rows`);
      for (const column of bank.columns) {
        for (let row = bank.top; row < bank.bottom; row += 1) seen.set(`${column}.${row}`, (seen.get(`${column}.${row}`) ?? 0) + 1);
      }
      if (width >= 744) assert.deepEqual(bank.columns.slice(-2), [8, 9]);
    }
    for (let column = 0; column < 8; column += 1) {
      for (let row = 0; row < 8; row += 1) assert.equal(seen.get(`${column}.${row}`), 1, `${width}×${height}: ${column} ${row}`);
    }
    for (let row = 0; row < 8; row += 1) assert.ok(seen.get(`8.${row}`) >= 1);
  }
  assert.equal(padLayout({ columns, width: 1180, height: 718 }).banks.length, 1);
  assert.deepEqual(padLayout({ columns: [], width: 1180, height: 718 }).banks.map(({ columns: all }) => all), [[]]);
});
