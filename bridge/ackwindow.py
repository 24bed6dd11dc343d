"""How far ahead of its acks one browser is sent frames. Pure; one ``AckWindow`` for each session.

What browsers are sent together (``cohort``) is noted once for all of them, in their ``Flights``. A window that is one
of them knows its place there, and is as it would have been alone as soon as it leaves.

A frame that has left and is not acknowledged is *under way*. When the next may leave is ``wait``; it follows from
these rules, the first that fits (docs/protocol.md, "Ack"; why acks are rare: docs/adr/rare-acks.md):

- Nothing is under way: at once.
- The link is back after a black-out: one at once, ahead of the acks that are still missing.
- All that the window takes is under way, or the link is cut: one a second after the last (LOST_ACK_S). What is sent
  into a cut link is old when it arrives; but a trailing ack that was lost must not hang anybody.
- Else so long after the last as spreads a window over the round trip: it would be used up in a burst, and stand still.

The window grows with each ack that comes as quickly as the quickest, and halves where a queue has made it late. What is
*light*, fewer than ``light_bytes`` under way, counts in none of it but the spread of a long round trip, and needs no
ack before the next ping: where it is, the server's own TCP is asked. So nearly every frame is told by one comparison
that it may leave (``free_until``): where the link is near, and what is under way is light and young.

Measured: with 100 browsers and 60 changes a second, 16 → 13 µs an update by rare acks; in a pass over 1,000 browsers
whose links are near, 0.7 µs for each in ``Session.poll_news``. 60 kB/s, 500 ms, and cuts are in tests/test_bad_link.py.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

MAX_WINDOW = 64
FIRST_WINDOW = 16
CONGESTED_S = 0.1
"""A round trip this much above the lowest one halves the window."""
OLDEST_FRAME_S = 0.25
"""The link is cut, it seems, while an unacknowledged frame is older than the lowest round trip plus this."""
LOST_ACK_S = 1.0
FIRST_BURST = 3
"""Frames that go at once before the first ack has told the round trip; a window of them would freeze until then."""
FIRST_GAP_S = 0.075
"""… the others so far apart: half a second's worth is no more than the ten packets with which TCP starts."""
SPREAD = 1.25
"""A window lasts for so many round trips: sent sooner, it would freeze until an ack comes."""
NEAR_GAP_S = 0.004
"""Where the spread is no more than this it is never noticed, and not looked at while little is under way."""
ACK_S = 0.05
"""How rarely clients acknowledge, told in ``ack_ms`` of the welcome and of each pong; where it is more, limits on acks
are as much higher."""
CROWD = 25
"""From so many browsers on the time grows with them, up to LONGEST_ACK_S: 1,000 acks a second cost 1 % of a core."""
LONGEST_ACK_S = 0.2
PING_S, LONGEST_PING_S = 1.0, 2.0
"""How rarely clients are to ping while they hear something, told in ``ping_ms`` beside it, and the longest, in a crowd;
what is light needs no ack sooner. A ping with its pong costs 70 µs where the core slept before: with 1,000 browsers and
15 changes a second 4 of the 20 µs of an update."""
LIGHT_BYTES = 4096
"""Less than this on its way to a browser is no load for any link (70 ms at 60 kB/s), where the link itself says what
its other end has taken; it tells of one fader for a second. Told in ``ack_bytes`` of the welcome: until so much has
come, a client acknowledges no oftener than it pings. An ack costs 15–50 µs."""
FRAME_HEAD = 4  # bytes of a WebSocket frame besides its text, at most, but for very long ones
PACKET_BYTES, PACKET_S = 256, 0.02
"""Light frames so short, and so close to each other, count as one."""


def ack_s_for(browsers: int) -> float:
    """How rarely each of so many is to acknowledge, in seconds."""
    return min(LONGEST_ACK_S, ACK_S * max(1.0, browsers / CROWD))


def ping_s_for(browsers: int) -> float:
    """How rarely each of so many is to ping, in seconds, while it hears something."""
    return min(LONGEST_PING_S, PING_S * max(1.0, browsers / CROWD))


UnderWay: TypeAlias = tuple[int, float, int]
"""A frame that has left: the revision that the browser knows with it, when it left, its bytes."""


@dataclass(slots=True)
class Recent:
    """What any window of one server has noted last. In one pass it is the same for all, and the same object: of 1,000
    it would come from memory 1,000 times."""

    frame: UnderWay = (0, 0.0, 0)


class Flights:
    """Frames that several windows send together. Each frame has a number, its place, which never changes."""

    __slots__ = ("_first", "_left", "_revisions", "_totals", "revision", "total")

    def __init__(self) -> None:
        self.revision = 0
        """Of the last frame."""
        self.total = 0
        """Bytes of all frames that ever were."""
        self._first = 0  # place of the first that is remembered
        self._revisions: list[int] = []
        self._left: list[float] = []
        self._totals: list[int] = []  # bytes up to this frame, without it

    def __len__(self) -> int:
        """The place of the next frame."""
        return self._first + len(self._left)

    def add(self, revision: int, now: float, size: int) -> None:
        """A frame leaves, to all."""
        self.revision = revision
        self._revisions.append(revision)
        self._left.append(now)
        self._totals.append(self.total)
        self.total += size + FRAME_HEAD

    def forget(self, before: int) -> None:
        """Nobody asks any more for what stands before this place."""
        if (count := before - self._first) > 0:
            del self._revisions[:count], self._left[:count], self._totals[:count]
            self._first = before

    def first_since(self, left_at: float, size: int) -> int:
        """The place of the first frame that left no earlier, of the last that are no more than so many bytes."""
        return self._first + max(bisect_left(self._left, left_at), bisect_left(self._totals, self.total - size))

    def taken(self, place: int, revision: int) -> tuple[int, int, float, int]:
        """How many frames from ``place`` on are no newer than a revision; of the last of them its revision and when it
        left; and their bytes."""
        start = place - self._first
        end = bisect_right(self._revisions, revision, start)
        if end == start:
            return 0, 0, math.nan, 0
        until = self._totals[end] if end < len(self._totals) else self.total
        return end - start, self._revisions[end - 1], self._left[end - 1], until - self._totals[start]

    def left_at(self, place: int) -> float:
        return self._left[place - self._first]

    def bytes_from(self, place: int) -> int:
        """Bytes of the frames from this one on."""
        index = place - self._first
        return self.total - self._totals[index] if index < len(self._totals) else 0

    def oldest_of(self, last_bytes: int, place: int) -> float:
        """When the oldest frame left, from ``place`` on, that has some of the last so many bytes (above 0)."""
        index = bisect_right(self._totals, self.total - last_bytes) - 1
        return self._left[max(index, place - self._first)]

    def since(self, place: int) -> list[UnderWay]:
        """The frames from this one on."""
        index = place - self._first
        ends = [*self._totals[index + 1 :], self.total]
        sizes = (end - start for start, end in zip(self._totals[index:], ends, strict=False))
        return list(zip(self._revisions[index:], self._left[index:], sizes, strict=True))


class AckWindow:
    """Times are in seconds, of one monotonic clock."""

    __slots__ = (
        "_acked_at", "_asks_link", "_flights", "_flying", "_halved_at", "_is_back", "_is_back_used", "_is_near",
        "_last_acked", "_last_sent", "_loaded_at", "_lowest_trip_s", "_oldest_s", "_place", "_queued", "_recent",
        "_revision", "_size", "_under_way", "ack_s", "free_until", "has_acks", "light_bytes", "ping_s",
    )  # fmt: skip

    def __init__(self, recent: Recent, ack_s: float, unacknowledged: Callable[[], int] | None) -> None:
        """``unacknowledged()``: bytes that the other end's TCP has not taken; None where nobody knows."""
        self.ack_s = ack_s
        """How rarely the client was told to acknowledge,"""
        self.ping_s = PING_S
        """and to ping."""
        self.has_acks = True
        """False for a client that will not: its socket's buffer alone paces it."""
        self.light_bytes = 0 if unacknowledged is None else LIGHT_BYTES
        self.free_until = math.inf
        """Until then ``wait`` is 0."""
        self._revision = 0  # of the last frame that it was told of
        self._recent = recent
        self._asks_link = unacknowledged
        self._queued = 0  # what the link said last
        self._size = FIRST_WINDOW
        self._under_way: deque[UnderWay] = deque()
        self._flying = 0  # bytes of these
        self._loaded_at: float | None = None  # when the frame left with which they were no longer light
        self._lowest_trip_s: float | None = None
        self._oldest_s = math.inf  # how old a frame may become; nobody knows before the first ack
        self._is_near = False
        self._flights: Flights | None = None  # what it sends together with others
        self._place = 0  # of the first of these that is not acknowledged
        self._last_acked = 0  # bytes, by one ack
        self._last_sent = self._acked_at = self._halved_at = -LOST_ACK_S
        self._is_back = False  # after a black-out one frame goes ahead of the acks that are still missing,
        self._is_back_used = False  # once between two acks

    @property
    def revision(self) -> int:
        """Of the last frame that has left."""
        return self._revision if self._flights is None else max(self._revision, self._flights.revision)

    # What happens

    def sent(self, revision: int, now: float, size: int) -> None:
        """A frame leaves."""
        self._revision, self._last_sent, self._is_back = revision, now, False
        if not self.has_acks:
            return
        size += FRAME_HEAD
        frame = self._recent.frame
        if frame[1] != now or frame[0] != revision or frame[2] != size:
            frame = self._recent.frame = (revision, now, size)
        under_way = self._under_way
        self._flying += size
        if not under_way:
            self.free_until = now + self._oldest_s if self._is_near else -math.inf
        elif self.light_bytes:
            _, left_at, before = under_way[-1]
            if before + size <= PACKET_BYTES and now - left_at < PACKET_S:
                frame = (revision, left_at, before + size)
                under_way.pop()
        if len(under_way) >= MAX_WINDOW:  # only by frames sent for want of an ack
            self._flying -= under_way.popleft()[2]
            self._loaded_at = under_way[0][1]
        under_way.append(frame)
        if self._loaded_at is None and self._flying >= self.light_bytes:
            self._loaded_at, self.free_until = frame[1], -math.inf

    def acked(self, revision: int, held_s: float, now: float) -> None:
        """The browser has had all up to this revision, which was sent, for ``held_s``."""
        left_at, count, weight = math.nan, 0, 0
        while self._under_way and self._under_way[0][0] <= revision:
            _, left_at, size = self._under_way.popleft()
            weight += size
            count += 1
        self._flying -= weight
        if self._flights is not None:
            together, of_last, last_left_at, size = self._flights.taken(self._place, revision)
            if together:
                self._revision, self._last_sent = of_last, last_left_at
                self._place += together
                left_at, count, weight = last_left_at, count + together, weight + size
        if not count:
            return
        self._last_acked = weight
        trip_s = now - left_at - held_s
        if trip_s < 0:
            trip_s = 0.0  # it says that it had it before we sent it
        lowest_s = self._lowest_trip_s = trip_s if self._lowest_trip_s is None else min(trip_s, self._lowest_trip_s)
        self._oldest_s = lowest_s + OLDEST_FRAME_S
        slack_s = self.ack_s - ACK_S
        if trip_s <= lowest_s + CONGESTED_S + slack_s:
            # A rare ack opens it as far as one for every ACK_S would.
            self._size = min(MAX_WINDOW, self._size + (max(1, count // 3) if self.light_bytes else 1))
        elif trip_s > self._oldest_s + slack_s or left_at >= self._halved_at:
            # Once for all frames that met one queue, else the window would fall to 1; a bad queue counts each time.
            self._size = max(1, self._size // 2)
            self._halved_at = now
        self._is_back = now - self._acked_at > self._oldest_s + slack_s
        self._is_back_used = False
        self._acked_at = now
        self._is_near = SPREAD * lowest_s < NEAR_GAP_S * self._size
        self._weigh()

    def look_at_link(self) -> None:
        """Ask whether TCP gets something across while we are held back: then the truth goes behind it at once.

        Acks may be long in coming: the browser's TCP waits for its own timer, doubled by each loss.
        """
        if self._asks_link is None:
            return
        before, self._queued = self._queued, self._asks_link()
        if self._queued < before and not self._is_back_used:
            self._is_back = self._is_back_used = True

    # Together with others

    @property
    def may_join(self) -> bool:
        """True if it may send with others, who do not ask it before each frame: its link is near and takes what it
        gets, and little is under way, as before the last ack."""
        is_at_ease = self._is_near and self._halved_at < self._acked_at
        return is_at_ease and self._loaded_at is None and self._last_acked < 2 * self.light_bytes

    def join(self, flights: Flights) -> None:
        """From now on what is added there leaves to this browser too. Only where it ``may_join``."""
        self._flights, self._place = flights, len(flights)

    def part(self) -> None:
        """From now on it is asked before each frame, and told of each in ``sent``."""
        if self._flights is not None:
            flying, self._flights = self._flights.since(self._place), None
            for revision, left_at, size in flying:
                self.sent(revision, left_at, size - FRAME_HEAD)

    @property
    def oldest_at(self) -> float:
        """When the oldest frame left that was its own; inf: none is under way."""
        return self._under_way[0][1] if self._under_way else math.inf

    @property
    def place(self) -> int:
        """Of the first frame among ``Flights`` that is not acknowledged."""
        return self._place

    def together_until(self, now: float, first_young: int) -> float:
        """The time until which it may go on so without being asked again; -inf: no longer. ``first_young``: the place
        of the first of those frames that are light, and for which no ack is missing yet."""
        flights, asks_link = self._flights, self._asks_link
        assert flights is not None
        assert asks_link is not None
        kept = asks_link()
        if kept == 0 and self._place >= first_young and not self._under_way:
            return now + self._oldest_s + self.ack_s - ACK_S  # nearly every one: 10 µs → 3 where it comes from memory
        flying = self._flying + flights.bytes_from(self._place)
        if flying == 0:
            return now + self._oldest_s
        if flying >= 2 * self.light_bytes:
            return -math.inf
        oldest_at = min(self.oldest_at, flights.left_at(self._place) if len(flights) > self._place else math.inf)
        return self._good_until(now, oldest_at, kept)

    # What follows

    def wait(self, now: float) -> float:
        """Seconds until the next frame may leave; 0 if it may leave now."""
        if now <= self.free_until or self._is_back:
            return 0.0
        count = len(self._under_way)
        heavy = count - count * self.light_bytes // max(1, self._flying)  # frames beyond the light ones
        if heavy >= self._size or count >= MAX_WINDOW or self.is_held_back(now):
            gap_s = LOST_ACK_S
        elif self._lowest_trip_s is None:
            gap_s = 0.0 if count < FIRST_BURST else FIRST_GAP_S
        else:  # an ack for what is light does not come sooner for a longer ack_s
            gap_s = SPREAD * (self._lowest_trip_s + (self.ack_s if heavy > 0 else 0.0)) / self._size
        return max(0.0, self._last_sent + gap_s - now)

    def is_held_back(self, now: float) -> bool:
        """True while nothing is sent because the link is cut, it seems: a frame is under way for too long."""
        if not self._under_way:
            return False
        if self._loaded_at is not None and now - self._loaded_at > self._oldest_s + self.ack_s - ACK_S:
            return True
        return self._asks_link is not None and self._is_cut(now, self._asks_link)

    def _is_cut(self, now: float, asks_link: Callable[[], int]) -> bool:
        """``is_held_back`` of what is light."""
        oldest_at = self._under_way[0][1]
        if now - oldest_at <= self._oldest_s:
            return False
        until = self._good_until(now, oldest_at, asks_link())
        if self._is_near and self._loaded_at is None:
            self.free_until = until
        return now > until

    def _good_until(self, now: float, oldest_at: float, kept: int) -> float:
        """When the link is cut, it seems: TCP will have kept a frame for too long, of which it keeps so many bytes now.
        Or a page that hangs, or a proxy in between: TCP has taken all, and no ack has come with the next ping."""
        kept_since = now
        if kept > 0 and self._flights is not None and (together := self._flights.bytes_from(self._place)):
            kept_since = self._flights.oldest_of(kept, self._place)
            kept -= together
        for _, left_at, size in reversed(self._under_way):
            if kept <= 0:
                break
            kept, kept_since = kept - size, left_at
        return min(kept_since, oldest_at + self.ping_s) + self._oldest_s + self.ack_s - ACK_S

    def _weigh(self) -> None:
        """What is under way has changed: is it a load, and until when may more be sent without a question?"""
        self._loaded_at, self.free_until = None, -math.inf
        if not self._under_way:
            self.free_until = math.inf
        elif self._flying < self.light_bytes:
            if self._is_near:
                self.free_until = self._under_way[0][1] + self._oldest_s
            return
        flying = 0
        for _, left_at, size in self._under_way:
            flying += size
            if flying >= self.light_bytes:
                self._loaded_at = left_at
                return

    def status(self) -> dict[str, Any]:
        together = 0 if self._flights is None else len(self._flights) - self._place
        return {
            "frames_under_way": len(self._under_way) + together,
            "window": self._size,
            "round_trip_ms": None if self._lowest_trip_s is None else round(self._lowest_trip_s * 1000, 1),
        }
