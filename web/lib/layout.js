// Where things go on a page without scrolling: strips, rows and grids, cut into banks.
//
// Pure geometry in CSS pixels (reference: sizes of docs/tablets.md). `surface/` turns it into elements.

export const GAP = 8;
export const BAR = 52;
export const BOTTOM = 12; // free for the system's home bar, with the safe area below it
export const CAP = 36;
export const MIN_TRAVEL = 240;
const LEAST_TRAVEL = 200; // where hardware holds some of the strips, and its bracket stands above them
export const BRACKET = 44; // height of a row that says what hardware holds
export const STRIP_MIN = 72;
export const STRIP_MAX = 136;
export const ROW = 64;
export const PAD = { width: 88, height: 64, head: 28 }; // the least of a pad, and the name of its column
const PAD_MOST = { width: 168, height: 128 };
const PINNED_FROM = 5; // columns on a screen
const SHORT = 480; // screens lower than this get one line of name
const LOW = 360; // and lower than this no headings: an xy would be under 240 high
const WIDE_SCREEN = 744;
const VERY_WIDE = 16 * (88 + GAP) + 2 * BOTTOM;
const GRID_UNIT_MIN = 28; // half a cell: a cell is two of them and the gap between, 64
const GRID_COLUMN_MIN = 88;

/** Height of a widget at the foot of a strip, px. */
export function footHeight(widget, isPhone) {
  return { knob: 72, xy: 72, color: 56, label: 36, number: isPhone ? 48 : 56 }[widget] ?? (isPhone ? 48 : 56);
}

/**
 * The strips of a page. `strips` is a list of lists of widget names; `width` and `height` are the screen's, without the
 * safe areas; `above` px of that are taken by brackets; `isOneLine(stripWidth)` says that every name fits one line of such a strip. Returns {mode: "strips" | "rows", banks: [{from, to, layer}], columns, stripWidth, travel, foot,
 * nameLines, layers}: `layers` lists which items (by index in their strip) each bank's layer shows.
 */
export function stripLayout({ strips, width, height, above = 0, isOneLine = () => false }) {
  const isPhone = height < SHORT || width < 600;
  const columns = width >= VERY_WIDE && strips.length > 8 ? 16 : width >= WIDE_SCREEN ? 8 : 4;
  const free = width - 2 * edge(width) - (columns - 1) * GAP;
  const stripWidth = Math.max(STRIP_MIN, Math.min(STRIP_MAX, Math.floor(free / columns)));
  const isShort = height < SHORT;
  const nameLines = isShort || isOneLine(stripWidth) ? 1 : 2;
  const head = stripHead(stripWidth, nameLines, isShort);
  const base = { columns, stripWidth, nameLines, head, isPhone, isShort };
  const fit = (layers) => {
    const feet = layers.map((shown, layer) => footOf(strips, layer, layers, isPhone));
    const travels = feet.map((foot, layer) => (hasFader(strips, layers, layer)
      ? height - above - BAR - head.top - head.name - head.value - foot - BOTTOM - CAP - head.gaps
      : Infinity));
    return { feet, travel: Math.min(...travels) };
  };
  const whole = [strips.map((items) => items.map((_, i) => i))];
  const split = splitLayers(strips);
  for (const layers of split ? [whole, split] : [whole]) {
    const { feet, travel } = fit(layers);
    if (travel >= (above ? LEAST_TRAVEL : MIN_TRAVEL)) {
      return { mode: 'strips', ...base, layers, feet, travel, banks: bankRanges(strips.length, columns, layers.length) };
    }
  }
  return { mode: 'rows', ...base, ...rowLayout({ count: strips.length, height: height - above }), layers: whole };
}

/** Rows: {perBank, rowHeight, banks}. */
export function rowLayout({ count, height }) {
  const perBank = Math.max(1, Math.floor((height - BAR - BOTTOM + GAP) / (ROW + GAP)));
  return { perBank, banks: bankRanges(count, perBank, 1) };
}

/**
 * Columns of pads. `columns` is [{count, isPinned}]: how many pads, and whether it is seen in every bank where there is
 * room for that. Returns {width, height, banks: [{from, to, layer, columns: [index, …], top, bottom}]}: which columns,
 * and which of their pads.
 */
export function padLayout({ columns, width, height }) {
  const area = { width: width - 2 * edge(width), height: height - BAR - BOTTOM - PAD.head };
  const fit = Math.max(1, Math.floor((area.width + GAP) / (PAD.width + GAP)));
  const rowsFit = Math.max(1, Math.floor((area.height + GAP) / (PAD.height + GAP)));
  const all = columns.map((_, i) => i);
  const isWhole = fit >= columns.length;
  const pinned = isWhole || fit < PINNED_FROM ? [] : all.filter((i) => columns[i].isPinned).slice(0, fit - 2);
  const moving = all.filter((i) => !pinned.includes(i));
  const across = parts(moving.length, fit - pinned.length);
  const rows = Math.max(1, ...columns.map(({ count }) => count));
  const down = parts(rows, rowsFit);
  const banks = down.flatMap(([top, bottom], layer) => across.map(([from, to]) => ({
    from, to, layer, top, bottom, columns: [...moving.slice(from, to), ...pinned],
  })));
  const most = (all, gap, count, limit) => Math.min(limit, Math.floor((all - (count - 1) * gap) / count));
  return {
    banks,
    width: most(area.width, GAP, Math.max(...banks.map((bank) => bank.columns.length)), PAD_MOST.width),
    height: most(area.height, GAP, Math.max(...down.map(([top, bottom]) => bottom - top)), PAD_MOST.height),
  };
}

/** [[from, to], …]: as few parts of at most so many as there can be, of nearly one size. */
function parts(count, most) {
  const number = Math.max(1, Math.ceil(count / most));
  const size = Math.max(1, Math.ceil(count / number));
  return Array.from({ length: number }, (_, i) => [i * size, Math.min(count, (i + 1) * size)]);
}

/** Free px at each side of the screen. */
export function edge(width) {
  return width < 400 ? 4 : BOTTOM;
}

/** Cells [columns, rows] that a widget takes in a grid when nobody said. */
export function gridSpan(widget, size = 'm') {
  const [w, h] = {
    fader: [1, 6], meter: [1, 4], knob: [1, 2], xy: [3, 4.5], color: [3, 3], pads: [3, 3], select: [2, 1.5], text: [2, 1.5],
    number: [2, 1.5],
  }[widget] ?? [1, 1];
  if (size === 's') return [Math.max(1, w - 1), h > 2 ? h - 1 : h];
  return size === 'l' ? [w + 1, h + 1] : [w, h];
}

/** Where a widget may grow when its neighbours leave room: "both", "tall", "wide" or "". */
export function gridGrowth(widget) {
  return {
    xy: 'both', color: 'both', pads: 'both', button: 'both', toggle: 'both', fader: 'tall', meter: 'tall', text: 'wide',
    select: 'wide', number: 'wide', label: 'wide',
  }[widget] ?? '';
}

/**
 * A grid of groups. `groups` is [{heading: bool, spans: [[w, h], …], growth: ["both", …]}] in cells; `columns` where the config says how
 * many. Returns {columns, banks: [{rows, columnWidth,
 * unit, places: [{group, heading: place | null, box: place, items: [place, …]}]}]}, place = {column, row, width,
 * height} from 0, rows in half cells of `unit` px. Whole groups go to the next bank when they do not fit.
 */
export function gridLayout({ groups: all, width, height, columns: wanted = null }) {
  const groups = height < LOW ? all.map((group) => ({ ...group, heading: false })) : all;
  const area = { width: width - 2 * edge(width), height: height - BAR - BOTTOM };
  const rowsMax = Math.max(2, Math.floor((area.height + GAP) / (GRID_UNIT_MIN + GAP)));
  const columnsMax = Math.max(1, Math.floor((area.width + GAP) / (GRID_COLUMN_MIN + GAP)));
  const widest = Math.min(columnsMax, Math.max(1, ...groups.flatMap((group) => group.spans.map((span) => span[0]))));
  let best = null;
  const most = wanted ? Math.max(widest, Math.min(columnsMax, wanted)) : columnsMax;
  for (let columns = most; columns >= (wanted ? most : widest); columns -= 1) {
    for (const shape of [0.6, 1, 1.6, 2.4, 4, 99]) {
      const banks = packBanks(groups, columns, rowsMax, shape, area);
      const score = scoreOf(banks, columns, area);
      if (best === null || score > best.score) best = { score, columns, banks };
    }
  }
  return { columns: best.columns, banks: best.banks };
}

function packBanks(groups, columns, rowsMax, shape, area) {
  const banks = [];
  let bank = null;
  groups.forEach((group, index) => {
    for (const part of splitGroup(group, columns, rowsMax, shape)) {
      let at = bank && place(bank.taken, part, columns, rowsMax);
      if (!at) {
        bank = { taken: [], parts: [] };
        banks.push(bank);
        at = place(bank.taken, part, columns, rowsMax);
      }
      occupy(bank.taken, at, part);
      bank.parts.push({ part, at, index });
    }
  });
  return banks.map(({ taken, parts }) => {
    const rows = taken.length;
    const places = parts.map(({ part, at, index }) => {
      growBlock(part, at, taken, columns, rows);
      const move = ({ column, row, width, height }) => ({ column: column + at.column, row: row + at.row, width, height });
      return {
        group: index,
        first: part.first,
        heading: part.heading ? { ...at, width: part.width, height: 1 } : null,
        box: { ...at, width: part.width, height: part.height },
        items: part.items.map(move),
      };
    });
    const unit = Math.min(56, Math.floor((area.height - (rows - 1) * GAP) / rows));
    return { rows, unit, columnWidth: Math.floor((area.width - (columns - 1) * GAP) / columns), places };
  });
}

/** A group as blocks {width, height, heading, items} (heights in half cells), more than one where it is too high. */
function splitGroup(group, columns, rowsMax, shape) {
  const spans = group.spans.map(([w, h]) => [Math.min(w, columns), Math.min(Math.round(2 * h), rowsMax - (group.heading ? 1 : 0))]);
  const cells = spans.reduce((sum, [w, h]) => sum + w * h / 2, 0);
  const width = Math.min(columns, Math.max(...spans.map((span) => span[0]), Math.ceil(Math.sqrt(cells * shape))));
  const blocks = [];
  let block = null;
  const open = (first) => {
    block = { width, taken: [], items: [], heading: group.heading, first };
    blocks.push(block);
  };
  spans.forEach(([w, h], index) => {
    if (!block) open(index);
    const size = { width: w, height: h };
    const top = group.heading ? 1 : 0;
    let at = place(block.taken, size, width, rowsMax - top);
    if (!at) {
      open(index);
      at = place(block.taken, size, width, rowsMax - top);
    }
    occupy(block.taken, at, size);
    block.items.push({ ...at, row: at.row + top, ...size, growth: group.growth?.[index] ?? '' });
  });
  return blocks.map((one) => ({
    ...one,
    width: Math.max(...one.items.map((item) => item.column + item.width)),
    height: one.taken.length + (one.heading ? 1 : 0),
  }));
}

/** Let a block take the free cells below it and to its right, and its items what the block then has left. */
function growBlock(block, at, taken, columns, rows) {
  const isFree = (row, column) => !taken[row]?.[column];
  const across = (row) => Array.from({ length: block.width }, (_, i) => isFree(row, at.column + i)).every(Boolean);
  let down = 0;
  while (at.row + block.height + down < rows && across(at.row + block.height + down)) down += 1;
  push(block, 'row', 'height', down, ['both', 'tall']);
  occupy(taken, { column: at.column, row: at.row }, block);
  const along = (column) => Array.from({ length: block.height }, (_, i) => isFree(at.row + i, column)).every(Boolean);
  let right = 0;
  while (at.column + block.width + right < columns && along(at.column + block.width + right)) right += 1;
  push(block, 'column', 'width', right, ['both', 'wide']);
  occupy(taken, { column: at.column, row: at.row }, block);
  const cells = [];
  for (const item of block.items) occupy(cells, item, item);
  for (const item of block.items) {
    const clear = (row, column) => row < block.height && column < block.width && !cells[row]?.[column];
    const grow = (isWide) => {
      const size = isWide ? 'height' : 'width';
      const line = Array.from({ length: item[size] }, (_, i) => (isWide
        ? clear(item.row + i, item.column + item.width) : clear(item.row + item.height, item.column + i)));
      if (!line.every(Boolean)) return false;
      item[isWide ? 'width' : 'height'] += 1;
      occupy(cells, item, item);
      return true;
    };
    while (['both', 'wide'].includes(item.growth) && grow(true));
    while (['both', 'tall'].includes(item.growth) && grow(false));
  }
}

/** Give `extra` rows or columns to the largest item that may grow that way; what stands beyond it moves along. */
function push(block, start, size, extra, growths) {
  const able = block.items.filter((item) => growths.includes(item.growth));
  if (!extra || !able.length) return;
  const pivot = able.reduce((best, item) => (item[size] > best[size] ? item : best));
  const end = pivot[start] + pivot[size];
  for (const item of block.items) {
    if (item[start] >= end) item[start] += extra;
    else if (item !== pivot && item[start] + item[size] >= end && growths.includes(item.growth)) item[size] += extra;
  }
  pivot[size] += extra;
  block[size] += extra;
}

/** First free place for a block, row by row; null when the bank is full. */
function place(taken, { width, height }, columns, rowsMax) {
  for (let row = 0; row + height <= rowsMax; row += 1) {
    for (let column = 0; column + width <= columns; column += 1) {
      let isFree = true;
      for (let r = row; r < row + height && isFree; r += 1) {
        for (let c = column; c < column + width && isFree; c += 1) isFree = !taken[r]?.[c];
      }
      if (isFree) return { column, row };
    }
  }
  return null;
}

function occupy(taken, { column, row }, { width, height }) {
  for (let r = row; r < row + height; r += 1) {
    while (taken.length <= r) taken.push([]);
    for (let c = column; c < column + width; c += 1) taken[r][c] = true;
  }
}

/** Fewer banks first, then little waste, then cells that are neither towers nor tapes. */
function scoreOf(banks, columns, area) {
  let used = 0;
  let all = 0;
  let shape = 0;
  for (const bank of banks) {
    for (const { items, heading } of bank.places) {
      used += items.reduce((sum, { width, height }) => sum + width * height, 0) + (heading ? heading.width : 0);
    }
    all += columns * Math.floor((area.height + GAP) / (bank.unit + GAP));
    shape += Math.abs(Math.log(bank.columnWidth / (2 * bank.unit + GAP) / 1.35));
  }
  return -10 * banks.length + 2 * used / all - 0.5 * shape / banks.length;
}

function bankRanges(count, perBank, layers) {
  const banks = [];
  for (let layer = 0; layer < layers; layer += 1) {
    for (let from = 0; from < count; from += perBank) banks.push({ from, to: Math.min(count, from + perBank), layer });
  }
  return banks.length ? banks : [{ from: 0, to: 0, layer: 0 }];
}

/** What stands above the fader: free px, the name, the value box, and the gaps after the name and after the value. */
function stripHead(stripWidth, nameLines, isShort) {
  const isNarrow = stripWidth < 100;
  if (isShort) return { top: 2, name: 18, nameGap: 0, value: 26, valueGap: 0, gaps: GAP };
  const line = isNarrow ? 18 : 20;
  if (nameLines === 1) return { top: 4, name: line, nameGap: 0, value: 28, valueGap: 4, gaps: 4 + GAP };
  return { top: GAP, name: 2 * line, nameGap: 4, value: isNarrow ? 28 : 32, valueGap: 4, gaps: 4 + 4 + GAP };
}

/** Faders and what must be at hand stay; knobs and the like get a layer of their own. Null where there is nothing to part. */
function splitLayers(strips) {
  const isPrime = (widget) => ['fader', 'meter', 'button', 'toggle'].includes(widget);
  const pick = (test) => strips.map((items) => items.flatMap((widget, i) => (test(widget) ? [i] : [])));
  const [prime, other] = [pick(isPrime), pick((widget) => !isPrime(widget))];
  return other.some((items) => items.length) && prime.some((items) => items.length) ? [prime, other] : null;
}

function hasFader(strips, layers, layer) {
  return layers[layer].some((shown, i) => shown.some((item) => strips[i][item] === 'fader'));
}

/** The highest foot of a layer, so that all its faders have one travel. */
function footOf(strips, layer, layers, isPhone) {
  const heights = layers[layer].map((shown, i) => {
    const feet = shown.map((item) => strips[i][item]).filter((widget) => widget !== 'fader' && widget !== 'meter');
    return feet.reduce((sum, widget) => sum + footHeight(widget, isPhone), 0) + Math.max(0, feet.length - 1) * GAP;
  });
  return Math.max(0, ...heights);
}
