"""Whether somebody else gets Live's news."""

import pytest

from bridge.driver import Effect, Read, Send, Wanted, Warn
from bridge.drivers.abletonosc.rival import AGAIN_S, STOLEN, Rival
from bridge.drivers.abletonosc.tracks import Track, Tracks
from bridge.osc.profile import PROFILES
from tests.profiles import settings_of

SETTINGS = settings_of(PROFILES, {"name": "live", "profile": "abletonosc", "show": ["volume"]})
STAMP = 7


class Rig:
    def __init__(self, *names: str) -> None:
        self.tracks = Tracks(Wanted("live", SETTINGS), "/live")
        names = names or ("Drums", "Bass")
        self.tracks.all = [Track(name, name.lower(), index, stamp=STAMP) for index, name in enumerate(names)]
        self.rival = Rival(self.tracks)
        self.now = 0.0

    def say(self, prop: str, *args: object) -> list[Effect]:
        answer = self.rival.handlers[f"/live/track/get/{prop}"](args, self.now)
        assert not isinstance(answer, Read)  # the bindings read it too
        return list(answer or ())

    def tick(self) -> list[Effect]:
        self.now += 0.1
        return list(self.rival.tick(self.now))


def test_answers_that_say_what_the_listeners_have_said_are_no_news() -> None:
    rig = Rig()
    for value in (0.1, 0.2, 0.3, 0.4):
        rig.say("volume", 0, STAMP, value)
        rig.say("volume", 0, value)
        rig.say("volume", 9, 0.5)  # which track is that?
        rig.say("volume", 0, STAMP - 1, 0.7)  # an old listener's
        rig.say("volume", 0, value)
    assert rig.tick() == []


def test_who_moves_things_behind_our_back_again_and_again_is_another_program() -> None:
    rig = Rig()
    rig.say("volume", 0, 0.5)  # before any listener has said anything
    for value in (0.6, 0.7):
        rig.say("volume", 0, STAMP, 0.5)
        rig.say("volume", 0, value)
    assert rig.tick() == []  # that may be the network
    rig.say("volume", 0, 0.8)
    rig.say("volume", 0, 0.8)
    assert rig.tick() == [Warn("stolen", STOLEN)]
    assert rig.rival.note == STOLEN
    assert rig.tick() == []
    rig.now += AGAIN_S + 1
    rig.tick()
    assert rig.rival.note == ""


@pytest.mark.parametrize("names", [("Vox", "Drums", "Vox"), ("1-MIDI", "Drums", "3-MIDI")])
def test_tracks_of_one_name_may_have_changed_places_and_are_listened_to_anew(names: tuple[str, ...]) -> None:
    rig = Rig(*names)
    for value in (0.6, 0.7, 0.8):
        assert rig.say("volume", 2, rig.tracks.all[2].stamp, 0.5) == []
        again = {each.args[0] for each in rig.say("volume", 2, value) if isinstance(each, Send)}
        assert again == {0, 2}
    assert rig.tick() == [], "nobody is blamed"


def test_another_set_and_other_places_are_no_news() -> None:
    rig = Rig()
    for forget in (rig.rival.connected, rig.rival.scanned) * 2:
        rig.say("volume", 0, STAMP, 0.5)
        forget(rig.now)
        rig.say("volume", 0, 0.6)
    assert rig.tick() == []
