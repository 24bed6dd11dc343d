"""OSC address patterns: which of many addresses does ``/mixer/*/{volume,pan}`` mean? Pure.

``?`` one character, ``*`` any number, ``[a-z]``, ``[!x]``, ``{this,that}``, all inside one part;
``//`` any number of parts (OSC 1.1). No backtracking: a part is matched in one pass over the pattern,
with the places in the text that were reached kept as the bits of one int.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TypeAlias

from bridge.errors import OscError

MAX_PATTERN = 255  # characters, as long as an address can be
MAX_PARTS = 8192  # whose answer one part of a pattern remembers
MAX_CACHED = 256  # patterns whose addresses are remembered; the one that was used longest ago leaves

_SPECIAL = re.compile(r"[?*\[{]|//")
_ANY = None

_Token: TypeAlias = str | frozenset[str] | tuple[str, ...] | None
"""Of a part: text as it is, "*" as the empty text, a set of characters, alternatives, None for any character."""


def is_pattern(address: str) -> bool:
    """True if the address may mean others than itself."""
    return _SPECIAL.search(address) is not None


class AddressTree:
    """Addresses by their parts, and what patterns mean among them.

    Answers are remembered in a capped cache until an address comes or goes.
    """

    def __init__(self) -> None:
        self._root = _Node()
        self._cache: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    def add(self, address: str) -> None:
        """Add an address; adding it twice is once."""
        node = self._root
        for part in address.split("/")[1:]:
            node = node.children.setdefault(part, _Node())
        node.address = address
        self._cache.clear()

    def discard(self, address: str) -> None:
        """Take an address out, if it is there."""
        trail = [self._root]
        parts = address.split("/")[1:]
        for part in parts:
            child = trail[-1].children.get(part)
            if child is None:
                return
            trail.append(child)
        trail[-1].address = None
        for node, part in zip(reversed(trail[:-1]), reversed(parts), strict=True):
            child = node.children[part]
            if child.children or child.address is not None:
                break
            del node.children[part]
        self._cache.clear()

    def is_cached(self, pattern: str) -> bool:
        """True if ``find`` is one look-up now."""
        return pattern in self._cache

    def find(self, pattern: str) -> tuple[str, ...]:
        """Every address that the pattern means, in the order in which its parts were added.

        Raises OscError where it is no pattern: a bracket that does not close, no leading slash, too long.
        """
        known = self._cache.get(pattern)
        if known is not None:
            self._cache.move_to_end(pattern)
            return known
        found = tuple(dict.fromkeys(_search(self._root, _compile(pattern))))
        self._cache[pattern] = found
        if len(self._cache) > MAX_CACHED:
            self._cache.popitem(last=False)
        return found


def matches(pattern: str, address: str) -> bool:
    """True if the pattern means the address. Raises OscError where it is no pattern."""
    return matcher(pattern)(address)


def matcher(pattern: str) -> Callable[[str], bool]:
    """``matches`` for many addresses: the pattern is read once. Raises OscError where it is none."""
    parts = _compile(pattern)

    def means(address: str) -> bool:
        tree = AddressTree()
        tree.add(address)
        return next(_search(tree._root, parts), None) is not None

    return means


class _Node:
    __slots__ = ("address", "children")

    def __init__(self) -> None:
        self.address: str | None = None
        self.children: dict[str, _Node] = {}


class _Part:
    """One part of a pattern. ``plain`` is its text where it is no pattern."""

    def __init__(self, text: str, offset: int) -> None:
        self.plain = None if _SPECIAL.search(text) or "]" in text or "}" in text else text
        self._matches = (lambda part: True) if text == "*" else _matcher(_tokens(text, offset))
        self._known: dict[str, bool] = {}  # a tree repeats its parts: 512 channels, one "volume"

    def matches(self, part: str) -> bool:
        known = self._known.get(part)
        if known is None:
            if len(self._known) >= MAX_PARTS:
                self._known.clear()
            known = self._known[part] = self._matches(part)
        return known


def _compile(pattern: str) -> list[_Part | None]:
    """The parts in order; None is ``//``."""
    if len(pattern) > MAX_PATTERN:
        raise OscError(MAX_PATTERN, f"a pattern of {len(pattern)} characters: at most {MAX_PATTERN}")
    if not pattern.startswith("/"):
        raise OscError(0, "a pattern must start with /")
    parts: list[_Part | None] = []
    offset = 1
    texts = pattern.split("/")[1:]
    for index, text in enumerate(texts):
        if text:
            parts.append(_Part(text, offset))
        elif index < len(texts) - 1 and not (parts and parts[-1] is None):
            parts.append(None)
        offset += len(text) + 1
    return parts


def _search(root: _Node, parts: list[_Part | None]) -> Iterator[str]:
    """Walk tree and pattern together; each (node, place in the pattern) once, so ``//`` cannot multiply."""
    seen: set[tuple[int, int]] = set()
    stack = [(root, 0)]
    while stack:
        node, at = stack.pop()
        if (id(node), at) in seen:
            continue
        seen.add((id(node), at))
        if at == len(parts):
            if node.address is not None:
                yield node.address
            continue
        part = parts[at]
        if part is None:
            stack.extend((child, at) for child in reversed(node.children.values()))
            stack.append((node, at + 1))
        elif part.plain is not None:
            child = node.children.get(part.plain)
            if child is not None:
                stack.append((child, at + 1))
        else:
            found = [child for text, child in node.children.items() if part.matches(text)]
            stack.extend((child, at + 1) for child in reversed(found))


def _tokens(text: str, offset: int) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char in "[{":
            close = "]" if char == "[" else "}"
            end = text.find(close, at + 1)
            if end < 0:
                raise OscError(offset + at, f'"{char}" without "{close}"')
            inside = text[at + 1 : end]
            tokens.append(_set(inside) if char == "[" else tuple(inside.split(",")))
            at = end + 1
            continue
        if char in "]}":
            raise OscError(offset + at, f'"{char}" without its beginning')
        tokens.append("" if char == "*" else _ANY if char == "?" else char)
        at += 1
    return tokens


def _set(inside: str) -> frozenset[str]:
    """The characters of ``[…]``; with "" among them the set means every other character."""
    is_negated = inside.startswith("!")
    if is_negated:
        inside = inside[1:]
    chars = {""} if is_negated else set()
    at = 0
    while at < len(inside):
        if inside[at + 1 : at + 2] == "-" and at + 2 < len(inside):
            # Addresses are mostly ASCII: a range over half of Unicode is cut, not built.
            low, high = ord(inside[at]), min(ord(inside[at + 2]), ord(inside[at]) + 255)
            chars.update(map(chr, range(low, high + 1)))
            at += 3
        else:
            chars.add(inside[at])
            at += 1
    return frozenset(chars)


def _matcher(tokens: list[_Token]) -> Callable[[str], bool]:
    """Matches one part. Bit i of ``reached``: the tokens so far can take the first i characters."""

    def match(text: str) -> bool:
        places: dict[str, int] = {}
        for index, char in enumerate(text):
            places[char] = places.get(char, 0) | 1 << index
        everywhere = (1 << len(text)) - 1
        reached = 1
        for token in tokens:
            if token == "":
                reached = (everywhere << 1 | 1) & ~((reached & -reached) - 1)
            elif token is None:
                reached = (reached & everywhere) << 1
            elif isinstance(token, str):
                reached = (reached & places.get(token, 0)) << 1
            elif isinstance(token, frozenset):
                reached = (reached & _allowed(token, places, everywhere)) << 1
            else:
                reached = _any_of(token, reached, places)
            if not reached:
                return False
        return bool(reached >> len(text) & 1)

    return match


def _allowed(chars: frozenset[str], places: dict[str, int], everywhere: int) -> int:
    mask = 0
    for char, where in places.items():
        if char in chars:
            mask |= where
    return everywhere & ~mask if "" in chars else mask


def _any_of(texts: tuple[str, ...], reached: int, places: dict[str, int]) -> int:
    result = 0
    for text in texts:
        here = reached
        for char in text:
            here = (here & places.get(char, 0)) << 1
        result |= here
    return result
