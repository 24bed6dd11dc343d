"""A whole bridge in this process, under an audit hook, that is told everything that OSC can say: `audited.py FOLDER
CONFIG COUNT SEED`. Prints, as JSON, what it touched meanwhile of files, programs and code, and how much it took in.

A process of its own, because an audit hook stays for good.
"""

import asyncio
import json
import random
import socket
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

from bridge.app import KINDS, Bridge
from bridge.config.loading import load
from bridge.osc.codec import ALL, IMMEDIATELY, encode_bundle, encode_message

from .waiting import SOON_S

LOST = 100  # the kernel may drop some
TOUCHES = (
    "open", "exec", "compile", "code.__new__", "import", "os.", "shutil.", "subprocess.", "pty.", "ctypes.",
    "tempfile.", "glob.", "sqlite3.connect", "sqlite3.enable_load_extension", "pickle.", "marshal.", "socket.bind",
    "signal.",
)  # fmt: skip
WORDS = (
    "config.toml", "/etc/passwd", "../../../etc/passwd", "file:///etc/passwd", "$(touch pwned)", "`touch pwned`",
    "; touch pwned", "__import__('os').system('touch pwned')", "{0.__class__}", "%s%n", "\0", "state.db", "http://127.0.0.1:9/",
)  # fmt: skip
OWN = (
    "refresh", "panic", "config", "state", "https", "reload", "stop", "exit", "restart", "save", "load", "open",
    "peers/max", "peers/none", "devices", "pair", "banks", "learn", "monitor", "log", "eval", "run", "file", "..",
    "../..",
)  # fmt: skip

seen: set[str] = set()
is_armed = False


def watch(event: str, args: tuple[Any, ...]) -> None:
    if is_armed and event.startswith(TOUCHES):
        seen.add(f"{event} {args[:2]!r:.200}")


def packets(count: int, rng: random.Random) -> list[bytes]:
    """Reserved addresses with every kind of argument, and mutations of them."""
    heads = [f"/stagebridge/{word}" for word in OWN] + ["/stagebridge", "/stagebridge/*", "//", "/*", "/x", "/new"]
    heads += [f"/{word}" for word in ("quit", "sc/quit", "live/error", "info", "xremote", "status")]
    args: list[tuple[Any, ...]] = [(), (1,), (0.5,), (True,), (None,), *((word,) for word in WORDS), (b"\0" * 64,)]
    args += [(word, word) for word in WORDS] + [(1, 2, 3), ((1, "x"),)]
    found = [encode_message(head, each, ALL) for head in heads for each in args]
    found += [encode_bundle(IMMEDIATELY, rng.sample(found, 8)) for _ in range(100)]
    for packet in rng.choices(found, k=count):
        data = bytearray(packet)
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        found.append(bytes(data))
    return found


async def main(folder: Path, config: Path, count: int, seed: int) -> None:
    global is_armed
    settings = load(config, KINDS)
    async with Bridge(settings, state=folder / "state") as bridge:
        ports = [(peer["udp_port"], peer["name"]) for peer in bridge.peers() if peer["udp_port"]]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sent, deadline = 0, time.monotonic() + SOON_S
            for is_armed in (False, True):  # what is imported when first needed is not of interest
                for number, packet in enumerate(packets(count if is_armed else 0, random.Random(seed))):
                    for port, _ in ports:
                        sock.sendto(packet, ("127.0.0.1", port))
                        sent += 1
                    if number % 50 == 0:
                        await asyncio.sleep(0.001)
                while sum(peer["received"] for peer in bridge.peers()) < sent - LOST and time.monotonic() < deadline:
                    await asyncio.sleep(0.02)
                await asyncio.sleep(0.5)  # and what is done later, because of it: what is saved, above all
            is_armed = False
        taken = sum(peer["received"] for peer in bridge.peers())
        controls = len(bridge.store)
    print(json.dumps({"seen": sorted(seen), "sent": sent, "taken": taken, "controls": controls}))


if __name__ == "__main__":
    sys.addaudithook(watch)
    uvloop.run(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
