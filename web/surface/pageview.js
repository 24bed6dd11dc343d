// One page of the surface as elements: strips, rows or a grid, one bank of it at a time.
//
// Only what is seen is in the document: the binder binds what is connected, and meters out of view cost nothing.
// Nodes that stay are never moved, so that a finger keeps its control when the tablet is turned.

import { RING_PX, themeOf, writeName } from '../elements/base.js';
import { arrange, h, ruler, setText } from '../elements/dom.js';
import { themed } from '../lib/color.js';
import { isHeld, windowOf } from '../lib/banks.js';
import { GAP, PAD, edge, gridGrowth, gridLayout, gridSpan, padLayout, rowLayout, stripLayout } from '../lib/layout.js';
import { fitName } from '../lib/names.js';
import { Brackets } from './brackets.js';

const KIND_WIDGETS = {
  float: 'fader', int: 'number', bool: 'toggle', choice: 'select', string: 'text', color: 'color', vector: 'xy',
  trigger: 'button', meter: 'meter',
};

const FADER_MIN = 60; // px of a fader's column that a finger may touch
const CAP_WIDE = 64;
const CAP_SMALL = 54;
const CAP_AND_METER = CAP_WIDE + 14;

export class PageView {
  #nodes = new Map(); // key → node, kept while the page is as it is
  #isOther = false; // it has been changed, and not drawn since
  #drawn = new Map(); // name → how many nodes of it this drawing has
  #strips = new Set(); // of this drawing
  #groups = [];
  #headers = new WeakMap(); // strip → how its name row is drawn
  #bank = 0;
  #twin = -1; // the bank that shows the other layer of the same strips
  #inView = { groups: [], left: 0, step: 0 }; // where strips stand, for what is drawn above them
  #first = 0; // index of the first group in view: kept when the tablet is turned

  /** `controlOf(path)` → descriptor or undefined; `calls`: see Brackets. */
  constructor(page, controlOf, calls) {
    this.controlOf = controlOf;
    this.brackets = new Brackets({ ...calls, look: (path) => this.#lookAt(path, calls) });
    this.element = h('main', { class: 'page' });
    this.element.addEventListener('control-status', (event) => this.#onStatus(event));
    this.update(page);
  }

  update(page) {
    this.page = page;
    this.#isOther = true;
    this.#groups = (page.groups ?? []).map((group) => ({
      ...group,
      items: group.items.map((item) => {
        const control = this.controlOf(item.path);
        return { ...item, control, widget: item.widget ?? control?.widget ?? KIND_WIDGETS[control?.kind] ?? 'label' };
      }),
    }));
    this.brackets.update(this.#groups);
  }

  /** Bring the elements up to a screen of this size. Returns {text, index, count} of the bank. */
  render(width, height) {
    this.width = width;
    this.height = height;
    this.element.style.setProperty('--edge-x', `${edge(width)}px`);
    this.element.style.setProperty('--above', `${this.brackets.height}px`);
    const bank = this.#draw();
    if (this.#isOther) this.#forget();
    this.drawBrackets();
    return bank;
  }

  /** What is not seen now may be of controls that are gone. */
  #forget() {
    this.#isOther = false;
    for (const [key, node] of this.#nodes) if (!this.element.contains(node)) this.#nodes.delete(key);
  }

  #draw() {
    this.#drawn.clear();
    this.#strips.clear();
    const { layout } = this.page;
    if (layout === 'strips') return this.#renderStrips();
    if (layout === 'pads') return this.#renderPads();
    return layout === 'rows' ? this.#renderRows() : this.#renderGrid();
  }

  /** Hardware holds something else now, or is gone. */
  drawBrackets() {
    this.brackets.draw({ ...this.#inView, width: this.width });
    const { windows } = this.brackets;
    for (const node of this.element.querySelectorAll('.row, .cell, .strip')) {
      const items = [...node.querySelectorAll('[path]')].map((item) => ({ path: item.getAttribute('path') }));
      node.classList.toggle('by-hardware', windows.some((window) => isHeld({ items }, window)));
    }
  }

  /** Turn the page, not the hardware, to what the hardware holds. */
  #lookAt(path, { banks, value, redraw }) {
    const window = windowOf(banks().find((bank) => bank.path === path), value(path));
    const groups = this.page.layout === 'grid' ? this.#groups.filter((group) => group.items.length) : this.#groups;
    const units = this.page.layout === 'rows' ? groups.flatMap(({ items }) => items.map((item) => ({ items: [item] }))) : groups;
    const found = units.findIndex((group) => isHeld(group, window));
    if (found < 0) return;
    this.#first = found;
    redraw();
  }

  turnBank(by) {
    this.#bank += by;
    this.#first = null;
    return this.render(this.width, this.height);
  }

  /** The same strips, and what of them is not in view now. */
  turnLayer() {
    if (this.#twin >= 0) this.#bank = this.#twin;
    this.#first = null;
    return this.render(this.width, this.height);
  }

  // Strips.

  #renderStrips() {
    const strips = this.#groups.map((group) => group.items.map((item) => item.widget));
    const above = this.brackets.height;
    const layout = stripLayout({ strips, width: this.width, height: this.height, above, isOneLine: (width) => this.#isOneLine(width) });
    const { banks, layers } = layout;
    this.#pickBank(banks);
    const { from, to, layer } = banks[this.#bank];
    const isRows = layout.mode === 'rows';
    const { style } = this.element;
    this.element.className = `page ${isRows ? 'strip-rows' : 'strips'}${layout.isPhone ? ' phone' : ''}${layout.isShort ? ' short' : ''}${layout.nameLines === 1 ? ' one-line' : ''}${layer > 0 ? ' second' : ''}${layout.stripWidth < 100 ? ' tight' : ''}`;
    style.setProperty('--strip', `${layout.stripWidth}px`);
    style.setProperty('--columns', layout.columns);
    style.setProperty('--rows', layout.perBank ?? 1);
    style.setProperty('--foot', `${layout.feet?.[layer] ?? 0}px`);
    style.setProperty('--name-h', `${layout.head.name}px`);
    style.setProperty('--value-h', `${layout.head.value}px`);
    style.setProperty('--sb-value-h', `${layout.head.value}px`);
    style.setProperty('--sb-value-gap', `${layout.head.valueGap}px`);
    style.setProperty('--name-gap', `${layout.head.nameGap}px`);
    style.setProperty('--head-top', `${layout.head.top}px`);
    // Where the cap would cover the meter, the fader makes room for it; where that is too little, the cap is smaller.
    style.setProperty('--sb-meter-room', `${layout.stripWidth < 100 && !isRows ? Math.min(14, layout.stripWidth - FADER_MIN) : 0}px`);
    style.setProperty('--sb-cap', `${layout.stripWidth < CAP_AND_METER && !isRows ? CAP_SMALL : CAP_WIDE}px`);
    const width = isRows ? 88 : layout.stripWidth - 4;
    const nodes = [];
    for (let i = from; i < to; i += 1) nodes.push(this.#strip(i, new Set(layers[layer][i]), isRows, width, layout));
    const step = isRows ? 0 : layout.stripWidth + GAP;
    const [before, after] = [this.#groups[from - 1], this.#groups[to]];
    this.#inView = { groups: this.#groups.slice(from, to), before, after, left: (this.width - layout.columns * step + GAP) / 2, step };
    arrange(this.element, [this.brackets.element, ...nodes]);
    const range = to - from > 1 ? `${from + 1}–${to}` : `${from + 1}`;
    const other = layers.length > 1 ? { name: this.#layerName(layers[1]), isOn: layer === 1 } : null;
    this.#twin = banks.findIndex((bank) => bank.from === from && bank.layer !== layer);
    return { text: range, index: this.#bank, count: banks.length, layer: other };
  }

  #isOneLine(stripWidth) {
    const measure = ruler(stripWidth < 100 ? 16 : 18, 600);
    return this.#groups.every((group) => measure(nameOf(group)) <= stripWidth - 8);
  }

  #strip(index, shown, isRows, nameWidth, layout) {
    const group = this.#groups[index];
    const items = group.items.map((item, i) => ({ ...item, i })).filter(({ i }) => shown.has(i));
    const make = (item) => {
      const element = this.#item(item, group);
      if (item.widget === 'fader' && isRows) element.setAttribute('orientation', 'horizontal');
      else element.removeAttribute('orientation');
      element.dataset.widget = item.widget;
      return element;
    };
    const isMain = ({ widget }) => widget === 'fader' || widget === 'meter';
    // The meter first: the cap passes over it.
    const main = items.filter(isMain).sort((a, b) => (a.widget === 'meter' ? 0 : 1) - (b.widget === 'meter' ? 0 : 1)).map(make);
    const foot = items.filter((item) => !isMain(item)).map(make);
    const node = this.#stripOf([...main, ...foot]);
    node.setAttribute('aria-label', nameOf(group));
    paint(node, leadOf(group)?.color ?? group.color);
    node.classList.toggle('with-meter', items.some(({ widget }) => widget === 'meter'));
    node.classList.toggle('with-fader', items.some(({ widget }) => widget === 'fader'));
    const [, mainNode, footNode] = node.children;
    arrange(mainNode, main);
    arrange(footNode, foot);
    const header = { width: nameWidth, lines: isRows ? 2 : layout.nameLines, isTight: isRows || layout.stripWidth < 100 };
    this.#headers.set(node, { ...header, group });
    this.#drawHeader(node);
    return node;
  }

  /** The strip in which one of these stands already, since to be moved to another takes its finger; else a new one. */
  #stripOf(elements) {
    const known = elements.map((element) => element.closest('.strip')).find((strip) => strip && !this.#strips.has(strip));
    const strip = known ?? emptyStrip();
    this.#strips.add(strip);
    return strip;
  }

  /** The name row of a strip: whose finger is on its fader, that its peer is silent, else its name. */
  #drawHeader(node) {
    const header = this.#headers.get(node);
    if (!header) return;
    const elements = [...node.querySelectorAll('[path]')];
    const held = elements.find(({ status }) => status?.held && !status.held.mine);
    const silent = elements.find(({ status }) => status?.silent);
    const isOffline = elements.some(({ status }) => status?.offline);
    const isSilence = Boolean(silent && !held && !isOffline);
    const notice = isOffline ? '' : held ? held.status.held.name || 'held' : silent ? `${silent.status.silent} offline` : '';
    const isAwaited = !isOffline && !notice && elements.some(({ status }) => status?.awaited);
    node.classList.toggle('is-awaited', isAwaited);
    const [noticeNode, nameNode] = node.firstChild.children;
    node.classList.toggle('is-held', Boolean(held));
    node.classList.toggle('is-silent', isSilence);
    // That a peer is silent floats over the fader where there is one line alone: all names would go at once.
    const lines = isSilence ? 2 : header.lines;
    writeName(nameNode, noticeNode, { name: nameOf(header.group), notice, width: header.width - (isAwaited ? RING_PX : 0), lines, size: header.isTight ? 16 : 18 });
  }

  #onStatus({ target }) {
    const strip = target.closest?.('.strip');
    if (strip) this.#drawHeader(strip);
    target.closest?.('.row')?.classList.toggle('is-awaited', Boolean(target.status?.awaited && !target.status.offline));
  }

  #layerName(layer) {
    const names = new Set(layer.flatMap((shown, i) => shown.map((item) => this.#groups[i].items[item].control?.label)));
    names.delete(undefined);
    return names.size === 1 ? [...names][0] : 'More';
  }

  // Rows: one control each.

  #renderRows() {
    const items = this.#groups.flatMap((group) => group.items.map((item) => ({ item, group })));
    const { banks, perBank } = rowLayout({ count: items.length, height: this.height - this.brackets.height });
    this.#pickBank(banks);
    const { from, to } = banks[this.#bank];
    this.element.className = 'page rows';
    this.element.style.setProperty('--rows', perBank);
    this.#inView = { groups: [], left: 0, step: 0 };
    arrange(this.element, [this.brackets.element, ...items.slice(from, to).map(({ item, group }) => {
      const node = this.#node(`row ${item.path}`, () => h('section', { class: 'row', role: 'group' },
        h('div', { class: 'row-name' }, h('span', {})), h('div', { class: 'row-main' })));
      const element = this.#item(item, group);
      element.dataset.widget = item.widget;
      if (item.widget === 'fader') element.setAttribute('orientation', 'horizontal');
      arrange(node.lastChild, [element]);
      paint(node, group.color);
      const label = item.control?.label ?? item.path;
      const name = group.name && group.name !== label ? `${group.name} ${label}` : label;
      setText(node.firstChild.firstChild, fitName(name, this.width < 600 ? 104 : 180, 2, ruler(18, 600)));
      return node;
    })]);
    return { text: `${from + 1}–${to}`, index: this.#bank, count: banks.length };
  }

  // Grid.

  #renderGrid() {
    const groups = this.#groups.filter((group) => group.items.length);
    const isLow = this.height < 600;
    const spanOf = (item) => {
      if (item.span) return item.span;
      if (item.widget === 'fader' && isLow) return [3, 1.5];
      return gridSpan(item.widget, item.size);
    };
    const { columns, banks } = gridLayout({
      groups: groups.map((group) => ({ heading: Boolean(group.name), spans: group.items.map(spanOf), growth: group.items.map((item) => (item.span ? '' : gridGrowth(item.widget))) })),
      width: this.width,
      height: this.height - this.brackets.height,
      columns: this.page.columns,
    });
    this.#pickBank(banks.map((bank) => ({ from: bank.places[0]?.group ?? 0, to: (bank.places.at?.(-1)?.group ?? 0) + 1 })));
    const { rows, unit, places } = banks[this.#bank] ?? { rows: 1, unit: 28, places: [] };
    this.element.className = 'page grid';
    this.element.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    this.element.style.gridTemplateRows = `repeat(${rows}, ${unit}px)`;
    const nodes = [];
    for (const place of places) {
      const group = groups[place.group];
      if (place.heading) {
        const heading = this.#node(`heading ${place.group} ${place.first}`, () => h('h2', { class: 'heading' }, h('span', {})));
        setText(heading.firstChild, group.name);
        paint(heading, group.color);
        put(heading, place.heading);
        nodes.push(heading);
      }
      place.items.forEach((at, i) => {
        const item = group.items[place.first + i];
        const cell = this.#node(`cell ${item.path}`, () => h('div', { class: 'cell' }));
        const element = this.#item(item, group);
        cell.dataset.widget = item.widget;
        if (item.widget === 'fader') {
          const isFlat = at.height < 8 && at.width > 1;
          cell.classList.toggle('flat', isFlat);
          if (isFlat) element.setAttribute('orientation', 'horizontal');
          else element.removeAttribute('orientation');
        }
        arrange(cell, [element]);
        put(cell, at);
        nodes.push(cell);
      });
    }
    this.#inView = { groups: [], left: 0, step: 0 };
    arrange(this.element, [this.brackets.element, ...nodes]);
    return { text: `${this.#bank + 1}/${Math.max(1, banks.length)}`, index: this.#bank, count: banks.length };
  }

  // Pads: each group is a column.

  #renderPads() {
    const groups = this.#groups.map((group) => ({ ...group, items: group.items.map((item) => ({ ...item, widget: padWidget(item) })) }));
    const columns = groups.map(({ items }) => ({ count: items.length, isPinned: items.every(({ widget }) => widget !== 'pads') }));
    const { banks, width, height } = padLayout({ columns, width: this.width, height: this.height - this.brackets.height });
    this.#pickBank(banks);
    const bank = banks[this.#bank];
    this.element.className = 'page pad-columns';
    this.element.style.gridTemplateColumns = `repeat(${bank.columns.length}, ${width}px)`;
    this.element.style.gridTemplateRows = `${PAD.head - 8}px repeat(${bank.bottom - bank.top}, ${height}px)`;
    const nodes = bank.columns.flatMap((index, column) => {
      const group = groups[index];
      const name = nameOf(group);
      const head = this.#node(`pad-head ${index}`, () => h('h2', { class: 'heading' }, h('span', {})));
      setText(head.firstChild, fitName(name, width - 8, 1, ruler(16, 600)));
      paint(head, leadOf(group)?.color ?? group.color);
      put(head, { column, row: 0, width: 1, height: 1 });
      const cells = group.items.slice(bank.top, bank.bottom).map((item, i) => {
        const cell = this.#node(`cell ${item.path}`, () => h('div', { class: 'cell' }));
        const element = this.#item(item, group);
        element.group = name;
        cell.dataset.widget = item.widget;
        arrange(cell, [element]);
        put(cell, { column, row: 1 + i, width: 1, height: 1 });
        return cell;
      });
      return [head, ...cells];
    });
    this.#inView = { groups: [], left: 0, step: 0 };
    arrange(this.element, [this.brackets.element, ...nodes]);
    return { text: `${this.#bank + 1}/${banks.length}`, index: this.#bank, count: banks.length };
  }

  // Common.

  /** Keep the bank across sizes: the one that shows what was the first in view. */
  #pickBank(banks) {
    if (this.#first !== null) {
      const layer = banks[this.#bank]?.layer ?? 0;
      const found = banks.findIndex((bank) => (bank.layer ?? 0) === layer && this.#first >= bank.from && this.#first < bank.to);
      if (found >= 0) this.#bank = found;
    }
    this.#bank = Math.max(0, Math.min(banks.length - 1, this.#bank));
    if (this.#first === null) this.#first = banks[this.#bank]?.from ?? 0;
  }

  #item(item, group) {
    const element = this.#node(`item ${item.path} ${item.widget}`, () => {
      const made = document.createElement(`sb-${item.widget}`);
      made.setAttribute('path', item.path);
      return made;
    });
    element.toggleAttribute('bare', ['strips', 'rows'].includes(this.page.layout));
    element.group = this.page.layout === 'strips' ? nameOf(group) : group.name;
    if (element.group === item.control?.label) element.group = '';
    return element;
  }

  /** By what it shows, not by its place or group's name: what stays keeps its finger. */
  #node(name, make) {
    const count = (this.#drawn.get(name) ?? 0) + 1;
    this.#drawn.set(name, count);
    const key = `${name} ${count}`;
    if (!this.#nodes.has(key)) this.#nodes.set(key, make());
    return this.#nodes.get(key);
  }
}

function emptyStrip() {
  const name = h('div', { class: 'strip-name' }, h('span', { class: 'notice' }), h('span', {}));
  const main = h('div', { class: 'strip-main' });
  const foot = h('div', { class: 'strip-foot' });
  const strip = h('section', { class: 'strip', role: 'group' }, name, main, foot);
  strip.addEventListener('pointerdown', (event) => secondFinger(strip, event));
  return strip;
}

/** What fits a pad's place: of anything larger only the value is shown. */
function padWidget({ widget, control }) {
  return ['button', 'toggle'].includes(widget) || (widget === 'pads' && control?.kind === 'trigger') ? widget : 'label';
}

/** The control of a group that a desk has named: what the desk calls it, the strip is called. */
function leadOf(group) {
  return group.items.find(({ control }) => group.name && control?.group && control.group !== group.name)?.control;
}

/** A control without a group is a strip of its own, under its own name. */
function nameOf(group) {
  return leadOf(group)?.group || group.name || group.items[0]?.control?.label || group.items[0]?.path || '';
}

function put(node, { column, row, width, height }) {
  node.style.gridColumn = `${column + 1} / span ${width}`;
  node.style.gridRow = `${row + 1} / span ${height}`;
}

function paint(node, color) {
  node.classList.toggle('colored', Boolean(color));
  if (color) node.style.setProperty('--group', themed(color, themeOf(document.documentElement)));
}

/** A second finger in the same strip, beside the fader: fine, as if it were on it. */
function secondFinger(strip, event) {
  if (event.composedPath().some((node) => node.localName?.startsWith('sb-'))) return;
  const fader = [...strip.querySelectorAll('sb-fader')].find((element) => element.drag);
  if (!fader) return;
  fader.addSecond(1);
  const end = (other) => {
    if (other.pointerId !== event.pointerId) return;
    fader.addSecond(-1);
    for (const type of ['pointerup', 'pointercancel']) document.removeEventListener(type, end, true);
  };
  for (const type of ['pointerup', 'pointercancel']) document.addEventListener(type, end, true);
}
