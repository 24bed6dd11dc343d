"""The line of every key, found by a locator that is held to tomllib; and errors of syntax."""

import json
import os
import re
import socket
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.config.file import MAX_FILE_BYTES, Keys, locate, read_file, read_text
from bridge.errors import ConfigError
from tests.hungfile import hung


def leaves(value: Any, keys: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*keys, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*keys, index))
    else:
        yield keys, value


def assert_located(text: str) -> None:
    """Every leaf holds a number or text that stands in the file once, so its line can be looked up."""
    lines = locate(text)
    rows = text.split("\n")
    for keys, value in leaves(tomllib.loads(text)):
        assert keys in lines, (keys, text)
        marker = str(value) if isinstance(value, int) else re.search(r"#\d+#", value)[0]  # type: ignore[index]
        found = [number for number, row in enumerate(rows, 1) if re.search(rf"(?<!\d){re.escape(marker)}(?!\d)", row)]
        assert [lines[keys]] == found, (keys, text)


class Writer:
    """Writes nested data as TOML in many styles; its leaves are numbers that stand there once."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.count = 1000

    def pick(self, *styles: str) -> str:
        return self.draw(st.sampled_from(styles))

    def leaf(self) -> str:
        self.count += 1
        number = self.count
        return self.pick(
            str(number),
            f'"#{number}# ] }} # = [x]"',
            f"'#{number}# \" [['",
            f'"#{number}# \\" \\\\"',
            f'"""#{number}#\n[a]\nb = 1 \\""" " ""x"""""',
            f"'''#{number}# '' \n# no comment\n[[c]]''''",
        )

    def key(self, name: str) -> str:
        return self.pick(name, json.dumps(name), f"'{name}'")

    def value(self, depth: int, one_line: bool = False) -> str:
        style = self.pick("leaf", "leaf", "array", "inline") if depth else "leaf"
        if style == "array":
            gap = " " if one_line else self.pick("", " ", "\n", "\n  # ] , [\n", "\r\n")
            items = [gap + self.value(depth - 1, one_line) for _ in range(self.draw(st.integers(0, 3)))]
            tail = self.pick("", ",") if items else ""
            return "[" + f"{gap},".join(items) + gap + tail + gap + "]"
        if style == "inline":
            names = self.draw(st.lists(st.sampled_from("pqrs"), max_size=3, unique=True))
            pairs = [f"{self.dotted(name)} = {self.value(depth - 1, one_line=True)}" for name in names]
            return "{ " + ", ".join(pairs) + " }"
        return self.leaf()

    def dotted(self, name: str) -> str:
        return self.pick(self.key(name), f"{self.key(name)} . {self.key('deep')}")

    def body(self) -> str:
        names = self.draw(st.lists(st.sampled_from("abcd"), max_size=3, unique=True))
        lines = []
        for name in names:
            comment = self.pick("", "  # [no] = 'table'", "\t")
            lines.append(f"{self.pick('', '  ')}{self.dotted(name)}={self.pick('', ' ')}{self.value(2)}{comment}")
        return "\n".join(lines)

    def document(self) -> str:
        parts = [self.body()]
        for table in self.draw(st.lists(st.sampled_from(["one", "two", "three"]), unique=True)):
            if self.pick("table", "array") == "table":
                parts += [f"[{self.key(table)}]  # x", self.body(), f"[ {table} . {self.key('sub')} ]", self.body()]
            else:
                for _ in range(self.draw(st.integers(1, 3))):
                    parts += [f"[[{self.key(table)}]]", self.body()]
                    for _ in range(self.draw(st.integers(0, 2))):
                        parts += [f"[[{table}.inner]]", self.body(), f"[{table}.inner.leaf]", self.body()]
        return self.pick("\n", "\n\n", "\n# comment with [[table]]\n").join(parts)


@st.composite
def documents(draw: st.DrawFn) -> str:
    return Writer(draw).document()


@settings(max_examples=60, deadline=None)
@given(documents())
def test_every_leaf_that_tomllib_finds_has_its_line(text: str) -> None:
    assert_located(text)


@settings(max_examples=40, deadline=None)
@given(documents(), st.integers(0, 400))
def test_locating_never_raises_on_a_truncated_file(text: str, end: int) -> None:
    assert isinstance(locate(text[:end]), dict)


@example('"\\1" = 3')
@given(st.text(alphabet="[]{}=.,\"'#\n ab1\\", max_size=60))
def test_locating_never_raises_on_junk(text: str) -> None:
    assert isinstance(locate(text), dict)


def test_lines_of_tables_arrays_and_dotted_keys() -> None:
    text = """title = 'x'
[[control]]
path = '/a'
range = [
  0,
  1 ]
[control.osc.max]
a.b = { c = 1, d = [2] }
[[control]]
[[control.osc.max]]
address = '/x'
[[control.osc.max]]
address = '/y'
"""
    lines = locate(text)
    assert lines["control", 0] == 2
    assert lines["control", 0, "range"] == 4
    assert lines["control", 0, "range", 1] == 6
    assert lines["control", 0, "osc"] == lines["control", 0, "osc", "max"] == 7
    assert lines["control", 0, "osc", "max", "a", "b", "d", 0] == 8
    assert lines["control", 1] == 9
    assert lines["control", 1, "osc", "max", 1, "address"] == 13


def test_an_unknown_place_has_the_line_of_the_table_around_it() -> None:
    document = read_text("[a]\nb = 1\n[c]\n[c.d]\n", "x.toml")
    assert document.line(("c", "d", "e", 3)) == 4
    assert document.line(("nowhere",)) is None


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf[http]\r\nport = 1\r\n")
    document = read_text(read_file(path), "config.toml")
    assert document.data == {"http": {"port": 1}}
    assert document.line(("http", "port")) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[http]\nport = \n", "c:2: not valid TOML: invalid value (column 8)"),
        (
            "[[osc]]\nname = max # it\n",
            'c:2: not valid TOML: invalid value (column 8) (text stands in quotes: name = "max")',
        ),
        ("a = True", "c:1: not valid TOML: invalid value (column 5) (write a = true)"),
        ("a = /x/y", 'c:1: not valid TOML: invalid value (column 5) (text stands in quotes: a = "/x/y")'),
        ("a = 1\na = 2\n", "c:2: not valid TOML: cannot overwrite a value (column 6) (the key is there twice)"),
        (
            "[a]\n[a]\n",
            (
                "c:2: not valid TOML: cannot declare ('a',) twice (column 3) "
                "(the table is there twice, or was written in one line before)"
            ),
        ),
        (
            "[[osc]]\n[osc]\n",
            "c:2: not valid TOML: cannot declare ('osc',) twice (column 5) (there may be several of it: write [[osc]])",
        ),
        (
            'a = "x\nb = 1',
            (
                "c:1: not valid TOML: illegal character '\\n' (column 7) "
                "(a text ends on its line, with the quote that it began with)"
            ),
        ),
        ("a = [1,\n2\n", "c:2: not valid TOML: unclosed array (at the end of the file)"),
        ('a = """x\n\n', "c:2: not valid TOML: unterminated string (at the end of the file)"),
        ("a 1", "c:1: not valid TOML: expected '=' after a key in a key/value pair (column 3)"),
        ("a = " + "[" * 2000, "c: is nested too deeply"),
        ("a = " + "[" * 100 + "]" * 100, "c: is nested too deeply"),
    ],
)
def test_syntax_errors_say_where_and_what_to_write(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_text(text, "c")
    assert str(caught.value) == f"{said}\n1 mistake"


def test_a_number_of_ten_thousand_digits_is_a_mistake_and_no_crash() -> None:
    with pytest.raises(ConfigError, match="not valid TOML"):
        read_text("a = " + "1" * 10_000, "c")


@given(st.text(max_size=80))
def test_reading_any_text_raises_nothing_else(text: str) -> None:
    try:
        read_text(text, "c")
    except ConfigError as exc:
        assert len(exc.problems) == 1


def test_a_file_that_cannot_be_read_is_one_clear_mistake(tmp_path: Path) -> None:
    missing, folder, latin, huge = (tmp_path / name for name in ("missing", "folder", "latin", "huge"))
    folder.mkdir()
    latin.write_bytes(b"a = 1\nb = '\xe9'\n")
    huge.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    for path, said in [
        (missing, f"{missing}: no such file"),
        (folder, f"{folder}: is a folder, not a file"),
        (latin, f"{latin}:2: is not UTF-8 text"),
        (huge, f"{huge}: is larger than 4 MB"),
    ]:
        with pytest.raises(ConfigError) as caught:
            read_file(path)
        assert str(caught.value) == f"{said}\n1 mistake"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other things that are no files")
def test_what_is_no_file_is_named_and_not_opened(tmp_path: Path) -> None:
    pipe, ear = tmp_path / "pipe", tmp_path / "ear"
    os.mkfifo(pipe)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(ear))
    for path, what in [(pipe, "a named pipe"), (ear, "a socket"), (Path("/dev/zero"), "a device")]:
        with pytest.raises(ConfigError, match=f"^{path}: is {what}, not a file\n"):
            read_file(path)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has leases")
def test_a_disk_that_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("a = 1")
    with hung(file), pytest.raises(ConfigError, match="cannot be read: the disk does not answer"):
        read_file(file, within_s=0.02)
    assert read_file(file) == "a = 1"
