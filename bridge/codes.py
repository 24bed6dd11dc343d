"""``Codes``: six digits that let one device in within ten minutes, and how often they may be guessed. Pure.

A wrong guess costs: ``ADDRESS_GUESSES`` of one address, ``ALL_GUESSES`` of all together. When those are gone, addresses
that have guessed wrong less than twice lately have ``CALM_GUESSES`` more, so that a stranger who guesses does not keep
a tablet out: that takes 60 addresses, all the time. An IPv6 address is its /64 here (``allowance.counted``); those cost
little, so they have a share of their own. All of it comes back with time, and nobody who is in already asks here. In
ten minutes 480 guesses are possible, from however many addresses: five in 10,000 that one finds a waiting code.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from .access import Grant
from .allowance import Allowance, counted
from .devices import Entropy
from .errors import PairingError

DIGITS = 6
CODE_S = 600.0
MAX_CODES = 16
"""That wait at a time; the oldest leaves."""
MAX_SPENT = 256
"""Codes that are over and are told so. The oldest leave."""
ADDRESS_GUESSES, ADDRESS_PER_S = 10, 1 / 60
ALL_GUESSES, ALL_PER_S = 60, 1 / 10
CALM_GUESSES, CALM_PER_S = 60, 1 / 5
OWN_CALM_GUESSES, OWN_CALM_PER_S = 2, 2 / 600
MAX_ADDRESSES = 1024
"""That have guessed wrong; the one that did longest ago is forgotten."""
LOCAL = frozenset({"127.0.0.1", "::1"})
"""Nobody on the network has these: what others guess costs this machine nothing."""


@dataclass(frozen=True, slots=True)
class Code:
    """Six digits, and what they are worth until ``ends`` (monotonic s)."""

    digits: str
    grant: Grant
    ends: float
    by: Grant | None = None
    """Who asked for it; None: we ourselves."""


class Codes:
    """The codes that wait for a device. Times are monotonic s."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._codes: OrderedDict[str, Code] = OrderedDict()
        self._spent: OrderedDict[str, str] = OrderedDict()  # digits → why
        self._guesses = Guesses()

    def make(self, grant: Grant, now: float, by: Grant | None = None) -> Code:
        """A new code, which ``by`` has asked for."""
        self.expire(lambda code: code.ends <= now)
        while True:
            digits = f"{int.from_bytes(self._entropy(8), 'big') % 10**DIGITS:0{DIGITS}}"
            if digits not in self._codes and digits not in self._spent:
                break
        code = self._codes[digits] = Code(digits, grant, now + CODE_S, by)
        if len(self._codes) > MAX_CODES:
            self._end(next(iter(self._codes)), "expired_code")
        return code

    def look_up(self, digits: str, address: str, now: float) -> Code:
        """The code that waits under these digits; it goes on waiting. Raises PairingError, and remembers the guess."""
        self.expire(lambda code: code.ends <= now)
        if not self._guesses.may(address, now):
            raise PairingError("too_many", "too many wrong codes: wait a minute, then try again")
        found = None
        for code in self._codes.values():  # all of them, however early one fits: the time tells nothing
            if hmac.compare_digest(code.digits.encode(), digits.encode()):
                found = code
        if found is not None:
            return found
        self._guesses.went_wrong(address, now)
        why = self._spent.get(digits, "wrong_code")
        raise PairingError(why, _WHY[why])

    def spend(self, code: Code) -> None:
        """It has let its device in."""
        self._end(code.digits, "used_code")

    def expire(self, is_over: Callable[[Code], bool]) -> None:
        """Those of which this is true let nobody in any more."""
        for code in [code for code in self._codes.values() if is_over(code)]:
            self._end(code.digits, "expired_code")

    def _end(self, digits: str, why: str) -> None:
        del self._codes[digits]
        self._spent[digits] = why
        if len(self._spent) > MAX_SPENT:
            self._spent.popitem(last=False)


class Guesses:
    """Who may still guess."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, tuple[Allowance, Allowance]] = OrderedDict()
        """Of each address: its own guesses, and those that it has of the calm ones."""
        self._all = Allowance(ALL_GUESSES, ALL_PER_S)
        self._calm = {is_v6: Allowance(CALM_GUESSES, CALM_PER_S) for is_v6 in (False, True)}

    def may(self, address: str, now: float) -> bool:
        address = counted(address)
        own, calm = self._of.get(address, (None, None))
        if own is not None and not own.has(1, now):
            return False
        if address in LOCAL or self._all.has(1, now):
            return True
        return (calm is None or calm.has(1, now)) and self._calm[_is_v6(address)].has(1, now)

    def went_wrong(self, address: str, now: float) -> None:
        address = counted(address)
        if address not in self._of:
            self._of[address] = (
                Allowance(ADDRESS_GUESSES, ADDRESS_PER_S),
                Allowance(OWN_CALM_GUESSES, OWN_CALM_PER_S),
            )
        self._of.move_to_end(address)
        if len(self._of) > MAX_ADDRESSES:
            self._of.popitem(last=False)
        for allowance in self._of[address]:
            allowance.take(1, now)
        if address not in LOCAL and not self._all.take(1, now):
            self._calm[_is_v6(address)].take(1, now)


def _is_v6(address: str) -> bool:
    return ":" in address


_WHY = {
    "wrong_code": "this is none of the codes that are valid now",
    "used_code": "this code has let a device in already: each is good for one",
    "expired_code": "this code is over: each is good for ten minutes",
}
