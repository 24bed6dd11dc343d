"""web/lib/inputs.js in Chromium: what elements declare (the vectors that hold bridge/pages.py too), say and show."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route

ROOT = Path(__file__).parent.parent.parent
VECTORS = json.loads((ROOT / "tests" / "vectors" / "sync-inputs.json").read_text(encoding="utf-8"))
ORIGIN = "http://page.test"

FLOAT = {"path": "/a", "kind": "float", "range": [0, 2], "limit": [0, 1]}
CHOICE = {"path": "/a", "kind": "choice", "choices": ["x", "y", "z"]}
BOOL = {"path": "/a", "kind": "bool"}
INT = {"path": "/a", "kind": "int", "range": [-5, 5]}
STRING = {"path": "/a", "kind": "string"}
COLOR = {"path": "/a", "kind": "color"}


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def blank(browser: Browser) -> AsyncIterator[Page]:
    """An empty page that can import our modules; no daemon."""
    page = await browser.new_page()

    async def serve(route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN)
        if path == "/":
            await route.fulfill(body="<!doctype html><body></body>", content_type="text/html")
        else:
            await route.fulfill(path=ROOT / "web" / path.lstrip("/"), content_type="text/javascript")

    await page.route(f"{ORIGIN}/**", serve)
    await page.goto(f"{ORIGIN}/")
    await page.evaluate("async () => { window.inputs = await import('/lib/inputs.js'); }")
    yield page
    await page.close()


async def on_element(page: Page, html: str, script: str, *args: Any) -> Any:
    """Run ``script(node, …args)`` on the first input of ``html``."""
    code = f"""([html, args]) => {{
        document.body.innerHTML = html;
        return ({script})(document.querySelector("input, select, textarea"), ...args);
    }}"""
    return await page.evaluate(code, [html, list(args)])


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
async def test_an_element_declares_what_the_shared_vectors_say(blank, vector):
    found = await blank.evaluate(
        """(html) => {
            document.body.innerHTML = html;
            const nodes = [...document.querySelectorAll("*")].filter(inputs.isSync);
            const { controls, problems } = inputs.declarations(nodes);
            return [controls, problems.map(([, text]) => text)];
        }""",
        vector["html"],
    )
    controls, problems = found
    assert controls == vector["controls"]
    expected = vector.get("problems", 0)  # their texts, or how many
    assert (problems if isinstance(expected, list) else len(problems)) == expected, problems


async def test_what_a_person_or_browser_filled_in_is_not_declared(blank):
    script = """(node) => {
        node.value = "40";
        return inputs.describe(node).control.default;
    }"""
    assert await on_element(blank, '<input class="sync" id="a" type="range" max="50" value="25">', script) == 25
    assert await on_element(blank, '<input class="sync" id="a" value="author">', script) == "author"
    assert await on_element(blank, '<textarea class="sync" id="a">author</textarea>', script) == "author"


@pytest.mark.parametrize(
    ("html", "control", "value", "shown", "said"),
    [
        ('<input type="range" step="any">', FLOAT, 0.25, "0.25", 0.25),
        ('<input type="range">', INT, -3, "-3", -3),
        ('<input type="range">', BOOL, True, "1", True),
        ('<input type="range">', CHOICE, "z", "2", "z"),
        ('<input type="number">', FLOAT, 0.10000000149011612, "0.1", 0.1),
        ('<input type="number">', CHOICE, "y", "1", "y"),
        ('<input type="checkbox">', BOOL, True, True, True),
        ('<input type="checkbox">', FLOAT, 1, True, 1),
        ('<input type="checkbox">', FLOAT, 0.2, False, 0),
        ('<input type="checkbox">', INT, 5, True, 5),
        ('<input type="radio" value="y">', CHOICE, "y", True, "y"),
        ('<input type="radio" value="y">', CHOICE, "x", False, None),
        ('<input type="color">', COLOR, "#ff880080", "#ff8800", "#ff8800"),
        ("<input>", STRING, "Grüße", "Grüße", "Grüße"),
        ("<input>", FLOAT, 0.5, "0.5", 0.5),
        ("<input>", BOOL, True, "true", True),
        ("<input>", COLOR, "#ff8800", "#ff8800", "#ff8800"),
        ("<input>", CHOICE, "x", "x", "x"),
        ("<textarea></textarea>", STRING, "a\nb", "a\nb", "a\nb"),
        ("<select><option>x<option>y</select>", CHOICE, "y", "y", "y"),
        ("<select></select>", CHOICE, "z", "z", "z"),
        ("<select><option>0<option>1</select>", INT, 1, "1", 1),
    ],
)
async def test_a_value_is_shown_and_said_again(blank, html, control, value, shown, said):
    script = """(node, control, value) => {
        inputs.adapt(node, control);
        const changed = inputs.write(node, control, value);
        const again = inputs.write(node, control, value);
        const shown = /checkbox|radio/.test(node.type) ? node.checked : node.value;
        return [shown, inputs.read(node, control), again];
    }"""
    assert await on_element(blank, html, script, control, value) == [shown, said, False]


@pytest.mark.parametrize(
    ("html", "typed", "control"),
    [
        ('<input type="number">', "", FLOAT),
        ("<input>", "loud", FLOAT),
        ("<input>", "w", CHOICE),
        ("<input>", "#ff8", INT),
        ("<input>", "#ff88", COLOR),
    ],
)
async def test_what_does_not_fit_says_nothing(blank, html, typed, control):
    script = "(node, control, typed) => { node.value = typed; return inputs.read(node, control) === undefined; }"
    assert await on_element(blank, html, script, control, typed)


async def test_a_control_gives_the_element_its_limits(blank):
    script = """(node, control) => {
        inputs.adapt(node, control);
        return [node.min, node.max, node.step];
    }"""
    slider = '<input type="range" min="7" max="9">'
    assert await on_element(blank, slider, script, FLOAT) == ["0", "1", "any"]
    assert await on_element(blank, slider, script, {**FLOAT, "step": 0.5}) == ["0", "1", "0.5"]
    assert await on_element(blank, slider, script, INT) == ["-5", "5", "1"]
    assert await on_element(blank, slider, script, CHOICE) == ["0", "2", "1"]
    assert (
        await on_element(blank, "<input>", "(node, c) => { inputs.adapt(node, c); return node.maxLength; }", STRING)
        == 1000
    )


@pytest.mark.parametrize(
    ("html", "control", "said"),
    [
        ('<input type="range">', FLOAT, ""),
        ('<input type="range" max="1" step="0.1">', FLOAT, ""),
        ('<input type="range" max="50">', FLOAT, "the page says max 50, the config 1"),
        ('<input type="range" min="1">', {**FLOAT, "owner": "page"}, "the page says min 1, the page 0"),
        ('<input type="range" step="0.1">', {**FLOAT, "step": 0.5}, "the page says step 0.1, the config 0.5"),
        ('<input type="range" id="a" max="10" step="3">', {**INT, "range": [0, 9], "step": 3}, ""),
        ("<select><option>x<option>w</select>", CHOICE, "the page says choices w, the config x, y, z"),
        ('<input type="checkbox">', STRING, "a string cannot be shown by this element"),
        ('<input type="range">', {"path": "/a", "kind": "vector"}, "a vector cannot be shown by this element"),
    ],
)
async def test_a_contradiction_is_put_into_words(blank, html, control, said):
    assert await on_element(blank, html, "(node, control) => inputs.contradiction(node, control)", control) == said


@pytest.mark.parametrize(
    ("before", "caret", "after", "expected"),
    [
        ("hello", 2, "hello world", 2),
        ("hello", 5, "oh hello", 8),
        ("hello", 3, "heXXllo", 5),
        ("hello", 2, "", 0),
        ("hello", 4, "help", 4),
        ("aaa", 1, "aaaa", 1),
        ("abc", 0, "xyz", 0),
        ("abc", 3, "xy", 2),
        ("hello world", 9, "hello brave world", 15),
    ],
)
async def test_a_caret_stays_beside_its_characters(blank, before, caret, after, expected):
    assert await blank.evaluate("([b, c, a]) => inputs.moved(c, b, a)", [before, caret, after]) == expected
