"""Where the client dials, with names that a test makes up and connections that it records."""

import socket
from collections.abc import Sequence

import pytest

from telecine.net.backend import GuardedBackend
from telecine.net.client import Limits, OutboundClient
from telecine.net.errors import OutboundError, Refused, TooMuch, Unreachable
from telecine.net.policy import OutboundPolicy
from telecine.net.resolve import resolve_public
from tests.unit.net.dialling import EMPTY_REPLY, Names, Recorder

pytestmark = pytest.mark.anyio

LIMITS = Limits(total_s=20, body_bytes=1000)
PUBLIC = "93.184.215.14"


async def numeric_only(host: str, port: int) -> Sequence[str]:
    """Resolve like the system does, without asking any server."""
    flags = socket.AI_NUMERICHOST
    if host in {"localhost", "localhost."}:
        return ["127.0.0.1", "::1"]
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return [str(sockaddr[0]) for *_, sockaddr in found]


async def ask(
    url: str,
    names: Names,
    recorder: Recorder,
    policy: OutboundPolicy | None = None,
    **headers: str,
) -> int:
    policy = policy or OutboundPolicy()
    async with (
        OutboundClient(policy, resolver=names, dialler=recorder) as client,
        client.stream("GET", url, limits=LIMITS, headers=headers) as reply,
    ):
        await reply.read()
        return reply.status


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "localhost.", "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001",
        "0x7f.1", "0x7F.0.0.1", "0177.0.0.1", "017700000001", "0", "0.0.0.0", "0x0", "10.0.0.1",
        "0xa000001", "012.0.0.1", "167772161", "169.254.169.254", "2852039166", "0xa9fea9fe",
        "0251.0376.0251.0376", "192.168.1.1", "192.168.257", "172.16.0.1", "100.64.0.1",
        "192.0.0.8", "3221225480", "224.0.0.1", "255.255.255.255", "198.18.0.1", "[::1]", "[::]",
        "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]",
        "[2001:db8::1]", "[2001::1]", "[::ffff:93.184.215.14]",
    ],
)  # fmt: skip
async def test_no_spelling_of_a_private_address_is_dialled(host: str) -> None:
    recorder = Recorder()
    client = OutboundClient(OutboundPolicy(), resolver=numeric_only, dialler=recorder)
    with pytest.raises(OutboundError):
        async with client, client.stream("GET", f"http://{host}/", limits=LIMITS):
            pass
    assert recorder.dialled == []


async def test_the_number_that_was_checked_is_dialled() -> None:
    names, recorder = Names([PUBLIC]), Recorder()
    assert await ask("http://media.example/a.mp4", names, recorder) == 204
    assert names.asked == [("media.example", 80)]
    assert recorder.dialled == [(PUBLIC, 80)]


@pytest.mark.parametrize(
    "answers", [["10.0.0.1"], [PUBLIC, "10.0.0.1"], ["2606:4700::1111", "::1"], ["media.example"]]
)
async def test_one_bad_answer_is_enough(answers: list[str]) -> None:
    recorder = Recorder()
    with pytest.raises(Refused):
        await ask("http://media.example/", Names(answers), recorder)
    assert recorder.dialled == []


async def test_a_name_that_changes_its_mind_gains_nothing() -> None:
    names, recorder = Names([PUBLIC], ["127.0.0.1"]), Recorder()
    assert await ask("http://rebind.example/", names, recorder) == 204
    assert recorder.dialled == [(PUBLIC, 80)]
    with pytest.raises(Refused):
        await ask("http://rebind.example/", names, recorder)
    assert recorder.dialled == [(PUBLIC, 80)]


async def test_unknown_names_are_unreachable() -> None:
    with pytest.raises(Unreachable, match="no such host"):
        await ask("http://nowhere.example/", Names([]), Recorder())


@pytest.mark.parametrize("port", [22, 25, 3306, 5432, 6379, 11211])
async def test_only_web_ports_of_public_hosts_are_dialled(port: int) -> None:
    recorder = Recorder()
    with pytest.raises(Refused, match=f"port {port}"):
        await ask(f"http://media.example:{port}/", Names([PUBLIC]), recorder)
    assert recorder.dialled == []


async def test_the_next_address_is_tried() -> None:
    names, recorder = Names(["2606:4700::1111", PUBLIC]), Recorder(dead=["2606:4700::1111"])
    assert await ask("http://media.example/", names, recorder) == 204
    assert recorder.dialled == [("2606:4700::1111", 80), (PUBLIC, 80)]


async def test_hundreds_of_addresses_are_not_tried() -> None:
    answers = [f"93.184.215.{last}" for last in range(200)]
    recorder = Recorder(dead=answers)
    with pytest.raises(Unreachable):
        await ask("http://media.example/", Names(answers), recorder)
    assert len(recorder.dialled) == 4


async def test_the_operator_may_allow_a_network() -> None:
    recorder = Recorder()
    policy = OutboundPolicy.of(["10.0.0.0/8"])
    assert await ask("http://nas.lan:9000/", Names(["10.0.0.5"]), recorder, policy) == 204
    assert recorder.dialled == [("10.0.0.5", 9000)]
    with pytest.raises(Refused):
        await ask("http://nas.lan:9000/", Names(["10.0.0.5", "192.168.0.1"]), recorder, policy)


async def test_the_operator_may_allow_a_host() -> None:
    recorder = Recorder()
    policy = OutboundPolicy.of(["*.lan"])
    assert await ask("http://nas.lan:9000/", Names(["192.168.0.1"]), recorder, policy) == 204
    assert recorder.dialled == [("192.168.0.1", 9000)]
    with pytest.raises(Refused):
        await ask("http://nas.example/", Names(["192.168.0.1"]), recorder, policy)


async def test_other_ports_can_be_asked_for() -> None:
    policy = OutboundPolicy(ports=frozenset({1935}))
    names = Names([PUBLIC])
    assert await resolve_public("live.example", 1935, policy, names) == [PUBLIC]
    with pytest.raises(Refused):
        await resolve_public("live.example", 443, policy, names)


async def test_sockets_of_this_machine_are_refused() -> None:
    backend = GuardedBackend(OutboundPolicy(), Names([PUBLIC]), Recorder())
    with pytest.raises(Refused):
        await backend.connect_unix_socket("/run/postgresql/.s.PGSQL.5432")


def redirect(location: str, status: int = 302) -> bytes:
    head = f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n"
    return f"{head}Connection: close\r\n\r\n".encode()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed(status: int) -> None:
    recorder = Recorder(redirect("http://other.example:8080/b", status), EMPTY_REPLY)
    names = Names([PUBLIC])
    assert await ask("http://media.example/a", names, recorder) == 204
    assert names.asked == [("media.example", 80), ("other.example", 8080)]


async def test_every_redirect_is_checked() -> None:
    recorder = Recorder(redirect("http://metadata.example/latest"), EMPTY_REPLY)
    with pytest.raises(Refused):
        await ask("http://media.example/a", Names([PUBLIC], ["169.254.169.254"]), recorder)
    assert recorder.dialled == [(PUBLIC, 80)]


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "http://u:p@other.example/", "http://[::1", "ftp://a/"]
)
async def test_redirects_to_odd_urls_are_refused(location: str) -> None:
    recorder = Recorder(redirect(location), EMPTY_REPLY)
    with pytest.raises(Refused):
        await ask("http://media.example/a", Names([PUBLIC]), recorder)
    assert len(recorder.dialled) == 1


async def test_redirects_come_to_an_end() -> None:
    recorder = Recorder(redirect("http://media.example/again"))
    with pytest.raises(Refused, match="5 redirects"):
        await ask("http://media.example/a", Names([PUBLIC]), recorder)
    assert len(recorder.dialled) == 6


async def test_five_redirects_are_fine() -> None:
    again = redirect("http://media.example/again")
    recorder = Recorder(*[again] * 5, EMPTY_REPLY)
    assert await ask("http://media.example/a", Names([PUBLIC]), recorder) == 204


async def test_replies_that_are_too_large_are_cut() -> None:
    announced = b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + bytes(1001)
    endless = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + bytes(2000)
    for reply in (announced, endless):
        with pytest.raises(TooMuch):
            await ask("http://media.example/", Names([PUBLIC]), Recorder(reply))


async def test_a_reply_of_the_largest_size_is_taken() -> None:
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + bytes(1000)
    assert await ask("http://media.example/", Names([PUBLIC]), Recorder(reply)) == 200


async def test_compression_that_nobody_asked_for_is_not_expanded() -> None:
    reply = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd"
    with pytest.raises(Unreachable, match="gzip"):
        await ask("http://media.example/", Names([PUBLIC]), Recorder(reply))


async def test_what_is_not_http_is_unreachable() -> None:
    with pytest.raises(Unreachable):
        await ask("http://media.example/", Names([PUBLIC]), Recorder(b"220 mail ready\r\n"))


PROXY = OutboundPolicy.of([], proxy="http://proxy.lan:3128")


async def test_a_proxy_is_dialled_by_its_own_name() -> None:
    names, recorder = Names([PUBLIC]), Recorder()
    assert await ask("http://media.example/", names, recorder, PROXY) == 204
    assert recorder.dialled == [("proxy.lan", 3128)]
    assert names.asked == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "2130706433", "0x7f.1", "127.1", "0", "[::1]", "[::ffff:10.0.0.1]",
        "localhost", "db", "printer.local", "metadata.google.internal", "x.localhost",
        "media.example:22",
    ],
)  # fmt: skip
async def test_a_proxy_is_not_asked_for_private_hosts(host: str) -> None:
    recorder = Recorder()
    with pytest.raises(Refused):
        await ask(f"http://{host}/", Names([PUBLIC]), recorder, PROXY)
    assert recorder.dialled == []


async def test_environment_variables_name_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    recorder = Recorder()
    assert await ask("http://media.example/", Names([PUBLIC]), recorder) == 204
    assert recorder.dialled == [(PUBLIC, 80)]
