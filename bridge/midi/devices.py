"""The machine's MIDI ports, through python-rtmidi: the only module that knows it.

A driver may block, and holds Python's lock meanwhile, so a ``System`` is made in a process of its own (``driver``).
python-rtmidi is imported then: without it, or without a sound system, that raises PortError and all else works.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bridge.errors import PortError

OURS = "stagebridge"
"""How the names of our own ports begin: they are no devices."""
MAX_CLIENT = 31
"""Characters of a client's name that JACK takes."""
INSTALL = "python-rtmidi is not installed: stagebridge doctor says how"

_NUMBERS = re.compile(r" \d+:\d+$")  # ALSA puts its client and port number behind each name
_UNIX_SOCKETS = Path("/proc/net/unix")


class Ports(NamedTuple):
    """The names of all ports that there are, ours too, in the system's order."""

    ins: tuple[str, ...]
    outs: tuple[str, ...]


class Place(NamedTuple):
    """One port, wherever it stands among those that come and go: its name, and which of so many it is that have just
    this name, from 0."""

    name: str
    twin: int = 0
    twins: int = 1


def places(names: Sequence[str]) -> list[Place]:
    """Each of these ports."""
    return [Place(name, names[:at].count(name), names.count(name)) for at, name in enumerate(names)]


def pick(
    names: Sequence[str],
    wanted: str,
    exact: bool = False,
    index: int = 1,
    kept: Place | None = None,
    taken: Collection[Place] = (),
) -> Place | None:
    """The ``index``th (from 1) port that is called so, or else whose name has ``wanted`` in it; None: there is none.

    Upper and lower case are the same, and the numbers that ALSA puts behind a name are no part of it. One that fits and
    is ``kept`` stays; those that are ``taken`` do not count.
    """
    low = wanted.lower()
    known = [one for one in places(names) if not one.name.startswith(OURS) or wanted.startswith(OURS)]
    fitting = [one for one in known if low in (one.name.lower(), _NUMBERS.sub("", one.name).lower())]
    if not fitting and not exact:
        fitting = [one for one in known if low in one.name.lower()]
    if kept in fitting:
        return kept
    free = [one for one in fitting if one not in taken]
    return free[index - 1] if index <= len(free) else None


def bare(name: str, number: int) -> str:
    """The name without the number that the library puts behind it on Windows: where it stands now among all ports."""
    return name.removesuffix(f" {number}")


def shown(name: str) -> str:
    """A port's name as people know it."""
    return _NUMBERS.sub("", name)


class System:
    """The MIDI system of this machine. Raises PortError where it cannot be had: one line, saying why."""

    def __init__(self, api: str) -> None:
        try:
            import rtmidi
        except ImportError as exc:
            raise PortError(INSTALL) from exc
        self._rtmidi = rtmidi
        self._api = _api(rtmidi, api)
        self._servers = _jack_servers() if self.is_jack else frozenset()
        self.name = rtmidi.get_api_display_name(self._api)
        try:
            self._in = rtmidi.MidiIn(self._api, name=OURS)
            self._out = rtmidi.MidiOut(self._api, name=OURS)
        except (rtmidi.RtMidiError, OSError) as exc:
            raise PortError(f"{self.name}: {exc}") from exc

    @property
    def is_jack(self) -> bool:
        """True where the system may go and come back while we run."""
        return bool(self._api == self._rtmidi.API_UNIX_JACK)

    @property
    def may_be_stale(self) -> bool:
        """True where the system may have gone and come back without a word."""
        return self.is_jack and not self._servers

    def look(self) -> Ports:
        """All ports now. Raises PortError."""
        if self._servers and not self._servers & _jack_servers():
            # Its library would list the ports of the dead server for ever.
            raise PortError("JACK has gone")
        try:
            return Ports(tuple(self._names(self._in)), tuple(self._names(self._out)))
        except (self._rtmidi.RtMidiError, OSError) as exc:
            raise PortError(f"{self.name}: {exc}") from exc

    def open(
        self, client: str, in_: Place | None, out: Place | None, heard: Callable[[Sequence[int]], None]
    ) -> Connection:
        """Connect to these ports. ``heard`` is called on a thread of the driver's. Raises PortError."""
        return self._open(
            client, heard, lambda port, way: self._connect(port, in_ if way == "in" else out, way), in_, out
        )

    def open_virtual(
        self, client: str, in_: str | None, out: str | None, heard: Callable[[Sequence[int]], None]
    ) -> Connection:
        """Make ports that others connect to. Raises PortError."""
        return self._open(
            client, heard, lambda port, way: port.open_virtual_port(in_ if way == "in" else out), in_, out
        )

    def close(self) -> None:
        """Give back what looking needs."""
        self._in.delete()
        self._out.delete()

    def _names(self, port: Any) -> list[str]:
        numbered = bool(self._api == self._rtmidi.API_WINDOWS_MM)
        return [bare(name, number) if numbered else name for number, name in enumerate(port.get_ports())]

    def _connect(self, port: Any, place: Place | None, way: str) -> None:
        there = places(self._names(port))
        if place not in there:
            raise PortError(f"{'' if place is None else place.name} has gone again")
        port.open_port(there.index(place), way)

    def _open(
        self,
        client: str,
        heard: Callable[[Sequence[int]], None],
        connect: Callable[[Any, str], None],
        in_: Any,
        out: Any,
    ) -> Connection:
        made = Connection()
        # A device that has come back is not heard by an old object: each connection has its own.
        try:
            if in_ is not None:
                made.in_ = self._rtmidi.MidiIn(self._api, name=client[:MAX_CLIENT])
                made.in_.ignore_types(sysex=False, timing=False, active_sense=True)
                made.in_.set_callback(lambda event, _: heard(event[0]))
                connect(made.in_, "in")
            if out is not None:
                made.out = self._rtmidi.MidiOut(self._api, name=client[:MAX_CLIENT])
                connect(made.out, "out")
        except (self._rtmidi.RtMidiError, OSError, ValueError) as exc:
            made.close()
            raise PortError(f"{self.name}: {exc}") from exc
        except PortError:
            made.close()
            raise
        return made


class Connection:
    """The open ports of one device."""

    def __init__(self) -> None:
        self.in_: Any = None
        self.out: Any = None

    def send(self, messages: Sequence[bytes]) -> None:
        """Send one after another. Raises PortError when the device has gone."""
        for message in messages:
            try:
                self.out.send_message(message)
            except Exception as exc:
                raise PortError(str(exc)) from exc

    def close(self, last: Sequence[bytes] = ()) -> None:
        """``last`` is sent before, if it can be."""
        if self.out is not None:
            with contextlib.suppress(PortError):
                self.send(last)
        for port in (self.in_, self.out):
            if port is not None:
                with contextlib.suppress(Exception):  # it may be gone already
                    port.close_port()
                    port.delete()
        self.in_ = self.out = None


def _api(rtmidi: Any, wanted: str) -> Any:
    compiled = rtmidi.get_compiled_api()
    known = {
        "alsa": rtmidi.API_LINUX_ALSA,
        "jack": rtmidi.API_UNIX_JACK,
        "coremidi": rtmidi.API_MACOSX_CORE,
        "winmm": rtmidi.API_WINDOWS_MM,
    }
    if wanted != "auto":
        if known[wanted] not in compiled:
            raise PortError(f"{wanted} is not built into this python-rtmidi")
        if (why := _missing(wanted)) is not None:
            raise PortError(why)
        return known[wanted]
    reasons = []
    for name, api in known.items():
        if api in compiled:
            why = _missing(name)
            if why is None:
                return api
            reasons.append(why)
    raise PortError("no MIDI system on this machine: " + ("; ".join(reasons) or "python-rtmidi has none built in"))


def _missing(name: str) -> str | None:
    """Why a system is not there. Asked before the driver is: the libraries write to the terminal when they fail."""
    if name == "alsa" and not Path("/dev/snd/seq").exists():
        return "ALSA has no sequencer (/dev/snd/seq)"
    if name == "jack" and sys.platform.startswith("linux"):
        runtime = os.environ.get("XDG_RUNTIME_DIR")
        has_pipewire = runtime is not None and Path(runtime, "pipewire-0").exists()
        if not has_pipewire and not _jack_servers():
            return "JACK is not running"
    return None


def has_jack() -> bool:
    """Whether our JACK server runs, as far as Linux tells."""
    return bool(_jack_servers())


def _jack_servers() -> frozenset[str]:
    """What tells one run of our JACK server from another: its sockets, as Linux lists them; empty elsewhere."""
    try:
        listed = _UNIX_SOCKETS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    name = f"/jack_{os.environ.get('JACK_DEFAULT_SERVER', 'default')}_"
    return frozenset(line.split()[6] for line in listed.splitlines() if name in line)
