"""What OSC address patterns mean, and that none of them is slow."""

import re
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import OscError
from bridge.osc import pattern
from bridge.osc.pattern import MAX_CACHED, AddressTree, is_pattern, matches


@pytest.mark.parametrize(
    ("pattern", "address"),
    [
        ("/a/?", "/a/b"),
        ("/a/*", "/a/"),
        ("/a/*", "/a/bcd"),
        ("/a/b*d", "/a/bd"),
        ("/a/b*d", "/a/bccd"),
        ("/*/x", "/mixer/x"),
        ("/a/[b-d]", "/a/c"),
        ("/a/[b-]", "/a/-"),
        ("/a/[!b-d]", "/a/e"),
        ("/a/[b!]", "/a/!"),
        ("/a/[äö]", "/a/ö"),
        ("/a/{on,off}", "/a/off"),
        ("/a/{,un}mute", "/a/mute"),
        ("/a/{b,bc}cd", "/a/bcd"),
        ("/{a,b}/?[0-9]*", "/b/x7yz"),
        ("//volume", "/volume"),
        ("//volume", "/mixer/1/volume"),
        ("/mixer//volume", "/mixer/1/volume"),
        ("/mixer//volume", "/mixer/volume"),
        ("/mixer//", "/mixer/1/volume"),
        ("//", "/mixer"),
        ("//1//", "/mixer/1/x/y"),
        ("///volume", "/a/volume"),
    ],
)
def test_pattern_means_address(pattern: str, address: str) -> None:
    assert is_pattern(pattern)
    assert matches(pattern, address)


@pytest.mark.parametrize(
    ("pattern", "address"),
    [
        ("/a/?", "/a/bc"),
        ("/a/*", "/a/b/c"),
        ("/*", "/a/b"),
        ("/a/b*d", "/a/bdc"),
        ("/a/[b-d]", "/a/e"),
        ("/a/[d-b]", "/a/c"),
        ("/a/[!b-d]", "/a/c"),
        ("/a/{on,off}", "/a/o"),
        ("/a/{on,off}", "/a/offf"),
        ("//volume", "/mixer/volumes"),
        ("//a//b", "/b/a"),
    ],
)
def test_pattern_does_not_mean_address(pattern: str, address: str) -> None:
    assert not matches(pattern, address)


def test_a_plain_address_is_no_pattern() -> None:
    assert not is_pattern("/mixer/1/volume")
    assert matches("/mixer/1", "/mixer/1")


@pytest.mark.parametrize(
    ("pattern", "offset"),
    [("/a/[b", 3), ("/a/{b,c", 3), ("/a*/b]", 5), ("/*/b}", 4), ("a*", 0), ("/" + "*" * 255, 255)],
)
def test_a_broken_pattern_says_where(pattern: str, offset: int) -> None:
    with pytest.raises(OscError) as caught:
        matches(pattern, "/a")
    assert caught.value.offset == offset


def test_a_tree_finds_all_and_forgets_what_goes() -> None:
    tree = AddressTree()
    for number in (1, 2, 10):
        tree.add(f"/mixer/{number}/volume")
        tree.add(f"/mixer/{number}/pan")
    tree.add("/mixer")
    assert tree.find("/mixer/?/volume") == ("/mixer/1/volume", "/mixer/2/volume")
    assert tree.is_cached("/mixer/?/volume")
    tree.discard("/mixer/1/volume")
    assert tree.find("/mixer/?/volume") == ("/mixer/2/volume",)
    tree.discard("/mixer/2/volume")
    tree.discard("/not/there")
    assert tree.find("/mixer/?/volume") == ()
    assert tree.find("//pan") == ("/mixer/1/pan", "/mixer/2/pan", "/mixer/10/pan")
    assert tree.find("/m*") == ("/mixer",)
    tree.add("/mixer/3/volume")
    assert tree.find("/mixer/?/volume") == ("/mixer/3/volume",)


def test_the_cache_is_capped() -> None:
    tree = AddressTree()
    for number in range(MAX_CACHED + 50):
        tree.find(f"/*{number}")
    assert not tree.is_cached("/*0")
    assert len(tree._cache) == MAX_CACHED


parts = st.text("ab", max_size=6)


@given(st.lists(st.sampled_from(["a", "b", "?", "*", "[a]", "[!a]", "{a,ab}", "{,b}"]), min_size=1, max_size=6), parts)
def test_a_part_means_what_the_same_regular_expression_means(tokens: list[str], text: str) -> None:
    regex = "".join(
        {"?": ".", "*": ".*", "[a]": "[a]", "[!a]": "[^a]", "{a,ab}": "(a|ab)", "{,b}": "(|b)"}.get(token, token)
        for token in tokens
    )
    assert matches("/x/" + "".join(tokens), "/x/" + text) == (re.fullmatch(regex, text) is not None)


def counted(run: Callable[[], object]) -> int:
    """Lines of osc/pattern.py that run: work that does not depend on the machine."""
    lines = 0

    def trace(frame: object, event: str, arg: object) -> object:
        nonlocal lines
        lines += event == "line" and frame.f_code.co_filename == pattern.__file__  # type: ignore[attr-defined]
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        run()
    finally:
        sys.settrace(before)
    return lines


@pytest.mark.parametrize("pattern", ["/" + "*a" * 50 + "b", "/" + "{a,aa}" * 40, "/" + "?*" * 60])
def test_hostile_patterns_cost_no_more_than_their_length(pattern: str) -> None:
    assert counted(lambda: matches(pattern, "/" + "a" * 200)) < 6000


def test_many_depths_do_not_multiply() -> None:
    tree = AddressTree()
    for number in range(50):
        tree.add("/a" * 30 + f"/{number}")
    assert counted(lambda: tree.find("//a" * 60 + "//x")) < 100_000
