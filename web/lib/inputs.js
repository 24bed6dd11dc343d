/* Native inputs ↔ controls: what an element declares, what it says, how it shows a value.
 *
 * The rules of declaring stand in `bridge/pages.py` too; tests/vectors/sync-inputs.json holds both to
 * them. Here: one element at a time, no events, no connection (sync.js). Only what the author wrote
 * counts for a declaration: attributes, never what the browser restored.
 */

const TEXT_TYPES = new Set(["text", "search", "tel", "url", "email"]);
const KINDS = new Set([...TEXT_TYPES, "range", "number", "checkbox", "radio", "color", "button", "select", "textarea"]);
const UNBOUNDED = 1e9;
const MAX_TEXT = 1000;
const LONGEST_TEXT = 10000;
const FLOAT = /^-?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?$/; // HTML, "floating-point numbers"
const COLOR = /^#[0-9a-f]{6}$/i;
const PATH = /^(?:\/[^\s#*,?[\]{}/\u0000-\u001f\u007f]+)+$/;
const MAX_PATH_BYTES = 255;

/** True for an element that can be synced by class. */
export function isSync(node) {
  return /^(?:input|select|textarea|button)$/.test(node.localName ?? "") && node.classList.contains("sync");
}

/** `select`, `textarea`, or the type of an input. A `button` need not say that it sends no form. */
export function kindOf(node) {
  if (node.localName === "button") return /^(?:submit|reset)$/i.exec(node.getAttribute("type") ?? "")?.[0].toLowerCase() ?? "button";
  return node.localName === "input" ? node.type : node.localName;
}

/** A person types here: the value is held from the first keystroke to Enter, blur or a pause. */
export function isTyped(node) {
  const kind = kindOf(node);
  return kind === "textarea" || kind === "number" || TEXT_TYPES.has(kind);
}

/** `data-path`, else "/" + id, else "/" + name; radio buttons of one name are one control. Null: none. */
export function pathOf(node) {
  if (node.getAttribute("data-path")) return node.getAttribute("data-path");
  const names = kindOf(node) === "radio" ? ["name"] : ["id", "name"];
  const found = names.map((name) => node.getAttribute(name)).find(Boolean);
  return found === undefined ? null : `/${found}`;
}

/** Why a path is none; "" when it is one. */
export function pathProblem(path) {
  if (!path.startsWith("/")) return `"${path}" must start with "/"`;
  if (!PATH.test(path)) return `"${path}" has an empty part, a space or one of # * , ? [ ] { }`;
  return new TextEncoder().encode(path).length > MAX_PATH_BYTES ? `"${path}" is too long` : "";
}

/** Descriptors that these elements declare, in order, each path once: {controls, problems: [[node, text]]}. */
export function declarations(nodes) {
  const found = new Map();
  const problems = [];
  for (const node of nodes) {
    if (kindOf(node) === "select" && node.options.length === 0 && node.getAttribute("data-path")) continue;
    const { control, problem } = describe(node);
    if (problem !== undefined) problems.push([node, problem]);
    if (control === undefined || control.path.startsWith("/stagebridge/")) continue;
    const known = found.get(control.path);
    if (known === undefined) found.set(control.path, control);
    else if (kindOf(node) === "radio" && known.kind === "choice") join(known, control, node.hasAttribute("checked"));
  }
  return { controls: [...found.values()], problems };
}

/** {control} or {problem}, said so that the author can do something about it. */
export function describe(node) {
  const kind = kindOf(node);
  const path = pathOf(node);
  if (!KINDS.has(kind)) return { problem: `${node.localName === "button" ? "a button" : "an input"} of type "${kind}" cannot be synced` };
  if (path === null) return { problem: kind === "radio" ? "needs a name" : "needs an id, a name or a data-path" };
  const problem = pathProblem(path);
  if (problem !== "") return { problem };
  const { problem: other, ...body } = describeBody(node, kind);
  return other === undefined ? { control: { path, ...body } } : { problem: other };
}

function describeBody(node, kind) {
  switch (kind) {
    case "range":
    case "number":
      return describeNumber(node, kind === "range");
    case "button":
      return { kind: "trigger" };
    case "checkbox":
      return { kind: "bool", default: node.hasAttribute("checked") };
    case "radio": {
      const value = node.getAttribute("value") ?? "on";
      return { kind: "choice", choices: [value], default: value };
    }
    case "color": {
      const given = node.getAttribute("value") ?? "";
      return { kind: "color", default: COLOR.test(given) ? given.toLowerCase() : "#000000" };
    }
    case "select":
      return describeSelect(node);
    default:
      return describeText(node, kind);
  }
}

/** HTML, "Range state" and "Number state": min, max, step, and the value rounded to a step from the base. */
function describeNumber(node, isRange) {
  const given = (name) => number(node.getAttribute(name));
  let low = given("min") ?? (isRange ? 0 : -UNBOUNDED);
  let high = given("max") ?? (isRange ? 100 : UNBOUNDED);
  let value = given("value") ?? (isRange ? low + (high - low) / 2 : 0);
  value = Math.max(low, Math.min(high, value));
  if (low >= high) return { problem: `max (${high}) must be above min (${low})` };
  if (trimmed(node.getAttribute("step")).toLowerCase() === "any") return { kind: "float", range: [low, high], default: value };
  const written = given("step");
  const step = written !== null && written > 0 ? written : 1;
  const base = given("min") ?? given("value") ?? 0;
  const digits = Math.max(digitsOf(step), digitsOf(base));
  const onGrid = (steps) => Number((base + steps * step).toFixed(digits));
  low = onGrid(Math.ceil((low - base) / step - 1e-9));
  high = onGrid(Math.floor((high - base) / step + 1e-9));
  if (low >= high) return { problem: `with step ${step} there is nothing between min and max; write step="any"` };
  value = Math.max(low, Math.min(high, onGrid(Math.floor((value - base) / step + 0.5))));
  if (!Number.isInteger(step) || !Number.isInteger(base)) return { kind: "float", range: [low, high], step, default: value };
  const out = { kind: "int", range: [low, high], default: value };
  return step === 1 ? out : { ...out, step };
}

function describeSelect(node) {
  if (node.multiple) return { problem: "a select with several choices cannot be synced" };
  const options = Array.from(node.options);
  if (options.length === 0) return { problem: "has no options, and its control gives none" };
  const chosen = options.filter((option) => option.defaultSelected);
  const able = options.filter((option) => !option.disabled && !option.parentElement?.disabled);
  const first = chosen[chosen.length - 1] ?? able[0] ?? options[0];
  return { kind: "choice", choices: [...new Set(options.map((option) => option.value))], default: first.value };
}

function describeText(node, kind) {
  let text = node.defaultValue.replace(/\r\n?/g, "\n");
  if (kind !== "textarea") text = text.replace(/\n/g, "");
  if (kind === "url" || kind === "email") text = trimmed(text);
  const given = trimmed(node.getAttribute("maxlength"));
  const written = /^\d+$/.test(given) ? Number(given.slice(0, 9)) : 0;
  const longest = written > 0 ? Math.min(written, LONGEST_TEXT) : MAX_TEXT;
  const out = { kind: "string", default: Array.from(text).slice(0, longest).join("") };
  return longest === MAX_TEXT ? out : { ...out, max_length: longest };
}

function join(known, control, isChecked) {
  if (!known.choices.includes(control.default)) known.choices.push(control.default);
  if (isChecked) known.default = control.default;
}

// A control that exists, and an element that shows it.

/** What an element says against the control that exists, which wins; "" where they agree. Call it before `adapt`. */
export function contradiction(node, control) {
  if (!isShowable(node, control)) return `a ${control.kind} cannot be shown by this element`;
  const says = (what, here, there) => `the page says ${what} ${here}, the ${control.owner ?? "config"} ${there}`;
  if (isNumeric(node) && isNumber(control)) {
    const [low, high] = limitOf(control);
    const written = { min: number(node.getAttribute("min")), max: number(node.getAttribute("max")) };
    if (written.min !== null && written.min !== low) return says("min", written.min, low);
    if (written.max !== null && written.max !== high && describe(node).control?.range[1] !== high) {
      return says("max", written.max, high);
    }
    const step = number(node.getAttribute("step"));
    if (step !== null && step > 0 && control.step !== undefined && step !== control.step) {
      return says("step", step, control.step);
    }
  }
  if (kindOf(node) === "select" && control.kind === "choice") {
    const strange = Array.from(node.options, (option) => option.value).filter((value) => !control.choices.includes(value));
    if (strange.length > 0) return says("choices", strange.join(", "), control.choices.join(", "));
  }
  if (kindOf(node) === "radio" && control.kind === "choice" && !control.choices.includes(node.value)) {
    return says("choice", node.value, control.choices.join(", "));
  }
  return "";
}

/** True if the element can show and move controls of this kind at all. */
export function isShowable(node, control) {
  if (kindOf(node) === "button") return control.kind === "trigger";
  if (["vector", "trigger", "meter"].includes(control.kind)) return false;
  if (kindOf(node) === "color") return control.kind === "color";
  return !["string", "color"].includes(control.kind) || !["range", "number", "checkbox"].includes(kindOf(node));
}

/** Give the element the control's limits: the control is right. */
export function adapt(node, control) {
  if (kindOf(node) === "button") {
    if (node.type !== "button") node.type = "button"; // else it would send the form that it stands in
    if (getComputedStyle(node).touchAction === "auto") node.style.touchAction = "none"; // it acts on the way down: no scrolling from there
  } else if (isNumeric(node)) {
    const [low, high, step] = scaleOf(control);
    put(node, "min", low);
    put(node, "max", high);
    put(node, "step", step);
  } else if (control.kind === "string" && isTyped(node)) {
    put(node, "maxLength", control.max_length ?? MAX_TEXT);
  } else if (kindOf(node) === "select" && control.kind === "choice" && node.options.length === 0) {
    for (const choice of control.choices) node.append(new Option(choice, choice));
  }
}

/** What the element says now, as a raw value for this control; undefined when it says nothing that fits. */
export function read(node, control) {
  const kind = kindOf(node);
  if (kind === "checkbox") return fromBool(node.checked, control);
  if (kind === "radio" && !node.checked) return undefined;
  return isNumeric(node) ? fromNumber(node.valueAsNumber, control) : fromText(node.value, control);
}

/** Show a value. True when that changed anything; a text field in focus keeps its caret. */
export function write(node, control, value) {
  const kind = kindOf(node);
  if (kind === "checkbox") return put(node, "checked", isOn(value, control));
  if (kind === "radio") return put(node, "checked", asText(value, control) === node.value);
  const text = isNumeric(node) ? asNumber(value, control) : asText(value, control);
  if (kind === "color") return put(node, "value", text.slice(0, 7)); // it knows no alpha
  if (kind === "range") return putRange(node, text);
  return isTyped(node) && kind !== "number" ? putText(node, text) : put(node, "value", text);
}

function scaleOf(control) {
  if (isNumber(control)) {
    const [low, high] = limitOf(control);
    return [low, high, control.step ?? (control.kind === "int" ? 1 : "any")];
  }
  return control.kind === "choice" ? [0, control.choices.length - 1, 1] : [0, 1, 1];
}

function fromBool(checked, control) {
  if (isNumber(control)) return limitOf(control)[checked ? 1 : 0];
  return control.kind === "choice" ? control.choices[checked ? 1 : 0] : checked;
}

function fromNumber(value, control) {
  if (!Number.isFinite(value)) return undefined; // empty, or half typed
  if (control.kind === "bool") return value >= 0.5;
  if (control.kind === "choice") return control.choices[Math.round(value)];
  return control.kind === "string" ? String(value) : value;
}

function fromText(text, control) {
  if (isNumber(control)) return number(trimmed(text)) ?? undefined;
  if (control.kind === "bool") return /^(?:1|true|on|yes)$/i.test(trimmed(text));
  if (control.kind === "choice") return control.choices.includes(text) ? text : undefined;
  if (control.kind === "color") return /^#(?:[0-9a-f]{3}|[0-9a-f]{6}|[0-9a-f]{8})$/i.test(trimmed(text)) ? trimmed(text) : undefined;
  return text;
}

function isOn(value, control) {
  if (isNumber(control)) {
    const [low, high] = limitOf(control);
    return value > (low + high) / 2;
  }
  return control.kind === "choice" ? control.choices.indexOf(value) === 1 : value === true;
}

function asNumber(value, control) {
  if (control.kind === "choice") return String(control.choices.indexOf(value));
  return typeof value === "number" ? decimal(value, control) : String(Number(value));
}

function asText(value, control) {
  if (typeof value === "number") return decimal(value, control);
  return value === undefined || value === null ? "" : String(value);
}

/** OSC's floats have seven digits; the eighth is noise that nobody typed. */
function decimal(value, control) {
  return control.kind === "float" && control.step === undefined ? String(Number(value.toPrecision(7))) : String(value);
}

function put(node, name, value) {
  if (node[name] === (typeof node[name] === "string" ? String(value) : value)) return false;
  node[name] = value;
  return true;
}

/** A range rounds what it is given to its own steps: setting it once more is no change. */
function putRange(node, text) {
  const before = node.value;
  if (before !== text) node.value = text;
  return node.value !== before;
}

function putText(node, text) {
  const before = node.value;
  if (before === text) return false;
  const isActive = node.getRootNode().activeElement === node;
  const [start, end] = isActive ? [node.selectionStart, node.selectionEnd] : [null, null];
  const direction = node.selectionDirection;
  node.value = text;
  if (start !== null) node.setSelectionRange(moved(start, before, text, start < end), moved(end, before, text), direction);
  return true;
}

/** Where a caret stands after its text was replaced: beside the same characters, as far as they are still
 *  there. Where text came in exactly at the caret it stays before it, or after it if `isStart` of a selection. */
export function moved(caret, before, after, isStart = false) {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head += 1;
  let tail = 0;
  const most = Math.min(before.length, after.length) - head;
  while (tail < most && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail += 1;
  const isInTail = caret >= before.length - tail;
  if (caret < head || (caret === head && !(isStart && isInTail))) return caret;
  if (isInTail) return caret + after.length - before.length;
  return Math.min(caret, after.length - tail);
}

function isNumeric(node) {
  return kindOf(node) === "range" || kindOf(node) === "number";
}

function isNumber(control) {
  return control.kind === "float" || control.kind === "int";
}

function limitOf(control) {
  return control.limit ?? control.range ?? (control.kind === "int" ? [0, 127] : [0, 1]);
}

function number(text) {
  const found = text !== null && FLOAT.test(text) ? Number(text) : NaN;
  return Number.isFinite(found) ? found : null;
}

function digitsOf(value) {
  return value.toFixed(9).replace(/0+$/, "").split(".")[1].length;
}

function trimmed(text) {
  return (text ?? "").replace(/^[ \t\n\f\r]+|[ \t\n\f\r]+$/g, "");
}
