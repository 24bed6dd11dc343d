"""``Pairing``: which devices were let in, which codes wait, and the file that remembers the former.

Secrets and codes are never logged. Not here: what of it is HTTP (``http.pairing``), what counts as which (``devices``,
``codes``), what a grant allows.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import stat
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

import msgspec

from .access import EVERYTHING, HERE, Grant, Mode, Role
from .codes import Code, Codes
from .devices import SEEN_S, Device, Devices, Kept, clean
from .errors import PairingError
from .statefolder import NO_FOLDER, set_aside, write_whole
from .tasks import begin

log = logging.getLogger(__name__)

FILE = "devices.json"
MAX_FILE_BYTES = 1024 * 1024
WRITE_S = 2.0
"""How long an answer waits for the disk; the device is in all the same."""
RETRY_S = 10.0


class Pairing:
    """Who may come in. ``folder`` None: devices are kept in memory alone. ``fallback``: the instance's name then.

    ``roles()`` are the ``[[access]]`` entries by name, as they are now. ``revoked(id)`` and ``changed(id, grant)`` are
    called when a device's sessions are to end, or may do something else from now on. ``connected()``: the device of
    each session that runs; they are seen every ``seen_s``. Runs on the event loop.
    """

    def __init__(
        self,
        folder: Path | None,
        mode: Mode,
        *,
        roles: Callable[[], Mapping[str, Role]] = dict,
        revoked: Callable[[str], None] = lambda device: None,
        changed: Callable[[str, Grant], None] = lambda device, grant: None,
        connected: Callable[[], Collection[str]] = tuple,
        fallback: str = "memory",
        clock: Callable[[], float] = time.monotonic,
        seen_s: float = SEEN_S,
    ) -> None:
        self.mode: Mode = mode
        self.trouble = "" if folder is not None else NO_FOLDER
        """Why devices are in memory alone; "" where they are kept."""
        self.codes = Codes(secrets.token_bytes)
        self.devices = Devices(secrets.token_bytes, Kept(fallback))
        self.refused: Counter[str] = Counter()
        """How often a code let nobody in, by what was wrong."""
        self._path = None if folder is None else folder / FILE
        self._roles, self._revoked, self._changed = roles, revoked, changed
        self._connected = connected
        self._clock, self._seen_s = clock, seen_s
        self._seen_at: dict[str, float] = {}  # id → when that was worth writing down; monotonic
        self._is_dirty = self._is_ending = False
        self._wake = asyncio.Event()
        self._held: IO[bytes] | None = None  # while this is open, the file is ours
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def cookie(self) -> str:
        """The name of our cookie: ports of one host share their cookies, so it says whose it is."""
        return f"stagebridge-{self.devices.instance}"

    def ticket_key(self, is_to_last: bool = False) -> bytes:
        """What tickets of people's own pages are signed with. It outlives this run where there is a folder;
        ``is_to_last``: a page has a ticket now, so see that it does."""
        if is_to_last and not self.devices.has_key:
            self.devices.has_key = True
            self._note()
        return self.devices.key.encode()

    # Who asks

    def grant_of_token(self, token: str | None) -> Grant | None:
        """What whoever has this token may do; None where it is nobody's, or its ``[[access]]`` entry is gone."""
        if not token or (device := self.devices.find(token)) is None:
            return None
        self.saw(device)
        return self.grant_of(device)

    def grant_of(self, device: Device) -> Grant | None:
        """What it may do now: where the door is open, everything."""
        return Grant("admin", device=device.id) if self.mode == "open" else self.worth(device)

    def grant_again(self, grant: Grant) -> Grant | None:
        """What a session may do after the mode, or what an ``[[access]]`` entry says, has changed."""
        if (device := self.devices.get(grant.device)) is not None:
            return self.grant_of(device)
        if grant == HERE:
            return grant
        return EVERYTHING if self.mode == "open" else None

    def _is_admin(self, grant: Grant) -> bool:
        now = self.grant_again(grant)
        return now is not None and now.role == "admin"

    def worth(self, device: Device) -> Grant | None:
        """What it was let in for; None where its ``[[access]]`` entry is gone."""
        role = self._roles().get(device.access) if device.access else device.role
        return None if role is None else Grant(role, device.access, device.id)

    def saw(self, device: Device) -> None:
        """It is there now."""
        now = self._clock()
        if now - self._seen_at.get(device.id, -self._seen_s) >= self._seen_s:
            self._seen_at[device.id] = now
            device.seen = time.time()
            self._is_dirty = True  # written with what comes next, or in a minute

    # Codes

    def wanted(self, role: str, access: str) -> Grant:
        """What a new code or device is to be worth. Raises PairingError."""
        if access:
            if access not in (roles := self._roles()):
                names = ", ".join(roles) or "none"
                raise PairingError("bad_value", f"there is no [[access]] entry {access}: there are {names}")
            return Grant(roles[access], access)
        if role not in _ROLES:
            raise PairingError("bad_value", f"role is one of {', '.join(_ROLES)}")
        return Grant(_ROLES[role])

    def entries(self) -> dict[str, Role]:
        """The ``[[access]]`` entries that a device may be let in by, and their roles."""
        return dict(self._roles())

    def code(self, grant: Grant, by: Grant | None = None) -> Code:
        """A new code. It is worth nothing once who has asked for it may not let others in any more."""
        return self.codes.make(grant, self._clock(), by)

    def redeem(self, digits: str, address: str, name: str, present: Device | None) -> tuple[Device, str | None]:
        """Let a device in by a code. Raises PairingError. Returns it, and its token; None: it has its own already.

        One that is in and may do as much keeps what it has, and the code goes on waiting: a tablet scans it again.
        """
        self.codes.expire(lambda code: code.by is not None and not self._is_admin(code.by))
        try:
            code = self.codes.look_up(digits, address, self._clock())
        except PairingError as exc:
            self.refused[exc.code] += 1
            raise
        if present is not None:
            grant = self.worth(present)
            if grant is not None and grant.covers(code.grant):
                return present, None
        if code.grant.access:
            self.wanted("", code.grant.access)  # it may be gone by now
        self.codes.spend(code)
        if present is not None:
            self.regrant(present, code.grant)
            return present, self.devices.renew(present)
        device, token = self.add(name, code.grant)
        log.info("%s was let in from %s (%s)", device.name, address, _worth(code.grant))
        return device, token

    # Devices

    def add(self, name: str, grant: Grant) -> tuple[Device, str]:
        known = {device.id for device in self.devices}
        device, token = self.devices.add(name, grant, time.time())
        for gone in known - {device.id for device in self.devices}:
            self._revoked(gone)
        self._note()
        return device, token

    def rename(self, device: Device, name: str) -> None:
        device.name = clean(name)
        self._note()

    def regrant(self, device: Device, grant: Grant) -> None:
        """It may do this from now on."""
        self.devices.set_grant(device, grant)
        self._note()
        now = self.grant_of(device)
        if now is not None:
            self._changed(device.id, now)

    def revoke(self, number: str) -> Device | None:
        """Let it in no more, and cut it off. None where there is no such device."""
        device = self.devices.remove(number)
        if device is not None:
            self._seen_at.pop(number, None)
            self._revoked(number)
            self._note()
            log.info("%s is let in no more", device.name)
        return device

    async def written(self) -> None:
        """Wait until what has changed is in the file, but not for ever."""
        if self._path is None or not self._is_dirty:
            return
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        self._wake.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WRITE_S):
                await waiting

    # The file

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Read the file; write what changes until the block ends."""
        if self._path is not None:
            await asyncio.to_thread(self._begin, self._path)
        if self.trouble and self.mode == "token":
            log.warning("devices that are let in are forgotten when stagebridge ends: %s", self.trouble)
        task = begin(self._keep(), FILE)
        try:
            yield
        finally:
            self._is_ending = True
            self._wake.set()
            await task
            if self._held is not None:
                self._held.close()

    def _note(self) -> None:
        self._is_dirty = True
        self._wake.set()

    async def _keep(self) -> None:
        while not self._is_ending or self._is_dirty:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RETRY_S if self.trouble and self._path else self._seen_s):
                    await self._wake.wait()
            for device in filter(None, map(self.devices.get, self._connected())):
                self.saw(device)
            self._wake.clear()
            waiting, self._waiting = self._waiting, []
            if self._is_dirty and self._path is not None:
                self._is_dirty = False
                await self._write(self._path)
            if self._path is None or (self.trouble and self._is_ending):
                self._is_dirty = False
            for one in waiting:
                if not one.done():
                    one.set_result(None)

    async def _write(self, path: Path) -> None:
        text = msgspec.json.format(msgspec.json.encode(self.devices.kept()), indent=1).decode() + "\n"
        try:
            await asyncio.to_thread(self._replace, path, text)
        except OSError as exc:
            self._is_dirty = True
            trouble = _TAKEN if isinstance(exc, BlockingIOError) else f"cannot be written: {exc.strerror or exc}"
            trouble = f"{path} {trouble}"
            if trouble != self.trouble:
                log.warning("who is let in, and no more, is forgotten when stagebridge ends: %s", trouble)
            self.trouble = trouble
            return
        if self.trouble:
            log.info("who is let in is kept again, in %s", path)
        self.trouble = ""

    # On a thread

    def _begin(self, path: Path) -> None:
        """Read the file, unless another stagebridge has it. Nothing is made where there is none yet."""
        try:
            if not path.exists():
                self.devices = Devices(secrets.token_bytes)
                return
            self._hold(path)
        except BlockingIOError:
            self._path, self.trouble = None, f"{path} {_TAKEN}"
            return
        except OSError as exc:  # a disk that cannot be written now: reading may do
            log.debug("%s cannot be locked: %s", path, exc)
        try:
            self.devices = Devices(secrets.token_bytes, _read(path))
            return
        except (OSError, ValueError) as exc:
            try:
                aside = set_aside(path).name
                log.warning("%s: %s; it is %s now, and every device has to be let in again", path, _why(exc), aside)
            except OSError:
                self._path, self.trouble = None, f"{path}: {_why(exc)}"
                return
        self.devices = Devices(secrets.token_bytes)

    def _replace(self, path: Path, text: str) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._hold(path)
        write_whole(path, text)

    def _hold(self, path: Path) -> None:
        """The file is ours until we end. Raises BlockingIOError where another stagebridge has it, and OSError."""
        if self._held is None and os.name == "posix":
            import fcntl

            with contextlib.ExitStack() as stack:
                # Whoever may open it may keep it from us.
                number = os.open(path.with_suffix(".lock"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
                file = stack.enter_context(os.fdopen(number, "ab"))
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                stack.pop_all()
                self._held = file


_TAKEN = "belongs to another stagebridge that runs"
_ROLES: dict[str, Role] = {"view": "view", "control": "control", "admin": "admin"}
_decode = msgspec.json.Decoder(Kept).decode


def _read(path: Path) -> Kept:
    """Raises OSError, and ValueError for a file that nobody may trust."""
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        if os.name == "posix":
            if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise ValueError("others may write it, so nobody knows who let these devices in")
            if found.st_uid not in (os.geteuid(), 0):
                raise ValueError("it belongs to another user")
            if found.st_mode & (stat.S_IRGRP | stat.S_IROTH):
                os.fchmod(file.fileno(), 0o600)
        kept = _decode(file.read(MAX_FILE_BYTES))
    if not kept.instance.replace("-", "").replace("_", "").isalnum() or not kept.instance.isascii():
        raise ValueError("its instance is no name")  # it stands in a header
    return kept


def _why(exc: Exception) -> str:
    if isinstance(exc, OSError):
        return f"cannot be read: {exc.strerror or exc}"
    return f"is broken ({exc})" if isinstance(exc, msgspec.MsgspecError) else str(exc)


def _worth(grant: Grant) -> str:
    return grant.access or grant.role
