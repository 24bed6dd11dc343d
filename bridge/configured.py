"""What the configuration owns in the store: its controls, the states of its peers, the surface. Pure: ``now`` in.

The same way in at the start, when everything is new, and at a reload: ``apply(plan)``. Not here: pages that people
wrote (``pagecontrols``), ports (``ports``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from .bank import BankButtons
from .config.diff import Plan, is_same_thing
from .config.settings import Config
from .control import CONFIG, RESERVED, Control
from .port import Peer
from .store import Change, Entry, Origin, Store
from .surface import Page, with_learnt

OWNER = "config"
LEARNT = "learn"
_LOOKS = ("label", "color", "group")
"""What peers may say of a control: theirs stands, where the configuration says nothing new."""
_SELF = Origin("bridge", "config")


class Configured:
    """The configuration's part of one store."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._config = config
        self._brought: dict[str, Sequence[Page]] = {}  # by peer
        self._forget_buttons: Callable[[], None] = lambda: None

    def apply(self, plan: Plan, now: float) -> None:
        """Change what the plan says, and nothing else."""
        for _ in self.steps(plan, lambda: now):
            pass

    def steps(
        self, plan: Plan, clock: Callable[[], float], orphans: Callable[[str], Control | None] = lambda path: None
    ) -> Iterator[None]:
        """The same, control by control: whoever has many may let others have a turn between two. ``orphans(path)``: a
        control as somebody else describes it whom it belongs to when the configuration does not want it any more; None:
        nobody."""
        store = self._store
        self._config = plan.config
        anew, gone_paths = {control.path for control in plan.added}, {control.path for control in plan.removed}
        for gone in plan.removed:
            self._remove(gone, None if gone.path in anew else orphans(gone.path), clock())
            yield
        for before, control in plan.described:
            self._describe(before, control, clock())
            yield
        for control in plan.added:
            self._add(control, control.path in gone_paths, clock())
            yield
        now = clock()
        for peer in plan.closed:
            if (entry := store.find(state_path(peer.name))) is not None:
                store.remove(entry, now=now, origin=_SELF)
        for peer in plan.opened:
            self._add_state(peer, now)
        self._forget_buttons()
        self._forget_buttons = lambda: None
        if plan.config.banks:
            self._forget_buttons = store.subscribe(BankButtons(store, plan.config.banks).note)
        self.lay_out(now)

    def calm_down(self, cause: Change) -> None:
        """Release every hold and momentary, then set what ``[panic]`` says."""
        origin = Origin("bridge", "panic")
        self._store.let_go(origin, cause.time)
        panic = self._config.panic
        values = [(entry, value) for path, value in panic.items() if (entry := self._store.find(path))]
        self._store.apply(values, origin, cause.time)

    def show_pages(self, peer: str, pages: Sequence[Page]) -> None:
        """These stand after the configuration's own, once ``lay_out`` is called."""
        self._brought[peer] = pages

    def lay_out(self, now: float) -> None:
        """Show the pages of the configuration, those that peers bring, and the controls that they have taught us."""
        controls = [entry.control for entry in self._store if entry.control.owner == LEARNT]
        brought = [page for pages in self._brought.values() for page in pages]
        surface = with_learnt(self._config.surface.with_pages(brought), controls)
        self._store.set_surface(surface.to_wire(), now=now)

    def say(self, trouble: str, now: float) -> None:
        """Tell everybody why the configuration is not what its file says; "" takes that back."""
        entry = self._store.find(CONFIG)
        if not trouble:
            if entry is not None:
                self._store.remove(entry, now=now, origin=_SELF)
            return
        if entry is None:
            told = Control(path=CONFIG, kind="string", owner="bridge", access="read", label="Configuration")
            entry = self._store.add(told, now=now, value=trouble)
        self._store.set(entry, trouble, _SELF, now)

    def let_go(self, gone: Iterable[Control], now: float) -> None:
        """Nothing stays pressed on a peer because its control goes: it rests while peers can still be told."""
        for control in gone:
            if (entry := self._store.find(control.path)) is None:
                continue
            for holder in list(entry.holders):
                self._store.release(entry, holder, now, by=_SELF)
            if control.momentary:
                self._store.set(entry, control.rest, _SELF, now)

    def _remove(self, gone: Control, heir: Control | None, now: float) -> None:
        entry = self._store.find(gone.path)
        self.let_go((gone,), now)
        if entry is None or entry.control.owner != OWNER:
            return
        if heir is not None and is_same_thing(gone, heir):
            self._store.describe(entry, heir, now=now, origin=_SELF)
        else:
            self._store.remove(entry, now=now, origin=_SELF)

    def _describe(self, before: Control, control: Control, now: float) -> None:
        entry = self._store.find(control.path)
        if entry is None:
            self._store.add(control, now=now, origin=_SELF)
            return
        is_shown = entry.control
        looks = [name for name in _LOOKS if getattr(before, name) == getattr(control, name)]
        said = {name: value for name in looks if (value := getattr(is_shown, name)) != getattr(control, name)}
        self._store.describe(entry, replace(control, **said) if said else control, now=now, origin=_SELF)

    def _add(self, control: Control, is_another: bool, now: float) -> None:
        """Take in a control. What somebody else has made stays, and is the configuration's now, where it is the same
        kind of thing."""
        entry = self._store.find(control.path)
        if entry is not None:
            if is_same_thing(entry.control, control):
                self._store.describe(entry, control, now=now, origin=_SELF)
                return
            self._store.remove(entry, now=now, origin=_SELF)
            is_another = True
        self._store.add(control, now=now, value=control.default if is_another else None, origin=_SELF)

    def _add_state(self, peer: Peer, now: float) -> None:
        control = Control(path=state_path(peer.name), kind="string", owner="bridge", access="read", label=peer.name)
        if self._store.find(control.path) is None:
            self._store.add(control, now=now, origin=_SELF)


def state_path(peer: str) -> str:
    """Where it is shown how a peer is."""
    return f"{RESERVED}/peers/{peer}"


def is_learnt(entry: Entry) -> bool:
    """True for a control that a peer has taught us."""
    return entry.control.owner == LEARNT
