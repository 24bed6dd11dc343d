"""What an open page declares: its inputs become controls that everybody has, unless somebody described them before.

Here: who is right, who may add, how many there may be and which leave first. Pure: ``now`` in. Not here: what the files
of pages declare before any browser has come (``pagecontrols``), the message (``messages``), the answer (``session``).
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping, Sequence
from dataclasses import dataclass

import msgspec

from .control import Control
from .errors import BadValue, ProtocolError
from .messages import Descriptor
from .store import Change, Entry, Origin, Store
from .view import View

MAX_DECLARED = 256
"""Controls that pages may declare, all together."""
MAX_DECLARED_BYTES = 512 * 1024
"""Of their descriptors as JSON, and of the texts that they may hold, all together: whoever comes is told all of it."""

DEVICE_SHARE = 2
"""One device may have this part of both, a half: no guest's phone takes the places of the artist's pages."""


@dataclass(frozen=True, slots=True)
class Declarer:
    """Whose page it is: ``view`` is what that device sees, None for everything; ``device`` is "" where nobody is told
    apart."""

    origin: Origin
    role: str
    view: View | None
    device: str = ""


class Declared:
    """The controls of pages that a store has, and how much room they leave. ``follow`` is to hear of its changes."""

    def __init__(self, store: Store) -> None:
        self.devices: dict[Entry, str] = {}
        """Which device has declared it in this run."""
        self._sizes: dict[Entry, int] = {}
        self._bytes = 0
        for entry in store:
            self.note(entry)

    def follow(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.what in ("added", "described", "removed"):
                self.note(change.entry)

    def note(self, entry: Entry) -> None:
        """It has come, is described anew, or has gone."""
        self._bytes -= self._sizes.pop(entry, 0)
        if entry.is_there and entry.control.owner == "page":
            self._sizes[entry] = _size_of(entry.control)
            self._bytes += self._sizes[entry]
        else:
            self.devices.pop(entry, None)

    def check_share(self, control: Control, device: str) -> None:
        """Raise ProtocolError where a device has declared as much as one may."""
        if not device:
            return
        sizes = [self._sizes[entry] for entry, by in self.devices.items() if by == device]
        if len(sizes) >= MAX_DECLARED // DEVICE_SHARE:
            why = f"{control.path}: this device has declared {len(sizes)} already, the most that one may"
            raise ProtocolError("too_many", f"{why}: put controls into the configuration, or into a page's HTML")
        if sum(sizes) + _size_of(control) > MAX_DECLARED_BYTES // DEVICE_SHARE:
            most = MAX_DECLARED_BYTES // DEVICE_SHARE >> 10
            raise ProtocolError("too_large", f"{control.path}: what one device declares has {most} kB at most")

    def lack(self, control: Control, instead_of: Entry | None = None) -> ProtocolError | None:
        """Why there is no room for one more; None where there is."""
        if len(self._sizes) - (instead_of in self._sizes) >= MAX_DECLARED:
            why = f"{control.path}: pages have declared {MAX_DECLARED} already"
            return ProtocolError("too_many", f"{why}: an admin can take some away (stagebridge forget)")
        freed = 0 if instead_of is None else self._sizes.get(instead_of, 0)
        if self._bytes - freed + _size_of(control) > MAX_DECLARED_BYTES:
            why = f"{control.path}: what pages declare has {MAX_DECLARED_BYTES >> 10} kB at most"
            return ProtocolError("too_large", f"{why}: shorten choices and texts, or put them into the configuration")
        return None


def declare(
    descriptors: Iterable[Descriptor],
    who: Declarer,
    store: Store,
    declared: Declared,
    unclaimed: MutableMapping[str, None],
    now: float,
) -> list[tuple[str, ProtocolError]]:
    """Add the controls that are not there yet. Returns the path of each descriptor that was refused, and why.

    ``unclaimed`` are paths that pages have declared in an earlier run and none in this one (``Saved.unclaimed``):
    who may add describes them anew, and the first of them make room when there are too many.
    """
    refused: list[tuple[str, ProtocolError]] = []
    for descriptor in descriptors:
        try:
            control = descriptor.build("page")
            entry = store.find(control.path) if who.view is None else who.view.find(control.path)
            if entry is None:
                _check_may_add(control.path, who)
                declared.check_share(control, who.device)
                while (lack := declared.lack(control)) is not None:
                    _make_room(lack, who, store, unclaimed, now)
                declared.devices[store.add(control, now=now, origin=who.origin)] = who.device
            elif _is_left(entry, unclaimed) and who.role != "view" and who.view is None:
                declared.check_share(control, who.device)
                if (lack := declared.lack(control, entry)) is not None:
                    raise lack
                declared.devices[entry] = who.device
                del unclaimed[control.path]  # as it was in an earlier run: the page may have been edited
                store.describe(entry, control, now=now, origin=who.origin)
            else:
                _check_is_same(descriptor, control, entry)
        except ProtocolError as exc:
            refused.append((descriptor.path, exc))
        except BadValue as exc:
            refused.append((descriptor.path, ProtocolError("too_many", str(exc))))
    return refused


def _check_may_add(path: str, who: Declarer) -> None:
    if who.view is not None:
        raise ProtocolError("not_allowed", f"{path}: this device may only use its pages")
    if path.startswith("/stagebridge"):
        raise ProtocolError("not_allowed", f"{path}: /stagebridge is reserved")
    if who.role == "view":
        raise ProtocolError("not_allowed", "this device may only watch")


def _size_of(control: Control) -> int:
    text = control.max_length if control.kind == "string" else 0
    return len(msgspec.json.encode(control.describe())) + text


def _is_left(entry: Entry | None, unclaimed: MutableMapping[str, None]) -> bool:
    """It is as a page left it in an earlier run. The configuration may have it by now, or a program."""
    return entry is not None and entry.path in unclaimed and entry.control.owner == "page"


def _make_room(
    lack: ProtocolError, who: Declarer, store: Store, unclaimed: MutableMapping[str, None], now: float
) -> None:
    """Remove a control that is on no page which was opened in this run. Raises ``lack`` where there is none."""
    first = next((one for one in unclaimed if _is_left(store.find(one), unclaimed)), None)
    if first is None:
        raise lack
    del unclaimed[first]
    store.remove(store.get(first), now=now, origin=who.origin)


def _check_is_same(descriptor: Descriptor, declared: Control, entry: Entry) -> None:
    """Whoever described a control first is right: the page may say less, but nothing else."""
    existing = entry.control
    difference = ""
    if descriptor.kind is not None and declared.kind != existing.kind:
        difference = f"the page says {declared.kind}, the {existing.owner} {existing.kind}; the {existing.owner} has it"
    elif descriptor.range is not None and declared.range != existing.range:
        difference = f"the page says range {declared.range}, the {existing.owner} {existing.range}"
    elif descriptor.choices is not None and declared.choices != existing.choices:
        difference = f"the page has other choices than the {existing.owner}"
    if difference:
        raise ProtocolError("declared_otherwise", f"{declared.path}: {difference}")
