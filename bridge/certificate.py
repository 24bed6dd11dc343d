"""A server's certificate and its key: read from the disk, tried, and what it says.

Only what Python's own ``ssl`` can do, so that a certificate of one's own needs nothing else. Blocks on the disk and for
some milliseconds of arithmetic. Not here: making one (``authority``), serving with it (``https``).
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from .errors import TlsError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

FOLDER = "tls"
"""In the state folder: what ``stagebridge cert`` makes."""
AUTHORITY, AUTHORITY_KEY, SERVER = "authority.pem", "authority.key", "server.pem"
"""The last has the key, too: one file is renewed at one blow."""


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """``[http.tls]``. Without ``certificate`` what ``stagebridge cert`` has made; without ``key`` it is in the same
    file."""

    port: int = 8443
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says. Times in seconds since 1970."""

    names: tuple[str, ...]
    addresses: frozenset[Address]
    until: float

    def covers(self, host: str) -> bool:
        """Whether a browser that was sent to this host takes it for the host's."""
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(host.strip("[]")) in self.addresses
        host = host.lower()
        return host in self.names or f"*.{host.partition('.')[2]}" in self.names


def load(certificate: Path, key: Path) -> tuple[ssl.SSLContext, Certificate]:
    """A server's context with this certificate, and what that says. Raises TlsError: why no browser would take it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION  # which a client could ask for without end
    _put(context, certificate, key)
    return context, _read(context, certificate)


def authority_der(folder: Path) -> bytes | None:
    """The authority's certificate, as devices take it; None where ``stagebridge cert`` has made none there."""
    try:
        return ssl.PEM_cert_to_DER_cert((folder / AUTHORITY).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _put(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    for path in dict.fromkeys((certificate, key)):
        try:
            text = path.read_bytes()
        except OSError as exc:
            raise TlsError(f"{path} cannot be read: {os.strerror(exc.errno or 0).lower()}") from exc
        if path == key and (b"ENCRYPTED PRIVATE KEY" in text or b"Proc-Type: 4,ENCRYPTED" in text):
            raise TlsError(f"{path} is locked by a password: write it without (openssl pkey -in … -out …)")
        if path == key and b"PRIVATE KEY-----" not in text:
            raise TlsError(f"{path} has no private key in PEM: key = … says where it is")
        if path == certificate and b"-----BEGIN CERTIFICATE-----" not in text:
            raise TlsError(f"{path} has no certificate in PEM")
    try:
        context.load_cert_chain(certificate, key, password=lambda: b"")  # without it, it asks the terminal
    except ssl.SSLError as exc:
        if exc.reason == "KEY_VALUES_MISMATCH":
            raise TlsError(f"the key in {key} does not belong to the certificate in {certificate}") from exc
        why = (exc.reason or "no PEM that OpenSSL reads").replace("_", " ").lower()
        raise TlsError(f"{certificate} or its key cannot be used: {why}") from exc


def _read(context: ssl.SSLContext, certificate: Path) -> Certificate:
    """What the context's certificate says, from a handshake with ourselves. Raises TlsError where that fails: as it
    would for a browser, but for who has signed it."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # it vouches for itself
    try:
        client.load_verify_locations(certificate)
        said = _handshake(context, client)
    except ssl.SSLCertVerificationError as exc:
        raise TlsError(f"the {exc.verify_message} ({certificate}; it is {_today()} here)") from exc
    except (OSError, ssl.SSLError) as exc:
        raise TlsError(f"no handshake can be made with {certificate}: {exc}") from exc
    names = said.get("subjectAltName", ())
    return Certificate(
        tuple(str(name).lower() for kind, name in names if kind == "DNS"),
        frozenset(ipaddress.ip_address(name) for kind, name in names if kind == "IP Address"),
        ssl.cert_time_to_seconds(str(said["notAfter"])),
    )


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> dict[str, tuple[tuple[str, str], ...]]:
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(up, down, server_side=True)
    theirs = client.wrap_bio(down, up)
    for _ in range(4):
        for side in (theirs, ours):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    return theirs.getpeercert() or {}  # type: ignore[return-value]


def _today() -> str:
    import datetime

    return datetime.datetime.now().astimezone().date().isoformat()
