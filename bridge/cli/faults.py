"""``monitor``, ``send``, ``push``, ``learn``, ``midi``: finding out what goes in and out. What they do: ``tools``."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from bridge import log

from .terminal import counted, daemon_of, remote_command, run_loop


def add(commands: Any) -> None:
    """The commands and their arguments."""
    monitor = remote_command(commands, "monitor", "print what goes in and out, decoded", _monitor)
    monitor.add_argument("peer", nargs="?", metavar="PEER", help="only this one's")
    monitor.add_argument(
        "--filter", metavar="PATTERN", help="only addresses that fit, or stand below: '/mixer/*/volume', /mixer"
    )

    send = remote_command(commands, "send", "send one OSC message", _send, "to HOST:PORT, or a peer of a daemon here")
    send.add_argument("target", metavar="HOST:PORT|PEER", help="over UDP; or as the peer is reached")
    send.add_argument("address", metavar="/ADDRESS")
    send.add_argument("words", nargs="*", metavar="ARG", help="7 is an int, 0.5 a float, true a bool, else a text")
    send.add_argument("--types", metavar="TAGS", help="what the arguments are instead, such as ifs; T F N I take none")
    send.add_argument(
        "--wait", type=_seconds, default=0.1, metavar="S", help="print what HOST answers within this time (0.1)"
    )

    push = remote_command(commands, "push", "send a peer every value", _push)
    push.add_argument("peer", metavar="PEER")

    learn = remote_command(commands, "learn", "print what was learnt, by MIDI learn or auto = true, as TOML", _learn)
    learn.add_argument("peer", nargs="?", metavar="PEER", help="only by this one")
    midi = commands.add_parser("midi", help="list the MIDI ports of this machine, or print what a device sends")
    midi.add_argument("device", nargs="?", metavar="DEVICE", help="a part of its port's name")
    midi.add_argument(
        "--api",
        choices=("auto", "alsa", "jack", "coremidi", "winmm"),
        default="auto",
        metavar="API",
        help="%(choices)s",
    )
    midi.set_defaults(command=_midi)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: 0–3600 s")
    return seconds


def _monitor(arguments: argparse.Namespace) -> int:
    return run_loop(_monitor_remote(arguments))


async def _monitor_remote(arguments: argparse.Namespace) -> None:
    from bridge import tools

    async for lines in tools.monitor(daemon_of(arguments), arguments.peer, arguments.filter, arguments.json):
        print(*lines, sep="\n", flush=True)


def _send(arguments: argparse.Namespace) -> int:
    from bridge import tools

    target, address, words = arguments.target, arguments.address, arguments.words
    answers = tools.send(daemon_of(arguments), target, address, words, arguments.types, arguments.wait)
    if arguments.json:
        print(json.dumps({"answers": answers}, ensure_ascii=False))
    else:
        print(*answers, sep="\n", end="\n" if answers else "")
    return 0


def _push(arguments: argparse.Namespace) -> int:
    from bridge import tools

    count = tools.push(daemon_of(arguments), arguments.peer)
    if arguments.json:
        print(json.dumps({"values": count}))
    else:
        print(f"stagebridge: {counted(count, 'value')} on the way to {arguments.peer}", file=sys.stderr)
    return 0


def _learn(arguments: argparse.Namespace) -> int:
    from bridge import tools

    text = tools.learnt_toml(daemon_of(arguments), arguments.peer)
    if arguments.json:
        import tomllib

        print(json.dumps(tomllib.loads(text).get("control", []), ensure_ascii=False))
    elif text:
        print(text, end="")
    else:
        how = "auto = true in an [[osc]] table, and messages; or on the page: menu, Learn from hardware"
        print(f"stagebridge: nothing is learnt: {how}", file=sys.stderr)
    return 0


def _midi(arguments: argparse.Namespace) -> int:
    from bridge.midi.tool import list_ports, monitor

    def tell(text: str) -> None:
        print(log.printable(text), flush=True)

    if arguments.device is None:
        return run_loop(list_ports(arguments.api, tell))
    return run_loop(monitor(arguments.api, arguments.device, tell))
