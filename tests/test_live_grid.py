"""The launch grid of Live: what its pads show, what they do, and how the window moves over a large set."""

from typing import Any

import pytest

from bridge.driver import Add, Effect, Mark, Remove, Send

from .fakes.liveset import Clip, Scene, Song, Track
from .port_contract import BROWSER, until
from .test_driver_abletonosc import Talk, controls, sent
from .test_live import Stage, staged

CLIPS = {"show": ["clips"]}


def band() -> Song:
    drums = [Clip("Beat", 0xFF0000), Clip("Fill", 0x00FF00), None]
    return Song([Track("Drums", 0x112233, drums), Track("Bass", clips=[Clip("Line")])],
                [Scene("Intro", 0x0000FF), Scene(), Scene("End")], sends=0)  # fmt: skip


def large(tracks: int = 128, scenes: int = 50) -> Song:
    made = [Track(f"T{n + 1}", clips=[Clip(f"{n + 1}.{slot + 1}") for slot in range(scenes)]) for n in range(tracks)]
    return Song(made, [Scene(f"S{n + 1}") for n in range(scenes)], sends=0)


def marks(stage: Stage, pad: str) -> dict[str, Any]:
    entry = stage.store.find(f"/live/pad/{pad}")
    return {} if entry is None else dict(entry.marks)


async def shows(stage: Stage, pad: str, state: str, name: str = "", color: str | None = None) -> None:
    wanted = {"pad": state, "name": name} | ({"color": color} if color else {})
    await until(stage.store, lambda: marks(stage, pad) == wanted)


def label(stage: Stage, path: str) -> str:
    entry = stage.store.find(path)
    return "" if entry is None else str(entry.control.label)


def fire(stage: Stage, path: str) -> None:
    stage.store.trigger(stage.store.get(path), (), BROWSER, 0.0)


def head(stage: Stage, column: int) -> Any:
    """What stands above a column: name and colour."""
    control = stage.store.get(f"/live/pad/{column}/1").control
    return control.group, control.color


async def test_pads_show_what_is_in_the_set_and_fire_it() -> None:
    async with staged(band(), **CLIPS) as stage:
        await shows(stage, "1/1", "loaded", "Beat", "#ff0000")
        await shows(stage, "1/3", "empty")
        await shows(stage, "2/1", "loaded", "Line", "#ff8000")
        await until(stage.store, lambda: label(stage, "/live/scene/3") == "End")
        assert label(stage, "/live/scene/2") == "2"
        assert head(stage, 1) == ("Drums", "#112233")
        await stage.shows(lambda pages: [page.layout for page in pages][-1:] == ["pads"])
        assert [group.name for group in stage.pages[-1].groups] == ["1", "2", "Scenes", "Window"]
        fire(stage, "/live/pad/1/2")
        await shows(stage, "1/2", "playing", "Fill", "#00ff00")
        fire(stage, "/live/pad/1/1")
        await shows(stage, "1/1", "playing", "Beat", "#ff0000")
        await shows(stage, "1/2", "loaded", "Fill", "#00ff00")
        fire(stage, "/live/scene/1")
        await shows(stage, "2/1", "playing", "Line", "#ff8000")
        fire(stage, "/live/grid/stop")
        await shows(stage, "2/1", "loaded", "Line", "#ff8000")
        assert not stage.live.errors


async def test_a_clip_that_is_being_recorded_is_told_from_one_that_plays() -> None:
    async with staged(band(), **CLIPS) as stage:
        drums = stage.live.song.track("Drums")
        drums.clips[0].is_recording = True
        await shows(stage, "1/1", "loaded", "Beat", "#ff0000")
        fire(stage, "/live/pad/1/1")
        await shows(stage, "1/1", "recording", "Beat", "#ff0000")
        drums.clips[0].is_recording = False
        await shows(stage, "1/1", "playing", "Beat", "#ff0000")


async def test_pads_say_that_live_is_gone_and_come_back_with_it() -> None:
    async with staged(band(), timeout_s=0.5, **CLIPS) as stage:
        await shows(stage, "1/1", "loaded", "Beat", "#ff0000")
        await stage.live.quit()
        await until(stage.store, lambda: marks(stage, "1/1").get("silent") == "live")
        await stage.live.start()
        await shows(stage, "1/1", "loaded", "Beat", "#ff0000")


async def test_what_changes_in_the_set_changes_on_the_pads() -> None:
    async with staged(band(), **CLIPS) as stage:
        await shows(stage, "1/3", "empty")
        drums = stage.live.song.track("Drums")
        drums.clips[2] = Clip("New", 0x0000FF)
        await shows(stage, "1/3", "loaded", "New", "#0000ff")
        stage.live.song.scenes[0].name = "Start"
        await until(stage.store, lambda: label(stage, "/live/scene/1") == "Start")
        stage.live.song.add_scene(Scene("More"))
        await until(stage.store, lambda: label(stage, "/live/scene/4") == "More")
        await shows(stage, "2/4", "empty")
        stage.live.song.move_track("Bass", 0)
        await shows(stage, "1/1", "loaded", "Line", "#ff8000")
        await until(stage.store, lambda: head(stage, 1)[0] == "Bass")
        stage.live.song.delete_track("Bass")
        await until(stage.store, lambda: stage.store.find("/live/pad/2/1") is None)
        fire(stage, "/live/pad/1/1")
        await shows(stage, "1/1", "playing", "Beat", "#ff0000")


async def test_a_large_set_is_seen_through_a_window_of_64_pads() -> None:
    async with staged(large(), **CLIPS) as stage:
        await shows(stage, "8/8", "loaded", "8.8", "#ff8000")
        assert sum(entry.path.startswith("/live/pad/") for entry in stage.store) == 64
        fire(stage, "/live/grid/right")
        await shows(stage, "1/1", "loaded", "9.1", "#ff8000")
        assert head(stage, 1)[0] == "T9"
        assert stage.bridge.value("/live/grid/track") == 9
        stage.bridge.set("/live/grid/scene", 50)
        await shows(stage, "1/8", "loaded", "9.50", "#ff8000")
        await until(stage.store, lambda: stage.bridge.value("/live/grid/scene") == 43)
        await until(stage.store, lambda: label(stage, "/live/scene/8") == "S50")
        fire(stage, "/live/pad/1/8")
        await shows(stage, "1/8", "playing", "9.50", "#ff8000")
        assert stage.live.song.track("T9").playing_slot_index == 49
        stage.bridge.set("/live/grid/track", 1)
        await shows(stage, "1/8", "loaded", "1.50", "#ff8000")
        assert not stage.live.errors
        assert not stage.live.lost


# Without a network


@pytest.fixture
def talk() -> Talk:
    talk = Talk(**CLIPS)
    talk.connect()
    talk.tell_set("A", "B")
    return talk


def looks(effects: list[Effect]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for effect in effects:
        if isinstance(effect, Mark):
            found.setdefault(effect.path, {})[effect.name] = effect.value
    return found


def test_there_are_pads_when_it_is_known_how_many_scenes_there_are(talk: Talk) -> None:
    assert not controls(talk.answer)
    talk.say("/live/song/get/num_scenes", 2)
    assert [path for path in controls(talk.answer) if "/pad/" in path] == [
        f"/live/pad/{column}/{row}" for column in (1, 2) for row in (1, 2)
    ]
    assert sent(talk.answer, "clips/name") == [(0,), (1,)]
    talk.say("/live/song/get/num_scenes", 2)
    assert talk.answer == []
    talk.say("/live/song/get/num_scenes", 0)
    assert {effect.path for effect in talk.answer if isinstance(effect, Remove)} >= {"/live/pad/1/1", "/live/scene/2"}


def test_a_track_without_a_name_is_called_as_on_the_page_of_the_mixer(talk: Talk) -> None:
    talk.tell_set("A", "")
    talk.say("/live/song/get/num_scenes", 1)
    heads = {each.control.path: each.control.group for each in talk.answer if isinstance(each, Add)}
    assert heads["/live/pad/2/1"] == "Track 2"


def test_a_new_set_is_asked_for_nothing_before_it_is_known_how_many_scenes_it_has(talk: Talk) -> None:
    talk.say("/live/song/get/num_scenes", 2)
    talk.connect()
    asked = talk.tell_set("A", "B", "C")
    for _ in range(10):
        talk.now += 0.1
        asked += talk.driver.tick(talk.now)
    assert not sent(asked, "clips/name") + sent(asked, "scene/get/name")
    talk.say("/live/song/get/num_scenes", 2)
    assert sent(talk.answer, "clips/name") == [(0,), (1,), (2,)]


def test_a_clip_that_waits_is_queued_then_plays_and_only_what_differs_is_told(talk: Talk) -> None:
    talk.say("/live/song/get/num_scenes", 2)
    talk.say("/live/track/get/clips/name", 0, "One", None)
    assert looks(talk.answer) == {"/live/pad/1/1": {"pad": "loaded", "name": "One"}}
    talk.say("/live/track/get/fired_slot_index", 0, 0)
    assert looks(talk.answer) == {"/live/pad/1/1": {"pad": "queued"}}
    talk.say("/live/track/get/playing_slot_index", 0, 0)
    assert looks(talk.answer) == {}
    talk.say("/live/track/get/fired_slot_index", 0, -1)
    assert looks(talk.answer) == {"/live/pad/1/1": {"pad": "playing"}}


def test_all_in_the_window_is_asked_for_again_within_two_seconds_at_thirty_messages_a_second(talk: Talk) -> None:
    talk.tell_set(*"ABCDEFGHIJ")
    talk.say("/live/song/get/num_scenes", 30)
    asked: list[Effect] = []
    for _ in range(20):
        talk.now += 0.1
        asked += talk.driver.tick(talk.now)
    found = [effect for effect in asked if isinstance(effect, Send)]
    assert {effect.args[0] for effect in found if effect.address.endswith("clips/name")} == set(range(8))
    assert {effect.args[0] for effect in found if effect.address == "/live/scene/get/name"} == set(range(8))
    assert len(found) <= 70


@pytest.mark.parametrize(
    "message",
    [
        ("/live/song/get/num_scenes",), ("/live/song/get/num_scenes", -1), ("/live/song/get/num_scenes", "x"),
        ("/live/track/get/clips/name",), ("/live/track/get/clips/name", 99, "x"),
        ("/live/track/get/clips/color", 0, "x"),
        ("/live/track/get/clips/name", 0, 7, b"x"), ("/live/scene/get/name",), ("/live/scene/get/color", 0, "x", 1),
        ("/live/clip/get/is_recording", 0, 0),
        ("/live/track/get/fired_slot_index", 0), ("/live/track/get/fired_slot_index", 0, float("nan")),
        ("/live/track/get/playing_slot_index", 0, None),
    ],
)  # fmt: skip
def test_nonsense_changes_nothing(talk: Talk, message: tuple[Any, ...]) -> None:
    talk.say("/live/song/get/num_scenes", 2)
    talk.say(*message)
    assert not [effect for effect in talk.answer if isinstance(effect, (Add, Remove))]


def test_without_clips_nothing_is_asked_and_nothing_shown() -> None:
    talk = Talk(show=["volume"])
    talk.connect()
    effects = talk.tell_set("A", "B")
    talk.say("/live/song/get/num_scenes", 2)
    assert not [path for path in controls(effects + talk.answer) if "/pad/" in path or "/grid/" in path]
    assert not sent(effects, "playing_slot_index")
