"""A program or device at the other end of OSC, with the habits of real ones, and a hand on it."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from bridge.osc.codec import Message, decode, encode_message, pack_float, unpack_float

from .clock import Clock

Echoes = Literal["always", "on change", "never"]


@dataclass(frozen=True)
class Habits:
    """``grid``: steps of a float's range that it can show (None: all). ``ceiling``: part of a range that it never goes
    above. ``noise``: by how much of the range what it reports is off. ``delay_s``: how late it echoes. ``tick_s``: it
    reads its socket so often, and of each address the last message alone. ``is_shuffled``: the network between
    overtakes itself, for what we send it and for its echoes (its own hand's moves are in order)."""

    echoes: Echoes = "always"
    grid: int | None = None
    ceiling: float = 1.0
    noise: float = 0.0
    delay_s: float = 0.0
    tick_s: float = 0.0
    is_shuffled: bool = False

    @property
    def is_read(self) -> bool:
        """True if it always says what it has, exactly."""
        return self.echoes == "always" and not self.noise


class Device:
    """``say(packet)`` puts a datagram on the wire to us."""

    def __init__(
        self, clock: Clock, rng: Random, habits: Habits, spans: dict[str, tuple[float, float]],
        say: Callable[[bytes], None],
    ) -> None:  # fmt: skip
        self.habits = habits
        self.values: dict[str, tuple[Any, ...]] = {}
        self.fired: list[Any] = []
        """Arguments of the triggers that its own hand fired."""
        self.rung: list[Any] = []
        """Arguments of the triggers that it was sent."""
        self.reflected = 0
        self.received = 0
        self._clock = clock
        self._rng = rng
        self._spans = spans  # of what it takes as a number, by address
        self._say = say
        self._lag_s = rng.uniform(0.0005, 0.008)
        self._inbox: list[Message] = []
        self._last_at = 0.0

    # The network

    def deliver(self, packet: bytes) -> None:
        """A datagram leaves us for it."""
        shuffle_s = self._rng.uniform(0, 0.03) if self.habits.is_shuffled else 0.0
        self._clock.call_later(self._lag_s + shuffle_s, lambda: self._receive(packet))

    def _report(self, address: str, values: tuple[Any, ...], late_s: float = 0.0) -> None:
        at = self._clock.now + self._lag_s + late_s
        if late_s and self.habits.is_shuffled:
            at += self._rng.uniform(0, 0.03)
        else:
            at = self._last_at = max(at, self._last_at)
        packet = encode_message(address, values)
        self._clock.call_at(at, lambda: self._say(packet))

    # What it makes of a message

    def _receive(self, packet: bytes) -> None:
        message = decode(packet)
        assert isinstance(message, Message)
        self.received += 1
        if not self.habits.tick_s:
            self._read([message])
        else:
            self._inbox.append(message)
            if len(self._inbox) == 1:
                tick = self.habits.tick_s
                self._clock.call_at((self._clock.now // tick + 1) * tick, self._tick)

    def _tick(self) -> None:
        messages, self._inbox = self._inbox, []
        last = {message.address: message for message in messages}
        self._read([m for m in messages if m.address == "/go" or m is last[m.address]])

    def _read(self, messages: list[Message]) -> None:
        for message in messages:
            address, before = message.address, self.values.get(message.address)
            if address == "/go":
                self.rung.append(message.args[0])
                if self.habits.echoes == "always":
                    self.reflected += 1
                    self._report(address, message.args, self.habits.delay_s)
                continue
            value = self.values[address] = self.made(address, message.args)
            if self.habits.echoes == "always" or (self.habits.echoes == "on change" and value != before):
                self._report(address, self._noisy(address, value), self.habits.delay_s)

    def made(self, address: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """What it can show of these arguments."""
        if address not in self._spans:
            return args
        return tuple(self._number(address, part) for part in args)

    def _number(self, address: str, number: Any) -> Any:
        low, high = self._spans[address]
        if not (self.habits.is_shuffled and address == "/push"):  # its late "0.8" would be a press, nobody could tell
            number = min(number, type(number)(low + (high - low) * self.habits.ceiling))
        if isinstance(number, int):
            return number
        if self.habits.grid is not None:
            number = low + round((number - low) / (high - low) * self.habits.grid) * (high - low) / self.habits.grid
        return unpack_float(pack_float(number))

    def _noisy(self, address: str, value: tuple[Any, ...]) -> tuple[Any, ...]:
        if not self.habits.noise or address not in self._spans or isinstance(value[0], int):
            return value
        low, high = self._spans[address]
        by = (high - low) * self.habits.noise
        return tuple(min(high, max(low, part + self._rng.uniform(-by, by))) for part in value)

    # Its own hand

    def move(self, address: str, args: tuple[Any, ...]) -> None:
        self.values[address] = value = self.made(address, args)
        self._report(address, self._noisy(address, value))

    def fire(self, number: int) -> None:
        self.fired.append(number)
        self._report("/go", (number,))

    def ask(self) -> None:
        """A patch that was just opened."""
        self._report("/stagebridge/refresh", ())
