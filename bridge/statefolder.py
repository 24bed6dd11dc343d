"""Where we keep what outlives a run, and how a file there is written. Reads the environment and the disk."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

NAME = "stagebridge"
NO_FOLDER = "there is no folder for it: neither $STATE_DIRECTORY nor $XDG_STATE_HOME nor $HOME is set"


def state_folder(environ: Mapping[str, str]) -> Path | None:
    """``$STATE_DIRECTORY`` (systemd's), else ``$XDG_STATE_HOME/stagebridge``, else ``~/.local/state/stagebridge``; it
    need not be there yet. None where nobody has a home."""
    if given := environ.get("STATE_DIRECTORY", "").split(":")[0]:  # systemd.exec(5): several stand with ":" between
        return Path(given)
    # XDG Base Directory Specification: a path that is not absolute is to be ignored.
    if (base := Path(environ.get("XDG_STATE_HOME", ""))).is_absolute():
        return base / NAME
    home = environ.get("HOME") or environ.get("USERPROFILE")
    return Path(home, ".local", "state", NAME) if home else None


def write_whole(path: Path, text: str) -> None:
    """Put this text into a file, or leave the file as it was: a cut of the power does not leave half of it. Blocks.
    Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    number, made = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(made).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(made).unlink()
        raise
    if os.name == "posix":  # the new name is on the disk too
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def set_aside(path: Path, *endings: str) -> Path:
    """Give a file that cannot be read another name that is free, and to what belongs to it (its name and one of
    ``endings``) too. Returns that name. Blocks. Raises OSError."""
    number = 1
    while (aside := path.with_name(f"{path.stem}.broken-{number}{path.suffix}")).exists():
        number += 1
    path.rename(aside)
    for ending in endings:
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + ending).rename(aside.with_name(aside.name + ending))
    return aside
