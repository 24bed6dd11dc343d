// Small helpers to build a shadow tree, and to measure text without a layout.

const SVG = 'http://www.w3.org/2000/svg';

/** An HTML element: attributes, then children. (A style attribute would break the page's CSP: set `.style` instead.) */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** An SVG element. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Set a text only where it differs: an equal write would still dirty the layout. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Set or (null) remove an attribute, only where it differs. */
export function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) {
    node.setAttribute(name, value);
  }
}

/** Make `nodes` the children of `parent`, touching only those that come, go or stand in the wrong place. */
export function arrange(parent, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  let next = parent.firstChild;
  for (const node of nodes) {
    if (node === next) {
      next = next.nextSibling;
      continue;
    }
    parent.insertBefore(node, next);
  }
}

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif';
let canvas = null;

/** A function that gives the width in px of a text in this size and weight. */
export function ruler(size, weight) {
  return (text) => {
    canvas ??= document.createElement('canvas').getContext('2d');
    canvas.font = `${weight} ${size}px ${FONT}`;
    return canvas.measureText(text).width;
  };
}

const sheets = new Map();

/**
 * Give a shadow root its styles. A constructed sheet is shared by all elements and passes a strict CSP; where there is
 * none (Safari before 16.4) a linked empty file is, and its rules are added through the CSSOM, which CSP allows too.
 */
export function adopt(shadow, texts) {
  if ('adoptedStyleSheets' in Document.prototype && 'replaceSync' in CSSStyleSheet.prototype) {
    shadow.adoptedStyleSheets = texts.map((text) => {
      if (!sheets.has(text)) {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(text);
        sheets.set(text, sheet);
      }
      return sheets.get(text);
    });
    return;
  }
  const link = h('link', { rel: 'stylesheet', href: new URL('./blank.css', import.meta.url).href });
  const tree = [...shadow.children];
  for (const node of tree) node.style.visibility = 'hidden';
  link.addEventListener('load', () => {
    for (const rule of texts.flatMap(rulesOf)) link.sheet.insertRule(rule, link.sheet.cssRules.length);
    for (const node of tree) node.style.visibility = '';
  });
  shadow.prepend(link);
}

/** A style sheet's text as its top-level rules. */
export function rulesOf(text) {
  const rules = [];
  let depth = 0;
  let start = 0;
  const plain = text.replace(/\/\*[^]*?\*\//g, '');
  for (let i = 0; i < plain.length; i += 1) {
    if (plain[i] === '{') depth += 1;
    if (plain[i] === '}') {
      depth -= 1;
      if (depth === 0) {
        rules.push(plain.slice(start, i + 1).trim());
        start = i + 1;
      }
    }
  }
  return rules;
}
