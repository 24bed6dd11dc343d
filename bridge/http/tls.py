"""HTTPS beside HTTP: the same application behind a second port, and the authority's certificate for devices.

Nothing that is wrong with it touches HTTP: it is a state that is said, and tried again. A renewed certificate is taken
up while it runs. Certificates themselves are in ``certificate`` and ``authority``, connections in ``door``.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import errno
import logging
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from bridge import net
from bridge.certificate import FOLDER, SERVER, Certificate, TlsSettings, authority_der, load
from bridge.errors import TlsError
from bridge.listening import bound, taken
from bridge.log import OncePer
from bridge.statefolder import NO_FOLDER
from bridge.tasks import running

from .door import Door

log = logging.getLogger(__name__)

PATH = "/stagebridge/https"
LOOK_S = 1.0
"""How often everything is looked at: the certificate's files, the machine's addresses, what could not be opened."""
SOON_S = 21 * 86400.0
"""A certificate that ends within this time should be renewed."""
FIRST_TRY_S = 1.0
"""How long a start waits for it."""
CERT_TYPE = "application/x-x509-ca-cert"
"""What iOS and Android take for an authority to be installed, as PEM or DER."""
OFF = "off"


Stamp = tuple[tuple[int, int, int] | None, ...]


class Https:
    """The second port. ``state`` is the folder for what outlives a run; ``publish(text)`` is called with each state;
    ``addresses()`` are this machine's now."""

    def __init__(
        self,
        settings: TlsSettings | None,
        host: str,
        state: Path | None,
        door: Door,
        publish: Callable[[str], None],
        addresses: Callable[[], Sequence[net.Address] | None],
        look_s: float = LOOK_S,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.port = 0
        """The TCP port; 0 while it is not open."""
        self.text = OFF
        """How it is, in words."""
        self.certificate: Certificate | None = None
        """What is shown to browsers; None while it is not open."""
        self._settings = settings
        self._host = host
        self._folder = None if state is None else state / FOLDER
        self._door = door
        self._publish = publish
        self._addresses = addresses
        self._look_s = look_s
        self._wall_clock = wall_clock
        self._once = OncePer(log)
        self._changed = asyncio.Event()
        self._tried = asyncio.Event()

    @property
    def is_wanted(self) -> bool:
        """True if there is an ``[http.tls]``."""
        return self._settings is not None

    def change(self, settings: TlsSettings | None) -> None:
        """Go on with other settings; who is connected stays."""
        if settings != self._settings:
            self._settings = settings
            self._changed.set()

    def urls(self) -> list[str]:
        """Addresses to open in a browser that trusts it; none while it is not open."""
        certificate = self.certificate
        if certificate is None:
            return []
        hosts = net.hosts(self._host, self._addresses())
        covered = [host for host in hosts if certificate.covers(host)]
        names = [name for name in certificate.names if "*" not in name and name != "localhost"]
        return [f"https://{host}:{self.port}/" for host in covered or names]

    def health(self) -> dict[str, Any] | None:
        """For ``/healthz``; None without ``[http.tls]``."""
        if not self.is_wanted:
            return None
        until = None if self.certificate is None else self.certificate.until
        return {"state": "online" if self.port else "offline", "port": self.port, "text": self.text, "until": until}

    def routes(self) -> Sequence[web.RouteDef]:
        """Where devices fetch the authority's certificate, by plain HTTP: until they have it, there is no other way."""
        return [web.get("/ca.crt", self._authority), web.get("/ca.pem", self._authority)]

    @asynccontextmanager
    async def running(self, server: web.Server) -> AsyncIterator[None]:
        """Serve until the block ends. It begins when it has been tried once."""
        async with running(self._run(server), "https"):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._tried.wait(), FIRST_TRY_S)
            yield

    async def _authority(self, request: web.Request) -> web.StreamResponse:
        der = None if self._folder is None else await asyncio.to_thread(authority_der, self._folder)
        if der is None:
            raise web.HTTPNotFound(text="there is no local authority here: stagebridge cert makes one\n")
        body = ssl.DER_cert_to_PEM_cert(der).encode() if request.path.endswith(".pem") else der
        return web.Response(body=body, content_type=CERT_TYPE)

    # The port

    async def _run(self, server: web.Server) -> None:
        while True:
            self._changed.clear()
            settings, listener = self._settings, None
            if settings is None:
                self._say(OFF)
                self._tried.set()
                await self._changed.wait()
                continue
            stamp = await asyncio.to_thread(self._stamp, settings)
            try:
                context, said = await asyncio.to_thread(self._load, settings)
                listener = await asyncio.to_thread(self._listen, settings.port)
            except TlsError as exc:
                self._offline(str(exc))
                await self._wait()
                continue
            with listener:
                async with self._door.open(server, listener, context):
                    self.certificate, self.port = said, listener.getsockname()[1]
                    self._once.forget("down")
                    try:
                        await self._keep(settings, context, stamp)
                    finally:
                        self.certificate, self.port = None, 0

    async def _keep(self, settings: TlsSettings, context: ssl.SSLContext, stamp: Stamp) -> None:
        """Take up a renewed certificate, say what is wrong with it, and return when it must not be shown any more."""
        while True:
            assert self.certificate is not None
            self._online(settings, self.certificate, net.hosts(self._host, self._addresses()))
            await self._wait()
            if self._changed.is_set() or self._wall_clock() > self.certificate.until:
                return
            if (now := await asyncio.to_thread(self._stamp, settings)) == stamp:
                continue
            stamp = now
            try:
                _, said = await asyncio.to_thread(self._load, settings)
                # Not in a thread: a handshake that begins meanwhile would have the one's certificate and no key.
                context.load_cert_chain(*self._files(settings, is_there=True))
            except (TlsError, OSError) as exc:
                self._once.warning(("renewed", str(exc)), "https: the new certificate is not taken up: %s", exc)
            else:
                self.certificate = said
                self._once.info(("renewed", said.until), "https: a new certificate, until %s", _date(said.until))

    def _load(self, settings: TlsSettings) -> tuple[ssl.SSLContext, Certificate]:
        return load(*self._files(settings))

    async def _wait(self) -> None:
        self._tried.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), self._look_s)

    def _files(self, settings: TlsSettings, is_there: bool = False) -> tuple[Path, Path]:
        """The certificate's file and the key's. Raises TlsError where nobody has made them yet. Reads the disk,
        unless it is known that they are there."""
        if settings.certificate is not None:
            return settings.certificate, settings.key or settings.certificate
        if self._folder is None:
            raise TlsError(f"stagebridge cert cannot keep a certificate: {NO_FOLDER}")
        file = self._folder / SERVER
        if not is_there and not file.exists():
            raise TlsError(f"there is no certificate yet ({file}): stagebridge cert makes one")
        return file, file

    def _stamp(self, settings: TlsSettings) -> Stamp:
        """What is another one when a file is."""
        found: list[tuple[int, int, int] | None] = []
        with contextlib.suppress(TlsError):
            for file in self._files(settings):
                try:
                    status = file.stat()
                except OSError:
                    found.append(None)
                else:
                    found.append((status.st_ino, status.st_mtime_ns, status.st_size))
        return tuple(found)

    def _listen(self, port: int) -> socket.socket:
        """Raises TlsError. Reads the kernel's tables."""
        try:
            return bound(self._host, port)
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:
                raise TlsError(f"TCP port {taken(port)}: [http.tls] port = … chooses another") from exc
            raise TlsError(f"cannot listen on {self._host}:{port}: {os.strerror(exc.errno or 0).lower()}") from exc

    # What is said

    def _online(self, settings: TlsSettings, certificate: Certificate, hosts: Sequence[str]) -> None:
        remedy = "stagebridge cert" if settings.certificate is None else "renew it"
        text = f"online: TCP {self.port}, certificate until {_date(certificate.until)}"
        troubles = []
        missing = [host for host in hosts if not certificate.covers(host)]
        if missing and settings.certificate is None:
            troubles.append(f"the certificate does not cover {', '.join(missing)}: {remedy}")
        if certificate.until - self._wall_clock() < SOON_S:
            troubles.append(f"the certificate ends on {_date(certificate.until)}: {remedy}")
        for trouble in troubles:
            self._once.warning(trouble, "https: %s", trouble)
        self._say("; ".join([text, *troubles]))

    def _offline(self, why: str) -> None:
        self._once.warning(("down", why), "https: %s; HTTP goes on without", why)
        self._say(f"offline: {why}")

    def _say(self, text: str) -> None:
        if text != self.text:
            self.text = text
            self._publish(text)


def _date(at: float) -> str:
    return datetime.datetime.fromtimestamp(at).astimezone().date().isoformat()
