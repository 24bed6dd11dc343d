"""The door of the HTTP port: which connections are taken, how long each may dawdle, and what becomes of nonsense.

aiohttp reads and answers what has come in. It has limits of its own for a request line and a field (8,190 bytes each),
for the number of fields (128) and for requests that wait behind one (32); what it lacks is here: caps and rates by
address, a short time for half a request, an end for whoever does not take what was asked for, and refusals that
neither fill the log nor show a traceback. Who may do what is ``guard``'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

from aiohttp import web

from bridge import tasks
from bridge.allowance import counted
from bridge.cutting import Patience, cut, discard
from bridge.log import OncePer
from bridge.refusals import Cause, Refusals

from .answers import SERVER, error_answer
from .forwarded import HEADER, asker
from .handshakes import HANDSHAKE_S, Handshakes
from .limits import HttpLimits, Turnstile

log = logging.getLogger(__name__)

UNREAD_BYTES = 256 * 1024
"""Whoever asks again with so much of earlier answers not taken is cut: aiohttp would answer for ever."""
LINGER_S = 1.0
"""What is left of a body that nobody wants is read for so long, so that the answer is not lost."""
SHUTDOWN_S = 2.0
"""For the goodbye of TLS."""
CHECK_S = 1.0
EXHAUSTED_S = 0.25
"""A pause where the system has no more descriptors or memory."""
RETRY_S = "10"
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
MAX_VISITORS = 64

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Door:
    """All TCP connections of one server. ``stuck_s``: who takes nothing for so long is dropped."""

    def __init__(
        self,
        limits: HttpLimits,
        refusals: Refusals,
        stuck_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.refusals = refusals
        self.visitors: list[str] = []
        """The first addresses from which something was asked, at most MAX_VISITORS: whether anybody has got through."""
        self.once = OncePer(log)
        self.turnstile = Turnstile(limits)
        self._stuck_s = stuck_s
        self._clock = clock
        self._visits: dict[Visit, None] = {}  # without a WebSocket, the oldest first
        self._handshakes = Handshakes()
        self._arriving: dict[Visit, socket.socket] = {}  # among them half a handshake; the oldest first

    @property
    def limits(self) -> HttpLimits:
        """May be changed at any time: those inside stay."""
        return self.turnstile.limits

    @limits.setter
    def limits(self, limits: HttpLimits) -> None:
        self.turnstile.limits = limits

    @asynccontextmanager
    async def open(
        self, server: web.Server, listener: socket.socket, tls: ssl.SSLContext | None = None
    ) -> AsyncIterator[None]:
        """Take connections for ``server`` until the block ends; ``listener`` listens already, and does not block."""
        name = "https" if tls else "http"
        arrivals: set[asyncio.Task[None]] = set()  # at this listener: those at others are not cut off with them
        try:
            async with (
                tasks.running(self._accept(server, listener, tls, arrivals), f"{name}: door"),
                tasks.running(self._watch(), f"{name}: who takes nothing"),
            ):
                yield
        finally:
            for task in arrivals:  # half a TLS handshake may take its time
                task.cancel()
            await asyncio.gather(*arrivals, return_exceptions=True)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The first of all: requests over the unix socket pass."""
        visit = request.protocol
        if not isinstance(visit, Visit):
            return await handler(request)
        address = asker(visit.address, request.headers, request.headers.getall(HEADER, ()), self.limits)
        is_passed_on = address != visit.address
        if is_passed_on:
            request = request.clone(remote=address)
        if (cause := visit.refusal(address, is_passed_on, self._clock())) is not None:
            self.refuse(cause, address)
            if cause == "unread":
                visit.abort()
            answer = error_answer(
                429,
                "too_many",
                "this address asks for too much: wait ten seconds; where many are behind it: [http.limits] exempt",
            )
            answer.headers.update({"Retry-After": RETRY_S, "X-Content-Type-Options": "nosniff"})
            answer.force_close()  # more of it is refused at the door, which costs less
            return answer
        if len(self.visitors) < MAX_VISITORS and address not in self.visitors:
            self.visitors.append(address)
        try:
            return await handler(request)
        finally:
            if is_passed_on:
                self.turnstile.end(address)

    def refuse(self, cause: Cause, address: str) -> None:
        """Count it, and say it once."""
        self.refusals.count(cause)
        self.once.warning((cause, counted(address)), "HTTP from %s: refused: %s", address, _WORDS[cause])

    # The connections

    async def _accept(
        self,
        server: web.Server,
        listener: socket.socket,
        tls: ssl.SSLContext | None,
        arrivals: set[asyncio.Task[None]],
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                conn, name = await loop.sock_accept(listener)
            except OSError as exc:
                if exc.errno in _EXHAUSTED:
                    self.once.warning("exhausted", "HTTP: no more connections can be taken: %s", exc.strerror)
                    self._crowd_out()
                    await asyncio.sleep(EXHAUSTED_S)
                await asyncio.sleep(0)  # whatever it is, it stops nobody else
                continue  # it went before it was taken
            address = str(name[0])
            cause = self.turnstile.enter(address, self._clock())
            if (cause == "connections" and self._crowd_out()) or (
                cause == "connections_per_address" and self._end_idle(address)
            ):
                cause = self.turnstile.enter(address, self._clock())
            if cause is not None:
                self.refuse(cause, address)
                discard(conn)
                conn.close()
                continue
            task = asyncio.create_task(self._let_in(server, conn, address, tls), name=f"http: {address}")
            arrivals.add(task)
            task.add_done_callback(arrivals.discard)

    async def _let_in(self, server: web.Server, conn: socket.socket, address: str, tls: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        visit = Visit(self, server, address, loop)
        self._arriving[visit] = conn
        try:
            if tls is None:
                await loop.connect_accepted_socket(lambda: visit, conn)
            else:
                async with self._handshakes.turn(
                    conn, None if self.limits.exempts(address) or self.limits.trusts(address) else counted(address)
                ):
                    await loop.connect_accepted_socket(
                        lambda: visit,
                        conn,
                        ssl=tls,
                        ssl_handshake_timeout=HANDSHAKE_S,
                        ssl_shutdown_timeout=SHUTDOWN_S,
                    )
        except (OSError, ssl.SSLError) as exc:
            self.refusals.count("handshake")
            self.once.info(("handshake", counted(address)), "HTTPS from %s: no handshake: %s", address, exc)
        finally:
            if (
                self._arriving.pop(visit, None) is not None and not visit.is_in
            ):  # else it leaves when its connection is lost; the socket is the transport's already
                self.turnstile.leave(address)

    def came(self, visit: Visit) -> None:
        visit.came_at = self._clock()
        self._visits[visit] = None

    def upgraded(self, visit: Visit) -> None:
        """It is a WebSocket now: the hub looks after it."""
        self._visits.pop(visit, None)

    def left(self, visit: Visit) -> None:
        if not visit.has_asked and self._clock() - visit.came_at >= self.limits.request_s:
            self.refusals.count("timeout")
        self._visits.pop(visit, None)
        self.turnstile.leave(visit.address)

    def _crowd_out(self) -> bool:
        """Drop the oldest connection that is no WebSocket and not exempt, half a handshake first; False if there is
        none."""
        for visit, conn in self._arriving.items():
            if not visit.is_in and not self.limits.exempts(visit.address):
                del self._arriving[visit]
                self.refuse("crowded_out", visit.address)
                visit.is_unwanted = True
                with contextlib.suppress(OSError):
                    conn.shutdown(socket.SHUT_RDWR)
                self.turnstile.leave(visit.address)
                return True
        for visit in self._visits:
            if not self.limits.exempts(visit.address):
                self.refuse("crowded_out", visit.address)
                visit.abort()
                self.left(visit)
                visit.is_in = False
                return True
        return False

    def _end_idle(self, address: str) -> bool:
        """End the oldest connection of this address that has asked and been answered: browsers keep six each for what
        they may want next, and connect again when they do. False if there is none."""
        for visit in self._visits:
            if counted(visit.address) == counted(address) and visit.is_idle:
                visit.abort()
                self.left(visit)
                visit.is_in = False
                return True
        return False

    async def _watch(self) -> None:
        """Drop who takes nothing of what was asked for."""
        while True:
            await asyncio.sleep(min(CHECK_S, self._stuck_s / 4))
            now = self._clock()
            for visit in list(self._visits):
                if visit.is_stuck(now, self._stuck_s):
                    self.refuse("unread", visit.address)
                    visit.abort()


class Visit(web.RequestHandler):
    """One connection, as aiohttp serves it, with an end to its patience."""

    __slots__ = ("_door", "_patience", "_wire", "address", "came_at", "is_in", "is_unwanted")

    def __init__(self, door: Door, server: web.Server, address: str, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            server,
            loop=loop,
            # aiohttp looks at it while it waits for a request, whatever has come of that, and from the beginning on.
            keepalive_timeout=door.limits.request_s,
            lingering_time=LINGER_S,
            access_log=None,  # type: ignore[arg-type]  # as AppRunner hands it on
            auto_decompress=False,  # of request bodies: nobody who is honest packs 64 kB
        )
        self.address = address
        self.is_in = False
        self.is_unwanted = False
        """Its place was given away before it was in."""
        self.came_at = 0.0
        self._door = door
        self._wire: asyncio.Transport | None = None
        self._patience = Patience(door._clock())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire = cast(asyncio.Transport, transport)
        if self.is_unwanted:
            self._wire.abort()
        else:
            self.is_in = True
            self._door.came(self)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self.is_in:
            self.is_in = False
            self._door.left(self)
        super().connection_lost(exc)

    def set_parser(self, *args: Any, **kwargs: Any) -> None:
        self._door.upgraded(self)
        super().set_parser(*args, **kwargs)

    @property
    def has_asked(self) -> bool:
        """True if a whole request has come."""
        return self._request_count > 0

    @property
    def is_idle(self) -> bool:
        """True if whatever it has asked for has been answered and taken."""
        if not self.has_asked or self._current_request is not None or self._wire is None:
            return False
        return not self._messages and self._wire.get_write_buffer_size() == 0

    def refusal(self, address: str, is_passed_on: bool, now: float) -> Cause | None:
        """Why its next request, which is this address's, is not answered."""
        if self._wire is not None and self._wire.get_write_buffer_size() > UNREAD_BYTES:
            return "unread"
        if is_passed_on:
            return self._door.turnstile.begin(address, now)
        return None if self._door.turnstile.may_ask(address, now) else "rate"

    def is_stuck(self, now: float, timeout_s: float) -> bool:
        """True if bytes have been waiting and none has left for ``timeout_s``."""
        return self._patience.is_over(self._wire.get_write_buffer_size() if self._wire else 0, now, timeout_s)

    def abort(self) -> None:
        if self._wire is not None:
            cut(self._wire)

    # What aiohttp makes of mistakes

    def log_exception(self, *args: Any, **kwargs: Any) -> None:
        """Said in ``handle_error``."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What is no HTTP (400), and what we have not foreseen (500): in our form, and no word of why to the client."""
        if status == 500 and exc is not None:
            place = traceback.extract_tb(exc.__traceback__)[-1:]
            text = "".join(traceback.format_exception(exc))
            self._door.once.log(logging.ERROR, ("500", type(exc), str(place)), "HTTP: an answer has failed: %s", text)
            answer = error_answer(500, "failed", "this went wrong here; the log says more")
        else:
            self._door.refusals.count("malformed")
            self._door.once.info(
                ("malformed", counted(self.address)), "HTTP from %s: no HTTP that we read", self.address
            )
            answer = error_answer(status, "bad_message", "this is no HTTP that we read")
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun")
        answer.headers.update({"X-Content-Type-Options": "nosniff", "Server": SERVER})
        answer.force_close()
        return answer


_WORDS: dict[Cause, str] = {
    "connections": "as many connections are open as may be ([http.limits] connections)",
    "connections_per_address": "it has as many connections as one address may ([http.limits] connections_per_address, "
    "or exempt where many devices are behind it)",
    "crowded_out": "others need the place that it does nothing with",
    "rate": "it asks too often ([http.limits] requests_per_s, or exempt where many devices are behind it)",
    "unread": "it does not take what it has asked for",
}
