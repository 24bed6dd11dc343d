"""A local authority and the certificate that it signs for this machine: what ``stagebridge cert`` makes.

Needs ``cryptography``, the extra ``tls``: imported by the command alone, since a daemon needs neither. Blocks on the
disk.
"""

from __future__ import annotations

import datetime
import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .certificate import AUTHORITY, AUTHORITY_KEY, SERVER
from .errors import TlsError
from .statefolder import write_whole

AUTHORITY_DAYS = 3650
SERVER_DAYS = 397
"""Apple's devices take no certificate for longer than 398 days."""
MAX_HOSTS = 64
"""Names and addresses of one certificate."""
SLACK = datetime.timedelta(days=1)
"""Clocks are not all right: it begins before it is made."""


def make(folder: Path, hosts: Iterable[str], machine: str, now: datetime.datetime) -> bool:
    """Make a certificate in the folder for these names and addresses, and those that the one before was for: a show box
    goes from place to place. The authority is made unless it is there: True if it is new, so that devices must come to
    trust it. ``now`` has a time zone. Raises TlsError."""
    try:
        is_new = not ((folder / AUTHORITY).exists() or (folder / AUTHORITY_KEY).exists())
        if is_new:
            _make_authority(folder, machine, now)
        authority, authority_key = _read_authority(folder)
        if authority.not_valid_after_utc < now + datetime.timedelta(days=SERVER_DAYS):
            raise TlsError(f"the authority ends on {authority.not_valid_after_utc:%Y-%m-%d}: {_anew(folder)}")
        wanted = list(dict.fromkeys([*hosts, *_covered(folder)]))[:MAX_HOSTS]
        certificate, key = _make_server(wanted, authority, authority_key, now)
        pem = form.Encoding.PEM
        write_whole(folder / SERVER, _private(key) + certificate.public_bytes(pem).decode())
    except OSError as exc:
        raise TlsError(f"{exc.filename or folder}: {exc.strerror}") from exc
    return is_new


def _make_authority(folder: Path, machine: str, now: datetime.datetime) -> None:
    key = _new_key()
    # The date tells two of one machine apart in a tablet's list.
    name = _name(f"stagebridge on {machine[:30]}, {now:%Y-%m-%d}")
    usages = dict.fromkeys(_USAGES, False) | {"key_cert_sign": True, "crl_sign": True}
    certificate = (
        _builder(name, name, key, now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**usages), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_whole(folder / AUTHORITY_KEY, _private(key))
    write_whole(folder / AUTHORITY, certificate.public_bytes(form.Encoding.PEM).decode())


def _read_authority(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        certificate = x509.load_pem_x509_certificate((folder / AUTHORITY).read_bytes())
        key = form.load_pem_private_key((folder / AUTHORITY_KEY).read_bytes(), None)
    except FileNotFoundError as exc:
        raise TlsError(f"{exc.filename} is not there: put it back, or {_anew(folder)}") from exc
    except (ValueError, TypeError) as exc:
        raise TlsError(f"the authority in {folder} cannot be read ({exc}): {_anew(folder)}") from exc
    if key.public_key() != certificate.public_key():
        raise TlsError(f"{AUTHORITY_KEY} in {folder} does not belong to {AUTHORITY}: {_anew(folder)}")
    return certificate, key  # type: ignore[return-value]


def _covered(folder: Path) -> list[str]:
    """What the present certificate is for; nothing where there is none."""
    try:
        certificate = x509.load_pem_x509_certificate((folder / SERVER).read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (FileNotFoundError, ValueError, x509.ExtensionNotFound):
        return []
    return [str(name.value) for name in names]


def _make_server(
    hosts: list[str], authority: x509.Certificate, authority_key: ec.EllipticCurvePrivateKey, now: datetime.datetime
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = _new_key()
    usages = dict.fromkeys(_USAGES, False) | {"digital_signature": True}
    try:
        builder = (
            _builder(_name(hosts[0][:64]), authority.subject, key, now, SERVER_DAYS)
            .add_extension(x509.SubjectAlternativeName([_alternative(host) for host in hosts]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**usages), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
        )
    except ValueError as exc:
        raise TlsError(f"a name cannot stand in a certificate: {exc}") from exc
    return builder.sign(authority_key, hashes.SHA256()), key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SLACK)
        .not_valid_after(now - SLACK + datetime.timedelta(days=days))
    )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        if not _DNS_NAME.fullmatch(host):
            raise ValueError(f"{host!r} is none") from None
        return x509.DNSName(host)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())  # which every tablet knows


def _private(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()).decode()


def _anew(folder: Path) -> str:
    return f"delete {folder} for a new one, which every device must come to trust again"


_DNS_NAME = re.compile(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?")
_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip
