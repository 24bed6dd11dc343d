"""``stagebridge cert``: a local authority and a certificate for this machine."""

from __future__ import annotations

import argparse
import datetime
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .terminal import fail

INSTALL = f"cryptography is not installed: {sys.executable} -m pip install cryptography"
SYSTEM_STATE = Path("/var/lib/stagebridge")
"""Of the machine's service (``serviceunit``)."""


def add(commands: Any) -> None:
    """The command and its arguments."""
    about = "make a certificate for https, signed by an authority of this machine's own; again to renew or extend it"
    cert = commands.add_parser("cert", help=about, description=about)
    cert.add_argument(
        "--name", action="append", default=[], metavar="NAME", help="one more name or address that it is for"
    )
    cert.add_argument("--system", action="store_true", help="for the machine's service; else for your own")
    cert.set_defaults(command=_cert)


def _cert(arguments: argparse.Namespace) -> int:
    from bridge import certificate, net
    from bridge.statefolder import NO_FOLDER, state_folder

    try:
        from bridge import authority
    except ModuleNotFoundError:
        return fail(f"stagebridge: {INSTALL}")

    state = SYSTEM_STATE if arguments.system else state_folder(os.environ)
    if state is None:
        return fail(f"stagebridge: {NO_FOLDER}")
    if arguments.system and not state.exists():
        return fail(f"stagebridge: there is no {state}: stagebridge service install --system makes it")
    folder = state / certificate.FOLDER
    own = [*net.own_names(), *map(str, net.lan_addresses()), "127.0.0.1", "::1"]
    is_new = authority.make(folder, [*arguments.name, *own], net.own_names()[-1], datetime.datetime.now(datetime.UTC))
    if arguments.system:
        _give(folder, state)
    _, made = certificate.load(folder / certificate.SERVER, folder / certificate.SERVER)
    der = certificate.authority_der(folder) or b""
    until = datetime.datetime.fromtimestamp(made.until).astimezone().date()
    print(f"certificate: {folder / certificate.SERVER}, until {until}, for", *_hosts(made), sep="\n  ")
    print(f"authority{' (new)' if is_new else ''}: {folder / certificate.AUTHORITY}")
    print(f"  SHA-256 {hashlib.sha256(der).digest().hex(' ').upper()}")
    print("A daemon whose configuration has [http.tls] takes it up by itself.")
    if is_new:
        print("Devices must come to trust the authority, once: they fetch /ca.crt by http (docs/tls.md).")
        print(
            f"Whoever has {folder / certificate.AUTHORITY_KEY} can pretend to them to be any site: keep it to yourself."
        )
    return 0


def _hosts(made: Any) -> Iterator[str]:
    yield from made.names
    yield from sorted(map(str, made.addresses))


def _give(folder: Path, state: Path) -> None:
    """The service, whose user is made when it starts, must be able to read it."""
    owner = state.stat()
    for path in (folder, *folder.iterdir()):
        os.chown(path, owner.st_uid, owner.st_gid)
