"""A bank on a controller: whose its faders and buttons are, and what they are sent. On a clock of our own."""

import heapq
import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

import pytest

from bridge.bank import Bank, BankButtons, Seat
from bridge.control import Control
from bridge.learning import Learning
from bridge.log import OncePer
from bridge.midi.incoming import Receiver
from bridge.midi.outgoing import Outbox
from bridge.midi.peer import MidiPeer
from bridge.midi.settings import Binding, Settings
from bridge.midi.tap import MidiTap
from bridge.monitor import Monitor
from bridge.port import Peer
from bridge.store import Store

from .port_contract import BROWSER

FADER = {"bend": True, "touch": 104}
PLAIN = {"cc": 7}
MIXER = "/bank/mixer"


class Device:
    """A controller with one strip in a bank of three windows, and what it was sent; no time passes by itself."""

    def __init__(
        self, *strips: Mapping[str, Any], size: int = 1, controls: int = 3, kind: str = "", **settings: Any
    ) -> None:
        self.now = 100.0
        self.sent: list[str] = []
        self.timers: list[tuple[float, int, Callable[[], None]]] = []
        self.numbers = count()
        self.store = Store("test")
        paths = tuple((f"/{each}",) for each in range(1, 4))
        self.bank = Bank("mixer", size, paths, ("nano",))
        made_of: Any = kind or ("bool" if "note" in strips[0] else "float")
        for number in range(1, controls + 1):
            self.store.add(
                Control(path=f"/{number}", kind=made_of), now=0.0, value=number / 4 if made_of == "float" else None
            )
        for control in self.bank.controls():
            self.store.add(control, now=0.0)
        self.buttons = BankButtons(self.store, [self.bank])
        banked = {
            path: tuple(
                (Seat(MIXER, window, (index, 1)), Binding.model_validate(strip)) for index, strip in enumerate(strips)
            )
            for window, (path,) in enumerate(paths, 1)
        }
        made = Settings.model_validate({"name": "nano", "device": "nano"} | settings)
        learning = Learning()
        self.peer = MidiPeer(Peer("midi", "nano", made, banked=banked), learning, lambda path, text: pytest.fail(text))
        once, tap = OncePer(logging.getLogger("test")), MidiTap(Monitor(), lambda: 0.0)
        self.out = Outbox(self.peer, self.store, once, lambda: self.now, self.call_later, tap)
        self.in_ = Receiver(self.peer, self.store, self.out, once, lambda: self.now, self.call_later, tap, learning)
        for entry in self.store:
            self.peer.put(entry)
        self.store.subscribe(self.out.tell, is_urgent=True)
        self.store.subscribe(self.buttons.note)
        self.out.start(self)

    def send(self, messages: Sequence[bytes], done: Callable[[], None]) -> None:
        self.sent += [message.hex(" ") for message in messages]
        done()

    def call_later(self, delay_s: float, call: Callable[[], None]) -> "Timer":
        entry = (self.now + delay_s, next(self.numbers), call)
        heapq.heappush(self.timers, entry)
        return Timer(self, entry)

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while self.timers and self.timers[0][0] <= end:
            self.now, _, call = heapq.heappop(self.timers)
            call()
        self.now = end

    def hear(self, *messages: str) -> None:
        for message in messages:
            self.in_.receive(bytes.fromhex(message), self.now)

    def turn(self, window: int) -> None:
        self.set(MIXER, window)

    def set(self, path: str, value: Any) -> None:
        self.store.set(self.store.get(path), value, BROWSER, self.now)

    def news(self) -> list[str]:
        """What it was sent since it was last asked."""
        self.wait(0.02)  # its pace
        sent, self.sent = self.sent, []
        return sent

    def values(self) -> list[Any]:
        return [entry.value for entry in self.store if entry.path[1:].isdigit()]


class Timer:
    def __init__(self, device: Device, entry: tuple[float, int, Callable[[], None]]) -> None:
        self.device, self.entry = device, entry

    def cancel(self) -> None:
        if self.entry in self.device.timers:
            self.device.timers.remove(self.entry)
            heapq.heapify(self.device.timers)


def test_a_fader_is_in_each_window_another_controls() -> None:
    device = Device(PLAIN)
    assert device.news() == ["b0 07 20"]
    device.turn(2)
    assert device.news() == ["b0 07 40"]
    device.wait(1)
    device.hear("b0 07 00")
    assert device.values() == [0.25, 0.0, 0.75]
    device.set("/1", 1.0)
    assert device.news() == []  # nobody sees it
    device.wait(1)
    device.turn(1)
    assert device.news() == ["b0 07 7f"]


def test_what_it_shows_already_is_not_sent_again() -> None:
    device = Device(PLAIN)
    device.set("/2", 0.25)
    assert device.news() == ["b0 07 20"]
    device.turn(2)
    assert device.news() == []
    device.out.push()
    assert device.news() == ["b0 07 20"]


def test_the_windows_are_turned_by_buttons_which_stop_at_the_ends() -> None:
    device = Device(PLAIN)
    for word, at in (("previous", 1), ("next", 2), ("next", 3), ("next", 3), ("previous", 2)):
        device.store.trigger(device.store.get(f"{MIXER}/{word}"), (), BROWSER, device.now)
        assert device.store.get(MIXER).value == at
    device.set(MIXER, 99)
    assert device.store.get(MIXER).value == 3


@pytest.mark.parametrize(("strip", "dark"), [(FADER, "e0 00 00"), ({"cc": 7, "range": [127, 0]}, "b0 07 7f")])
def test_where_a_window_has_nothing_the_fader_is_at_the_bottom(strip: Mapping[str, Any], dark: str) -> None:
    device = Device(strip, controls=2)
    device.turn(3)
    assert device.news()[-1] == dark
    device.out.push()
    assert device.news() == [dark]  # it was away, and comes back
    message = "e0 00 40" if "bend" in strip else "b0 07 40"
    device.hear("90 68 7f", message, "90 68 00")
    assert device.values() == [0.25, 0.5]
    device.wait(0.2)
    assert device.news() == [dark]  # the hand has moved it: back to the bottom
    device.turn(2)
    assert device.news() == ["e0 00 40" if "bend" in strip else "b0 07 40"]


def test_a_display_takes_no_more_of_the_cable_than_somebody_can_read() -> None:
    device = Device({"sysex": "12", "text": "value"})
    device.news()
    for step in range(100):
        device.set("/1", step / 100)
        device.wait(0.01)
    assert 9 <= len(device.sent) <= 11
    device.wait(0.1)
    assert device.news()[-1] == f"f0 12 {b'0.99   '.hex(' ')} f7"
    device.turn(2)
    assert device.news() == [f"f0 12 {b'0.50   '.hex(' ')} f7"]  # another control's is shown at once


def test_where_a_window_has_nothing_the_light_is_out_and_the_ring_too() -> None:
    device = Device({"note": 1}, controls=2)
    device.set("/1", True)
    assert device.news() == ["90 01 00", "90 01 7f"]
    device.turn(3)
    assert device.news() == ["90 01 00"]
    device.hear("90 01 7f", "90 01 00")
    assert device.values() == [True, False]
    device.turn(1)
    assert device.news()[-1] == "90 01 7f"
    ring = Device({"cc": 48, "range": [1, 11], "direction": "out"}, controls=2)
    ring.news()
    ring.turn(3)
    assert ring.news() == ["b0 30 00"]


def test_a_meter_that_nobody_has_told_does_not_keep_the_level_of_the_window_before() -> None:
    device = Device({"pressure": True, "direction": "out"}, kind="meter")
    device.set("/1", 0.0)
    device.wait(0.1)
    assert device.news()[-1] == "d0 7f"
    device.turn(2)
    device.wait(0.1)
    assert device.news()[-1] == "d0 00"


def test_a_touched_motor_is_not_moved_and_its_hand_moves_nothing_before_it_lifts() -> None:
    device = Device(FADER)
    nano = device.peer.origin
    device.news()
    device.hear("90 68 7f", "e0 00 20")
    assert nano in device.store.get("/1").holders
    device.turn(2)
    assert nano not in device.store.get("/1").holders
    device.hear("e0 00 30")
    assert device.values()[1] == 0.5
    assert device.news() == []
    device.hear("90 68 00")
    assert device.news() == ["e0 00 40"]
    device.hear("90 68 7f", "e0 00 60")
    assert nano in device.store.get("/2").holders
    assert device.values()[1] == pytest.approx(0.75, abs=0.001)


def test_a_hand_that_stays_on_a_motor_while_its_control_goes_and_returns_is_not_pulled_at() -> None:
    device = Device(FADER, controls=2)
    device.turn(2)
    device.hear("90 68 7f", "e0 00 10")
    device.turn(3)
    device.hear("e0 00 60")
    device.news()
    device.turn(2)
    assert device.news() == []
    device.hear("e0 00 70")
    assert device.values() == [0.25, 0x800 / 16383]
    device.hear("90 68 00")
    assert device.news() == ["e0 00 10"]
    device.hear("90 68 7f", "e0 7f 7f")
    assert device.values() == [0.25, 1.0]


def test_a_hand_on_a_fader_that_cannot_feel_it_comes_anew_when_it_has_rested() -> None:
    device = Device(PLAIN, settle_ms=100)
    device.news()
    device.hear("b0 07 10")
    device.turn(2)
    for value in ("11", "12", "13"):
        device.wait(0.05)
        device.hear(f"b0 07 {value}")
    assert device.values()[1] == 0.5
    assert device.news() == []
    device.wait(0.1)
    assert device.news() == ["b0 07 40"]
    device.hear("b0 07 14")
    assert device.values()[1] == 20 / 127


def test_letting_a_button_go_lets_go_what_it_pressed() -> None:
    device = Device({"note": 1, "mode": "momentary"})
    device.set("/2", True)
    device.news()
    device.hear("90 01 7f")
    assert device.values() == [True, True, False]
    device.turn(2)
    assert device.values() == [False, True, False]
    device.hear("90 01 00")
    assert device.values() == [False, True, False]  # it was never pressed for this one
    assert device.news()[-1] == "90 01 7f"
    device.hear("90 01 7f", "90 01 00")
    assert device.values() == [False, False, False]


@pytest.mark.parametrize("takeover", ["pickup", "scale"])
def test_soft_takeover_begins_anew_and_knows_where_the_fader_stands(takeover: str) -> None:
    device = Device(PLAIN, takeover=takeover, feedback="off", settle_ms=0)
    device.hear("b0 07 00", "b0 07 7f")
    assert device.values()[0] == 1.0
    device.wait(1)
    device.turn(2)
    assert device.store.get("/2").marks == {"hardware": 1.0}
    device.turn(3)
    assert [entry.marks for entry in map(device.store.get, ("/1", "/2", "/3"))] == [{}, {}, {"hardware": 1.0}]
    device.hear("b0 07 7e")
    assert device.values()[2] == (0.75 if takeover == "pickup" else pytest.approx(0.744, abs=0.01))
    device.hear("b0 07 10")
    device.hear("b0 07 0f")
    assert device.values()[2] == 15 / 127
    assert device.values()[1] == 0.5


def test_a_fader_that_goes_on_while_its_window_is_turned_does_not_catch_what_it_has_left() -> None:
    device = Device(PLAIN, takeover="pickup")
    device.hear("b0 07 18", "b0 07 40")
    assert device.values()[0] == 64 / 127
    device.turn(2)  # its control stands just there
    device.hear("b0 07 60")
    assert device.store.get("/2").marks["hardware"] == 96 / 127
    device.wait(1.0)
    device.hear("b0 07 61")
    assert device.values() == [64 / 127, 0.5, 0.75]
    device.hear("b0 07 3e")
    assert device.values()[1] == 62 / 127


def test_a_late_echo_of_one_window_is_no_move_in_the_next() -> None:
    device = Device(PLAIN, echoes="yes")
    device.set("/1", 1.0)
    device.news()
    device.turn(2)
    device.news()
    device.hear("b0 07 7f", "b0 07 40")
    device.wait(1)
    assert device.values() == [1.0, 0.5, 0.75]


def test_a_described_control_stays_in_the_hand_and_a_control_that_goes_leaves_its_fader_dark() -> None:
    device = Device(FADER)
    device.news()
    entry = device.store.get("/1")
    device.hear("90 68 7f")
    device.store.describe(entry, Control(path="/1", label="Kick"), now=device.now)
    device.hear("e0 00 60")
    assert device.values()[0] == pytest.approx(0.75, abs=0.001)
    device.hear("90 68 00")
    device.news()
    device.store.remove(entry, now=device.now)
    assert device.news() == ["e0 00 00"]
    device.store.add(Control(path="/1", default=1.0), now=device.now)
    assert device.news() == ["e0 7f 7f"]


def test_a_control_that_is_in_another_window_is_still_of_this_device() -> None:
    device = Device(PLAIN)
    assert all(device.peer.takes(device.store.get(path)) for path in ("/1", "/2", "/3"))


def test_a_button_of_the_hardware_turns_its_own_bank() -> None:
    device = Device(PLAIN)
    made = Binding.model_validate({"note": 46})
    peer = MidiPeer(Peer("midi", "nano", device.peer.settings, {f"{MIXER}/next": (made,)}), Learning(), pytest.fail)
    assert not peer.banks
    device.peer._bindings = {f"{MIXER}/next": (made,)}
    device.peer.put(device.store.get(f"{MIXER}/next"))
    device.news()
    device.hear("90 2e 7f", "90 2e 00")
    assert device.store.get(MIXER).value == 2
    assert device.news() == ["b0 07 40"]


def test_a_bank_says_what_its_strips_are() -> None:
    bank = Bank("mixer", 8, tuple((f"/{n}",) for n in range(20)))
    assert bank.windows == 3
    window, *_ = bank.controls()
    assert (window.kind, window.low, window.high, window.default) == ("int", 1, 3, 1)
    lone = Bank("mixer", 8, (("/1",),))
    assert lone.controls()[0].coerce(2) == 1
    assert lone.controls()[0].default == 1
