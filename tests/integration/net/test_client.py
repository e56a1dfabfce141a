"""The client on real sockets of this machine."""

import asyncio
import ssl
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from telecine import clock
from telecine.net.client import Limits, OutboundClient, Reply
from telecine.net.errors import Refused, TooMuch, TooSlow, Unreachable
from telecine.net.policy import OutboundPolicy
from tests.fixtures.origin import Answer, Asked, File, serving

pytestmark = pytest.mark.anyio

LIMITS = Limits(total_s=30, body_bytes=10_000_000)
HERE = OutboundPolicy.of(["127.0.0.0/8"])


async def loopback(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


def here(trust: ssl.SSLContext | None = None) -> OutboundClient:
    return OutboundClient(HERE, resolver=loopback, trust=trust)


async def fetch(client: OutboundClient, url: str, **headers: str) -> bytes:
    async with client.stream("GET", url, limits=LIMITS, headers=headers) as reply:
        assert reply.status == 200
        return await reply.read()


async def test_a_body_comes_as_it_was_sent() -> None:
    data = bytes(range(256)) * 10_000
    async with serving(File(data)) as origin, here() as client:
        assert await fetch(client, origin.url("/a.mp4?x=%2F&y")) == data
        (asked,) = origin.asked
        assert asked.target == "/a.mp4?x=%2F&y"
        assert asked.headers["host"] == f"127.0.0.1:{origin.port}"
        assert asked.headers["accept-encoding"] == "identity"
        assert asked.headers["user-agent"].startswith("Telecine/")


async def test_loopback_is_not_reached_unless_it_is_allowed() -> None:
    async with serving(File(b"secret")) as origin, OutboundClient(OutboundPolicy()) as client:
        for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "[::ffff:7f00:1]"):
            with pytest.raises((Refused, Unreachable)):
                await fetch(client, origin.url(host=host))
        assert origin.asked == []


async def test_the_body_of_a_request_arrives() -> None:
    async with serving(lambda asked: Answer(201, asked.body[::-1])) as origin, here() as client:
        url = origin.url("/hook")
        async with client.stream("POST", url, limits=LIMITS, content=b"event") as reply:
            assert (reply.status, await reply.read()) == (201, b"tneve")


async def test_redirects_of_other_methods_are_replies() -> None:
    moved = Answer(307, headers={"Location": "/elsewhere"})
    async with serving(lambda _: moved) as origin, here() as client:
        async with client.stream("POST", origin.url(), limits=LIMITS, content=b"x") as reply:
            assert reply.status == 307
        assert len(origin.asked) == 1


async def test_authorisation_stays_at_its_origin() -> None:
    async with serving(File(b"there")) as other:

        def moves(asked: Asked) -> Answer:
            target = "/near" if asked.target == "/" else other.url("/far")
            return Answer(302, headers={"Location": target, "Set-Cookie": "a=b"})

        async with serving(moves) as origin, here() as client:
            given = {"Authorization": "Bearer x", "Cookie": "c=d", "X-Kept": "1"}
            assert await fetch(client, origin.url(), **given) == b"there"
        first, second = origin.asked
        assert (first.target, second.target) == ("/", "/near")
        assert second.headers["authorization"] == "Bearer x"
        assert second.headers["cookie"] == "c=d"
        (last,) = other.asked
        assert last.headers["x-kept"] == "1"
        assert not {"authorization", "cookie"} & last.headers.keys()


async def test_a_connection_that_breaks_off_is_noticed() -> None:
    async with serving(File(bytes(100_000), cut_after=50_000)) as origin, here() as client:
        with pytest.raises(Unreachable):
            await fetch(client, origin.url())


async def test_nobody_listens() -> None:
    async with serving(File(b"")) as origin:
        port = origin.port
    async with here() as client:
        with pytest.raises(Unreachable):
            await fetch(client, f"http://media.example:{port}/")


async def test_the_total_time_is_bounded_while_bytes_drip() -> None:
    answer = Answer(200, bytes(10), cut_after=5, hold=asyncio.Event())
    limits = Limits(total_s=0.3, body_bytes=10)
    async with serving(lambda _: answer) as origin, here() as client:
        with pytest.raises(TooSlow, match="not done within"):
            async with client.stream("GET", origin.url(), limits=limits) as reply:
                await reply.read()


async def test_a_single_wait_is_bounded() -> None:
    answer = Answer(200, bytes(10), cut_after=5, hold=asyncio.Event())
    limits = Limits(total_s=60, body_bytes=10, idle_s=0.2)
    async with serving(lambda _: answer) as origin, here() as client:
        with pytest.raises(TooSlow, match="does not answer"):
            async with client.stream("GET", origin.url(), limits=limits) as reply:
                await reply.read()


async def test_a_slow_sender_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telecine.net.client._PACE_WINDOW_S", 0.0)
    limits = Limits(total_s=60, body_bytes=1000, slowest_bps=1 << 60)
    async with serving(File(bytes(1000))) as origin, here() as client:
        with pytest.raises(TooSlow, match="bit/s"):
            async with client.stream("GET", origin.url(), limits=limits) as reply:
                await reply.read()


async def test_a_reply_may_be_left_half_read() -> None:
    async with serving(File(bytes(5_000_000))) as origin, here() as client:
        async with client.stream("GET", origin.url(), limits=LIMITS) as reply:
            await first_chunk(reply)
        assert await fetch(client, origin.url()) == bytes(5_000_000)


async def first_chunk(reply: Reply) -> bytes:
    async for data in reply.chunks():
        return data
    raise AssertionError("no body")


async def test_chunks_without_a_length_are_counted() -> None:
    body = b"".join(b"1000\r\n" + bytes(0x1000) + b"\r\n" for _ in range(100))
    answer = Answer(200, body, {"Transfer-Encoding": "chunked"})
    limits = Limits(total_s=30, body_bytes=len(body) + 1)
    smaller = Limits(total_s=30, body_bytes=100_000)
    async with serving(lambda _: answer) as origin, here() as client:
        with pytest.raises(TooMuch):
            async with client.stream("GET", origin.url(), limits=smaller) as reply:
                await reply.read()
        with pytest.raises(Unreachable):  # the last chunk never comes
            async with client.stream("GET", origin.url(), limits=limits) as reply:
                await reply.read()


def certificate(folder: Path, name: str) -> Path:
    """Write a self-signed certificate of `name` with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = x509.SubjectAlternativeName([x509.DNSName(name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(clock.now() - timedelta(days=1))
        .not_valid_after(clock.now() + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


async def test_tls_checks_the_name_although_a_number_is_dialled(tmp_path: Path) -> None:
    pem = certificate(tmp_path, "media.example")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pem)
    trust = ssl.create_default_context(cafile=str(pem))
    async with serving(File(b"over TLS"), tls) as origin, here(trust) as client:
        url = origin.url(host="media.example", scheme="https")
        assert await fetch(client, url) == b"over TLS"
        assert origin.asked[0].headers["host"] == f"media.example:{origin.port}"
        for host in ("other.example", "127.0.0.1"):
            with pytest.raises(Unreachable):
                await fetch(client, origin.url(host=host, scheme="https"))
        assert len(origin.asked) == 1


async def test_certificates_of_strangers_are_refused(tmp_path: Path) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate(tmp_path, "media.example"))
    async with serving(File(b""), tls) as origin, here() as client:
        with pytest.raises(Unreachable):
            await fetch(client, origin.url(host="media.example", scheme="https"))


async def test_https_never_becomes_http(tmp_path: Path) -> None:
    pem = certificate(tmp_path, "media.example")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pem)
    trust = ssl.create_default_context(cafile=str(pem))
    async with serving(File(b"plain")) as plain:
        moved = Answer(301, headers={"Location": plain.url()})
        async with serving(lambda _: moved, tls) as origin, here(trust) as client:
            with pytest.raises(Refused, match="from https to http"):
                await fetch(client, origin.url(host="media.example", scheme="https"))
        assert plain.asked == []


async def test_a_proxy_gets_the_whole_url_and_its_password() -> None:
    async with serving(File(b"by proxy")) as proxy:
        policy = OutboundPolicy.of([], proxy=f"http://me:hunter2@127.0.0.1:{proxy.port}")
        async with OutboundClient(policy) as client:
            assert await fetch(client, "http://media.example/a?b") == b"by proxy"
        (asked,) = proxy.asked
        assert asked.target == "http://media.example/a?b"
        assert asked.headers["host"] == "media.example"
        assert asked.headers["proxy-authorization"] == "Basic bWU6aHVudGVyMg=="


async def test_a_proxy_tunnels_tls_and_may_refuse() -> None:
    async with serving(lambda _: Answer(403)) as proxy:
        policy = OutboundPolicy.of([], proxy=proxy.url())
        async with OutboundClient(policy) as client:
            with pytest.raises(Unreachable):
                await fetch(client, "https://media.example/a")
        (asked,) = proxy.asked
        assert (asked.method, asked.target) == ("CONNECT", "media.example:443")
