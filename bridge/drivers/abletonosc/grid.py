"""The launch grid: clips and scenes as pads, through a window of 8 × 8 that all screens and all hardware share.

A set has thousands of slots; controls there are for those in the window alone. Who plays and who waits Live tells of
every track; what is in a slot it is asked for, track by track, so often that everything in the window is known again
within two seconds. What it has said is in ``clips``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Any, Literal

from bridge.control import Control
from bridge.driver import OWNER, Add, Effect, Effects, Mark, Remove, Send, Set
from bridge.store import Change
from bridge.surface import Group, Item, Page

from .clips import FIRED, PLAYING, Clips, Face
from .laws import color
from .part import Args, Part, ask, chain, name_of, numbers
from .tracks import Track, Tracks

COLUMNS = ROWS = 8
COUNT_TICKS = 10
QUESTIONS = 3  # in one tick: a full window has 48
BLAME_S = 5.0
"""An error so long after the last that a question of ours may have led to is none of ours."""
MAX_SLOTS = 10_000


@dataclass(slots=True)
class Axis:
    """One side of the window: it begins at ``start``, from 0, and has ``size`` of all that there are."""

    most: int
    count: int = 0
    start: int = 0

    @property
    def size(self) -> int:
        return min(self.most, self.count)

    @property
    def last(self) -> int:
        """Where it begins at the latest."""
        return max(0, self.count - self.most)

    def move_to(self, start: int) -> None:
        self.start = max(0, min(self.last, start))


class Grid(Part):
    """``root`` is what stands before the paths of its controls."""

    def __init__(self, tracks: Tracks, root: str, is_shown: bool) -> None:
        super().__init__()
        self._tracks = tracks
        self._root = root
        self._is_shown = is_shown
        self._across, self._down = Axis(COLUMNS), Axis(ROWS)
        self._clips = Clips()
        self._scenes: dict[int, tuple[str, str | None]] = {}  # of scenes in the window
        self._controls: dict[str, Control] = {}
        self._faces: dict[str, Face] = {}
        self._questions: Iterator[Send] = iter(())
        self._laid_out = (0, 0)  # columns and rows that have controls
        self._is_fresh = True
        """What is known is of another set."""
        self._ticks = 0
        self._blamed_at = -BLAME_S
        if not is_shown:
            return
        tracks.listen_also((PLAYING, FIRED))
        self.handlers = {
            "/live/song/get/num_scenes": self._on_count,
            "/live/track/get/clips/name": partial(self._on_clips, "name", name_of),
            "/live/track/get/clips/color": partial(self._on_clips, "color", color),
            "/live/clip/get/is_recording": self._on_recording,
            "/live/scene/get/name": self._on_scene,
            "/live/scene/get/color": self._on_scene_color,
            **{f"/live/track/get/{prop}": partial(self._on_active, prop) for prop in (PLAYING, FIRED)},
        }
        turns = {
            "left": (self._across, -1),
            "right": (self._across, 1),
            "up": (self._down, -1),
            "down": (self._down, 1),
        }
        self.movers = {
            f"{root}/grid/track": partial(self._place, self._across),
            f"{root}/grid/scene": partial(self._place, self._down),
            f"{root}/grid/stop": lambda change, now: [Send("/live/song/stop_all_clips")],
            **{f"{root}/grid/{way}": partial(self._turn, axis, by) for way, (axis, by) in turns.items()},
            **{f"{root}/scene/{row + 1}": partial(self._fire_scene, row) for row in range(ROWS)},
            **{
                f"{root}/pad/{column + 1}/{row + 1}": partial(self._fire, column, row)
                for column in range(COLUMNS)
                for row in range(ROWS)
            },
        }

    # Life

    def connected(self, now: float) -> Effects:
        self._clips.forget()
        self._scenes.clear()
        self._questions = iter(())
        self._is_fresh = True
        return []

    def scanned(self, now: float) -> Effects:
        if not self._is_shown:
            return []
        self._clips.rescanned(set(self._tracks.all))
        self._across.count = len(list(self._tracks.shown))
        if self._is_fresh:  # what there was need not be there: how many scenes there are comes first
            return [ask("num_scenes", kind="song")]
        return self._moved()

    def tick(self, now: float) -> Effects:
        if not self._is_shown:
            return []
        self._ticks += 1
        found: list[Effect] = []
        if self._ticks % COUNT_TICKS == 0:
            found.append(ask("num_scenes", kind="song"))
            if self._controls and not self._is_fresh:
                found += self._describe(self._all_controls())  # a track's colour may be another
                found += chain(self._ask_recording(track) for track in self._columns())
        return [*found, *(question for _, question in zip(range(QUESTIONS), self._questions, strict=False))]

    def failed(self, text: str, now: float) -> Effects | None:
        if not self._controls or now - self._blamed_at < BLAME_S:
            return None
        self._blamed_at = now  # a scene that is not there any more, perhaps
        return [ask("num_scenes", kind="song")]

    # What Live tells

    def _on_count(self, args: Args, now: float) -> Effects:
        found = numbers(args, 1)
        if not self._tracks.are_known or found is None or not 0 <= found[0] <= MAX_SLOTS:
            return []
        if found[0] == self._down.count and not self._is_fresh:
            return []
        self._down.count, self._is_fresh = found[0], False
        return self._moved()

    def _on_clips(
        self, what: Literal["name", "color"], read: Callable[[Any], str | None], args: Args, now: float
    ) -> Effects:
        track = self._tracks.at(args[0]) if args else None
        if track is None or not self._clips.is_watched(track):
            return []
        self._clips.fill(track, what, [None if raw is None else read(raw) for raw in args[1:]])
        return self._show()

    def _on_scene(self, args: Args, now: float) -> Effects:
        return self._scene(args, lambda known: (name_of(args[1]), known[1]))

    def _on_scene_color(self, args: Args, now: float) -> Effects:
        return self._scene(args, lambda known: (known[0], color(args[1])))

    def _scene(self, args: Args, change: Callable[[tuple[str, str | None]], tuple[str, str | None]]) -> Effects:
        number = numbers(args, 1)
        if number is None or len(args) != 2 or number[0] not in self._scenes:
            return []
        self._scenes[number[0]] = change(self._scenes[number[0]])
        return self._describe(self._scene_controls())

    def _on_active(self, prop: str, args: Args, now: float) -> Effects:
        track = self._tracks.told(prop, args)
        if track is None or type(args[-1]) is not int:
            return []
        is_other = self._clips.activate(prop, track, args[-1])
        if not self._clips.is_watched(track):
            return []
        return [*self._show(), *(self._ask_recording(track) if is_other else ())]

    def _ask_recording(self, track: Track) -> list[Effect]:
        """Whether what plays on a track is being recorded: nobody tells."""
        slot = self._clips.playing(track) if track.can_be_armed else None
        return [] if slot is None else [ask("is_recording", track.index, slot, kind="clip")]

    def _on_recording(self, args: Args, now: float) -> Effects:
        ids = numbers(args, 2)
        track = None if ids is None else self._tracks.at(ids[0])
        if ids is None or track is None or len(args) != 3:
            return []
        self._clips.record(track, ids[1], args[2] is True)
        return self._show()

    # What a hand does

    def _place(self, axis: Axis, change: Change, now: float) -> Effects:
        axis.move_to(int(change.value) - 1 if isinstance(change.value, (int, float)) else 0)
        return self._moved()

    def _turn(self, axis: Axis, by: int, change: Change, now: float) -> Effects:
        axis.move_to(axis.start + by * axis.most)
        return self._moved()

    def _fire(self, column: int, row: int, change: Change, now: float) -> Effects:
        tracks = self._columns()
        slot = self._down.start + row
        if column >= len(tracks) or slot >= self._down.count:
            return []
        return [Send("/live/clip_slot/fire", (tracks[column].index, slot))]

    def _fire_scene(self, row: int, change: Change, now: float) -> Effects:
        scene = self._down.start + row
        return [Send("/live/scene/fire", (scene,))] if scene < self._down.count else []

    # The window

    def _columns(self) -> list[Track]:
        return list(self._tracks.shown)[self._across.start : self._across.start + COLUMNS]

    def _rows(self) -> range:
        return range(self._down.start, self._down.start + self._down.size)

    def _moved(self) -> list[Effect]:
        """It shows others now, or there are more or fewer: make the controls, ask what is in them."""
        for axis in (self._across, self._down):
            axis.move_to(axis.start)
        self._clips.watch(self._columns())
        self._scenes = {scene: self._scenes.get(scene, ("", None)) for scene in self._rows()}
        wanted = list(self._all_controls()) if self._across.size and self._down.size else []
        paths = {control.path for control in wanted}
        gone = [path for path in self._controls if path not in paths]
        for path in gone:
            del self._controls[path]
            self._faces.pop(path, None)
        if len(paths) != len(self._controls) or gone:
            self._tracks.version += 1  # pages are laid out anew
        self._laid_out = (self._across.size, self._down.size)
        effects: list[Effect] = [*map(Remove, gone), *self._describe(wanted)]
        if wanted:
            effects += [Set(f"{self._root}/grid/track", self._across.start + 1)]
            effects += [Set(f"{self._root}/grid/scene", self._down.start + 1)]
        first = [*self._clip_questions(), *self._scene_questions()]
        self._questions = cycle(first)
        return [*effects, *self._show(), *first]

    def _clip_questions(self) -> Iterator[Send]:
        for track in self._columns():
            for what in ("clips/name", "clips/color", PLAYING, FIRED):
                yield ask(what, track.index)

    def _scene_questions(self) -> Iterator[Send]:
        for scene in self._rows():
            for what in ("name", "color"):
                yield ask(what, scene, kind="scene")

    def _show(self) -> list[Effect]:
        """What is another at a pad than what it shows."""
        effects: list[Effect] = []
        for column, track in enumerate(self._columns()):
            for row, slot in enumerate(self._rows()):
                path = f"{self._root}/pad/{column + 1}/{row + 1}"
                face, before = self._clips.face(track, slot), self._faces.get(path)
                if path not in self._controls or face == before:
                    continue
                self._faces[path] = face
                for name, value, old in zip(("pad", "name", "color"), face, before or (None,) * 3, strict=True):
                    if value != old:
                        effects.append(Mark(path, name, value))
        return effects

    # Its controls

    def page(self, title: str) -> Iterator[Page]:
        """The page of it, where there is something to launch."""
        if not self._controls:
            return
        columns, rows = self._laid_out
        pads = [
            Group(f"{column + 1}", self._items(f"pad/{column + 1}/{row + 1}" for row in range(rows)))
            for column in range(columns)
        ]
        scenes = Group("Scenes", self._items(f"scene/{row + 1}" for row in range(rows)))
        ways = ("left", "right", "up", "down", "track", "scene", "stop")
        window = Group("Window", self._items(f"grid/{way}" for way in ways))
        yield Page(title, "pads", (*pads, scenes, window))

    def _items(self, names: Iterator[str]) -> tuple[Item, ...]:
        controls = [self._controls[f"{self._root}/{name}"] for name in names]
        return tuple(Item(control.path, control.widget) for control in controls)

    def _describe(self, controls: Iterator[Control] | list[Control]) -> list[Effect]:
        """Those that are new, or another's now."""
        effects: list[Effect] = []
        for control in controls:
            if self._controls.get(control.path) != control:
                self._controls[control.path] = control
                effects.append(Add(control))
        return effects

    def _all_controls(self) -> Iterator[Control]:
        for name, axis in (("track", self._across), ("scene", self._down)):
            ends = (1, axis.last + 1)
            yield Control(
                path=f"{self._root}/grid/{name}", kind="int", range=(1, max(2, ends[1])), limit=ends, widget="label",
                label=name.capitalize(), owner=OWNER,
            )  # fmt: skip
        labels = {"left": "\u25c0", "right": "\u25b6", "up": "\u25b2", "down": "\u25bc", "stop": "Stop clips"}
        for way, label in labels.items():
            yield Control(path=f"{self._root}/grid/{way}", kind="trigger", label=label, owner=OWNER)
        for column, track in enumerate(self._columns()):
            for row in range(self._down.size):
                group, hue = (track.title, track.color) if row == 0 else (None, None)  # of the column
                yield Control(
                    path=f"{self._root}/pad/{column + 1}/{row + 1}", kind="trigger", widget="pads", label=f"{row + 1}",
                    group=group, color=hue, owner=OWNER,
                )  # fmt: skip
        yield from self._scene_controls()

    def _scene_controls(self) -> Iterator[Control]:
        for row, scene in enumerate(self._rows()):
            name, hue = self._scenes.get(scene, ("", None))
            path = f"{self._root}/scene/{row + 1}"
            yield Control(path=path, kind="trigger", label=name or f"{scene + 1}", color=hue, owner=OWNER)
