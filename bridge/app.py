"""Composition: a configuration becomes a running bridge.

``Bridge`` is an async context manager and can be used inside somebody's own program; signals, the event
loop's policy and logging are set up in ``cli`` alone. Nothing is opened before everything is built.
"""

from __future__ import annotations

import asyncio
import difflib
import errno
import logging
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from . import __version__, midi, net, osc, resources
from .access import Grant, Role
from .addresses import Addresses, AddressWatch
from .bank import BankButtons
from .config import Config
from .control import CONFIG, PANIC, RESERVED, Control
from .discovery import Discovery, Service, is_loopback, services, short_name
from .errors import ControlError, PortError, UnknownPeer
from .frames import Frames
from .history import History
from .http import Site
from .httpcontrols import ControlRoutes
from .httpdoor import Door
from .httpguard import Guard
from .httppairing import PairRoutes
from .httppeers import PeerRoutes
from .learn import LearntFile
from .learning import PORT, Learning
from .localsocket import LocalSocket
from .log import OncePer
from .metrics import Metrics
from .monitor import Monitor
from .pages import declared_controls, read_pages
from .pairing import Pairing
from .persist import PATH as STATE
from .persist import Persistence
from .port import PeerHandle, Port, PortContext, PortKind, supervise
from .presence import Presence
from .refusals import Refusals
from .session import Shared
from .store import Change, Origin, Store
from .surface import Page, with_learnt
from .vitals import Vitals
from .ws import Hub, Limits

log = logging.getLogger(__name__)

KINDS: Mapping[str, PortKind] = {kind.table: kind for kind in (osc.KIND, midi.KIND)}
"""Every kind of port, by its table in the configuration."""

FIRST_TRY_S = 0.5
"""How long a start waits for ports to open, before it reports them as they are."""
LAST_WORD_S = 0.25
"""How long ports stay open at the end for what their pace keeps back."""
HOLDS_CHECK_S = 1.0
LAY_OUT_S = 0.25
"""What is learnt, or brought by peers, within this time comes to the page together."""
PANIC_AGAIN_S = 2.0
"""A panic of the same origin within this time has no line of its own: a packet has room for thousands."""
BACKLOG = 512
FIRST_FREE_PORT = 1024
"""Ports below are root's, unless the system says otherwise (ip(7), ip_unprivileged_port_start)."""


_NOT_OURS = {errno.EADDRNOTAVAIL, socket.EAI_NONAME, getattr(socket, "EAI_NODATA", 0), socket.EAI_AGAIN} - {0}
"""What binding fails with where the host is not this machine, or a name that nobody knows."""


class Bridge:
    """One running stagebridge.

    ``async with Bridge(config) as bridge`` returns when HTTP is bound and every port has been tried once.
    Raises PortError when the HTTP port cannot be had; any other port's trouble is a state, with retries.
    Leaving the block releases momentaries, closes browsers and ports, and frees every socket. ``state`` is the folder
    for what outlives a run (``statefolder.state_folder``); without it that is kept in memory. ``config_trouble`` is why
    ``config`` is not what its file says now; everybody is told. ``local`` opens the socket of the command line for an
    HTTP port (``localsocket.listen``); without it there is none.
    """

    def __init__(
        self,
        config: Config,
        kinds: Mapping[str, PortKind] = KINDS,
        clock: Callable[[], float] = time.monotonic,
        limits: Limits | None = None,
        state: Path | None = None,
        config_trouble: str = "",
        local: Callable[[int], tuple[LocalSocket | None, str]] | None = None,
    ) -> None:
        self.config = config
        self.config_trouble = config_trouble
        self.clock = clock
        self.store = Store(secrets.token_hex(8))
        self.http_port = 0
        """The TCP port that browsers use; known once the bridge runs."""
        self.local: Path | None = None
        """The socket of the command line."""
        self._open_local = local
        self._once = OncePer(log, again_s=PANIC_AGAIN_S)
        self._frames = Frames(self.store)
        self.monitor = Monitor()
        """Who looks at what goes in and out."""
        self.addresses = AddressWatch()
        """Those of this machine, while it runs."""
        self.discovery = Discovery(self._services, self.addresses)
        self.learning = Learning()
        """What waits for a hand, and what was learnt."""
        self._learnt_file = LearntFile(state, self.learning, midi.KIND.binding)
        self._page_of: dict[str, str] = {}  # path of a declared control → the page that it follows
        taught: dict[str, set[str]] = {}
        self._state = Persistence(
            self.store, state, config.state.file, self._publish_saved, clock, taught, self._page_of.keys()
        )
        self._shared = Shared(
            self.store,
            self._frames,
            config.title,
            __version__,
            monitor=self.monitor,
            learning=self.learning,
            metrics=Metrics(),
            unclaimed=self._state.saved.unclaimed,
        )
        self.pairing = Pairing(
            state,
            config.auth.mode,
            roles=self._roles,
            revoked=self._revoked,
            changed=self._regranted,
            fallback=f"port-{config.http.port}",
            clock=clock,
        )
        """Which devices were let in, and the codes that let more in."""
        self._shared.admit = self.pairing.grant_of_token
        self._shared.auth = config.auth.mode
        self.refusals = Refusals()
        """What was refused over HTTP and WebSocket, by cause."""
        self.hub = Hub(
            self._shared, limits or Limits(client_timeout_s=config.http.client_timeout_s), clock, self.refusals
        )
        self.hub.http_limits = config.http.limits
        self.door = Door(config.http.limits, self.refusals, config.http.client_timeout_s, clock)
        self.history = History()
        self._laid_out_anew = asyncio.Event()
        self._add_controls()
        self.store.subscribe(self.history.note)
        self.store.subscribe(self._on_changes)
        if config.banks:
            self.store.subscribe(BankButtons(self.store, config.banks).note)
        self._presence = Presence(self.store)
        self._shown_pages: dict[str, Sequence[Page]] = {}  # by peer
        context = PortContext(
            self.store,
            clock,
            self._publish_state,
            self.monitor,
            self.learning,
            self._show_pages,
            self._presence,
            taught=taught,
        )
        self.ports: list[Port] = []
        self.port_troubles: dict[str, str] = {}
        """By port's name: why it is not open."""
        self._vitals = Vitals(self, self._state, self._shared.metrics)
        for kind in kinds.values():
            peers = [peer for peer in config.peers if peer.table == kind.table]
            if peers:
                self.ports += kind.open(peers, context)
        self._seen_pages: dict[str, int] = {}  # page → hash of its text when its inputs were read
        self._stack = AsyncExitStack()

    def _roles(self) -> Mapping[str, Role]:
        return {}

    def _revoked(self, device: str) -> None:
        self.hub.revoke(device)

    def _regranted(self, device: str, grant: Grant) -> None:
        self.hub.regrant(lambda before: grant if before.device == device else before)

    def _add_controls(self) -> None:
        now = self.clock()
        for control in self.config.controls:
            self.store.add(control, now=now)
        panic = Control(path=PANIC, kind="trigger", owner="bridge", label="Panic")
        self._panic = self.store.add(panic, now=now)
        if self.config_trouble:
            trouble = Control(path=CONFIG, kind="string", owner="bridge", access="read", label="Configuration")
            self.store.set(self.store.add(trouble, now=now), self.config_trouble, Origin("bridge", "config"), now)
        for peer in self.config.peers:
            path = f"{RESERVED}/peers/{peer.name}"
            state = Control(path=path, kind="string", owner="bridge", access="read", label=peer.name)
            self.store.add(state, now=now)
        state = Control(path=STATE, kind="string", owner="bridge", access="read", label="State")
        self.store.add(state, now=now, value=self._state.state)
        self.store.set_surface(self.config.surface.to_wire(), now=now)

    def _on_changes(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.entry is self._panic and change.what == "trigger":
                self._calm_down(change)
            elif change.what in ("added", "removed", "described"):
                if change.what != "described" and change.entry.control.owner == "learn":
                    self._laid_out_anew.set()
                if change.what != "removed":
                    self._presence.added(change.entry, change.time)

    def _calm_down(self, cause: Change) -> None:
        """Release every hold and momentary, then set what ``[panic]`` says."""
        self._once.warning(("panic", cause.origin), "panic, from %s", cause.origin, now=cause.time)
        origin = Origin("bridge", "panic")
        self.store.let_go(origin, cause.time)
        values = [(entry, value) for path, value in self.config.panic.items() if (entry := self.store.find(path))]
        self.store.apply(values, origin, cause.time)

    def _publish_state(self, peer: str, text: str) -> None:
        entry = self.store.find(f"{RESERVED}/peers/{peer}")
        if entry is not None:
            self.store.set(entry, text, Origin("bridge", peer), self.clock())

    def _publish_saved(self, text: str) -> None:
        self.store.set(self.store.get(STATE), text, Origin("bridge", "state"), self.clock())

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            # First, since it is the one thing that can end us; asking who has the port reads files, hence the thread.
            listener = stack.enter_context(await asyncio.to_thread(self._listener))
            web_dir, pages_dir, declared = await asyncio.to_thread(self._read_pages)
            for page, text, controls in declared:
                self._seen_pages[page] = text
                self._declare(page, controls)
            await stack.enter_async_context(self._state.kept())  # the last to end: it keeps what the others do then
            await stack.enter_async_context(_running(self._watch_holds(), "holds"))
            await stack.enter_async_context(_running(self._lay_out(), "pages"))
            await stack.enter_async_context(self._learnt_file.kept())
            await stack.enter_async_context(self.pairing.kept())
            await self._open_ports(stack)
            await stack.enter_async_context(self._vitals.taken())
            stack.push_async_callback(self._let_go)  # when browsers are gone, and ports still open
            await stack.enter_async_context(self.hub.running())
            await stack.enter_async_context(self._serving(listener, web_dir, pages_dir))
            await self.addresses.look()
            self.addresses.subscribe(self._on_addresses)
            await stack.enter_async_context(_running(self.addresses.run(), "addresses"))
            await stack.enter_async_context(_running(self.discovery.run(), "discovery"))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def urls(self) -> list[str]:
        """Addresses to open, the best one for a tablet first, this machine's own last. Reads the kernel's tables."""
        return net.urls(self.config.http.host, self.http_port)

    def _page_names(self) -> list[str]:
        return [page["name"] for page in self.store.surface.get("pages", ())]

    def peer_lines(self) -> list[str]:
        """One line per peer, for the operator."""
        return [line for port in self.ports for line in port.peer_lines()]

    def peers(self) -> list[dict[str, Any]]:
        """What ``/healthz`` says of each peer, whether it mirrors, and the paths that it taught us."""
        entries = [(entry, self.peer(entry["name"])) for entry in self._vitals.peers()]
        return [{**entry, "mirror": peer.mirrors, "learnt": list(peer.learnt)} for entry, peer in entries]

    def learnt(self) -> list[dict[str, Any]]:
        """The bindings that were learnt: control's path, peer, and the binding as it is written."""
        return [{"path": one.path, "port": PORT, "peer": one.peer, "binding": one.table} for one in self.learning]

    def peer_in_full(self, name: str) -> dict[str, Any]:
        """The same of one, and how far each control's value has come. Raises UnknownPeer, with the nearest name."""
        controls = dict(self.peer(name).reach)
        return {**next(entry for entry in self.peers() if entry["name"] == name), "controls": controls}

    def peer(self, name: str) -> PeerHandle:
        """One peer. Raises UnknownPeer, with the nearest name."""
        for port in self.ports:
            if (found := port.peer(name)) is not None:
                return found
        names = [peer.name for peer in self.config.peers]
        near = difflib.get_close_matches(name, names, n=1)
        there = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}" if names else "there is none"
        raise UnknownPeer(f"no peer {name}: {there}")

    def health(self) -> dict[str, Any]:
        """What ``/healthz`` answers."""
        return self._vitals.health()

    def status_text(self) -> str:
        """How it is, in one line: what a service manager shows."""
        states: dict[str, list[str]] = {}
        for peer in self._vitals.peers():
            states.setdefault(str(peer["state"]), []).append(str(peer["name"]))
        clients = len(self.hub.clients())
        parts = [f"the configuration has mistakes: {self.config_trouble}"] if self.config_trouble else []
        parts.append(f"{clients} client" if clients == 1 else f"{clients} clients")
        return "; ".join([*parts, *(f"{state}: {', '.join(names)}" for state, names in sorted(states.items()))])

    def _read_pages(self) -> tuple[Path, Path, list[tuple[str, int, list[Control]]]]:
        """Our pages, people's own, and of each the hash of its text and what it declares. Reads the disk."""
        pages_dir = self.config.http.pages or resources.pages_dir()
        declared = [(page, hash(html), declared_controls(html, page)) for page, html in read_pages(pages_dir)]
        return resources.web_dir(), pages_dir, declared

    def _declare(self, page: str, controls: list[Control]) -> None:
        """Inputs of people's own pages exist before any browser has come, and follow their page when it is edited.

        The configuration beats every page, and the first page to name a path beats the others.
        """
        now = self.clock()
        for control in controls:
            entry = self.store.find(control.path)
            if control.path in self._shared.unclaimed:
                del self._shared.unclaimed[control.path]
                self._page_of[control.path] = page
            if entry is None:
                self._page_of[control.path] = page
                try:
                    self.store.add(control, now=now)
                except ControlError as exc:
                    log.warning("%s: %s", page, exc)
            elif self._page_of.get(control.path) == page:
                self.store.describe(entry, control, now=now)

    async def _page_edited(self, page: str, html: str) -> None:
        page, text = page or "index.html", hash(html)
        if self._seen_pages.get(page) == text:
            return  # served for the first time, as it was read at start
        self._seen_pages[page] = text
        self._declare(page, await asyncio.to_thread(declared_controls, html, page))

    def _on_addresses(self, addresses: Addresses) -> None:
        """A cable has come, or gone: say where the page is now."""
        if is_loopback(self.config.http.host):
            return
        urls = net.urls(self.config.http.host, self.http_port, addresses)
        there = ", ".join(url for url in urls if "//127.0.0.1:" not in url)
        log.info("the network has changed: %s", f"also at {there}" if there else "no other machine can reach this one")

    def _services(self) -> list[Service]:
        """What is said of us on the network."""
        if not self.config.http.announce:
            return []
        offers = [port.offer for port in self.ports if isinstance(port, osc.OscPort)]
        http = (self.config.http.host, self.http_port)
        host = short_name(socket.gethostname())
        return services(self.config.title, host, http, [offer for offer in offers if offer is not None])

    def _listener(self) -> socket.socket:
        host, port = self.config.http.host, self.config.http.port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
        except OSError as exc:
            raise PortError(listen_problem(host, port, exc)) from exc
        listener.setblocking(False)
        self.http_port = listener.getsockname()[1]
        return listener

    async def _open_ports(self, stack: AsyncExitStack) -> None:
        """Start one supervised task per port, and wait until each has been tried."""
        tried = []
        for port in self.ports:
            opened = asyncio.Event()
            await stack.enter_async_context(_running(self._supervised(port, opened), f"port: {port.name}"))
            tried.append(asyncio.create_task(opened.wait()))
        if tried:
            _, late = await asyncio.wait(tried, timeout=FIRST_TRY_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _supervised(self, port: Port, opened: asyncio.Event) -> None:
        def ready() -> None:
            self.port_troubles.pop(port.name, None)
            opened.set()

        await supervise(port, ready, failed=partial(self.port_troubles.__setitem__, port.name))

    @asynccontextmanager
    async def _serving(self, listener: socket.socket, web_dir: Path, pages_dir: Path) -> AsyncIterator[None]:
        controls = ControlRoutes(self.store, self._frames, self.history, self.clock)
        pairing = PairRoutes(self.pairing, self.urls, self._page_names, self.hub.devices)
        site = Site(
            Guard((*net.own_names(), *self.config.http.hosts), pairing.grant, pairing.prolong),
            self.door,
            web_dir=web_dir,
            pages_dir=pages_dir,
            socket=self.hub.handle,
            page_edited=self._page_edited,
            health=self.health,
            routes=(
                *controls.routes(),
                *PeerRoutes(self).routes(),
                *pairing.routes(),
                *self._vitals.routes(),
            ),
        )
        runner = web.AppRunner(site.application(), access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        assert runner.server is not None
        try:
            async with self.door.open(runner.server, listener), self._serving_locally(runner.server):
                yield
                await self.hub.close()
        finally:
            await runner.cleanup()

    @asynccontextmanager
    async def _serving_locally(self, server: web.Server) -> AsyncIterator[None]:
        """The same application on the socket of the command line; without one the show goes on."""
        if self._open_local is None:
            yield
            return
        local, why = await asyncio.to_thread(self._open_local, self.http_port)
        if local is None:
            if why:
                log.warning("the command line has no socket to reach us by: %s", why)
            yield
            return
        opened = await asyncio.get_running_loop().create_unix_server(server, sock=local.sock)
        self.local = local.path
        try:
            yield
        finally:
            opened.close()
            await asyncio.to_thread(local.close)

    async def _let_go(self) -> None:
        """Nothing stays pressed on any peer because we stop."""
        self.store.let_go(Origin("bridge", "stop"), self.clock())
        deadline = time.monotonic() + LAST_WORD_S
        while any(peer.get("waiting") for peer in self._vitals.peers()) and time.monotonic() < deadline:
            await asyncio.sleep(0.01)

    async def _watch_holds(self) -> None:
        while True:
            await asyncio.sleep(HOLDS_CHECK_S)
            self.store.expire_holds(self.clock())

    def _show_pages(self, peer: str, pages: Sequence[Page]) -> None:
        self._shown_pages[peer] = pages
        self._laid_out_anew.set()

    async def _lay_out(self) -> None:
        """Show the pages that peers bring, and the controls that they have taught us: many at a time."""
        while True:
            await self._laid_out_anew.wait()
            self._laid_out_anew.clear()
            controls = [entry.control for entry in self.store if entry.control.owner == "learn"]
            brought = [page for pages in self._shown_pages.values() for page in pages]
            surface = with_learnt(self.config.surface.with_pages(brought), controls)
            self.store.set_surface(surface.to_wire(), now=self.clock())
            await asyncio.sleep(LAY_OUT_S)


def listen_problem(host: str, port: int, exc: OSError) -> str:
    """Why HTTP cannot listen there, and what to do. Reads the kernel's tables."""
    if exc.errno == errno.EADDRINUSE:
        holder = net.holder_of(port, "tcp")
        by = f" by {holder}" if holder else ""
        return f"HTTP port {port} is taken{by}: choose another with --port {port + 1}, or [http] port = {port + 1}"
    if exc.errno in _NOT_OURS:
        own = ", ".join(map(str, [*net.lan_addresses(), "127.0.0.1"]))
        return (
            f"HTTP: {host} is no address of this machine; its own are {own}; "
            'all of them: --host 0.0.0.0, or [http] host = "0.0.0.0"'
        )
    if exc.errno == errno.EACCES and port < FIRST_FREE_PORT:
        return (
            f"HTTP port {port} needs rights that this user does not have; "
            f"ports from {FIRST_FREE_PORT} need none: --port {port + 8000}"
        )
    # Python's own text goes on with "while attempting to bind".
    why = os.strerror(exc.errno) if exc.errno is not None and exc.errno in errno.errorcode else exc
    return f"HTTP cannot listen on {host}:{port}: {why}"


@asynccontextmanager
async def _running(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
    """Run a coroutine as a named task while the block lasts; a failure of its own is logged there and then."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_report)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (exc := task.exception()) is not None:
        log.error("%s has failed", task.get_name(), exc_info=exc)
