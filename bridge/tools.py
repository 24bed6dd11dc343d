"""Commands for finding faults: ``monitor``, ``send``, ``push``, ``learn``. What they do, and the texts they give.

Arguments, printing and exit codes are in ``cli``, the connection to a daemon in ``remote``. Everything here
raises RemoteError for what does not work.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from .config.tomltext import lines
from .errors import BadValue, OscError, RemoteError
from .learning import bindings_toml
from .log import printable
from .osc.codec import ALL, Message, decode, encode_message, messages
from .osc.fields import Endpoint, parse_endpoint
from .osc.words import arguments, plain_words, tags_of
from .remote import Daemon, Remote, request, to_words
from .surface import LEARNT

ANSWER_S = 0.1
"""How long an answer, or "nobody listens", is waited for: it comes within a few ms where it comes at all."""
MAX_GROUP = 60  # characters, as the configuration has it


# monitor


async def monitor(daemon: Daemon, peer: str | None, pattern: str | None, as_json: bool) -> AsyncIterator[list[str]]:
    """What goes in and out, some lines at a time, until the daemon goes."""
    async with Remote.connect(daemon, "stagebridge monitor") as remote:
        await remote.watch_monitor(peer, pattern)
        while True:
            lines, lost = await remote.hear_monitor()
            texts = [json.dumps(line, ensure_ascii=False) if as_json else line_text(line) for line in lines]
            if lost:
                texts.append(json.dumps({"lost": lost}) if as_json else f"… {lost:,} more, too many to show")
            yield texts


def line_text(line: Mapping[str, Any]) -> str:
    """One line of the monitor for a person: ``12:00:01.250 max ← 192.168.1.20:9001 /cutoff ,f 440``."""
    at = line["time"]
    clock = time.strftime("%H:%M:%S", time.localtime(at)) + f".{int(at % 1 * 1000):03}"
    arrow = "←" if line["way"] == "in" else "→"
    words = [clock, line["peer"] or "?", arrow, line["where"], *_said(line)]
    if (bundle := line.get("bundle")) is not None:
        due = f", for {bundle['at'] - at:+.3f} s" if "at" in bundle else ""
        words.append(f"(bundle {bundle['number']}{due})")
    if note := line.get("note"):
        words.append(f"– {note}")
    return printable(" ".join(words))


def _said(line: Mapping[str, Any]) -> Iterator[str]:
    if "error" in line:
        yield f"not OSC, {line['size']} bytes: byte {line['offset']}: {line['error']}: {line['hex']}"
    elif "address" in line:
        yield line["address"]
        if line["port"] != "midi":  # whose messages have none
            yield line.get("types", "(no type tags)")
        yield from map(_word, line.get("args", ()))
        if "more" in line:
            yield f"… {line['more']} more"
    else:
        yield f"{line['size']} bytes"


def _word(value: Any) -> str:
    if isinstance(value, list):
        return f"[{' '.join(map(_word, value))}]"
    if isinstance(value, str):
        is_plain = value and value.isprintable() and not any(char in ' "[]' for char in value)
        return value if is_plain else json.dumps(value, ensure_ascii=False)
    return "nil" if value is None else to_words(value)


# send, push


def send(
    daemon: Daemon, target: str, address: str, words: Sequence[str], types: str | None, wait_s: float
) -> list[str]:
    """Send one message to a peer of the daemon, or over UDP to ``host:port``; what came back within ``wait_s``."""
    if not address.startswith("/"):
        raise RemoteError(f"{address} is no address: it starts with /")
    try:
        args = arguments(words, types)
        packet = encode_message(address, args, ALL)
    except BadValue as exc:
        raise RemoteError(str(exc)) from exc
    except OscError as exc:
        raise RemoteError(exc.reason) from exc
    if ":" in target:
        try:
            endpoint = parse_endpoint(target)
        except ValueError as exc:
            raise RemoteError(f"{target}: {exc}") from exc
        return _send_udp(endpoint, packet, wait_s)
    tags = types if types is not None else "".join(tags_of(args))
    if types is None:
        words = [word for word, tag in zip(words, tags, strict=True) if tag not in "TF"]
    body = {"address": address, "args": list(words), "types": tags}
    request(daemon, "POST", f"/api/peers/{quote(target, safe='')}/send", body)
    return []


def _send_udp(endpoint: Endpoint, packet: bytes, wait_s: float) -> list[str]:
    try:
        family, kind, proto, _, address = socket.getaddrinfo(*endpoint, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, proto) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sock.connect(address)  # so that the system says when nobody listens there
            sock.send(packet)
            return list(_answers(sock, time.monotonic() + wait_s))
    except ConnectionRefusedError as exc:
        raise RemoteError(f"host is up but nobody listens on UDP {endpoint.udp_port}") from exc
    except OSError as exc:
        raise RemoteError(f"{endpoint} cannot be sent to: {exc.strerror or exc}") from exc


def _answers(sock: socket.socket, until: float) -> Iterator[str]:
    while (left := until - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            data = sock.recv(65_536)
        except TimeoutError:
            return
        try:
            packet = decode(data)
        except OscError as exc:
            yield printable(f"not OSC, {len(data)} bytes: {exc}")
            continue
        for message in [packet] if isinstance(packet, Message) else [one for _, one in messages(packet)]:
            yield printable(message_text(message))


def message_text(message: Message) -> str:
    """``/cutoff ,f 440``."""
    tags = "," + "".join(tags_of(message.args)) if message.tagged else "(no type tags)"
    return " ".join([message.address, tags, *map(_word, plain_words(message.args, 4096, 4096))])


def push(daemon: Daemon, peer: str) -> int:
    """Have the daemon send a peer every value; how many."""
    count: int = request(daemon, "POST", f"/api/peers/{quote(peer, safe='')}/push")["values"]
    return count


# learn


def learnt_toml(daemon: Daemon, only: str | None) -> str:
    """What peers have taught the daemon, and what was learnt of hardware, as tables of a configuration; "" where it
    is nothing."""
    peers = request(daemon, "GET", "/api/peers")["peers"]
    if only is not None and all(peer["name"] != only for peer in peers):
        raise RemoteError(f"no peer {only}: there are {', '.join(peer['name'] for peer in peers) or 'none'}")
    teachers: dict[str, list[Mapping[str, Any]]] = {}
    for peer in peers:
        for path in peer["learnt"]:
            teachers.setdefault(path, []).append(peer)
    controls = [
        control
        for control in request(daemon, "GET", "/api/controls")["controls"]
        if control.get("owner") == "learn"
        and (only is None or any(peer["name"] == only for peer in teachers.get(control["path"], ())))
    ]
    bound = [
        (one["path"], one["peer"], one["binding"])
        for one in request(daemon, "GET", "/api/learnt")["bindings"]
        if only in (None, one["peer"])
    ]
    tables = [control_toml(control, teachers.get(control["path"], ())) for control in controls]
    return "\n".join(filter(None, [*tables, bindings_toml(bound)]))


def control_toml(control: Mapping[str, Any], peers: Sequence[Mapping[str, Any]]) -> str:
    """A ``[[control]]`` that makes the same control; with a binding for each peer that mirrors none."""
    path, kind = control["path"], control["kind"]
    fields: dict[str, Any] = {"path": path}
    if kind != "float":
        fields["kind"] = kind
    if "range" in control:
        fields["range"] = control["range"]
    if kind == "vector" and control["size"] != 2:
        fields["components"] = control["size"]
    fields["pages"] = [LEARNT]
    group = path.rpartition("/")[0].strip("/")
    if 0 < len(group) <= MAX_GROUP:
        fields["group"] = group
    text = ["[[control]]", *lines(fields)]
    for peer in peers:
        if not peer["mirror"]:
            text += [f"[control.osc.{peer['name']}]", *lines({"address": path})]
    return "\n".join([*text, ""])
