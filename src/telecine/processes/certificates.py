"""The certificate that encoders see: the operator's, or one that we signed ourselves.

Other nodes see one of its own, which only the secret of the installation makes theirs.
"""

import asyncio
import os
import socket
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from telecine import clock, ids
from telecine.live.nodes import Door
from telecine.settings import Settings

log = structlog.get_logger()

LOOK_EVERY_S = 60.0
_VALID = timedelta(days=3650)


class ServerTls:
    """What TLS of a server needs, in `context`; renewed certificates are taken over.

    Raises:
        OSError, ssl.SSLError: the files cannot be read, or do not belong together.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._certificate = certificate
        self._key = key
        self._seen = self._state()
        self.context.load_cert_chain(certificate, key)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Use the files that the settings name, or those of the data folder."""
        if settings.rtmps_certificate is not None and settings.rtmps_key is not None:
            return cls(settings.rtmps_certificate, settings.rtmps_key)
        certificate, key = settings.data / "rtmps.crt", settings.data / "rtmps.key"
        if not certificate.exists():
            public = urlsplit(settings.public_url).hostname
            names = sorted({"localhost", socket.gethostname(), public or "localhost"})
            fingerprint = _make(certificate, key, names)
            log.info("self-signed certificate made", path=str(certificate), sha256=fingerprint)
        return cls(certificate, key)

    async def renew(self) -> None:
        """Look again and again whether the files have changed."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look()

    def look(self) -> None:
        """Take over files that have changed; if they cannot be used, keep those before."""
        state = self._state()
        if state == self._seen:
            return
        self._seen = state
        try:
            self.context.load_cert_chain(self._certificate, self._key)
        except OSError as error:  # ssl.SSLError is one: half of the renewal may be missing
            log.warning("certificate not taken over", reason=str(error))
        else:
            log.info("certificate taken over", path=str(self._certificate))

    def _state(self) -> list[tuple[int, int]]:
        found = []
        for path in (self._certificate, self._key):
            try:
                told = path.stat()
                found.append((told.st_mtime_ns, told.st_ino))
            except OSError:
                found.append((0, 0))
        return found


def door_of(settings: Settings, key: bytes) -> Door:
    """Return the door for other nodes, behind a certificate that is made for it once.

    `key` is that of all nodes. Raises OSError, ssl.SSLError.
    """
    certificate, secret = settings.data / "nodes.crt", settings.data / "nodes.key"
    if not certificate.exists():
        _make(certificate, secret, [socket.gethostname()])
    return Door(key, certificate, secret)


def _make(certificate: Path, key: Path, names: list[str]) -> str:
    """Write a certificate for `names` and its key; return its SHA-256."""
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Telecine")])
    now = clock.now()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _VALID)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False
        )
        .sign(secret, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    _write(
        key,
        secret.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        0o600,
    )
    _write(certificate, made.public_bytes(pem), 0o644)
    return made.fingerprint(hashes.SHA256()).hex(":")


def _write(path: Path, data: bytes, mode: int) -> None:
    draft = path.with_name(f"{path.name}.{ids.nonce()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
