"""``service install`` and ``service uninstall``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from bridge.command import typed

from .devices import code_text
from .terminal import fail, qr_command, urls_of


def add(commands: Any) -> None:
    """The commands and their arguments."""
    service = commands.add_parser("service", help="start it at boot, and again after a crash: a systemd service")
    actions = service.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, does, about in (
        ("install", _install, "write the unit, start it now and at every boot"),
        ("uninstall", _uninstall, "stop it and take the unit away; the configuration and the state stay"),
    ):
        action = actions.add_parser(name, help=about, description=about)
        action.add_argument("--system", action="store_true", help="of the machine, with a user of its own; else yours")
        action.add_argument("--dry-run", action="store_true", help="only print what would be done")
        action.set_defaults(command=does)
        if does is _install:
            action.add_argument(
                "file", nargs="?", type=Path, metavar="FILE",
                help="a configuration; default: config.toml here, with --system in /etc/stagebridge",
            )  # fmt: skip


def _install(arguments: argparse.Namespace) -> int:
    from bridge import app, service
    from bridge.config.loading import load

    is_system: bool = arguments.system
    file = arguments.file or (service.SYSTEM_CONFIG if is_system else Path("config.toml"))
    if not arguments.dry_run:
        service.check_machine(is_system, os.environ)
    if arguments.file is None and not file.exists():
        return fail(f"stagebridge: there is no {file}: name a file, or write one with {typed()} init")
    settings = load(file, app.KINDS)
    if settings.http.port == 0:
        return fail("stagebridge: [http] port = 0 is another one at each start: a service needs one that stays")
    plan = service.plan(settings, is_system, os.environ)
    if arguments.dry_run:
        print(f"stagebridge: this would be {plan.unit}", file=sys.stderr)
        print(plan.text, end="")
        for line in (*plan.troubles, *plan.notes):
            fail(f"stagebridge: {line}")
        return 1 if plan.troubles else 0
    trouble = service.install(plan, os.environ)
    status, journal = service.commands(is_system)
    print(f"unit: {plan.unit}", f"configuration: {settings.file}", "restarts after a crash: yes, after 1 s", sep="\n")
    print(f"restarts after a power cut: {f'no, {trouble}' if trouble else 'yes'}")
    print(f"how it is: {status}", f"its log: {journal}", *plan.notes, "", sep="\n")
    print(_way_in(settings.http.host, settings.http.port))
    return 1 if trouble else 0


def _way_in(host: str, port: int) -> str:
    """How a tablet comes in: a code is for the eyes of whoever sits here, so only a terminal is shown one."""
    from bridge.errors import RemoteError
    from bridge.remote import Daemon, request

    why = ""
    if sys.stdout.isatty():
        try:
            return code_text(request(Daemon(port), "POST", "/api/codes", {"role": "control"}))
        except RemoteError as exc:
            why = f" ({exc})"
    return "\n".join([*(f"  {url}" for url in urls_of(host, port)), "", f"to let a device in: {qr_command(port)}{why}"])


def _uninstall(arguments: argparse.Namespace) -> int:
    from bridge import service

    if arguments.dry_run:
        print(f"stagebridge: this would stop the service and remove {service.unit_path(arguments.system, os.environ)}")
        return 0
    print(f"{service.uninstall(arguments.system, os.environ)} is gone, and the service is stopped")
    return 0
