"""Every widget in every state and theme: sizes, contrast, steadiness, and states that differ without colour."""

import base64
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from tests.daemon import Daemon

OpenPage = Callable[..., Awaitable[Page]]
VIEW = {"width": 1600, "height": 900}

# Colour on colour is judged for what is drawn with text: WCAG's 4.5, and 3 where a control says that it is inactive.
CONTRASTS = """([quiet]) => {
  const parse = (text) => {
    const found = /rgba?\\(([^)]+)\\)/.exec(text)[1].split(/[ ,/]+/).map(Number);
    return [found[0], found[1], found[2], found[3] ?? 1];
  };
  const light = ([r, g, b]) => [r, g, b].map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
  const ratio = (a, b) => {
    const [low, high] = [light(a), light(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const behind = (node) => {
    for (let at = node; at; at = at.assignedSlot ?? at.parentElement ?? at.getRootNode().host) {
      const style = getComputedStyle(at);
      if (style.backgroundImage !== 'none' || at.matches('.pad, .value:has(.swatch)')) return null;  // judged by eye
      const before = getComputedStyle(at, '::before');
      if (at.matches('.value') && before.content !== 'none' && before.position === 'absolute') {
        return parse(before.backgroundColor);
      }
      const color = parse(style.backgroundColor);
      if (color[3] === 1) return color;
    }
    return [0, 0, 0, 1];
  };
  const found = [];
  for (const figure of document.querySelectorAll('main figure')) {
    const state = figure.querySelector('figcaption').textContent;
    const element = figure.querySelector('[path]');
    const walker = document.createTreeWalker(element.shadowRoot, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const text = walker.currentNode.textContent.trim();
      const parent = walker.currentNode.parentElement;
      const style = getComputedStyle(parent);
      const box = parent.getBoundingClientRect();
      if (!text || box.width < 2 || style.visibility === 'hidden' || parent.closest('option')) continue;
      const ground = behind(parent);
      if (!ground) continue;
      const value = ratio(parse(style.color), ground);
      const least = quiet.includes(state) ? 3 : 4.5;
      if (value < least) found.push(`${element.path} ${state} "${text}": ${value.toFixed(2)}`);
    }
  }
  return found;
}"""

# Boxes that may never move or change size while values run.
BOXES = """() => [...document.querySelectorAll('main [path]')].flatMap((element) =>
  [element, ...element.shadowRoot.querySelectorAll('.name, .value, .body, .track, .face, .row, .head')].map((node) => {
    const { x, y, width, height } = node.getBoundingClientRect();
    return [element.path, node.className || node.localName, x, y, width, height].join(' ');
  }))"""

# Pixels whose grey differs by more than 24 between two crops of one screenshot.
DIFFER = """async ([png, pairs]) => {
  const bytes = Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const greys = new Map();
  const grey = ({ x, y, width, height }) => {
    const key = [x, y].join();
    if (!greys.has(key)) {
      const { data } = context.getImageData(x, y, width, height);
      const out = new Float32Array(width * height);
      for (let i = 0; i < out.length; i += 1) {
        out[i] = 0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2];
      }
      greys.set(key, out);
    }
    return greys.get(key);
  };
  return pairs.map(([a, b]) => {
    const [one, two] = [grey(a), grey(b)];
    let count = 0;
    for (let i = 0; i < one.length; i += 1) if (Math.abs(one[i] - two[i]) > 24) count += 1;
    return count;
  });
}"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A daemon, for its files and their Content-Security-Policy; the gallery opens no socket to it."""
    with Daemon.start('[[control]]\npath = "/x"\n', Path(tmp_path_factory.mktemp("gallery"))) as daemon:
        yield daemon.url


async def gallery(open_page: OpenPage, url: str, query: str = "") -> Page:
    page = await open_page(f"{url}gallery.html?{query}", viewport=VIEW)
    await page.wait_for_function("document.querySelectorAll('main [path]').length > 180")
    await page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page


async def sizes(page: Page, path: str, selector: str) -> list[tuple[float, float]]:
    script = """([path, selector]) => [...document.querySelector(`[path="${path}"]`).shadowRoot
      .querySelectorAll(selector)].map((node) => node.getBoundingClientRect())
      .map(({ width, height }) => [width, height])"""
    return [(width, height) for width, height in await page.evaluate(script, [path, selector])]


async def test_widgets_have_the_sizes_that_fingers_need(open_page: OpenPage, url: str) -> None:
    page = await gallery(open_page, url)
    assert await sizes(page, "/fader/normal", ".cap") == [(64, 36)]
    [(width, height)] = await sizes(page, "/fader/normal", ".body")
    assert width >= 60
    assert height >= 240
    assert await sizes(page, "/knob/normal", "svg") == [(64, 64)]
    assert await sizes(page, "/knob/normal", ".body") == [(72, 72)]
    for path in ("/toggle-off/normal", "/button-trigger/normal"):
        [(width, height)] = await sizes(page, path, ".face")
        assert width >= 64
        assert height >= 56
    [(width, height)] = await sizes(page, "/xy/normal", ".body")
    assert min(width, height) >= 240
    for width, height in await sizes(page, "/pads/normal", ".pad"):
        assert width >= 88
        assert height >= 64
    [(width, _)] = await sizes(page, "/meter/normal", ".bar")
    assert width == 12
    cap = await page.evaluate(
        """() => getComputedStyle(document.querySelector('[path="/fader/normal"]').shadowRoot.querySelector('.cap'),
          '::after').height"""
    )
    assert cap == "4px"


@pytest.mark.parametrize("theme", ["dark", "dim", "sun"])
async def test_every_text_can_be_read_against_what_is_behind_it(open_page: OpenPage, url: str, theme: str) -> None:
    page = await gallery(open_page, url, f"theme={theme}")
    quiet = ["locked", "offline", "waiting"]
    found = await page.evaluate(CONTRASTS, [quiet])
    if theme == "dim":  # at 40 % of dark's luminance 4.5 becomes 4.2, and grey on grey of what is inactive 2.4
        found = [
            line
            for line in found
            if float(line.rsplit(" ", 1)[1]) < (2.3 if any(f" {state} " in line for state in quiet) else 4.2)
        ]
    assert found == [], "\n".join(found)


# What marks the focus: an outline, or (where the focus is on something invisible) a ring that is drawn for it.
FOCUSED = """async () => {
  const { contrast } = await import('./lib/color.js');
  let node = document.activeElement;
  while (node.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
  if (node === document.body) return null;
  const host = node.getRootNode().host;
  const name = `${host?.path ?? ''} ${node.className || node.localName}`;
  const hex = (text) => '#' + /\\(([^)]+)/.exec(text)[1].split(/[ ,]+/).slice(0, 3)
    .map((part) => Number(part).toString(16).padStart(2, '0')).join('');
  const ring = node.matches('.axis') ? node.parentElement.querySelector('.ringed') : null;
  if (ring) return [name, getComputedStyle(ring).display === 'none' ? 'no ring' : ''];
  const { outlineStyle, outlineWidth, outlineColor, outlineOffset, backgroundColor } = getComputedStyle(node);
  if (outlineStyle === 'none' || parseFloat(outlineWidth) < 2) return [name, 'no outline'];
  const isInside = parseFloat(outlineOffset) < 0 && !/, 0\\)$/.test(backgroundColor);
  const panel = getComputedStyle(node.closest('figure') ?? host?.closest('figure') ?? document.documentElement);
  const ratio = contrast(hex(outlineColor), hex(isInside ? backgroundColor : panel.backgroundColor));
  return [name, ratio < 3 ? `outline at ${ratio.toFixed(2)}` : ''];
}"""


@pytest.mark.parametrize("theme", ["dark", "sun"])
async def test_the_keyboards_focus_is_seen_wherever_it_stops(open_page: OpenPage, url: str, theme: str) -> None:
    page = await gallery(open_page, url, f"theme={theme}")
    await page.evaluate(
        """() => document.querySelectorAll('main figure').forEach((figure) =>
          ['normal', 'locked'].includes(figure.querySelector('figcaption').textContent) || figure.remove())"""
    )
    stops: list[tuple[str, str]] = []
    for _ in range(400):
        await page.keyboard.press("Tab")
        found = await page.evaluate(FOCUSED)
        if found is None:
            break
        stops.append(tuple(found))
    assert {"/toggle-off/normal face", "/button-trigger/normal face", "/number/normal row", "/knob/normal body"} <= {
        name for name, _ in stops
    }
    assert [stop for stop in stops if stop[1]] == []


@pytest.mark.parametrize("state", ["locked", "offline"])
async def test_a_knob_that_nobody_may_move_still_points(open_page: OpenPage, url: str, state: str) -> None:
    page = await gallery(open_page, url)
    for bare in (False, True):
        hand = await page.evaluate(
            """([state, bare]) => {
              const knob = document.querySelector(`[path="/knob/${state}"]`);
              knob.toggleAttribute('bare', bare);
              knob.drawNow(performance.now());
              const { visibility, stroke, transform } = getComputedStyle(knob.shadowRoot.querySelector('.hand'));
              return [visibility, stroke !== 'none', transform !== 'none'];
            }""",
            [state, bare],
        )
        assert hand == ["visible", True, True]


@pytest.mark.parametrize("theme", ["dark", "sun"])
async def test_shapes_stand_out_from_the_panel(open_page: OpenPage, url: str, theme: str) -> None:
    page = await gallery(open_page, url, f"theme={theme}")
    shapes = await page.evaluate(
        """async () => {
          const { contrast } = await import('./lib/color.js');
          const style = getComputedStyle(document.documentElement);
          const token = (name) => style.getPropertyValue(`--sb-${name}`).trim();
          return ['edge', 'text', 'text2', 'fill', 'other', 'ok', 'bad', 'warn']
            .map((name) => [name, contrast(token(name), token('panel')), contrast(token(name), token('bg'))]);
        }"""
    )
    assert [shape for shape in shapes if min(shape[1:]) < 3] == []


async def test_nothing_moves_while_values_run_from_end_to_end(open_page: OpenPage, url: str) -> None:
    page = await gallery(open_page, url, "run")
    before = await page.evaluate(BOXES)
    assert len(before) > 500
    seen = set()
    while len(seen) < 6:  # until the test's own limit
        seen.add(await page.evaluate("document.querySelector('[path=\"/fader/normal\"]').value"))
        assert await page.evaluate(BOXES) == before
        await page.wait_for_timeout(120)  # the animation's own time: what is measured is what stands still in it


@pytest.mark.parametrize("theme", ["dark", "sun"])
async def test_states_differ_without_colour(open_page: OpenPage, url: str, theme: str) -> None:
    page = await gallery(open_page, url, f"theme={theme}")
    boxes: list[dict[str, Any]] = await page.evaluate(
        """() => {
          for (const row of document.querySelectorAll('main .row')) {  // all of it on one picture, and none too tall
            row.style.display = 'flex';
            row.style.flexWrap = 'wrap';
          }
          return [...document.querySelectorAll('main [path]')].map((element) => {
            const { x, y, width, height } = element.getBoundingClientRect();
            const [, name, state] = element.path.split('/');
            return { name, state, widget: element.localName, x: Math.round(x) - 6, y: Math.round(y + scrollY) - 6,
              width: Math.round(width) + 12, height: Math.round(height) + 12 };
          });
        }"""
    )
    pairs, told = [], []
    for name in dict.fromkeys(box["name"] for box in boxes):
        states = [box for box in boxes if box["name"] == name]
        if states[0]["widget"] in ("sb-meter", "sb-label"):  # nobody can hold or lock what is only shown
            states = [box for box in states if box["state"] in ("normal", "waiting", "silent", "offline")]
        for i, one in enumerate(states):
            for two in states[i + 1 :]:
                pairs.append([one, two])
                told.append(f"{name}: {one['state']} and {two['state']}")
    png = await page.screenshot(full_page=True)
    differing = await page.evaluate(DIFFER, [base64.b64encode(png).decode(), pairs])
    assert len(differing) > 700
    alike = [f"{what} ({count} px)" for what, count in zip(told, differing, strict=True) if count < 24]
    assert alike == [], "\n".join(alike)


async def test_elements_are_drawn_without_constructed_style_sheets(open_page: OpenPage, url: str) -> None:
    """Safari before 16.4."""
    page = await open_page("about:blank", viewport=VIEW)
    await page.add_init_script(
        "delete Document.prototype.adoptedStyleSheets; delete CSSStyleSheet.prototype.replaceSync"
    )
    await page.goto(f"{url}gallery.html")
    await page.wait_for_function(
        """() => document.querySelector('[path="/fader/normal"]')?.shadowRoot.querySelector('.cap')
          .getBoundingClientRect().width === 64"""
    )
    assert not await page.evaluate("'adoptedStyleSheets' in document")
    lines: list[str] = page.console_lines  # type: ignore[attr-defined]
    assert [line for line in lines if "Content Security Policy" in line] == []


async def test_the_gallery_keeps_to_the_content_security_policy(open_page: OpenPage, url: str) -> None:
    page = await gallery(open_page, url)
    lines: list[str] = page.console_lines  # type: ignore[attr-defined]
    assert [line for line in lines if line.startswith("error")] == []
