"""The command ``stagebridge``: arguments, printing, exit codes; signals, the loop's policy and logging.

Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 it did not work (one line says why), 2 wrong
usage, 130 interrupted. What talks to a running daemon is in ``remote``, the daemon itself in ``app``. Imports that cost
time stand where they are used: `run` must be ready at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from bridge import __version__
from bridge.errors import BridgeError, ConfigError

from . import start
from .terminal import fail

BROKEN_PIPE = 141
"""128 + SIGPIPE, as the shell reports a filter whose reader has gone."""
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    arguments = _parser(argv[0] if argv else "").parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")  # a "−∞" must not end the program in a terminal without Unicode
    try:
        code: int = arguments.command(arguments)
        sys.stdout.flush()
    except ConfigError as exc:
        return fail(str(exc))
    except BridgeError as exc:
        return fail(f"stagebridge: {exc}")
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; what is still in the buffer has nowhere to go at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return code


def _parser(command: str = "") -> argparse.ArgumentParser:
    """All commands; for ``run`` it alone."""
    parser = argparse.ArgumentParser(
        prog="stagebridge", description="Every slider on every screen and every OSC program on stage, one live state."
    )
    parser.add_argument("--version", action="version", version=f"stagebridge {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    start.add(commands)
    if command != "run":  # 40 ms that its start has no use for
        from . import certificates, controls, devices, doctor, faults, files, reload, services

        for group in (reload, files, services, devices, controls, faults, doctor, certificates):
            group.add(commands)
    return parser
