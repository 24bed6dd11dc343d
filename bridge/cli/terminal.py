"""What several commands share: the loop, the one line of a failure, options of a daemon, addresses, QR codes."""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from bridge import log
from bridge.command import typed

if TYPE_CHECKING:
    from bridge.remote import Daemon


def remote_command(
    commands: Any, name: str, summary: str, command: Any, about: str = "of a running daemon"
) -> argparse.ArgumentParser:
    from bridge.net import DEFAULT_PORT

    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=f"{summary} ({about})")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--port", type=port, metavar="N", help=f"of a daemon on this machine (default: {DEFAULT_PORT})")
    where.add_argument(
        "--url", metavar="URL", help="of a daemon anywhere: http://host:8080 (default: $STAGEBRIDGE_URL)"
    )
    parser.add_argument(
        "--token",
        metavar="TOKEN",
        help="of a device, for --url; better in $STAGEBRIDGE_TOKEN: others here see what a command is started with",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(command=command)
    return parser


def daemon_of(arguments: argparse.Namespace) -> Daemon:
    """The daemon that a ``remote_command`` is about."""
    from bridge.net import DEFAULT_PORT
    from bridge.remote import Daemon

    token = arguments.token or os.environ.get("STAGEBRIDGE_TOKEN", "")
    if arguments.port is not None:
        return Daemon(arguments.port, token=token)
    return Daemon(DEFAULT_PORT, arguments.url or os.environ.get("STAGEBRIDGE_URL", ""), token)


def to_same(arguments: argparse.Namespace, command: str) -> str:
    """Another command to the daemon that a ``remote_command`` is about, as it is typed. A token is not shown."""
    words = [typed(), command]
    if arguments.port is not None:
        words += ["--port", str(arguments.port)]
    elif arguments.url:
        words += ["--url", shlex.quote(arguments.url)]
    return " ".join([*words, "--token …"] if arguments.token else words)


def port(text: str) -> int:
    """A TCP port of the command line; 0 means any that is free."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 1–65535")
    return int(text)


def qr_command(http_port: int) -> str:
    """What lets one more device in."""
    from bridge.net import DEFAULT_PORT

    return f"{typed()} qr" if http_port == DEFAULT_PORT else f"{typed()} qr --port {http_port}"


def run_loop(main_coroutine: Coroutine[Any, Any, Any]) -> int:
    """Run to the end on the fastest loop there is; what it returned, 0 for None."""
    factory = None
    if sys.platform != "win32":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main_coroutine) or 0


def fail(text: str, stream: TextIO | None = None) -> int:
    stream = stream or sys.stderr
    print(log.error_text(text, stream), file=stream)
    return 1


def urls_of(host: str, port: int) -> list[str]:
    """Addresses to open, the best one for a tablet first, this machine's own last."""
    from bridge import net

    return net.urls(host, port)


def qr_code(url: str) -> str:
    """The address as a QR code of half-block characters, dark on light with its quiet zone."""
    import io

    import segno

    out = io.StringIO()
    segno.make(url, error="l", micro=False).terminal(out, compact=True, border=2)
    return out.getvalue().rstrip("\n")


def config_here() -> Path | None:
    here = Path("config.toml")
    return here if here.exists() else None


def counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
