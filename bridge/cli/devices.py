"""``device list|add|revoke|rename`` and ``qr``: who may come in. Secrets go to stdout, because they were asked for."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from bridge import log
from bridge.access import Role
from bridge.errors import RemoteError

from .terminal import counted, daemon_of, qr_code, remote_command, to_same

ROLES: tuple[Role, ...] = ("view", "control", "admin")
OF_WHOM = "of a running daemon; only an admin may"


def add(commands: Any) -> None:
    """The commands and their arguments."""
    qr = remote_command(commands, "qr", "let one more device in: a QR code, a link and six digits", _qr, OF_WHOM)
    qr.add_argument("--page", metavar="NAME", help="the page that it opens")
    _worth(qr)

    device = commands.add_parser("device", help="list, add, rename or revoke the devices that were let in")
    actions = device.add_subparsers(title="actions", metavar="ACTION", required=True)
    remote_command(actions, "list", "every device: what it may, and when it was seen last", _list, OF_WHOM)
    new = remote_command(actions, "add", "make a token for a script or Prometheus, and print it once", _add, OF_WHOM)
    new.add_argument("name", metavar="NAME")
    _worth(new)
    revoke = remote_command(actions, "revoke", "cut a device off, at once and for good", _revoke, OF_WHOM)
    revoke.add_argument("device", metavar="DEVICE", help="its name or its id")
    rename = remote_command(actions, "rename", "give a device another name", _rename, OF_WHOM)
    rename.add_argument("device", metavar="DEVICE", help="its name or its id")
    rename.add_argument("name", metavar="NAME")


def _worth(parser: argparse.ArgumentParser) -> None:
    worth = parser.add_mutually_exclusive_group()
    worth.add_argument("--role", choices=ROLES, default="control", metavar="ROLE", help="%(choices)s (control)")
    worth.add_argument("--access", metavar="NAME", help="an [[access]] entry instead, which limits it to pages")


def _wanted(arguments: argparse.Namespace) -> dict[str, str]:
    return {"access": arguments.access} if arguments.access else {"role": arguments.role}


def _qr(arguments: argparse.Namespace) -> int:
    from bridge.remote import request

    page = {"page": arguments.page} if arguments.page else {}
    answer = request(daemon_of(arguments), "POST", "/api/codes", _wanted(arguments) | page)
    print(json.dumps(answer, ensure_ascii=False) if arguments.json else code_text(answer))
    return 0


def code_text(code: Mapping[str, Any]) -> str:
    """What ``POST /api/codes`` has answered, for a person: the QR code, each address, the digits."""
    first, *others = code["urls"]
    lines = [qr_code(first), "", f"  {first}", *(f"  {url}" for url in others), ""]
    digits = code["code"]
    if digits is None:
        lines.append('no code is needed: auth mode "open"')
    else:
        minutes = counted(round(code["expires_s"] / 60), "minute")
        lines.append(f"code {digits[:3]} {digits[3:]}: for one device, {worth(code)}, within {minutes}")
    return "\n".join(lines)


def worth(device: Mapping[str, Any]) -> str:
    """What a device may: its role, and the ``[[access]]`` entry that limits it."""
    role = device["role"] or "nothing"
    return f"{role} ({device['access']})" if device["access"] else str(role)


def _list(arguments: argparse.Namespace) -> int:
    from bridge.remote import request

    answer = request(daemon_of(arguments), "GET", "/api/devices")
    if arguments.json:
        print(json.dumps(answer, ensure_ascii=False))
        return 0
    if answer["kept"]:
        print(log.printable(f"stagebridge: devices are kept in memory alone: {answer['kept']}"), file=sys.stderr)
    if not answer["devices"]:
        print(f"stagebridge: no device was let in yet: {to_same(arguments, 'qr')}", file=sys.stderr)
        return 0
    now = time.time()
    rows = [("NAME", "MAY", "SEEN", "ID")]
    for device in answer["devices"]:
        seen = "now" if device["connected"] else ago(now - device["seen"])
        rows.append((log.printable(device["name"]), log.printable(worth(device)), seen, device["id"]))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip())
    return 0


def ago(seconds: float) -> str:
    """How long ago something was, for a person."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return "just now"


def _add(arguments: argparse.Namespace) -> int:
    from bridge.remote import request

    answer = request(daemon_of(arguments), "POST", "/api/devices", {"name": arguments.name} | _wanted(arguments))
    device = answer["device"]
    if arguments.json:
        print(json.dumps(answer, ensure_ascii=False))
        return 0
    print(answer["token"])
    print(
        log.printable(
            f"stagebridge: {device['name']} ({worth(device)}): its token is shown this once; "
            "it goes into $STAGEBRIDGE_TOKEN, or into a header: Authorization: Bearer …"
        ),
        file=sys.stderr,
    )
    return 0


def _revoke(arguments: argparse.Namespace) -> int:
    return _change(arguments, "DELETE", None, "is cut off")


def _rename(arguments: argparse.Namespace) -> int:
    return _change(arguments, "PATCH", {"name": arguments.name}, "has its name")


def _change(arguments: argparse.Namespace, method: str, body: Any, done: str) -> int:
    from bridge.remote import request

    daemon = daemon_of(arguments)
    device = find(arguments.device, request(daemon, "GET", "/api/devices")["devices"])
    answer = request(daemon, method, f"/api/devices/{quote(device['id'], safe='')}", body)
    if arguments.json:
        print(json.dumps(answer, ensure_ascii=False))
    else:
        print(log.printable(f"stagebridge: {answer['device']['name']} {done}"), file=sys.stderr)
    return 0


def find(name: str, devices: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The device with this id, or the one with this name. Raises RemoteError where that is none, or several."""
    found = [device for device in devices if device["id"] == name] or [
        device for device in devices if device["name"] == name
    ]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(device["id"] for device in found)
        raise RemoteError(f"{len(found)} devices are called {name}: say which by its id: {ids}")
    names = ", ".join(device["name"] for device in devices) or "none"
    raise RemoteError(log.printable(f"no device {name}: there are {names}"))
