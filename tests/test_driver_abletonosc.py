"""The driver of Live, without a network: what it is told, and what it answers."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.control import Control
from bridge.driver import Add, Bind, Effect, Effects, Forget, Later, Note, Read, Remove, Send, Set, Show, Wanted, Warn
from bridge.drivers.abletonosc import AbletonOsc
from bridge.drivers.abletonosc.identity import chooser, match, slug
from bridge.drivers.abletonosc.laws import VOLUME, color
from bridge.law import value_at
from bridge.osc.profile import PROFILES
from bridge.store import Change, Entry, Origin
from tests.profiles import settings_of

SILENT = {"show": ["volume", "arm"]}


class Talk:
    """A driver, and what it has answered to the last thing that was said to it."""

    def __init__(self, **table: Any) -> None:
        settings = settings_of(PROFILES, {"name": "live", "profile": "abletonosc", **table})
        self.driver = AbletonOsc(Wanted("live", settings))
        self.now = 100.0
        self.answer: list[Effect] = []
        self.read: Read | None = None

    def connect(self) -> None:
        self.answer = whole(self.driver.connected(self.now))

    def say(self, address: str, *args: Any) -> None:
        answer = self.driver.heard(address, args, self.now)
        self.read = answer if isinstance(answer, Read) else None
        self.answer = [] if answer is None or isinstance(answer, Read) else whole(answer)

    def tell_set(self, *names: str, colors: dict[str, int] | None = None, unarmable: str = "") -> list[Effect]:
        """Live's tracks, as it says them when it is asked. Everything that is answered."""
        found: list[Effect] = []
        self.now += 2
        self.say("/live/song/get/num_tracks", len(names))
        found += self.answer
        for start in range(0, len(names), 64):
            self.say("/live/song/get/track_names", *names[start : start + 64])
            found += self.answer
        for start in range(0, len(names), 64):
            if Send("/live/song/get/track_data", (start, min(start + 64, len(names)), *FACTS)) not in self.answer:
                return found
            facts = [((colors or {}).get(name, 0x102030), name != unarmable) for name in names[start : start + 64]]
            self.say("/live/song/get/track_data", *(fact for both in facts for fact in both))
            found += self.answer
        return found


def whole(effects: Effects) -> list[Effect]:
    """With those that are worked out later."""
    return [each for one in effects for each in (whole(one.make()) if isinstance(one, Later) else [one])]


FACTS = ("track.color", "track.can_be_armed")


def move(talk: Talk, path: str, value: Any) -> list[Effect]:
    """A finger moves one of its controls. What is answered."""
    entry = Entry(1, Control(path=path, kind="bool" if isinstance(value, bool) else "float"), value, 1)
    change = Change("value", entry, 1, talk.now, Origin("browser", "x"), value=value)
    return list(talk.driver.changed(change, talk.now))


def controls(effects: list[Effect]) -> list[str]:
    return [effect.control.path for effect in effects if isinstance(effect, Add)]


def indices(effects: list[Effect]) -> dict[str, Any]:
    """Path → the first fixed argument of how it is reached now."""
    return {
        effect.control.path if isinstance(effect, Add) else effect.path: effect.bindings[0].args.before[0]
        for effect in effects
        if isinstance(effect, (Add, Bind)) and effect.bindings[0].args.before
    }


def sent(effects: list[Effect], prop: str) -> list[tuple[Any, ...]]:
    return [effect.args for effect in effects if isinstance(effect, Send) and effect.address.endswith(prop)]


def strips(effects: list[Effect]) -> list[str]:
    """The names on the first page that was shown last."""
    (*_, show) = (effect for effect in effects if isinstance(effect, Show))
    return [group.name for group in show.pages[0].groups]


@pytest.fixture
def talk() -> Talk:
    talk = Talk(**SILENT)
    talk.connect()
    return talk


def test_what_is_asked_first_is_quiet_and_how_many_tracks_there_are(talk: Talk) -> None:
    assert talk.answer == [
        Forget(),
        Send("/live/api/set/log_level", ("warning",)),
        Send("/live/song/get/num_tracks"),
    ]


def test_each_track_has_its_controls_and_its_strip(talk: Talk) -> None:
    effects = talk.tell_set("Drums", "Bass", "Drums", unarmable="Bass")
    assert controls(effects) == [
        "/live/track/drums/volume", "/live/track/drums/arm",
        "/live/track/bass/volume",
        "/live/track/drums-2/volume", "/live/track/drums-2/arm",
    ]  # fmt: skip
    assert indices(effects)["/live/track/drums-2/volume"] == 2
    assert strips(effects) == ["Drums", "Bass", "Drums"]
    assert Note("3 tracks, 10 steps/s") in effects


def test_all_tracks_are_listened_to_with_one_message_but_what_not_all_have(talk: Talk) -> None:
    effects = talk.tell_set("A", "B", "C", unarmable="B")
    ((star, stamp),) = sent(effects, "start_listen/volume")
    assert star == "*"
    assert sent(effects, "start_listen/arm") == [(0, stamp), (2, stamp)]


def test_a_large_set_is_asked_for_in_blocks(talk: Talk) -> None:
    effects = talk.tell_set(*(f"T{n}" for n in range(128)))
    assert sent(effects, "track_names") == [(0, 64), (64, 128)]
    assert len(strips(effects)) == 128


def test_a_value_that_a_listener_tells_is_read_without_its_stamp(talk: Talk) -> None:
    ((_, stamp),) = sent(talk.tell_set("A", "B"), "start_listen/volume")
    talk.say("/live/track/get/volume", 1, stamp, 0.5)
    assert talk.read == Read((1, 0.5))


def test_what_an_old_listener_tells_means_nothing(talk: Talk) -> None:
    ((_, stamp),) = sent(talk.tell_set("A", "B"), "start_listen/volume")
    effects = talk.tell_set("B", "A")
    assert [args[0] for args in sent(effects, "start_listen/volume")] == [0, 1]
    talk.say("/live/track/get/volume", 1, stamp, 0.5)
    assert talk.read is None
    talk.say("/live/track/get/volume", *sent(effects, "start_listen/volume")[1], 0.5)
    assert talk.read == Read((1, 0.5))


def test_a_track_that_is_moved_keeps_its_controls(talk: Talk) -> None:
    talk.tell_set("A", "B", "C")
    effects = talk.tell_set("C", "A", "B")
    assert not controls(effects)
    assert not [effect for effect in effects if isinstance(effect, Remove)]
    assert {path: index for path, index in indices(effects).items() if path.endswith("volume")} == {
        "/live/track/c/volume": 0, "/live/track/a/volume": 1, "/live/track/b/volume": 2,
    }  # fmt: skip
    assert strips(effects) == ["C", "A", "B"]


def test_a_track_with_another_name_is_the_same_track(talk: Talk) -> None:
    talk.tell_set("A", "B")
    effects = talk.tell_set("A", "Bass")
    assert controls(effects) == ["/live/track/b/volume", "/live/track/b/arm"]
    assert {effect.control.group for effect in effects if isinstance(effect, Add)} == {"Bass"}
    assert strips(effects) == ["A", "Bass"]


def test_tracks_that_are_gone_are_removed_and_new_ones_added(talk: Talk) -> None:
    talk.tell_set("A", "B", "C")
    effects = talk.tell_set("A", "C", "D", "E")
    assert [effect.path for effect in effects if isinstance(effect, Remove)] == [
        "/live/track/b/volume", "/live/track/b/arm",
    ]  # fmt: skip
    assert set(indices(effects).items()) >= {("/live/track/c/volume", 1), ("/live/track/e/volume", 3)}


def test_another_set_has_other_tracks_though_there_are_as_many(talk: Talk) -> None:
    talk.tell_set("A")
    talk.connect()
    effects = talk.tell_set("Z")
    assert next(effect for effect in effects if isinstance(effect, Remove)) == Remove("/live/track/a/volume")
    assert controls(effects)[0] == "/live/track/z/volume"


def test_a_set_that_is_the_same_is_only_asked_for_its_names(talk: Talk) -> None:
    talk.tell_set("A", "B")
    assert talk.tell_set("A", "B") == [Send("/live/song/get/track_names", (0, 2))]


def test_live_that_starts_anew_is_listened_to_anew(talk: Talk) -> None:
    talk.tell_set("A", "B")
    talk.say("/live/startup")
    assert Send("/live/song/get/num_tracks") in talk.answer
    assert sent(talk.tell_set("A", "B"), "start_listen/volume")


def test_what_no_listener_has_said_is_asked_for_again(talk: Talk) -> None:
    ((_, stamp),) = sent(talk.tell_set("A", "B", unarmable="B"), "start_listen/volume")
    for prop, index in (("volume", 0), ("color", 0), ("arm", 0), ("color", 1)):
        talk.say(f"/live/track/get/{prop}", index, stamp, 0)
    talk.now += 3
    assert Send("/live/track/start_listen/volume", (1, stamp)) in talk.driver.tick(talk.now)


def test_another_colour_is_shown(talk: Talk) -> None:
    ((_, stamp),) = sent(talk.tell_set("A", "B"), "start_listen/color")
    talk.say("/live/track/get/color", 1, stamp, 0xFF0000)
    (show,) = (effect for effect in talk.answer if isinstance(effect, Show))
    assert show.pages[0].groups[1].color == "#ff0000"


def test_only_the_tracks_that_are_chosen_are_shown() -> None:
    talk = Talk(**SILENT, tracks=["drums", "Bass*"])
    talk.connect()
    assert strips(talk.tell_set("Drums", "Keys", "Bass 1", "Bassoon")) == ["Drums", "Bass 1", "Bassoon"]


def test_a_track_that_gets_a_name_that_is_chosen_is_shown_and_one_that_loses_it_stays() -> None:
    talk = Talk(**SILENT, tracks=["drums", "Bass*"])
    talk.connect()
    talk.tell_set("Drums", "Audio 2")
    assert strips(talk.tell_set("Drums", "Bass 2")) == ["Drums", "Bass 2"]
    assert strips(talk.tell_set("Beats", "Bass 2")) == ["Beats", "Bass 2"]


def test_a_strip_ends_with_what_not_every_track_has(talk: Talk) -> None:
    talk = Talk(show=["volume", "arm", "sends"])
    talk.connect()
    found = [
        *talk.tell_set("A", "B", unarmable="B"),
        *whole(talk.driver.heard("/live/track/get/send", (1, 0.0), 102.0)),
    ]
    talk.say("/live/error", "list index out of range")
    found += talk.answer
    talk.say("/live/error", "list index out of range")
    (*_, show) = (effect for effect in [*found, *talk.answer] if isinstance(effect, Show))
    assert [[item.path.split("/", 4)[4] for item in group.items] for group in show.pages[0].groups] == [
        ["volume", "send/a", "arm"],
        ["volume", "send/a"],
    ]


def probed(effects: list[Effect]) -> tuple[int, int]:
    """The track that is asked how many sends there are, and for which."""
    ((track, number),) = sent(effects, "get/send")
    return track, number


def test_sends_are_counted_until_one_is_an_error_and_then_asked_again_and_again() -> None:
    talk = Talk(show=["sends"])
    talk.connect()
    track, number = probed(talk.tell_set("A", "B", "C"))
    assert number == 0
    talk.say("/live/track/get/send", track, 0.5)
    one, number = probed(talk.answer)
    assert number == 1
    talk.say("/live/error", "list index out of range")
    other, number = probed(talk.answer)
    assert number == 1, "it may have been another question's"
    assert len({track, one, other}) == 3, "an answer does not say for which send it is"
    talk.say("/live/track/get/send", one, 0.5)
    assert talk.answer == []
    talk.say("/live/error", "list index out of range")
    assert controls(talk.answer) == [f"/live/track/{name}/send/a" for name in "abc"]
    asked = [effect for _ in range(4) for effect in talk.driver.tick(talk.now)]
    assert Send("/live/track/get/send", (1, 0)) in asked
    talk.say("/live/track/get/send", 1, 0.25)
    assert talk.read == Read((1, 0, 0.25))


def test_sends_that_are_not_there_any_more_are_counted_anew() -> None:
    talk = Talk(show=["sends"])
    talk.connect()
    talk.say("/live/track/get/send", probed(talk.tell_set("A", "B"))[0], 0.5)
    for _ in range(2):
        talk.say("/live/error", "list index out of range")
    talk.now += 6
    list(talk.driver.tick(talk.now))
    talk.say("/live/error", "list index out of range")
    assert probed(talk.answer)[1] == 0
    for _ in range(2):
        talk.say("/live/error", "list index out of range")
    assert Remove("/live/track/a/send/a") in talk.answer


def test_an_error_is_told_with_what_was_moved_before(talk: Talk) -> None:
    talk.tell_set("A")
    move(talk, "/live/tempo", 0.5)
    talk.say("/live/error", "Invalid value")
    complaint = "Live says: Invalid value, after /live/tempo was moved"
    assert talk.answer == [Warn("Invalid value", complaint), Note(f"1 track, 10 steps/s; {complaint}")]
    assert list(talk.driver.tick(talk.now + 11))[-1] == Note("1 track, 10 steps/s"), "for a while"


def test_play_is_two_messages() -> None:
    talk = Talk(show=["song"])
    talk.connect()
    assert Send("/live/song/start_listen/is_playing") in talk.answer
    assert move(talk, "/live/play", True) == [Send("/live/song/start_playing")]
    assert move(talk, "/live/play", False) == [Send("/live/song/stop_playing")]


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("ab", "ba", [1, 0]),
        ("ab", "aXb", [0, None, 1]),
        ("abc", "ac", [0, 2]),
        ("abc", "aXc", [0, 1, 2]),
        ("abc", "XaY", [None, 0, None]),
        ("aa", "aXa", [0, None, 1]),
        ("", "a", [None]),
        (["1-MIDI", "2-Audio"], ["1-Audio", "2-MIDI"], [1, 0]),
        (["1-MIDI", "2-MIDI", "3-Audio"], ["1-Audio", "2-MIDI", "3-MIDI"], [2, 0, 1]),
        (["1-MIDI", "2-Audio"], ["1-MIDI", "Voice", "3-Audio"], [0, None, 1]),
        (["1", "2", "3"], ["3", "1", "2"], [2, 0, 1]),
        (["1 Kick", "2 Snare"], ["2 Snare", "1 Kick"], [1, 0]),
    ],
)
def test_which_track_is_which(old: Sequence[str], new: Sequence[str], found: list[int | None]) -> None:
    assert match(old, new) == found


def test_a_name_is_made_fit_for_a_path() -> None:
    assert slug("Drums & Bass #1", (), "x") == "drums-bass-1"
    assert slug("Flügel", {"flugel", "flugel-2"}, "x") == "flugel-3"
    assert slug("鼓", (), "track-4") == "track-4"


def test_patterns_choose_whole_names() -> None:
    is_chosen = chooser(["Drum", "b?ss*"])
    assert [is_chosen(name) for name in ("drum", "Drums", "BASS 2")] == [True, False, True]


@pytest.mark.parametrize(("volume", "db"), [(1.0, 6.0), (0.85, 0.0), (0.55, -12.0), (0.4, -18.0), (0.1, -48.45)])
def test_a_volume_is_what_live_shows(volume: float, db: float) -> None:
    assert value_at(volume, "db", VOLUME[0][1], VOLUME[-1][1], VOLUME) == pytest.approx(db, abs=0.1)


def test_a_colour_is_a_number() -> None:
    assert (color(0xFF8000), color(None), color(-1), color(True)) == ("#ff8000", None, None, None)


def test_what_may_have_been_lost_is_asked_for_now_and_then(talk: Talk) -> None:
    talk.tell_set("A", "B", unarmable="B")
    asked = {effect.args for _ in range(10) for effect in talk.driver.tick(talk.now) if "get/volume" in effect.address}
    assert asked == {(0,), (1,)}
    talk.say("/live/track/get/volume", 0, 0.5)
    assert talk.read == Read((0, 0.5))


def test_while_a_hand_moves_a_track_live_is_asked_more_often_which_there_are(talk: Talk) -> None:
    talk.tell_set("A", "B")
    counts = []
    for step in range(20):
        talk.now += 0.1
        if step < 10:
            move(talk, "/live/track/a/volume", -float(step))
        counts.append(Send("/live/song/get/num_tracks") in list(talk.driver.tick(talk.now)))
    assert 3 <= sum(counts[:11]) <= 4
    assert sum(counts[14:]) == 0


def test_an_answer_from_before_a_hands_move_does_not_pull_it_back(talk: Talk) -> None:
    talk.tell_set("A", "B", unarmable="B")
    while Send("/live/track/get/volume", (0,)) not in list(talk.driver.tick(talk.now)):
        pass
    move(talk, "/live/track/a/volume", -12.0)
    assert talk.driver.heard("/live/track/get/volume", (0, 0.85), talk.now) == [], "nothing is to be done"


def test_a_level_that_stays_is_told_again_before_it_counts_as_dead() -> None:
    talk = Talk(show=["meters"])
    talk.connect()
    ((_, stamp), _) = sent(talk.tell_set("A", "B"), "start_listen/output_meter_level")
    talk.say("/live/track/get/output_meter_level", 1, stamp, 0.85)
    assert talk.read == Read((1, 0.85))
    talk.now += 0.4
    assert not [effect for effect in talk.driver.tick(talk.now) if isinstance(effect, Set)]
    talk.now += 0.3
    assert Set("/live/track/b/meter", 0.0) in list(talk.driver.tick(talk.now))


def test_the_set_is_read_anew_when_somebody_says_so(talk: Talk) -> None:
    talk.tell_set("A")
    assert Send("/live/song/get/num_tracks") in move(talk, "/live/rescan", True)
    assert sent(talk.tell_set("A"), "start_listen/volume")


# ---------------------------------------------------------------------------------------------- whatever Live says

ADDRESSES = [*sorted(Talk().driver._handlers), "/live/error", "/live/startup", "/live/test"]
ARGS = st.one_of(
    st.integers(-3, 200), st.floats(width=32), st.booleans(), st.none(), st.text(max_size=8), st.just("Drums")
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ADDRESSES), st.lists(ARGS, max_size=6)), max_size=30))
def test_nothing_that_is_said_stops_the_driver(said: list[tuple[str, list[Any]]]) -> None:
    talk = Talk()
    talk.connect()
    talk.tell_set("Drums", "Bass")
    for address, args in said:
        talk.say(address, *args)
        talk.now += 0.1
        whole(talk.driver.tick(talk.now))
        assert all(isinstance(effect, Effect) for effect in talk.answer)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=6), min_size=2, max_size=6))
def test_whatever_is_moved_each_control_stands_where_its_track_is(sets: list[list[str]]) -> None:
    talk = Talk(show=["volume"])
    talk.connect()
    where: dict[str, int] = {}
    for names in sets:
        effects = talk.tell_set(*names)
        for effect in effects:
            if isinstance(effect, Remove):
                del where[effect.path]
            elif isinstance(effect, (Add, Bind)) and effect.bindings and "/track/" in str(effect):
                where.update(indices([effect]))
        assert sorted(where.values()) == list(range(len(names))), "each track has one control, and each control a track"
        tracks = talk.driver._tracks
        assert {tracks.path(track, "volume"): track.index for track in tracks.all} == where
        assert [track.name for track in tracks.all] == names
