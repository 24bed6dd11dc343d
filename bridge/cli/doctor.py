"""``stagebridge doctor``: asks the daemon, if one runs, has the machine looked at, and prints what was found."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge import log, resources
from bridge.errors import ConfigError, RemoteError

from .terminal import config_here, port

if TYPE_CHECKING:
    from bridge.config.settings import Config


def add(commands: Any) -> None:
    """The command and its arguments."""
    about = "what may stop a tablet or a patch, and what to do about it"
    doctor = commands.add_parser("doctor", help=about, description=f"{about}. Changes nothing; exit code 1: found one.")
    doctor.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="a configuration; as for run, or that of the daemon"
    )
    doctor.add_argument("--port", type=port, metavar="N", help="HTTP port of the daemon, instead of [http] port")
    doctor.add_argument("--json", action="store_true", help="print JSON")
    doctor.set_defaults(command=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    from bridge import app
    from bridge.config.loading import load
    from bridge.doctor import findings, report, to_json
    from bridge.doctorfacts import gather
    from bridge.net import DEFAULT_PORT

    overrides = {} if arguments.port is None else {"http.port": arguments.port}
    file = arguments.file or config_here()
    if file is None:
        number = arguments.port or DEFAULT_PORT
        if (file := _running(_asked(number)[0])) is not None:
            overrides = {"http.port": number}  # where it is, whatever its file says
        else:
            file = resources.default_config()
    settings: Config | None = None
    mistakes: tuple[str, ...] = ()
    try:
        settings = load(file, app.KINDS, overrides)
    except ConfigError as exc:
        mistakes = tuple(problem.render(exc.file) for problem in exc.problems)
    number = arguments.port or (settings.http.port if settings else DEFAULT_PORT)
    health, stranger = _asked(number)
    facts = replace(gather(settings, os.environ, health, stranger), file=str(file), mistakes=mistakes)
    found = findings(facts)
    if arguments.json:
        print(json.dumps(to_json(facts, found), indent=2, ensure_ascii=False))
    else:
        print(log.printable("\n".join(report(facts, found))))
    return 1 if found else 0


def _asked(number: int) -> tuple[Mapping[str, Any] | None, str]:
    """What the daemon with this HTTP port says of itself; else why what answers there is none that talks to us."""
    from bridge.remote import Daemon, request

    try:
        health = request(Daemon(number), "GET", "/healthz")
    except RemoteError as exc:
        return None, "" if "no stagebridge is running" in str(exc) else str(exc)
    if "peers" not in health:
        return None, "a stagebridge of another user, which tells this one nothing"
    return health, ""


def _running(health: Mapping[str, Any] | None) -> Path | None:
    """The configuration of a daemon that runs, as far as we may read it."""
    file = health and health["config"]["file"]
    return Path(file) if file and os.access(file, os.R_OK) else None
