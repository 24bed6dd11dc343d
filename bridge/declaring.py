"""What an open page declares: its inputs become controls that everybody has, unless somebody described them before.

Here: who is right, who may add, how many there may be and which leave first. Pure: ``now`` in. Not here: what the files
of pages declare before any browser has come (``pagecontrols``), the message (``messages``), the answer (``session``).
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass

from .control import Control
from .errors import BadValue, ProtocolError
from .messages import Descriptor
from .store import Entry, Origin, Store
from .view import View

MAX_DECLARED = 256
"""Controls that pages may declare, all together."""
DECLARED_CHOICES_BYTES = 4096
"""Of what a choice of these has to choose from: whoever comes is told all of it."""


@dataclass(frozen=True, slots=True)
class Declarer:
    """Whose page it is: ``view`` is what that device sees, None for everything."""

    origin: Origin
    role: str
    view: View | None


def declare(
    descriptors: Iterable[Descriptor], who: Declarer, store: Store, unclaimed: MutableMapping[str, None], now: float
) -> list[tuple[str, ProtocolError]]:
    """Add the controls that are not there yet. Returns the path of each descriptor that was refused, and why.

    ``unclaimed`` are paths that pages have declared in an earlier run and none in this one (``Saved.unclaimed``):
    who may add describes them anew, and the first of them make room when there are too many.
    """
    refused: list[tuple[str, ProtocolError]] = []
    room = MAX_DECLARED - sum(entry.control.owner == "page" for entry in store)
    for descriptor in descriptors:
        try:
            control = descriptor.build("page")
            entry = store.find(control.path) if who.view is None else who.view.find(control.path)
            if entry is None:
                _check_may_add(control.path, who)
                _check_is_small(control)
                if room <= 0:
                    _make_room(control.path, who, store, unclaimed, now)
                    room += 1
                store.add(control, now=now, origin=who.origin)
                room -= 1
            elif _is_left(entry, unclaimed) and who.role != "view" and who.view is None:
                _check_is_small(control)
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


def _check_is_small(control: Control) -> None:
    if sum(len(text.encode()) for text in control.choices) > DECLARED_CHOICES_BYTES:
        why = f"{control.path}: choices that a page declares may have {DECLARED_CHOICES_BYTES} bytes together"
        raise ProtocolError("too_large", f"{why}; the configuration's may be longer")


def _is_left(entry: Entry | None, unclaimed: MutableMapping[str, None]) -> bool:
    """It is as a page left it in an earlier run. The configuration may have it by now, or a program."""
    return entry is not None and entry.path in unclaimed and entry.control.owner == "page"


def _make_room(path: str, who: Declarer, store: Store, unclaimed: MutableMapping[str, None], now: float) -> None:
    """Remove a control that is on no page which was opened in this run; ``path`` is the one that wants its place."""
    first = next((one for one in unclaimed if _is_left(store.find(one), unclaimed)), None)
    if first is None:
        raise ProtocolError("too_many", f"{path}: pages have declared {MAX_DECLARED} already")
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
