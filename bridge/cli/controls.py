"""``watch``, ``get``, ``set``, ``forget``, ``panic``: the controls of a running daemon."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bridge import log
from bridge.errors import OscError, RemoteError

from .terminal import counted, daemon_of, fail, remote_command, run_loop

if TYPE_CHECKING:
    from bridge.remote import Event

MAX_PATHS = 8192  # whose answer a pattern remembers: as many as a daemon has


def add(commands: Any) -> None:
    """The commands and their arguments."""
    watch = remote_command(commands, "watch", "print what changes, while it does", _watch)
    watch.add_argument(
        "pattern", nargs="?", metavar="PATTERN", help="only these and what is below them: '/mixer/*/volume', /mixer"
    )
    watch.add_argument("--all", action="store_true", help="print the present values first")

    get = remote_command(commands, "get", "print the value of a control", _get)
    get.add_argument("path", metavar="PATH")

    set_ = remote_command(commands, "set", "set a control, or fire a trigger", _set)
    set_.add_argument("path", metavar="PATH")
    set_.add_argument(
        "words", nargs="*", metavar="VALUE", help="number, on/off, text, choice, #rrggbb; several for a vector"
    )

    forget = remote_command(commands, "forget", "remove controls that pages have declared", _forget)
    forget.add_argument("pattern", metavar="PATTERN", help="these and what is below them: '/guest/*', /guest")

    remote_command(commands, "panic", "release every hold and momentary, set what [panic] says", _panic)


def _watch(arguments: argparse.Namespace) -> int:
    return run_loop(_watch_remote(arguments))


async def _watch_remote(arguments: argparse.Namespace) -> int:
    from bridge.osc.pattern import is_pattern
    from bridge.remote import Event, Remote

    is_wanted = path_filter(arguments.pattern)
    async with Remote.connect(daemon_of(arguments), "stagebridge watch") as remote:
        if arguments.pattern:
            if not any(map(is_wanted, remote.controls)) and not is_pattern(arguments.pattern):
                await remote.show([_as_path(arguments.pattern)])  # says that it is unknown, and what was perhaps meant
            meters = [
                path for path, control in remote.controls.items() if control["kind"] == "meter" and is_wanted(path)
            ]
            if meters:
                await remote.show(meters)
            if not any(map(is_wanted, remote.controls)):
                print(log.printable(f"stagebridge: no control fits {arguments.pattern} yet"), file=sys.stderr)
        if arguments.all:
            present = [Event("value", path, value) for path, value in remote.values.items() if is_wanted(path)]
            _print_events(present, arguments.json)
        while True:
            _print_events([event for event in await remote.hear() if is_wanted(event.path)], arguments.json)


def path_filter(pattern: str | None) -> Callable[[str], bool]:
    """Whether a path is one that an OSC address pattern means, or stands below one. Raises RemoteError."""
    if pattern is None:
        return lambda path: True
    from bridge.osc.pattern import matches

    patterns = (_as_path(pattern).rstrip("/"), _as_path(pattern).rstrip("/") + "//*")
    try:
        matches(patterns[0], "/")  # a pattern that is none is said before anything is connected
    except OscError as exc:
        raise RemoteError(f"{pattern} is no pattern: {exc.reason}") from exc
    return lru_cache(MAX_PATHS)(lambda path: any(matches(one, path) for one in patterns))


def _print_events(events: Sequence[Event], as_json: bool) -> None:
    if not events:
        return
    now = time.time()
    clock = time.strftime("%H:%M:%S", time.localtime(now)) + f".{int(now % 1 * 1000):03}"
    for event in events:
        print(_event_json(event, now) if as_json else f"{clock} {_event_text(event)}")
    sys.stdout.flush()


def _event_json(event: Event, now: float) -> str:
    fields: dict[str, Any] = {"time": round(now, 3), "event": event.what, "path": event.path}
    if event.what == "value":
        fields["value"] = event.value
    elif event.what == "trigger":
        fields["args"] = list(event.args)
    return json.dumps(fields, ensure_ascii=False)


def _event_text(event: Event) -> str:
    from bridge.remote import to_words

    if event.what == "value":
        return f"{event.path} {to_words(event.value)}"
    if event.what == "trigger":
        return " ".join([event.path, "fired", *map(to_words, event.args)])
    return f"{event.path} {event.what}"


def _get(arguments: argparse.Namespace) -> int:
    return run_loop(_get_remote(arguments))


async def _get_remote(arguments: argparse.Namespace) -> int:
    from bridge.remote import Remote, to_words

    path = _as_path(arguments.path)
    async with Remote.connect(daemon_of(arguments), "stagebridge get") as remote:
        control = await _control(remote, path)
        value = await remote.meter(path) if control["kind"] == "meter" else remote.values.get(path)
    if arguments.json:
        print(json.dumps({**control, "value": value}, ensure_ascii=False))
    elif control["kind"] == "trigger":
        return fail(f"stagebridge: {path} is a trigger, it has no value")
    elif value is None:
        return fail(f"stagebridge: {path} has shown nothing yet")
    else:
        print(to_words(value))
    return 0


def _set(arguments: argparse.Namespace) -> int:
    return run_loop(_set_remote(arguments))


async def _set_remote(arguments: argparse.Namespace) -> int:
    from bridge.remote import Remote, from_words, to_words, word_args

    path = _as_path(arguments.path)
    async with Remote.connect(daemon_of(arguments), "stagebridge set") as remote:
        control = await _control(remote, path)
        if control["kind"] == "trigger":
            await remote.trigger(path, word_args(arguments.words))
            asked = value = None
        else:
            asked = from_words(control, arguments.words)
            value = await remote.set(path, asked)
    if arguments.json:
        print(json.dumps({"path": path, "value": value}, ensure_ascii=False))
    elif not _is_same(asked, value):
        print(f"stagebridge: {path} is now {to_words(value)}", file=sys.stderr)
    return 0


def _forget(arguments: argparse.Namespace) -> int:
    from bridge.remote import request

    daemon, is_wanted = daemon_of(arguments), path_filter(arguments.pattern)
    controls = request(daemon, "GET", "/api/controls")["controls"]
    paths = [one["path"] for one in controls if one.get("owner") == "page" and is_wanted(one["path"])]
    if not paths:
        return fail(log.printable(f"stagebridge: no control that a page has declared fits {arguments.pattern}"))
    for path in paths:
        request(daemon, "DELETE", f"/api/controls{quote(path)}")
    if arguments.json:
        print(json.dumps({"removed": paths}, ensure_ascii=False))
    else:
        print(f"stagebridge: {counted(len(paths), 'control')} removed", file=sys.stderr)
    return 0


def _panic(arguments: argparse.Namespace) -> int:
    return run_loop(_panic_remote(arguments))


async def _panic_remote(arguments: argparse.Namespace) -> int:
    from bridge.control import PANIC
    from bridge.remote import Remote

    async with Remote.connect(daemon_of(arguments), "stagebridge panic") as remote:
        await remote.trigger(PANIC, ())
    if arguments.json:
        print(json.dumps({"path": PANIC}))
    return 0


async def _control(remote: Any, path: str) -> Mapping[str, Any]:
    """The descriptor of a control. Raises RemoteError, in the daemon's words, when there is none."""
    if path not in remote.controls:
        await remote.show([path])
    control: Mapping[str, Any] = remote.controls[path]
    return control


def _is_same(asked: Any, value: Any) -> bool:
    if isinstance(asked, list):
        return isinstance(value, list) and all(a is None or _is_same(a, v) for a, v in zip(asked, value, strict=False))
    if isinstance(asked, str):
        return isinstance(value, str) and (asked == value or asked.startswith("#"))  # a colour in another spelling
    return bool(asked == value)


def _as_path(text: str) -> str:
    return text if text.startswith("/") else f"/{text}"
