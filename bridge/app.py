"""Composition: a configuration becomes a running bridge.

``Bridge`` is an async context manager and can be used inside somebody's own program; signals, the event
loop's policy and logging are set up in ``cli`` alone. Nothing is opened before everything is built.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from . import __version__, net, resources
from .addresses import Addresses, AddressWatch
from .admission import Admission
from .config.diff import plan
from .config.lastgood import Start
from .config.loading import load as load_config
from .config.settings import Config
from .configured import Configured, is_learnt, state_path
from .control import PANIC, Control
from .discovery import Discovery, Service, is_loopback, services, short_name
from .errors import ConfigError, Problem
from .frames import Frames
from .history import History
from .http.controls import ControlRoutes
from .http.door import Door
from .http.guard import Guard
from .http.pairing import PairRoutes
from .http.peers import PeerRoutes
from .http.reload import ReloadRoutes
from .http.site import Site
from .http.tls import PATH as HTTPS
from .http.tls import Https
from .learn import LearntFile
from .learning import PORT, Learning
from .listening import listen
from .localsocket import LocalSocket
from .log import OncePer
from .metrics import Metrics
from .midi.kind import KIND as MIDI
from .monitor import Monitor
from .osc.port import KIND as OSC
from .osc.port import OscPort
from .pagecontrols import PageControls
from .pagecontrols import read as read_pages
from .persist import PATH as STATE
from .persist import Persistence
from .port import PeerHandle, Port, PortContext, PortKind
from .ports import Ports
from .presence import Presence
from .refusals import Refusals
from .reloading import Follower, Outcome, Reloading, Source
from .session import Shared
from .store import Change, Origin, Store
from .surface import Page
from .tasks import running
from .vitals import Vitals
from .ws import Hub, Limits

log = logging.getLogger(__name__)

KINDS: Mapping[str, PortKind] = {kind.table: kind for kind in (OSC, MIDI)}
"""Every kind of port, by its table in the configuration."""

LAST_WORD_S = 0.25
"""How long ports stay open at the end for what their pace keeps back."""
HOLDS_CHECK_S = 1.0
LAY_OUT_S = 0.25
"""What is learnt, or brought by peers, within this time comes to the page together."""
PANIC_AGAIN_S = 2.0
"""A panic of the same origin within this time has no line of its own: a packet has room for thousands."""


class Bridge:
    """One running stagebridge.

    ``async with Bridge(config) as bridge`` returns when HTTP is bound and every port has been tried once.
    Raises PortError when the HTTP port cannot be had; any other port's trouble is a state, with retries.
    Leaving the block releases momentaries, closes browsers and ports, and frees every socket. ``state`` is the folder
    for what outlives a run (``statefolder.state_folder``); without it that is kept in memory. ``config_trouble`` is why
    ``config`` is not what its file says now; everybody is told. ``local`` opens the socket of the command line for an
    HTTP port (``localsocket.listen``); without it there is none. ``source`` is where a reload takes the configuration
    from; without it, its file.
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
        source: Source | None = None,
    ) -> None:
        self._kinds = kinds
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
        self._learnt_file = LearntFile(state, self.learning, MIDI.binding)
        taught: dict[str, set[str]] = {}
        page_of: dict[str, str] = {}
        self._state = Persistence(
            self.store, state, config.state.file, self._publish_saved, clock, taught, page_of.keys()
        )
        self._pages = PageControls(self.store, self._state.saved.unclaimed, page_of, clock)
        self._shared = Shared(
            self.store,
            self._frames,
            config.title,
            __version__,
            clock,
            monitor=self.monitor,
            learning=self.learning,
            metrics=Metrics(),
            unclaimed=self._state.saved.unclaimed,
        )
        self.refusals = Refusals()
        """What was refused over HTTP and WebSocket, by cause."""
        self.hub = Hub(
            self._shared, limits or Limits(client_timeout_s=config.http.client_timeout_s), clock, self.refusals
        )
        self.hub.http_limits = config.http.limits
        self._admission = Admission(self.hub, config, state, clock)
        self.pairing = self._admission.pairing
        """Which devices were let in, and the codes that let more in."""
        self.door = Door(config.http.limits, self.refusals, config.http.client_timeout_s, clock)
        self.https = Https(
            config.http.tls, config.http.host, state, self.door, self._publish_https, lambda: self.addresses.addresses
        )
        """The second port, where there is one."""
        self.history = History()
        self._laid_out_anew = asyncio.Event()
        self._presence = Presence(self.store)
        self._configured = Configured(self.store, config)
        self._configured.apply(plan(None, config), clock())
        panic = Control(path=PANIC, kind="trigger", owner="bridge", label="Panic")
        self._panic = self.store.add(panic, now=clock())
        self._configured.say(config_trouble, clock())
        saved = Control(path=STATE, kind="string", owner="bridge", access="read", label="State")
        self.store.add(saved, now=clock(), value=self._state.state)
        self.store.subscribe(self.history.note)
        self.store.subscribe(self._on_changes, hears_values=False)
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
        self._ports = Ports(kinds, config.peers, context)
        self._reloading = Reloading(config, self._configured, self._ports, self._pages, clock, self._say_trouble)
        self._reloading.followers += [self._admission.follow, self._follow]
        self._site: Site | None = None
        self._source = source or Source(self._load_file)
        self._vitals = Vitals(self, self._state, self._shared.metrics)
        self._vitals.refusals["pairing"] = self.pairing.refused
        self._stack = AsyncExitStack()

    async def _page_edited(self, page: str, html: str) -> None:
        await self._pages.edited(page, html)
        await self._admission.page_edited(page)

    def _names(self) -> list[str]:
        """What browsers may call this machine; asked for anew when one calls it otherwise."""
        return [*net.own_names(), self.discovery.name, *self.config.http.hosts]

    @property
    def config(self) -> Config:
        """What holds now."""
        return self._reloading.config

    @property
    def ports(self) -> Sequence[Port]:
        """Those of all kinds."""
        return list(self._ports)

    @property
    def port_troubles(self) -> Mapping[str, str]:
        """By port's name: why it is not open."""
        return self._ports.troubles

    @property
    def followers(self) -> list[Follower]:
        """Parts that take settings from the new configuration at a reload."""
        return self._reloading.followers

    async def reload(self) -> Outcome:
        """Change what the file says now, and nothing else; where it has mistakes, nothing at all. Open pages and ports
        that are as they were go on."""
        outcome = await self._reloading.reload(self._source)
        self._vitals.reloads["failed" if outcome.problems else "done"] += 1
        return outcome

    def _load_file(self) -> Start:
        if (file := self.config.file) is None:
            raise ConfigError([Problem("", "there is no file to read anew")], "the configuration")
        return Start(load_config(file, self._kinds))

    async def _follow(self, old: Config, new: Config) -> Iterable[str]:
        """What stands in parts of our own."""
        self._shared.server_name = new.title
        if old.http.client_timeout_s != new.http.client_timeout_s:
            self.hub.limits = replace(self.hub.limits, client_timeout_s=new.http.client_timeout_s)
        self.door.limits = self.hub.http_limits = new.http.limits
        self.https.change(new.http.tls)
        if self._site is not None:
            self._site.forget_names()
            if old.http.pages != new.http.pages:
                self._site.use_pages(await asyncio.to_thread(resources.pages_dir, new.http.pages))
        if old.state != new.state:
            await self._state.move(new.state.file)
        return ()

    def _say_trouble(self, trouble: str) -> None:
        self.config_trouble = trouble
        self._configured.say(trouble, self.clock())

    def _on_changes(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.entry is self._panic and change.what == "trigger":
                self._once.warning(("panic", change.origin), "panic, from %s", change.origin, now=change.time)
                self._configured.calm_down(change)
            elif change.what in ("added", "removed", "described"):
                if change.what != "described" and is_learnt(change.entry):
                    self._laid_out_anew.set()
                if change.what != "removed":
                    self._presence.added(change.entry, change.time)

    def _publish_state(self, peer: str, text: str) -> None:
        entry = self.store.find(state_path(peer))
        if entry is not None:
            self.store.set(entry, text, Origin("bridge", peer), self.clock())

    def _publish_https(self, text: str) -> None:
        entry = self.store.find(HTTPS)
        if entry is None:
            control = Control(path=HTTPS, kind="string", owner="bridge", access="read", label="HTTPS")
            entry = self.store.add(control, now=self.clock())
        self.store.set(entry, text, Origin("bridge", "https"), self.clock())

    def _publish_saved(self, text: str) -> None:
        self.store.set(self.store.get(STATE), text, Origin("bridge", "state"), self.clock())

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            # First, since it is the one thing that can end us; asking who has the port reads files, hence the thread.
            http = self.config.http
            listener = stack.enter_context(await asyncio.to_thread(listen, http.host, http.port))
            self.http_port = listener.getsockname()[1]
            self._pages.declare(await asyncio.to_thread(read_pages, http.pages))
            await self._admission.limit()
            self._admission.say_trust()
            await stack.enter_async_context(self._state.kept())  # the last to end: it keeps what the others do then
            await stack.enter_async_context(running(self._watch_holds(), "holds"))
            await stack.enter_async_context(running(self._lay_out(), "pages"))
            await stack.enter_async_context(self._learnt_file.kept())
            await stack.enter_async_context(self.pairing.kept())
            await stack.enter_async_context(self._ports.served())
            await stack.enter_async_context(self._vitals.taken())
            stack.push_async_callback(self._let_go)  # when browsers are gone, and ports still open
            await stack.enter_async_context(self.hub.running())
            # When nobody can ask for one any more, and all that it changes is still there:
            stack.push_async_callback(self._reloading.end)
            await stack.enter_async_context(self._serving(listener))
            await self.addresses.look()
            self.addresses.subscribe(self._on_addresses)
            await stack.enter_async_context(running(self.addresses.run(), "addresses"))
            await stack.enter_async_context(running(self.discovery.run(), "discovery"))
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
        return self._ports.lines()

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
        return self._ports.peer(name)

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
        offers = [port.offer for port in self.ports if isinstance(port, OscPort)]
        http = (self.config.http.host, self.http_port)
        host = short_name(socket.gethostname())
        return services(self.config.title, host, http, [offer for offer in offers if offer is not None])

    @asynccontextmanager
    async def _serving(self, listener: socket.socket) -> AsyncIterator[None]:
        controls = ControlRoutes(self._shared, self.history, self.clock)
        pairing = PairRoutes(self.pairing, self.urls, self._page_names, self.hub.devices)
        self._site = site = Site(
            Guard(
                self._names,
                pairing.grant,
                pairing.prolong,
                admit_page=self._admission.admit_page,
                refusals=self.refusals,
            ),
            self.door,
            web_dir=await asyncio.to_thread(resources.web_dir),
            pages_dir=await asyncio.to_thread(resources.pages_dir, self.config.http.pages),
            socket=self.hub.handle,
            page_edited=self._page_edited,
            may_open=self._shared.views.may_open,
            health=self.health,
            routes=(
                *controls.routes(),
                *PeerRoutes(self).routes(),
                *pairing.routes(),
                *self._vitals.routes(),
                *self.https.routes(),
                *ReloadRoutes(self.reload).routes(),
            ),
            ticket=self._admission.ticket,
        )
        runner = web.AppRunner(site.application(), access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        assert runner.server is not None
        try:
            async with (
                self.door.open(runner.server, listener),
                self._serving_locally(runner.server),
                self.https.running(runner.server),
            ):
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
        self._configured.show_pages(peer, pages)
        self._laid_out_anew.set()

    async def _lay_out(self) -> None:
        """Show the pages that peers bring, and the controls that they have taught us: many at a time."""
        while True:
            await self._laid_out_anew.wait()
            self._laid_out_anew.clear()
            self._configured.lay_out(self.clock())
            await asyncio.sleep(LAY_OUT_S)
