from ipaddress import ip_address

import pytest

from telecine.net.policy import OutboundPolicy


def test_nothing_private_is_allowed_by_default() -> None:
    policy = OutboundPolicy()
    assert policy.allows(ip_address("93.184.215.14"), 443)
    assert not policy.allows(ip_address("93.184.215.14"), 25)
    assert not policy.allows(ip_address("10.1.2.3"), 443)
    assert not policy.trusts_host("localhost")


def test_an_allowed_network_is_reached_on_every_port() -> None:
    policy = OutboundPolicy.of(["10.1.0.0/16", "fd00::/8", "192.168.1.5", "[::1]"])
    assert policy.allows(ip_address("10.1.2.3"), 9000)
    assert policy.allows(ip_address("fd12::1"), 9000)
    assert policy.allows(ip_address("192.168.1.5"), 9000)
    assert policy.allows(ip_address("::1"), 9000)
    assert not policy.allows(ip_address("10.2.0.1"), 443)
    assert not policy.allows(ip_address("192.168.1.6"), 443)


def test_a_mapped_address_is_not_in_the_network_that_it_maps() -> None:
    policy = OutboundPolicy.of(["10.0.0.0/8"])
    assert not policy.allows(ip_address("::ffff:10.0.0.1"), 443)


@pytest.mark.parametrize(
    ("entry", "host", "trusted"),
    [
        ("nas.lan", "nas.lan", True),
        ("NAS.lan", "nas.LAN.", True),
        ("nas.lan", "evil-nas.lan", False),
        ("nas.lan", "x.nas.lan", False),
        ("*.lan", "nas.lan", True),
        (".lan", "a.b.lan", True),
        ("*.lan", "lan", False),
        ("*.lan", "evillan", False),
        ("minio", "minio", True),
    ],
)
def test_hosts_are_trusted_by_name(entry: str, host: str, *, trusted: bool) -> None:
    assert OutboundPolicy.of([entry]).trusts_host(host) is trusted


@pytest.mark.parametrize(
    "entry", ["", "*", ".", "10.0.0.1/8", "10.0.0", "10.0.0.0/33", "a b", "http://nas", "nas:80"]
)
def test_what_is_neither_network_nor_host_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        OutboundPolicy.of([entry])


@pytest.mark.parametrize("proxy", ["proxy:3128", "socks5://proxy:1080", "http://", "http://p/x"])
def test_a_proxy_is_an_http_url(proxy: str) -> None:
    with pytest.raises(ValueError, match=r"http://proxy\.lan:3128"):
        OutboundPolicy.of([], proxy=proxy)


def test_a_policy_does_not_show_the_password_of_its_proxy() -> None:
    policy = OutboundPolicy.of([], proxy="http://me:hunter2@proxy.lan:3128")
    assert "hunter2" not in repr(policy)
