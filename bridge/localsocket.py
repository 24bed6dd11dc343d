"""The socket file by which the command line of this machine reaches a daemon: where it stands, and who may open it.

Whoever can open it may do everything, so it is its owner's alone (0600); where systemd made the folder for a group,
the group's too (0660). Nothing here where there are no such sockets (Windows). What is spoken there is HTTP: ``http``.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .statefolder import NAME

HOST = "stagebridge"
"""What Host says there: what is called so by accident, as a proxy's default is, is nobody of ours."""
SYSTEM = Path("/run") / NAME
"""Where a service of the machine has it."""
MAX_BYTES = 107 if sys.platform == "linux" else 103
"""Of a socket's path: unix(7), sun_path, and the NUL behind it."""
FOR_GROUP = 0o750
"""RuntimeDirectoryMode= of a folder that systemd made for a group."""
PROBE_S = 1.0
"""How long a daemon that answers at all may take to accept."""


def folders(environ: Mapping[str, str], state: Path | None) -> list[Path]:
    """Where a daemon may put its socket, the best first: where systemd says, where this login keeps such things, the
    state folder."""
    if (given := _given(environ)) is not None:
        return [given]
    found = [state] if state is not None else []
    # XDG Base Directory Specification: a path that is not absolute is to be ignored.
    if (base := Path(environ.get("XDG_RUNTIME_DIR", ""))).is_absolute():
        found.insert(0, base / NAME)
    return found


def candidates(port: int, environ: Mapping[str, str], state: Path | None) -> list[Path]:
    """Where a daemon of this user or of the machine that has this HTTP port may be reached, the likeliest first."""
    places = folders({name: value for name, value in environ.items() if name != "RUNTIME_DIRECTORY"}, state)
    if hasattr(os, "getuid"):  # after su, sudo and over ssh the variable may not be there
        places.insert(1, Path(f"/run/user/{os.getuid()}") / NAME)
    return [folder / f"{port}.sock" for folder in dict.fromkeys([*places, SYSTEM])]


class LocalSocket:
    """A listening socket and its file; ``close`` takes both away. Making and closing it blocks a little."""

    def __init__(self, path: Path, for_group: bool = False) -> None:
        """Raises OSError, with a ``strerror`` for people."""
        self.path = path
        self.sock = _bound(path, for_group)
        self._made = _identity(path)

    def close(self) -> None:
        self.sock.close()
        with contextlib.suppress(OSError):  # a daemon that came after us may have put its own there
            if _identity(self.path) == self._made:
                self.path.unlink()


def listen(environ: Mapping[str, str], state: Path | None, port: int) -> tuple[LocalSocket | None, str]:
    """The socket of a daemon with this HTTP port, in the first of its folders where one can be had; where in none,
    why, "" if this system has no such sockets."""
    why = "there is no folder for it: neither $XDG_RUNTIME_DIR nor $HOME is set"
    if not hasattr(socket, "AF_UNIX"):
        return None, ""
    for folder in folders(environ, state):
        path = folder / f"{port}.sock"
        try:
            return LocalSocket(path, for_group=folder == _given(environ)), ""
        except OSError as exc:
            why = f"{path}: {exc.strerror or exc}"
    return None, why


def living(environ: Mapping[str, str], state: Path | None) -> list[int]:
    """Ports of the daemons whose sockets we may open."""
    found = set()
    for folder in {path.parent for path in candidates(0, environ, state)}:
        for path in folder.glob("*.sock"):
            with contextlib.suppress(OSError, ValueError):
                port = int(path.stem)
                connect(path, PROBE_S).close()
                found.add(port)
    return sorted(found)


def connect(path: Path, timeout_s: float) -> socket.socket:
    """A connection to the daemon whose socket stands there. Raises OSError: FileNotFoundError and
    ConnectionRefusedError where there is none, PermissionError where it is not for us."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout_s)
        with _short(path) as name:
            sock.connect(name)
    except BaseException:
        sock.close()
        raise
    return sock


def _bound(path: Path, for_group: bool) -> socket.socket:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = path.parent.stat()
    if folder.st_mode & stat.S_IWOTH:  # whoever may replace it would be asked in our place
        raise OSError(None, "others may write into its folder")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short(path) as name:
            if _is_in_the_way(path):
                path.unlink()
            sock.bind(name)
        # Nobody can connect before it listens, so there is no moment at which it is open to others.
        path.chmod(0o660 if for_group and stat.S_IMODE(folder.st_mode) == FOR_GROUP else 0o600)
        sock.listen(16)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _is_in_the_way(path: Path) -> bool:
    """True for a socket that a daemon has left behind. Raises OSError for what must stay."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError(None, "a file that is no socket stands there, and is left as it is")
        connect(path, PROBE_S).close()
    except FileNotFoundError:
        return False
    except ConnectionRefusedError:
        return True
    raise OSError(None, "another stagebridge answers there")


def _identity(path: Path) -> tuple[int, int, int]:
    """Of a file; numbers of inodes are given anew at once, hence the time."""
    found = path.lstat()
    return found.st_dev, found.st_ino, found.st_ctime_ns


def _given(environ: Mapping[str, str]) -> Path | None:
    """The folder that systemd made for us: systemd.exec(5), RuntimeDirectory=."""
    given = environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    return Path(given) if given else None


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name of this path that a socket's address has room for. Raises OSError where there is none."""
    if len(os.fsencode(path)) <= MAX_BYTES:
        yield str(path)
        return
    if sys.platform != "linux":
        raise OSError(None, f"its path has more than {MAX_BYTES} bytes")
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)  # proc(5), /proc/pid/fd
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
