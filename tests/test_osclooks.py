"""Names and colours that a desk gives its channels."""

from collections.abc import Iterator
from typing import Any

import pytest

from bridge.control import Control
from bridge.errors import BadValue
from bridge.osc.bind import compile_route
from bridge.osc.codec import Message, Rgba, decode
from bridge.osc.looks import Look, compile_looks, is_only_look
from bridge.osc.routes import RouteTable
from bridge.osc.settings import Binding, Settings
from bridge.store import Entry

SETTINGS = Settings.model_validate({"name": "desk", "query": "address", "colors": ["", "#ff0000", "#00FF00"]})
OWN = Control(path="/ch/1", label="Channel 1", color="#123456")


def looks(own: Control = OWN, settings: Settings = SETTINGS, **binding: Any) -> dict[str, Look]:
    made = compile_looks(Entry(1, own, 0.0, 1), own, Binding.model_validate(binding), settings)
    return {look.what: look for look in made}


def test_a_desks_name_becomes_the_label() -> None:
    look = looks(label="/name")["label"]
    assert look.described(("Vox",)).label == "Vox"
    assert look.described((" Vox\n2\x00 ",)).label == "Vox 2"
    assert look.described(("Git", 2, 1.5)).label == "Git 2 1.5"
    assert look.described(("x" * 999,)).label == "x" * 255
    assert look.described(("Vox",)).color == "#123456"


def test_a_channel_strip_is_called_what_the_desk_calls_its_channel() -> None:
    look = looks(Control(path="/ch/1/fader", label="Fader", group="1"), label="/name")["label"]
    named = look.entry.control = look.described(("Vox",))
    assert (named.label, named.group) == ("Vox", "Vox")
    assert (look.described(("",)).label, look.described(("",)).group) == ("Fader", "1")
    assert looks(label="/name")["label"].described(("Vox",)).group is None


def test_a_channel_without_name_or_colour_has_its_own() -> None:
    look = looks(label="/name", color="/color")
    look["label"].entry.control = look["label"].described(("Vox",))
    assert look["label"].described(("",)).label == "Channel 1"
    assert look["color"].described((0,)).color == "#123456"


def test_a_colours_number_is_looked_up() -> None:
    look = looks(color="/color")["color"]
    assert look.described((1,)).color == "#ff0000"
    assert look.described((2.0,)).color == "#00ff00"
    for number in (3, -1, float("nan"), float("inf")):
        with pytest.raises(BadValue, match="is none of 3"):
            look.described((number,))


def test_a_colour_may_be_said_outright() -> None:
    look = looks(color="/color")["color"]
    assert look.described(("#FF8000",)).color == "#ff8000"
    assert look.described((Rgba(255, 128, 0, 255),)).color == "#ff8000"
    assert look.described((1.0, 0.0, 0.0)).color == "#ff0000"
    with pytest.raises(BadValue):
        look.described(("reddish",))


@pytest.mark.parametrize("values", [(b"blob",), (None,)])
def test_what_is_no_name_is_refused(values: tuple[Any, ...]) -> None:
    with pytest.raises(BadValue, match="expected a name"):
        looks(label="/name")["label"].described(values)


def test_looks_are_asked_for_with_the_bindings_arguments_where_the_peer_can_be_asked() -> None:
    look = looks(label="/strip/name", args=["3"])["label"]
    assert look.question is not None
    assert decode(look.question) == Message("/strip/name", (3,))
    assert looks(settings=Settings.model_validate({"name": "mute"}), label="/name")["label"].question is None


def routes_of(*bindings: dict[str, Any]) -> tuple[RouteTable, list[Entry]]:
    def rows() -> Iterator[Entry]:
        for number, keys in enumerate(bindings, 1):
            own = Control(path=f"/c/{number}", kind=keys.pop("kind", "float"))
            entry, binding = Entry(number, own, own.default, 1), Binding.model_validate(keys)
            table.put(entry, [compile_route(entry, binding)], list(compile_looks(entry, own, binding, SETTINGS)))
            yield entry

    table = RouteTable()
    return table, list(rows())


def test_a_message_finds_the_looks_with_its_leading_arguments() -> None:
    table, entries = routes_of({"label": "/name", "args": ["1"]}, {"label": "/name", "args": ["2"]})
    assert [look.entry for look in table.looks("/name", (2, "Vox"))] == entries[1:]
    assert list(table.looks("/name", (2,))) == list(table.looks("/name", (3, "Vox"))) == []
    for entry in entries:
        table.drop(entry)
    assert list(table.looks("/name", (2, "Vox"))) == []


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_an_address_that_is_a_control_and_a_name_is_both(order: tuple[int, int]) -> None:
    bindings: list[dict[str, Any]] = [{"kind": "string", "address": "/name"}, {"label": "/name"}]
    table, _ = routes_of(*(bindings[index] for index in order))
    found = table.find("/name", ("Vox",))
    assert found is not None
    assert [route.is_quick for route in found] == [False]
    assert len(table.looks("/name", ("Vox",))) == 1


def test_descriptions_that_differ_in_looks_alone_are_told_from_others() -> None:
    assert is_only_look(OWN, Control(path="/ch/1", label="Vox", color="#ff0000"))
    assert not is_only_look(OWN, Control(path="/ch/1", label="Vox", range=(0, 2)))
