"""What an edited configuration changes."""

from typing import Any

from bridge.app import KINDS
from bridge.config.diff import Plan, plan
from bridge.config.loading import parse
from bridge.config.settings import Config

BASE = """
[http]
title = "Show"
[[osc]]
name = "max"
listen = "127.0.0.1:9000"
send = ["127.0.0.1:9001"]
[[osc]]
name = "pd"
listen = "127.0.0.1:9100"
[[page]]
name = "Main"
[[control]]
path = "/a"
[[control]]
path = "/b"
range = [0, 10]
[[control]]
path = "/c"
kind = "bool"
"""


def config(text: str, **overrides: Any) -> Config:
    return parse(text, KINDS, overrides=overrides)


def changed(*edits: tuple[str, str]) -> Plan:
    """The plan for BASE with these edits."""
    text = BASE
    for before, after in edits:
        assert text.count(before) == 1
        text = text.replace(before, after)
    return plan(config(BASE), config(text))


def test_the_same_file_changes_nothing() -> None:
    assert changed().is_empty
    assert changed().lines() == []


def test_controls_are_added_removed_and_described() -> None:
    made = changed(('path = "/a"', 'path = "/new"'), ("[0, 10]", "[0, 5]"))
    assert [one.path for one in made.added] == ["/new"]
    assert [one.path for one in made.removed] == ["/a"]
    assert [(was.range, now.range) for was, now in made.described] == [((0, 10), (0, 5))]
    assert made.lines() == [
        "1 control added: /new",
        "1 control removed: /a",
        "1 control changed: /b",
        "changed: what stands where",
    ]


def test_a_control_of_another_kind_is_another() -> None:
    made = changed(('kind = "bool"', 'kind = "vector"'))
    assert ([one.path for one in made.removed], [one.path for one in made.added]) == (["/c"], ["/c"])
    assert made.lines()[0] == "1 control of another kind: /c"
    assert not made.described


def test_a_binding_closes_no_port() -> None:
    made = changed(('path = "/a"', 'path = "/a"\n[control.osc.max]\naddress = "/elsewhere"'))
    assert [peer.name for peer in made.rebound] == ["max"]
    assert (made.reopened, made.opened, made.closed, made.described) == ((), (), (), ())
    assert made.lines() == ["bound anew: osc max"]


def test_of_two_peers_only_the_one_with_other_settings_is_opened_anew() -> None:
    made = changed(("9001", "9002"))
    assert [peer.name for peer in made.reopened] == ["max"]
    assert (made.rebound, made.opened, made.closed) == ((), (), ())
    made = changed(('name = "pd"', 'name = "data"'))
    assert ([peer.name for peer in made.opened], [peer.name for peer in made.closed]) == (["data"], ["pd"])


def test_what_is_bound_once_stays_and_is_said() -> None:
    made = changed(('title = "Show"', 'title = "Show"\nport = 8081'))
    assert made.config.http.port == 8080
    assert made.lines() == ["[http] port = 8081 needs a restart: it stays 8080"]
    beaten = {"http.port": 0}
    again = plan(config(BASE, **beaten), config(BASE.replace('title = "Show"', "port = 8081"), **beaten))
    assert again.restart == (), "the command line's is meant, before and after"


def test_other_settings_are_named() -> None:
    made = changed(
        ('title = "Show"', 'title = "Other"\nclient_timeout_s = 20.0'),
        ("[[page]]", '[state]\nfile = "x.db"\n[panic]\n"/a" = 0.5\n[[page]]'),
    )
    (line,) = made.lines()
    assert line == "changed: [panic], [state], [http] title, [http] client_timeout_s"


def test_many_names_are_cut() -> None:
    many = plan(config(BASE), config(BASE + '[[control]]\nrepeat = 20\npath = "/more/{n}"\n'))
    assert many.lines()[0] == "20 controls added: /more/1, /more/2, /more/3, /more/4, /more/5, and 15 more"
