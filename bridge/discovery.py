"""What this machine says about itself on the network: DNS-SD (RFC 6763) over multicast DNS (RFC 6762), by ``zeroconf``.

Here: which services, under which names, and keeping them said while addresses and ports come and go. The library is
imported when there is something to say; without it, or where multicast is blocked, the show goes on. Not here: which
addresses there are (``addresses``).
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .addresses import AddressWatch
from .net import Address

log = logging.getLogger(__name__)

LOOK_S = 2.0
"""How often ports and the configuration are looked at: a port that was taken opens later."""
AGAIN_S = 30.0
"""When what could not be said is tried again."""
GOODBYE_S = 1.5
ASK_S = 0.75
"""How long a name is asked for before it is ours (RFC 6762, 8.1)."""
ASKED_S = 2.0
"""How long somebody who knows that the name is there waits for the answer."""
HEAR_S = 1.0
"""How long we wait to hear ourselves: multicast comes back to whoever sends it, where nothing blocks it."""
MAX_LABEL = 63
"""Bytes of one part of a name (RFC 1035)."""
MAX_TRIES = 20

HTTP, OSC_UDP, OSC_TCP = "_http._tcp", "_osc._udp", "_osc._tcp"
TYPES = "ifsbhtdScrmTFNI[]"
"""The tags that we read and write, for others' lists."""
BLOCKED = (
    "multicast is blocked here, so nobody finds this machine by name: a firewall must let UDP 5353 pass "
    "(stagebridge doctor says more); addresses with numbers work"
)
MISSING = "zeroconf is not installed, so nobody finds it by name: pip install zeroconf"


@dataclass(frozen=True, slots=True)
class Service:
    """Something to be found: its kind (``_osc._udp``), its name as people see it, its port and what else is said."""

    kind: str
    name: str
    host: str
    port: int
    says: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Listener:
    """A port of ours that is open: where it listens and whom it is for. ``framing`` is that of OSC over TCP."""

    transport: str
    host: str
    port: int
    peers: tuple[str, ...]
    framing: str = ""


def services(title: str, host: str, http: tuple[str, int] | None, listeners: Iterable[Listener]) -> list[Service]:
    """What is announced of these; nothing of what only this machine reaches.

    ``http`` is (host, port), ``host`` the short name of this machine.
    """
    found = []
    if http is not None and not is_loopback(http[0]):
        found.append(Service(HTTP, _label(title, host), *http, {"path": "/", "title": title}))
    for one in listeners:
        if not is_loopback(one.host):
            says = {"txtvers": "1", "version": "1.0" if one.framing == "length" else "1.1", "types": TYPES}
            if one.framing:
                says["framing"] = one.framing
            kind = OSC_TCP if one.transport == "tcp" else OSC_UDP
            found.append(Service(kind, _label(f"{title} {'+'.join(one.peers)}", host), one.host, one.port, says))
    return found


def is_loopback(host: str) -> bool:
    """True if only this machine reaches what listens there."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


def short_name(host: str) -> str:
    """``foh`` of ``FOH.lan``: what stands before ``.local``."""
    name = "".join(char if char.isascii() and (char.isalnum() or char == "-") else "-" for char in host.split(".")[0])
    return name.strip("-").lower()[:MAX_LABEL] or "stagebridge"


def further_names(name: str) -> Iterator[str]:
    """The name, and those that are taken instead where another machine has it: ``foh``, ``foh-2``, …"""
    yield name
    for number in range(2, MAX_TRIES):
        end = f"-{number}"
        yield name[: MAX_LABEL - len(end)] + end


def _label(text: str, host: str) -> str:
    """``stagebridge (foh)``, short enough; a dot would be read as the end of it by some."""
    end = f" ({host})"
    room = MAX_LABEL - len(end.encode())
    start = "".join(char for char in text.replace(".", "·") if char.isprintable()) or "stagebridge"
    while len(start.encode()) > room:
        start = start[:-1]
    return start + end if room > 0 else host


class Discovery:
    """Says what ``wanted()`` gives, at the addresses of ``watch``, until its task is cancelled."""

    def __init__(self, wanted: Callable[[], Sequence[Service]], watch: AddressWatch) -> None:
        self.name = ""
        """``foh.local``; "" while it is not known."""
        self.announced: tuple[str, ...] = ()
        """The whole names of what is announced."""
        self.trouble = ""
        """Why nothing is, or why nobody hears it; "" where all is well."""
        self._wanted = wanted
        self._watch = watch
        self._said = ""

    def health(self) -> dict[str, Any]:
        """For ``/healthz``."""
        return {"name": self.name, "announced": list(self.announced), "trouble": self.trouble}

    async def run(self) -> None:
        """Announce until cancelled, then say goodbye. What stays while another port opens is not taken back."""
        changed = asyncio.Event()
        unsubscribe = self._watch.subscribe(lambda _: changed.set())
        try:
            while True:
                services = tuple(self._wanted())
                addresses = _told(self._watch.addresses, services)
                async with contextlib.AsyncExitStack() as stack:
                    voice: _Voice | float | None = None
                    if services and addresses:
                        voice = await self._announce(stack, services, addresses, changed)
                    while not await self._until_news(services, changed, voice if isinstance(voice, float) else None):
                        services = tuple(self._wanted())
                        if not isinstance(voice, _Voice) or _told(self._watch.addresses, services) != addresses:
                            break
                        if not await self._told_anew(voice, services):
                            break
        finally:
            unsubscribe()

    async def _until_news(self, services: Sequence[Service], changed: asyncio.Event, again_s: float | None) -> bool:
        """Wait until something else is to be said, or until the time is over. True: at other addresses, or anew."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(again_s):
                while not changed.is_set() and tuple(self._wanted()) == services:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_S):
                            await changed.wait()
        is_changed = changed.is_set()
        changed.clear()
        return is_changed

    async def _announce(
        self,
        stack: contextlib.AsyncExitStack,
        services: Sequence[Service],
        addresses: Sequence[Address],
        changed: asyncio.Event,
    ) -> _Voice | float | None:
        """Say these; the stack takes back what is said. Where nobody hears it: after how long it is to be done anew."""
        try:
            await asyncio.to_thread(__import__, "zeroconf.asyncio")
            from zeroconf import Error
            from zeroconf.asyncio import AsyncZeroconf
        except ImportError:
            self._state(MISSING)
            return None
        logging.getLogger("zeroconf").setLevel(logging.CRITICAL)  # what it cannot do is said here, once
        try:
            network = AsyncZeroconf(interfaces=[str(address) for address in addresses])
            stack.push_async_callback(self._goodbye, network)
            await network.zeroconf.async_wait_for_start()
            name, is_ours = await self._free_name(network)
            self.name = name
            voice = _Voice(network, name, addresses if is_ours else ())
            await voice.say(services)
            heard = await _hears(network, voice.infos[services[0]])
        except (OSError, ValueError, TimeoutError, Error) as exc:
            self._state(f"nothing is announced on the network: {exc or type(exc).__name__}")
            return AGAIN_S
        self.announced = voice.announced
        if not heard:
            self._state(BLOCKED)
            return AGAIN_S
        self._state("")
        self._say(logging.INFO, voice.text)
        if not is_ours:
            stack.push_async_callback(_end, asyncio.create_task(self._lent(network, name, changed), name="name"))
        return voice

    async def _told_anew(self, voice: _Voice, services: Sequence[Service]) -> bool:
        """Say these now, by the same voice. False where that fails: then all is to be said anew."""
        from zeroconf import Error

        try:
            await voice.say(services)
        except (OSError, ValueError, TimeoutError, Error):
            return False
        self.announced = voice.announced
        self._say(logging.INFO, voice.text)
        return True

    async def _free_name(self, network: Any) -> tuple[str, bool]:
        """The name of this machine on the network, and whether we say its addresses. False: somebody here does, such
        as avahi-daemon, which would take ours for another machine's where they are not its own."""
        for host in further_names(short_name(socket.gethostname())):
            name = f"{host}.local"
            addresses = await _answers(network, name)
            others = [address for address in addresses if not _is_own(address)]
            if not others:
                return name, not addresses
            self._say(logging.WARNING, f"{name} is another machine, at {', '.join(others)}")
        raise OSError("every name is taken")

    async def _lent(self, network: Any, name: str, changed: asyncio.Event) -> None:
        """Wait until nobody says the name's addresses any more: another program of this machine did, and has ended."""
        while await _answers(network, name):
            await asyncio.sleep(AGAIN_S)
        changed.set()

    async def _goodbye(self, network: Any) -> None:
        self.announced = ()
        with contextlib.suppress(TimeoutError, OSError):
            await asyncio.wait_for(network.async_close(), GOODBYE_S)

    def _state(self, trouble: str) -> None:
        self.trouble = trouble
        if trouble:
            self._say(logging.WARNING, trouble)

    def _say(self, level: int, text: str) -> None:
        """Log it, unless that was the last that was said."""
        if text != self._said:
            log.log(level, "%s", text)
            self._said = text


class _Voice:
    """What is said on some addresses, under one name. ``infos``: what of it is said, as the library has it."""

    def __init__(self, network: Any, name: str, addresses: Sequence[Address]) -> None:
        self.infos: dict[Service, Any] = {}
        self._network = network
        self._name = name
        self._addresses = addresses

    @property
    def announced(self) -> tuple[str, ...]:
        """The whole names."""
        return tuple(info.name.removesuffix(".") for info in self.infos.values())

    @property
    def text(self) -> str:
        """For the log."""
        shown = ", ".join(info.get_name() for info in self.infos.values())
        return f"on the network this machine is {self._name}; announced: {shown}"

    async def say(self, services: Sequence[Service]) -> None:
        """Say these, and take back what else was said."""
        gone = [self.infos.pop(one) for one in list(self.infos) if one not in services]
        sent = await asyncio.gather(*map(self._network.async_unregister_service, gone))
        await asyncio.gather(*sent)
        new = {one: _info(one, self._name, self._addresses) for one in services if one not in self.infos}
        sent = await asyncio.gather(
            *(self._network.async_register_service(info, allow_name_change=True) for info in new.values())
        )
        self.infos |= new
        await asyncio.gather(*sent)


async def asked(name: str, addresses: Sequence[Address]) -> bool | None:
    """Whether this name is answered over multicast at these addresses of ours; None where nobody can ask."""
    try:
        await asyncio.to_thread(__import__, "zeroconf.asyncio")
        from zeroconf.asyncio import AsyncZeroconf

        network = AsyncZeroconf(
            interfaces=[str(one) for one in addresses if one.version == 4] or [*map(str, addresses)]
        )
    except (ImportError, OSError):
        return None
    try:
        return bool(await _answers(network, name, ASKED_S))
    finally:
        await network.async_close()


def _told(addresses: Iterable[Address], services: Sequence[Service]) -> list[Address]:
    """Those of our addresses at which something listens: IPv4, and IPv6 where there is no other."""
    hosts = {service.host for service in services}
    told = [address for address in addresses if hosts & {"0.0.0.0", "::", ""} or str(address) in hosts]
    return [address for address in told if address.version == 4] or [one for one in told if "::" in hosts]


def _info(service: Service, name: str, addresses: Iterable[Address]) -> Any:
    from zeroconf.asyncio import AsyncServiceInfo

    kind = f"{service.kind}.local."
    return AsyncServiceInfo(
        kind, f"{service.name}.{kind}", service.port, properties=dict(service.says), server=f"{name}.",
        parsed_addresses=[str(address) for address in addresses],
    )  # fmt: skip


async def _answers(network: Any, name: str, wait_s: float = ASK_S) -> list[str]:
    """The addresses that somebody says this name has."""
    import zeroconf

    resolver = zeroconf.AddressResolverIPv4(f"{name}.")  # type: ignore[attr-defined]  # not in its __all__
    if not await resolver.async_request(network.zeroconf, wait_s * 1000):
        return []
    return list(resolver.parsed_addresses(zeroconf.IPVersion.V4Only))


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


async def _hears(network: Any, info: Any) -> bool:
    """Whether what we have sent to all has come back to us."""
    deadline = asyncio.get_running_loop().time() + HEAR_S
    while network.zeroconf.cache.current_entry_with_name_and_alias(info.type, info.name) is None:
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True


def _is_own(address: str) -> bool:
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((address, 0))
    except OSError:
        return False
    return True
