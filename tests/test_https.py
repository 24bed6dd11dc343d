"""HTTPS beside HTTP: certificates that are good, bad, renewed; the same application behind both; its WebSocket."""

import asyncio
import datetime
import ipaddress
import json
import os
import socket
import ssl
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvloop
import websockets
from aiohttp import web

from bridge import authority
from bridge.access import Grant
from bridge.app import KINDS, Bridge
from bridge.certificate import AUTHORITY, AUTHORITY_KEY, FOLDER, SERVER, authority_der, load
from bridge.config.loading import parse
from bridge.connection import UNSENT_BYTES, _unsent
from bridge.errors import TlsError
from bridge.http.door import Door
from bridge.http.limits import HttpLimits
from bridge.refusals import Refusals

from .daemon import ROOT, Daemon
from .hellos import client_hello
from .peers import free_udp_port
from .waiting import SOON_S, eventually

LOOPS = {"uvloop": uvloop.new_event_loop}
NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
CONFIG = """
[auth]
mode = "open"

[http.tls]
port = 0

[[control]]
path = "/x"

[[control]]
repeat = 200
path = "/text/{n}"
kind = "string"
"""


def make(folder: Path, *hosts: str, now: datetime.datetime = NOW) -> bool:
    return authority.make(folder, ["localhost", "127.0.0.1", *hosts], "box", now)


def until(check: Any, what: str) -> Any:
    deadline = time.monotonic() + SOON_S
    while not (found := check()):
        assert time.monotonic() < deadline, what
        time.sleep(0.03)
    return found


# ---------------------------------------------------------------------------------- certificates


def test_what_is_made_is_what_tablets_take(tmp_path: Path) -> None:
    from cryptography import x509

    assert make(tmp_path, "box.local", "::1", "192.168.1.20")
    _, said = load(tmp_path / SERVER, tmp_path / SERVER)
    assert said.names == ("localhost", "box.local")
    assert said.addresses == {ipaddress.ip_address(each) for each in ("127.0.0.1", "::1", "192.168.1.20")}
    assert all(said.covers(host) for host in ("BOX.local", "[::1]", "192.168.1.20"))
    assert not any(said.covers(host) for host in ("box", "192.168.1.2", "x.box.local"))
    made = x509.load_pem_x509_certificate((tmp_path / SERVER).read_bytes())
    assert made.not_valid_after_utc - made.not_valid_before_utc <= 398 * DAY  # Apple, HT211025
    purpose = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [each.dotted_string for each in purpose] == ["1.3.6.1.5.5.7.3.1"]  # serverAuth
    own = x509.load_pem_x509_certificate((tmp_path / AUTHORITY).read_bytes())
    made.verify_directly_issued_by(own)
    assert own.extensions.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(True, 0)
    for name in (AUTHORITY_KEY, SERVER):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_a_second_one_is_of_the_same_authority_and_still_for_where_we_were(tmp_path: Path) -> None:
    make(tmp_path, "10.1.1.1")
    before = authority_der(tmp_path)
    assert not make(tmp_path, "10.2.2.2")
    assert authority_der(tmp_path) == before
    _, said = load(tmp_path / SERVER, tmp_path / SERVER)
    assert said.covers("10.1.1.1")
    assert said.covers("10.2.2.2")


def test_each_certificate_that_no_browser_would_take_is_named(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization as form

    def why(certificate: Path, key: Path) -> str:
        with pytest.raises(TlsError) as info:
            load(certificate, key)
        return str(info.value)

    good, other, old, early = (tmp_path / name for name in ("good", "other", "old", "early"))
    for folder, now in ((good, NOW), (other, NOW), (old, NOW - 500 * DAY), (early, NOW + 5 * DAY)):
        make(folder, now=now)
    text = (good / SERVER).read_text()
    key_alone, certificate_alone, empty = (tmp_path / name for name in ("key.pem", "certificate.pem", "empty.pem"))
    key_alone.write_text(text[: text.index("-----BEGIN CERTIFICATE")])
    certificate_alone.write_text(text[text.index("-----BEGIN CERTIFICATE") :])
    empty.write_text("")
    assert load(certificate_alone, key_alone)
    assert why(good / "none.pem", good / SERVER) == f"{good}/none.pem cannot be read: no such file or directory"
    assert why(empty, good / SERVER) == f"{empty} has no certificate in PEM"
    assert "has no private key in PEM" in why(certificate_alone, certificate_alone)
    assert "does not belong to the certificate" in why(certificate_alone, other / AUTHORITY_KEY)
    assert "certificate has expired" in why(old / SERVER, old / SERVER)
    assert "certificate is not yet valid" in why(early / SERVER, early / SERVER)
    broken = tmp_path / "broken.pem"
    broken.write_text(text.replace("M", "N"))
    assert str(broken) in why(broken, broken)
    locked = tmp_path / "locked.pem"
    secret = form.load_pem_private_key(key_alone.read_bytes(), None).private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"pass")
    )
    locked.write_bytes(secret)
    assert "is locked by a password" in why(certificate_alone, locked)


def stagebridge(tmp_path: Path, *args: str, program: str = "pass") -> subprocess.CompletedProcess[str]:
    code = f"import sys; {program}; from bridge.cli import main; sys.exit(main(sys.argv[1:]))"
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    environment.pop("STATE_DIRECTORY", None)
    command = [sys.executable, "-c", code, *args]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=20)


def test_the_command_makes_one_for_this_machine_and_says_what_it_is_for(tmp_path: Path) -> None:
    without = stagebridge(tmp_path, "cert", program="sys.modules['cryptography'] = None")
    assert without.returncode == 1
    assert without.stderr.startswith("stagebridge: cryptography is not installed: ")
    assert without.stderr.endswith(" -m pip install cryptography\n")
    assert not (tmp_path / "state").exists()
    done = stagebridge(tmp_path, "cert", "--name", "foh.example")
    assert done.returncode == 0, done.stderr
    short = socket.gethostname().lower().split(".")[0]
    said = done.stdout.splitlines()
    for name in ("foh.example", "localhost", f"{short}.local", "127.0.0.1", "::1"):
        assert f"  {name}" in said
    assert "authority (new): " in done.stdout
    assert "PRIVATE" not in done.stdout
    assert "authority: " in stagebridge(tmp_path, "cert").stdout
    bad = stagebridge(tmp_path, "cert", "--name", "a name")
    assert (bad.returncode, bad.stderr.count("\n")) == (1, 1)


# ---------------------------------------------------------------------------------- the daemon


class Secure:
    """A daemon with https, and a client that trusts its authority alone."""

    def __init__(self, daemon: Daemon, folder: Path) -> None:
        self.daemon = daemon
        self.folder = folder

    @property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.folder / AUTHORITY)

    def health(self) -> dict[str, Any]:
        found: dict[str, Any] = self.daemon.request("GET", "/healthz")[1]["https"]
        return found

    def port(self) -> int:
        return int(until(lambda: self.health()["port"], "https is not there"))

    def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any, bytes]:
        handler = urllib.request.HTTPSHandler(context=self.context)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), handler)
        request = urllib.request.Request(f"https://127.0.0.1:{self.port()}{path}", headers=headers or {})
        with opener.open(request, timeout=SOON_S) as answer:
            return answer.status, answer.headers, answer.read()

    def serial(self) -> str:
        """Of the certificate that a new connection is shown."""
        with (
            socket.create_connection(("127.0.0.1", self.port()), 5) as raw,
            self.context.wrap_socket(raw, server_hostname="localhost") as secure,
        ):
            found = secure.getpeercert()
            assert found is not None
            return str(found["serialNumber"])


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    """One that had no certificate when it was started."""
    folder = tmp_path_factory.mktemp("https")
    with Daemon.start(CONFIG, folder) as daemon:
        yield Secure(daemon, folder / "state/stagebridge" / FOLDER)


@pytest.fixture
def served(secure: Secure) -> Secure:
    """The same, with one."""
    if not (secure.folder / SERVER).exists():
        make(secure.folder)
    secure.port()
    return secure


def test_without_a_certificate_http_goes_on_and_the_way_to_one_is_said(secure: Secure) -> None:
    health = secure.daemon.request("GET", "/healthz")[1]
    assert (health["status"], health["https"]["state"]) == ("degraded", "offline")
    assert health["reasons"][0].startswith("https offline: there is no certificate yet")
    assert secure.daemon.value("/stagebridge/https").startswith("offline: there is no certificate yet (")
    assert secure.daemon.stdout.count("stagebridge cert makes one") == 1
    assert secure.daemon.request("GET", "/ca.crt")[0] == 404


def test_a_certificate_that_is_made_later_is_taken_up(secure: Secure) -> None:
    make(secure.folder)
    until(lambda: secure.daemon.value("/stagebridge/https").startswith("online: TCP "), "not online")
    assert secure.health()["until"] > time.time() + 390 * 86400


def test_the_same_pages_by_both_ways_without_redirect_or_hsts(served: Secure) -> None:
    status, headers, body = served.get("/")
    with urllib.request.urlopen(served.daemon.url, timeout=SOON_S) as plain:
        assert (plain.status, plain.url, plain.read()) == (200, served.daemon.url, body)
        assert status == 200
        assert "Strict-Transport-Security" not in headers
        assert "Strict-Transport-Security" not in plain.headers
        assert headers["Content-Security-Policy"] == plain.headers["Content-Security-Policy"]
        assert "upgrade-insecure-requests" not in headers["Content-Security-Policy"]
    assert json.loads(served.get("/healthz")[2])["status"] in ("ok", "degraded")


def test_the_authoritys_certificate_is_for_everybody_by_plain_http(served: Secure) -> None:
    for path, is_text in (("ca.crt", False), ("ca.pem", True)):
        with urllib.request.urlopen(served.daemon.url + path, timeout=SOON_S) as answer:
            assert answer.headers["Content-Type"] == "application/x-x509-ca-cert"
            found = answer.read()
        der = ssl.PEM_cert_to_DER_cert(found.decode()) if is_text else found
        assert der == authority_der(served.folder)
        assert b"PRIVATE" not in found


def test_who_does_not_trust_the_authority_gets_nothing_and_plain_http_on_that_port_neither(served: Secure) -> None:
    with (
        socket.create_connection(("127.0.0.1", served.port()), 5) as raw,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        ssl.create_default_context().wrap_socket(raw, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", served.port()), 5) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        raw.settimeout(SOON_S)
        with suppress(ConnectionResetError):
            assert b"HTTP/1.1 200" not in raw.recv(1000)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(served.folder / AUTHORITY)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", served.port()), 5) as raw, pytest.raises((ssl.SSLError, OSError)):
        old.wrap_socket(raw, server_hostname="localhost")


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_a_websocket_over_tls_says_and_hears_moves_and_foreign_pages_are_refused(served: Secure) -> None:
    url = f"wss://localhost:{await asyncio.to_thread(served.port)}/ws"
    async with websockets.connect(url, ssl=served.context, proxy=None) as one:
        await one.send('{"type": "hello", "name": "secure"}')
        assert json.loads(await one.recv())["type"] == "welcome"
        await asyncio.to_thread(served.daemon.request, "PUT", "/api/controls/x", {"value": 0.25})
        async with asyncio.timeout(SOON_S):
            while True:
                told = json.loads(await one.recv())
                if any(value == 0.25 for _, value in told.get("values", ())):
                    break
        await one.send('{"type": "set", "n": 1, "t": 1, "values": [["/x", 0.75]]}')
        async with asyncio.timeout(SOON_S):
            while json.loads(await one.recv()).get("type") != "applied":
                pass
        assert await asyncio.to_thread(served.daemon.value, "/x") == 0.75
    with pytest.raises(websockets.InvalidStatus):
        await websockets.connect(url, ssl=served.context, proxy=None, origin="https://evil.example")  # type: ignore[arg-type]


def test_a_client_over_tls_that_reads_nothing_is_kept_nothing_old_and_then_hears_the_truth(served: Secure) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as raw, ExitStack() as stack:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        raw.settimeout(SOON_S)
        raw.connect(("127.0.0.1", served.port()))
        slow = stack.enter_context(served.context.wrap_socket(raw, server_hostname="localhost"))
        slow.sendall(
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        hello = b'{"type": "hello", "name": "slow", "acks": false, "keys": "path"}'
        slow.sendall(bytes((0x81, 0x80 | len(hello), 0, 0, 0, 0)) + hello)
        for turn in range(8):
            for n in range(1, 61):
                slow.sendall(b"\x8a\x80\0\0\0\0")  # a pong: it is there, and reads nothing
                assert (
                    served.daemon.request("PUT", f"/api/controls/text/{n}", {"value": f"{turn} " + "x" * 900})[0] == 200
                )
        clients = served.daemon.request("GET", "/healthz")[1]["clients"]
        assert [client["buffered_bytes"] > 0 for client in clients if client["name"] == "slow"] == [True]
        heard = b""
        while any(f'"/text/{n}","7 '.encode() not in heard for n in range(1, 61)):
            heard += slow.recv(65536)
    assert len(heard) < 300_000  # of 430,000; of the 64 kB below TLS nothing was old
    assert heard.count(b'"/text/1",') < 8


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_what_waits_below_uvloops_tls_is_known_to_wait(tmp_path: Path) -> None:
    await asyncio.to_thread(make, tmp_path)
    context, _ = await asyncio.to_thread(load, tmp_path / SERVER, tmp_path / SERVER)
    client = ssl.create_default_context(cafile=tmp_path / AUTHORITY)
    async with _connected(context, client) as (transport, reader):
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        unsent, written = _unsent(transport), 0
        async with asyncio.timeout(SOON_S):
            while unsent():  # its session tickets
                await asyncio.sleep(0.01)
        while unsent() == 0:
            transport.write(b"x" * 1000)
            written += 1000
            await asyncio.sleep(0)
            assert written < 64 << 20
        assert transport.get_write_buffer_size() == 0  # that alone would go on for 64 kB
        await reader.readexactly(written)
        async with asyncio.timeout(SOON_S):
            while unsent():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def _connected(
    server: ssl.SSLContext, client: ssl.SSLContext
) -> AsyncIterator[tuple[asyncio.Transport, asyncio.StreamReader]]:
    loop = asyncio.get_running_loop()
    made: asyncio.Future[asyncio.Transport] = loop.create_future()

    class One(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.set_result(transport)  # type: ignore[arg-type]

    listening = await loop.create_server(One, "127.0.0.1", 0, ssl=server)
    port = listening.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, limit=4096)
    try:
        yield await made, reader
    finally:
        (await made).abort()
        writer.transport.abort()
        listening.close()
        await asyncio.sleep(0.01)


def test_a_renewed_certificate_is_shown_to_whom_comes_next_and_a_bad_one_to_nobody(served: Secure) -> None:
    before = served.serial()
    good = (served.folder / SERVER).read_bytes()
    with socket.create_connection(("127.0.0.1", served.port()), 5) as raw:
        stays = served.context.wrap_socket(raw, server_hostname="localhost")
        (served.folder / SERVER).write_text("no certificate")
        until(lambda: "the new certificate is not taken up" in served.daemon.stderr, "not said")
        assert served.serial() == before
        make(served.folder, "venue.local")
        assert (served.folder / SERVER).read_bytes() != good
        until(lambda: served.serial() != before, "not taken up")
        stays.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert stays.recv(12) == b"HTTP/1.1 200"
        stays.close()


def test_an_address_that_the_certificate_is_not_for_and_its_end_are_said(tmp_path: Path) -> None:
    folder = tmp_path / "state/stagebridge" / FOLDER
    authority.make(folder, ["localhost"], "box", NOW - 385 * DAY)
    blocker = socket.create_server(("127.0.0.1", 0))
    with blocker:
        port = blocker.getsockname()[1]
        config = (
            CONFIG.replace("port = 0", f"port = {port}")
            + f'[[osc]]\nname = "m"\nlisten = "127.0.0.1:{free_udp_port()}"\n'
        )
        with Daemon.start(config, tmp_path) as daemon:
            said = until(lambda: daemon.stderr, "nothing said")
            assert f"https: TCP port {port} is taken by " in said
            assert "HTTP goes on without" in said
            blocker.close()
            text = until(lambda: daemon.stderr.count("https:") >= 3 and daemon.stderr, "not opened")
            (tmp_path / "config.toml").write_text(config.replace(f"[http.tls]\nport = {port}", ""))
            assert daemon.request("POST", "/api/reload")[0] == 200
            until(lambda: daemon.value("/stagebridge/https") == "off", "still there")
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), 5)
    assert "https: the certificate does not cover 127.0.0.1: stagebridge cert" in text
    assert "https: the certificate ends on " in text


async def test_a_port_that_closes_cuts_off_nobody_who_arrives_at_another(tmp_path: Path) -> None:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="here")

    await asyncio.to_thread(make, tmp_path)
    context, _ = await asyncio.to_thread(load, tmp_path / SERVER, tmp_path / SERVER)
    trusted = await asyncio.to_thread(ssl.create_default_context, cafile=tmp_path / AUTHORITY)
    door, server = Door(HttpLimits(), Refusals()), web.Server(answer)
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        for listener in (first, second):
            listener.setblocking(False)
        async with door.open(server, first, context):
            reader, writer = await asyncio.open_connection(*first.getsockname())
            await eventually(lambda: door._arriving)
            async with door.open(server, second):
                pass
            await writer.start_tls(trusted, server_hostname="localhost")
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert b"here" in await reader.read()
            writer.close()
    await server.shutdown()


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_who_was_let_in_by_one_way_is_let_in_by_the_other(tmp_path: Path) -> None:
    await asyncio.to_thread(make, tmp_path / FOLDER)
    text = '[http]\nhost = "127.0.0.1"\nport = 0\n[http.tls]\nport = 0\n[auth]\nmode = "token"\n'
    trusted = await asyncio.to_thread(ssl.create_default_context, cafile=tmp_path / FOLDER / AUTHORITY)
    async with Bridge(parse(text, KINDS, tmp_path), state=tmp_path) as bridge:
        ways = [f"http://127.0.0.1:{bridge.http_port}", f"https://127.0.0.1:{bridge.https.port}"]
        for way, other in (ways, ways[::-1]):
            jar = aiohttp.CookieJar(unsafe=True)  # keeps those of addresses, as browsers do
            async with aiohttp.ClientSession(cookie_jar=jar, connector=aiohttp.TCPConnector(ssl=trusted)) as device:
                for each in ways:
                    assert (await device.get(f"{each}/api/controls")).status == 401
                code = bridge.pairing.code(Grant("control")).digits
                paired = await device.post(f"{way}/api/pair", json={"code": code, "name": "tablet"})
                assert paired.status == 200
                assert "secure" not in paired.headers["Set-Cookie"].lower()
                assert (await device.get(f"{other}/api/controls")).status == 200


# ---------------------------------------------------------------------------------- attacks


ATTACKED = CONFIG.replace("[http.tls]", "[http.limits]\nconnections = 40\nrequest_s = 1.0\n\n[http.tls]")


def test_half_handshakes_keep_nobody_out_by_either_way(tmp_path: Path) -> None:
    """More than there is room for: the oldest gives way, who plays stays."""
    make(folder := tmp_path / "state/stagebridge" / FOLDER)
    with Daemon.start(ATTACKED, tmp_path) as daemon, ExitStack() as stack:
        served = Secure(daemon, folder)
        port = served.port()
        halves = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 5)) for _ in range(60)]
        for number, half in enumerate(halves):
            with suppress(OSError):
                half.sendall((b"", b"\x16", b"\x16\x03\x01\x02\0\1\0\1\xfc\x03\x03")[number % 3])
        assert served.get("/")[0] == 200
        assert daemon.request("PUT", "/api/controls/x", {"value": 0.5})[0] == 200
        refusals = daemon.request("GET", "/healthz")[1]["refusals"]["http"]
        assert refusals["crowded_out"] >= 20
        assert len(daemon.stderr.splitlines()) < 10
        daemon.stop()  # half a handshake is not waited for
        assert "Traceback" not in daemon.stderr


@pytest.mark.alone
def test_hundreds_of_handshakes_that_begin_at_once_hold_nobody_up(tmp_path: Path) -> None:
    """By a guest that says first words and no more, with the curve that costs us most: two seconds of arithmetic."""
    make(folder := tmp_path / "state/stagebridge" / FOLDER)
    hello = client_hello("secp384r1")
    with Daemon.start(CONFIG, tmp_path) as daemon, ExitStack() as stack:
        served = Secure(daemon, folder)
        port, slowest = served.port(), 0.0
        flood = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), 5, ("127.0.0.2", 0))) for _ in range(700)
        ]
        for sock in flood:
            sock.sendall(hello)
        for step in range(1, 51):
            began = time.monotonic()
            assert daemon.request("PUT", "/api/controls/x", {"value": step / 50})[0] == 200
            slowest = max(slowest, time.monotonic() - began)
        began = time.monotonic()
        assert served.get("/")[0] == 200
        assert time.monotonic() - began < 2.0
        assert slowest < 0.3


def test_half_a_request_and_half_a_frame_over_tls_are_given_up_and_a_huge_one_refused(tmp_path: Path) -> None:
    make(folder := tmp_path / "state/stagebridge" / FOLDER)
    upgrade = (
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%b\r\n"
    )
    gigabyte = b"\x81\xff" + (1 << 30).to_bytes(8, "big") + bytes(4) + b"x" * 100
    with Daemon.start(ATTACKED, tmp_path) as daemon, ExitStack() as stack:
        served = Secure(daemon, folder)
        port, context = served.port(), served.context

        def tell(data: bytes) -> bytes:
            raw = socket.create_connection(("127.0.0.1", port), 5)
            sock = stack.enter_context(context.wrap_socket(raw, server_hostname="localhost"))
            sock.sendall(data)
            heard = b""
            with suppress(ConnectionError, ssl.SSLEOFError):
                while got := sock.recv(65536):
                    heard += got
            return heard

        assert tell(b"GET / HT") == b""
        assert b" 101 " in tell(upgrade % b"" + gigabyte)  # and then it is ended
        assert b" 403 " in tell(upgrade % b"Origin: https://evil.example\r\nContent-Length: 0\r\nConnection: close\r\n")
        assert b" 403 " in tell(b"GET / HTTP/1.1\r\nHost: rebound.example\r\nConnection: close\r\n\r\n")
        for path in (b"/%2e%2e/config.toml", b"/pages/..%2f..%2fconfig.toml"):
            assert b" 404 " in tell(b"GET %b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % path)
        wanted = {"timeout": 1, "too_large": 1, "origin": 1, "host": 1}
        until(lambda: wanted.items() <= daemon.request("GET", "/healthz")[1]["refusals"]["http"].items(), "not counted")
        assert "Traceback" not in daemon.stderr
