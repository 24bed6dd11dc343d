"""The last good copy of a configuration: what a service starts on when its file has mistakes at boot.

In the state folder, one for each file: ``last-good/KEY/`` with the text of the configuration and of the profiles beside
it, below a name that changes with them, and ``now.json``, which says which is whole. A cut of the power leaves the one
before. Blocks on the disk.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.control import MAX_TEXT
from bridge.errors import ConfigError
from bridge.port import PortKind
from bridge.statefolder import write_whole

from .file import read_file
from .loading import load
from .profile import FOLDER as PROFILES
from .settings import Config

log = logging.getLogger(__name__)

FOLDER = "last-good"
NOW = "now.json"
CONFIG = "config.toml"
MAX_PROFILES = 256
MAX_LOGGED = 20
"""Mistakes that have a line of their own in the log."""

Registry = Mapping[str, PortKind]
Overrides = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Start:
    """What a service starts on."""

    settings: Config
    trouble: str = ""
    """Why it is the last good copy and not the file itself, for a person; "" where it is the file."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Where it is the file: its text and those of the profiles beside it, by their names in a copy."""


def read(file: Path, registry: Registry, overrides: Overrides) -> Start:
    """The configuration itself, and the texts that it was read from. Raises ConfigError."""
    texts = _texts(file)
    return Start(load(file, registry, overrides), texts=texts)


def start(file: Path, state: Path | None, registry: Registry, overrides: Overrides) -> Start:
    """The configuration; where it has mistakes, they are logged, and it is its last good copy. Raises ConfigError where
    there is no such copy."""
    try:
        return read(file, registry, overrides)
    except ConfigError as exc:
        copy = None if state is None else _load(state, file, registry, overrides)
        if copy is None:
            log.error("%s has mistakes, and there is no last good copy of it", file)
            raise
        settings, kept = copy
        return Start(settings, told(exc, f"the last good copy, of {kept}, runs instead"))


def told(exc: ConfigError, instead: str) -> str:
    """Log what is wrong, and that something else runs ``instead``; that in one line, for the page."""
    for problem in exc.problems[:MAX_LOGGED]:
        log.error("%s", problem.render(exc.file))
    more = "" if len(exc.problems) == 1 else f" (and {len(exc.problems) - 1} more)"
    first = exc.problems[0].render(Path(exc.file).name)
    trouble = f"{instead}: {first}{more}"[:MAX_TEXT]
    log.error("%s", trouble)
    return trouble


def keep(state: Path | None, file: Path, started: Start) -> None:
    """Make what was started on the last good copy of this file, unless it is that itself. Where it cannot be kept, that
    is logged."""
    if not started.texts:
        return
    try:
        if state is None:
            raise OSError("neither $STATE_DIRECTORY nor $XDG_STATE_HOME nor $HOME is set")
        _keep(state, file, started)
    except OSError as exc:
        log.warning("no last good copy of the configuration is kept: %s", exc)


def _texts(file: Path) -> dict[str, str]:
    """The configuration, and the profiles beside it."""
    texts = {CONFIG: read_file(file)}
    with suppress(OSError):
        for path in sorted((file.parent / PROFILES).rglob("*.toml"))[:MAX_PROFILES]:
            with suppress(ConfigError):  # one that nobody uses may be anything
                texts[str(path.relative_to(file.parent))] = read_file(path)
    return texts


def _load(state: Path, file: Path, registry: Registry, overrides: Overrides) -> tuple[Config, str] | None:
    """The last good copy of this file, and when it was kept; None where there is none that can be used.

    Its pages are those of the file itself; where they are gone, the examples.
    """
    folder = _folder(state, file)
    known = _read(folder)
    copy, pages, kept = known.get("copy"), known.get("pages"), known.get("kept")
    if not isinstance(copy, str) or not isinstance(kept, float):
        return None
    for forced in ({"http.pages": pages}, {"http.pages": None}):
        try:
            settings = load(folder / copy / CONFIG, registry, {**overrides, **forced})
        except ConfigError:
            continue
        return dataclasses.replace(settings, file=file.absolute()), time.strftime(
            "%Y-%m-%d %H:%M", time.localtime(kept)
        )
    return None


def _keep(state: Path, file: Path, started: Start) -> None:
    """``keep``. Raises OSError."""
    folder = _folder(state, file)
    name = hashlib.sha256(json.dumps(started.texts).encode()).hexdigest()[:16]
    pages = started.settings.http.pages
    now = {"file": str(file.absolute()), "copy": name, "pages": None if pages is None else str(pages)}
    known = _read(folder)
    if {key: known.get(key) for key in now} == now and (folder / name / CONFIG).exists():
        return
    for path, text in started.texts.items():
        write_whole(folder / name / path, text)
    write_whole(folder / NOW, json.dumps({**now, "kept": time.time()}, indent=2) + "\n")
    for old in folder.iterdir():
        if old.is_dir() and old.name != name:
            shutil.rmtree(old, ignore_errors=True)


def _folder(state: Path, file: Path) -> Path:
    return state / FOLDER / hashlib.sha256(bytes(file.absolute())).hexdigest()[:16]


def _read(folder: Path) -> dict[str, Any]:
    try:
        known = json.loads((folder / NOW).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
