"""``Devices``: who was let in, and by what secret it is known again. Pure.

Of a secret only its hash is here; it has 256 random bits, so a fast hash is right. What lets a new device in is in
``codes``, the file in ``pairing``.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator
from itertools import count

import msgspec

from .access import Grant, Role

MAX_DEVICES = 1024
"""Who was seen longest ago leaves."""
MAX_NAME = 40
SECRET_BYTES = 32
ID_BYTES = 5
SEEN_S = 60.0
"""Being seen is worth writing down so rarely."""

Entropy = Callable[[int], bytes]
"""So many random bytes that nobody can foretell."""


class Device(msgspec.Struct):
    """One device that was let in. ``role`` is empty where an ``[[access]]`` entry says it. Times: s since 1970."""

    id: str
    name: str
    role: Role | None
    access: str
    hash: str
    made: float
    seen: float


class Kept(msgspec.Struct):
    """What outlives a run. ``instance`` tells this stagebridge's cookies from those of others on the same host."""

    instance: str
    devices: list[Device] = []
    key: str = ""
    """What tickets of people's own pages are signed with; hexadecimal."""


class Devices:
    """All devices that were let in, by id."""

    def __init__(self, entropy: Entropy, kept: Kept | None = None) -> None:
        self._entropy = entropy
        self.instance = kept.instance if kept is not None else self._word(ID_BYTES)
        self.has_key = kept is not None and len(kept.key) >= 2 * SECRET_BYTES
        """Whether the file has the key; False: it is of this run."""
        self.key = kept.key if kept is not None and self.has_key else self._word(SECRET_BYTES)
        self._devices = {device.id: device for device in kept.devices} if kept is not None else {}

    def __iter__(self) -> Iterator[Device]:
        return iter(list(self._devices.values()))

    def __len__(self) -> int:
        return len(self._devices)

    def get(self, number: str) -> Device | None:
        return self._devices.get(number)

    def kept(self) -> Kept:
        return Kept(self.instance, list(self), self.key)

    def add(self, name: str, grant: Grant, now: float) -> tuple[Device, str]:
        """Let a device in. Returns it and its token, which is told once and known to nobody afterwards. The second
        iPad is called "iPad 2": who holds a fader, and whom to revoke, is said by name."""
        if len(self._devices) >= MAX_DEVICES:
            del self._devices[min(self._devices.values(), key=lambda device: device.seen).id]
        device = Device(self._word(ID_BYTES), self._unused(clean(name)), None, "", "", now, now)
        self.set_grant(device, grant)
        self._devices[device.id] = device
        return device, self.renew(device)

    def renew(self, device: Device) -> str:
        """A new token; the one before is worth nothing any more."""
        secret = self._word(SECRET_BYTES)
        device.hash = _hash(secret)
        return f"{device.id}.{secret}"

    def set_grant(self, device: Device, grant: Grant) -> None:
        """What it may do from now on: by an ``[[access]]`` entry where the grant names one, else by its role."""
        device.role, device.access = (None, grant.access) if grant.access else (grant.role, "")

    def remove(self, number: str) -> Device | None:
        """What was known of it; None where nothing was."""
        return self._devices.pop(number, None)

    def find(self, token: str) -> Device | None:
        """The device whose token this is. Takes as long for a wrong one as for a right one."""
        number, _, secret = token.partition(".")
        device = self._devices.get(number)
        is_right = hmac.compare_digest(_hash(secret), device.hash if device is not None else _NOBODY)
        return device if is_right else None

    def _unused(self, name: str) -> str:
        """This name, or with the next number that makes it nobody else's: after "iPad" and "iPad 2" comes "iPad 3"."""
        taken = {device.name for device in self._devices.values()}
        if name not in taken:
            return name
        numbered = _NUMBERED.fullmatch(name)
        base, last = (numbered[1], int(numbered[2])) if numbered else (name, 1)
        suffixes = (f" {number}" for number in count(last + 1))
        return next(free for end in suffixes if (free := base[: MAX_NAME - len(end)].rstrip() + end) not in taken)

    def _word(self, size: int) -> str:
        return self._entropy(size).hex()  # of letters and figures alone: it stands in headers, addresses and shells


def clean(name: str) -> str:
    """A name as it may be shown: printable, short, never empty."""
    return "".join(char for char in name if char.isprintable())[:MAX_NAME].strip() or "a device"


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


_NOBODY = "0" * 64  # of no secret
_NUMBERED = re.compile(r"(.+) ([1-9][0-9]{0,3})")
