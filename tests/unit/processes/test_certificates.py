"""Certificates of encoders' doors: made once, renewed without a restart."""

import contextlib
import os
import ssl
from pathlib import Path

import pytest

from telecine.processes.certificates import ServerTls
from telecine.processes.exits import CannotGoOn, Exit
from telecine.processes.serve import check_certificate
from telecine.settings import Settings


def of(data: Path, **values: Path) -> ServerTls:
    return ServerTls.of(Settings.model_validate({"data": data, **values}))


def shaken_hands(tls: ServerTls, trusted: Path, name: str = "localhost") -> None:
    """Let a client that trusts one certificate connect in memory. Raises ssl.SSLError."""
    context = ssl.create_default_context(cafile=str(trusted))
    ends = [ssl.MemoryBIO() for _ in range(4)]
    client = context.wrap_bio(ends[0], ends[1], server_hostname=name)
    server = tls.context.wrap_bio(ends[2], ends[3], server_side=True)
    for _ in range(4):
        for side, out, into in ((client, ends[1], ends[2]), (server, ends[3], ends[0])):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
            into.write(out.read())
    assert client.version() == "TLSv1.3"


def test_it_is_made_once_and_its_key_is_for_our_eyes_only(tmp_path: Path) -> None:
    shaken_hands(of(tmp_path), tmp_path / "rtmps.crt")
    before = (tmp_path / "rtmps.crt").read_bytes()
    of(tmp_path)
    assert (tmp_path / "rtmps.crt").read_bytes() == before
    assert (tmp_path / "rtmps.key").stat().st_mode & 0o777 == 0o600


def test_a_renewed_certificate_is_taken_over(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for each in (first, second):
        each.mkdir()
        of(each)
    certificate, key = first / "rtmps.crt", first / "rtmps.key"
    tls = of(tmp_path, rtmps_certificate=certificate, rtmps_key=key)
    (second / "rtmps.crt").replace(certificate)
    tls.look()  # half of it is there: the former goes on
    (second / "rtmps.key").replace(key)
    tls.look()
    shaken_hands(tls, certificate)


def test_files_that_do_not_belong_together_are_told(tmp_path: Path) -> None:
    of(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    of(other)
    with pytest.raises(ssl.SSLError):
        of(tmp_path, rtmps_certificate=tmp_path / "rtmps.crt", rtmps_key=other / "rtmps.key")
    with pytest.raises(ValueError, match="need each other"):
        Settings(data=tmp_path, rtmps_key=tmp_path / os.devnull)


def test_files_that_are_not_there_are_told_before_anything_starts(tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    settings = Settings.model_validate(
        {"data": tmp_path, "rtmps_certificate": missing, "rtmps_key": missing}
    )
    with pytest.raises(CannotGoOn, match="TELECINE_RTMPS_CERTIFICATE") as refused:
        check_certificate(settings)
    assert refused.value.status is Exit.SETTINGS_WRONG
