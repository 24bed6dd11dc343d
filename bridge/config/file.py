"""TOML text → data, and the line on which each key of it stands.

Here: reading the file, syntax errors with their line, the line locator. Not here: what the keys
mean (``tables``, ``loading``). ``tomllib`` decides what is valid; the locator only walks text
that it has accepted, so it may be simple, and where it is lost it stops and lines become None.
"""

from __future__ import annotations

import re
import stat
import tomllib
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bridge.errors import ConfigError, Problem
from bridge.threads import begin

from .base import Keys

MAX_FILE_BYTES = 4_000_000  # 4,096 controls written out one by one are about 1 MB
MAX_DEPTH = 40  # lists and tables in each other; a real file has 6, and recursion over the data is safe
READ_S = 5.0  # a disk that has not given a file by then does not answer; no reload and no start waits longer
_NO_FILE = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_INT64 = range(-(2**63), 2**63)  # TOML 1.0, "Integer": 64-bit signed integers


@dataclass(frozen=True, slots=True)
class Document:
    """A TOML file as plain data, and where its keys stand. ``name`` is what messages call the file."""

    name: str
    data: dict[str, Any]
    lines: dict[Keys, int]

    def line(self, keys: Keys) -> int | None:
        """Line (from 1) of these keys, else of the nearest table around them; None if nothing is known."""
        for end in range(len(keys), 0, -1):
            if (line := self.lines.get(keys[:end])) is not None:
                return line
        return None


def read_file(path: Path, within_s: float = READ_S) -> str:
    """The file's text. Raises ConfigError: not there, no file, not readable, not read in time, not UTF-8."""
    name = str(path)
    try:
        raw = begin(partial(_read, path), f"read {name}").result(within_s)
    except FileNotFoundError:
        raise ConfigError([Problem("", "no such file")], name) from None
    except TimeoutError:
        raise ConfigError([Problem("", "cannot be read: the disk does not answer")], name) from None
    except OSError as exc:
        raise ConfigError([Problem("", f"cannot be read: {exc.strerror or exc}")], name) from exc
    if isinstance(raw, str):
        raise ConfigError([Problem("", f"is {raw}, not a file")], name)
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError([Problem("", f"is larger than {MAX_FILE_BYTES // 1_000_000} MB")], name)
    try:
        return raw.decode("utf-8-sig")  # Windows' Notepad writes a byte-order mark
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        raise ConfigError([Problem("", "is not UTF-8 text", line)], name) from exc


def _read(path: Path) -> bytes | str:
    """What is in the file; what it is instead, where it is none: to open it might wait for somebody, or do something.
    Raises OSError."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        return next((what for is_it, what in _NO_FILE if is_it(mode)), "something else")
    with path.open("rb") as file:
        return file.read(MAX_FILE_BYTES + 1)


def read_text(text: str, name: str) -> Document:
    """Parse TOML and locate its keys. Raises ConfigError with the one syntax error TOML can give."""
    try:
        data = tomllib.loads(text)
    except RecursionError as exc:
        raise ConfigError([Problem("", "is nested too deeply")], name) from exc
    except ValueError as exc:  # TOMLDecodeError, and int() of more than 4,300 digits
        raise ConfigError([_syntax_problem(text, str(exc))], name) from exc
    if _depth(data) > MAX_DEPTH:
        raise ConfigError([Problem("", "is nested too deeply")], name)
    return Document(name, data, locate(text))


def unusable_numbers(value: Any, keys: Keys = ()) -> Iterator[tuple[Keys, str]]:
    """Every nan, infinity and integer beyond 64 bits below ``value``: (its keys, what is wrong)."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from unusable_numbers(item, (*keys, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from unusable_numbers(item, (*keys, index))
    elif isinstance(value, float) and value - value != 0:  # true for nan and both infinities
        yield keys, "must be a finite number"
    elif isinstance(value, int) and value not in _INT64:
        yield keys, "is beyond 64 bits"


def _depth(data: Any) -> int:
    """How deep lists and tables stand in each other, without recursion; stops counting above MAX_DEPTH."""
    depth, level = 0, [data]
    while level and depth <= MAX_DEPTH:
        depth += 1
        inner = (item for one in level for item in (one.values() if isinstance(one, dict) else one))
        level = [item for item in inner if isinstance(item, (dict, list))]
    return depth


# --- syntax errors ---------------------------------------------------------------------------

_PLACE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)")
_SINGLE = re.compile(r"\s*\[(osc|midi|page|control|bank|access)\]")
_BARE_TEXT = re.compile(r"\s*([\w.\"'-]+)\s*=\s*([A-Za-z/][^\s#\"'\[\]{},]*)\s*(?:#.*)?$")


def _syntax_problem(text: str, message: str) -> Problem:
    place = _PLACE.search(message)
    what = _PLACE.sub("", message).strip()
    rows = text.split("\n")
    if place is None:
        return Problem("", f"not valid TOML: {what[:200]}")
    line = int(place[1]) if place[1] else max(1, len(rows) - (not rows[-1]))
    column = f" (column {place[2]})" if place[2] else " (at the end of the file)"
    return Problem(
        "", f"not valid TOML: {what[:1].lower()}{what[1:]}{column}", line, _syntax_hint(what, rows[line - 1])
    )


def _syntax_hint(what: str, row: str) -> str | None:
    if what.startswith("Invalid value") and (bare := _BARE_TEXT.match(row)):
        key, word = bare.groups()
        if word.lower() in ("true", "false"):
            return f"write {key} = {word.lower()}"
        return f'text stands in quotes: {key} = "{word}"'
    if what.startswith("Cannot overwrite"):
        return "the key is there twice"
    if what.startswith("Illegal character '\\n'"):
        return "a text ends on its line, with the quote that it began with"
    if what.startswith("Cannot declare") and (single := _SINGLE.match(row)):
        return f"there may be several of it: write [[{single[1]}]]"
    if what.startswith(("Cannot declare", "Cannot mutate")):
        return "the table is there twice, or was written in one line before"
    return None


# --- the line locator ------------------------------------------------------------------------

_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\n\r]+|#[^\n]*)*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
# A multi-line string may end in one or two quotes of its own before the closing three.
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]+")


class _LostError(Exception):
    """The text is not what the locator expected: what it has so far is what it can give."""


def locate(text: str) -> dict[Keys, int]:
    """Line (from 1) of every key, table and array element of a valid TOML text.

    A table that is only implied has the line of the first header or key that implies it.
    Never raises: from where it cannot follow the text on, lines are missing.
    """
    locator = _Locator(text)
    with suppress(_LostError, RecursionError, ValueError):  # a quoted key that tomllib refuses
        locator.run()
    return locator.lines


class _Locator:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Keys, int] = {}
        self.newlines = [match.start() for match in re.finditer("\n", text)]
        self.array_lengths: dict[Keys, int] = {}  # of arrays of tables

    def run(self) -> None:
        here: Keys = ()
        while self.skip(_BLANK) < len(self.text):
            start = self.at
            if self.text.startswith("[[", start):
                here = self.enter(start, 2)
            elif self.text.startswith("[", start):
                here = self.enter(start, 1)
            else:
                self.pair(here)

    def enter(self, start: int, brackets: int) -> Keys:
        """Read a header and return the place that it opens."""
        self.at += brackets
        names = self.dotted_key()
        self.expect("]" * brackets)
        here: Keys = ()
        for index, name in enumerate(names):
            here = (*here, name)
            self.mark(here, start)
            is_last = index == len(names) - 1
            if is_last and brackets == 2:
                self.array_lengths[here] = self.array_lengths.get(here, 0) + 1
            if here in self.array_lengths:
                here = (*here, self.array_lengths[here] - 1)
                self.mark(here, start)
        return here

    def pair(self, here: Keys) -> None:
        start = self.at
        for name in self.dotted_key():
            here = (*here, name)
            self.mark(here, start)
        self.expect("=")
        self.value(here)

    def value(self, here: Keys) -> None:
        self.skip(_SPACE)
        char = self.text[self.at : self.at + 1]
        if char == "[":
            self.array(here)
        elif char == "{":
            self.inline_table(here)
        elif char in ('"', "'"):
            self.take(_STRING)
        else:
            self.take(_SCALAR)

    def array(self, here: Keys) -> None:
        self.at += 1
        index = 0
        while True:
            self.skip(_BLANK)
            if self.accept("]"):
                return
            self.mark((*here, index), self.at)
            self.value((*here, index))
            index += 1
            self.skip(_BLANK)
            if not self.accept(","):
                self.expect("]")
                return

    def inline_table(self, here: Keys) -> None:
        self.at += 1
        while True:
            self.skip(_BLANK)  # TOML 1.0 forbids newlines here and 1.1 allows them
            if self.accept("}"):
                return
            self.pair(here)
            self.skip(_BLANK)
            if not self.accept(","):
                self.expect("}")
                return

    def dotted_key(self) -> list[str]:
        names = []
        while True:
            self.skip(_SPACE)
            raw = self.take(_KEY)
            names.append(raw if raw[0] not in "\"'" else next(iter(tomllib.loads(f"{raw} = 0"))))
            self.skip(_SPACE)
            if not self.accept("."):
                return names

    def mark(self, keys: Keys, offset: int) -> None:
        if keys not in self.lines:
            self.lines[keys] = bisect_right(self.newlines, offset) + 1

    def skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.at

    def take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None or not match.group():
            raise _LostError
        self.at = match.end()
        return match.group()

    def accept(self, token: str) -> bool:
        if not self.text.startswith(token, self.at):
            return False
        self.at += len(token)
        return True

    def expect(self, token: str) -> None:
        self.skip(_SPACE)
        if not self.accept(token):
            raise _LostError
