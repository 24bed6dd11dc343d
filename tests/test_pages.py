"""``bridge.pages``: what people's own pages declare."""

import json
import logging
import os
import sys
from pathlib import Path

import pytest

from bridge.pages import MAX_PAGE_BYTES, build, declared_controls, paths_of, read_pages, scan

ROOT = Path(__file__).parent.parent
VECTORS = json.loads((Path(__file__).parent / "vectors" / "sync-inputs.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_an_element_declares_what_the_shared_vectors_say(vector):
    found = scan(vector["html"])
    assert found.controls == [build(descriptor) for descriptor in vector["controls"]]
    texts = [problem.split(": ", 1)[1] for problem in found.problems]
    expected = vector.get("problems", 0)  # their texts, or how many
    assert (texts if isinstance(expected, list) else len(texts)) == expected, texts


def test_a_problem_names_the_element_and_what_helps():
    found = scan('<input class="sync" type="range"><input class="sync" id="gain" type="range" max="0.5">')
    assert found.problems == [
        "<input>: needs an id, a name or a data-path",
        '/gain: with step 1 there is nothing between min and max; write step="any"',
    ]


def test_declared_controls_belong_to_the_page():
    assert [control.owner for control in scan('<input class="sync" id="a">').controls] == ["page"]


def paths(folder):
    return [(page, [control.path for control in declared_controls(html, page)]) for page, html in read_pages(folder)]


@pytest.mark.parametrize(
    "html",
    [
        "",
        "<",
        "<input",
        '<input class="sync',
        "<select class=sync id=a><option>x",
        "<textarea class=sync id=a>\n<b",
        "&#x;",
    ],
)
def test_broken_html_raises_nothing(html):
    scan(html)


def test_pages_are_read_by_name_each_with_what_it_declares(tmp_path):
    (tmp_path / "b.html").write_text('<input class="sync" id="x" type="range" max="99"><input class="sync" id="y">')
    (tmp_path / "a.html").write_text('<input class="sync" id="x" type="range" max="50">')
    (tmp_path / "notes.txt").write_text('<input class="sync" id="z">')
    assert paths(tmp_path) == [("a.html", ["/x"]), ("b.html", ["/x", "/y"])]


def test_pages_in_folders_count_too(tmp_path):
    (tmp_path / "set2").mkdir()
    (tmp_path / "set2" / "a.html").write_text('<input class="sync" id="x">')
    assert paths(tmp_path) == [("set2/a.html", ["/x"])]


def test_a_problem_is_logged_with_its_file(tmp_path, caplog):
    (tmp_path / "a.html").write_text('<input class="sync" type="password" id="p">')
    with caplog.at_level(logging.WARNING):
        assert paths(tmp_path) == [("a.html", [])]
    assert caplog.messages == ['a.html: /p: an input of type "password" cannot be synced']


def test_what_cannot_be_read_is_left_out(tmp_path, caplog):
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "huge.html").write_bytes(b" " * (MAX_PAGE_BYTES + 1))
    (tmp_path / "latin.html").write_bytes('<input class="sync" id="ok" value="\xe4">'.encode("latin-1"))
    with caplog.at_level(logging.WARNING):
        assert paths(tmp_path) == [("latin.html", ["/ok"])]
    assert len(caplog.messages) == 2
    assert paths(tmp_path / "nowhere") == []


def test_the_example_page_declares_its_two_sliders_and_its_text():
    html = (ROOT / "pages" / "sliders.html").read_text(encoding="utf-8")
    found = scan(html)
    assert found.problems == []
    assert [(control.path, control.kind, control.range, control.default) for control in found.controls] == [
        ("/slider1", "int", (0, 50), 25),
        ("/slider2", "int", (0, 50), 0),
        ("/txt1", "string", None, ""),
    ]


def test_a_page_shows_what_its_inputs_are_bound_to_whoever_describes_it(tmp_path):
    (tmp_path / "mine.html").write_text(
        '<input class="sync" id="own"><select class="sync" data-path="/scene"></select><input id="not-synced">'
        '<input class="sync" type="range" data-path="/mixer/1/volume"><p class="sync" id="no-input">'
    )
    assert paths_of(tmp_path, ["mine.html", "gone.html"]) == {
        "mine.html": {"/own", "/scene", "/mixer/1/volume"},
        "gone.html": frozenset(),
    }


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
def test_a_pipe_that_is_called_like_a_page_is_not_waited_for(tmp_path, caplog):
    os.mkfifo(tmp_path / "pipe.html")
    assert paths(tmp_path) == []
    assert caplog.messages == [f"{tmp_path / 'pipe.html'}: not a file"]
    assert paths_of(tmp_path, ["pipe.html"]) == {"pipe.html": frozenset()}
