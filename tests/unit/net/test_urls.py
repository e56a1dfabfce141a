import httpx
import pytest

from telecine.net.errors import Refused
from telecine.net.urls import joined, parse_url, port_of, same_origin


@pytest.mark.parametrize(
    "text",
    [
        "", "example.com/a.mp4", "//example.com/a.mp4", "/a.mp4", "file:///etc/passwd",
        "ftp://example.com/a", "gopher://example.com", "unix:///run/x.sock", "data:,x",
        "javascript:1", "http://", "http:///a.mp4", "https:example.com", "http://user@example.com/",
        "http://user:pass@example.com/", "http://:p@example.com/", "http://example.com:99999/",
        "http://example.com:0/", "http://example.com:x/", "http://exa mple.com:80:80/",
        "http://[::1", "http://a\nb/", "http://a/\x00", "http+unix://%2Frun%2Fx/", "http://xn--a\udc80/",
        "http://example.com/" + "a" * 9000,
    ],
)  # fmt: skip
def test_odd_urls_are_refused(text: str) -> None:
    with pytest.raises(Refused):
        parse_url(text)


def test_the_host_is_the_one_that_is_dialled() -> None:
    assert parse_url("http://evil.example/@127.0.0.1/").host == "evil.example"
    assert parse_url("http://127.0.0.1#@evil.example/").host == "127.0.0.1"
    assert parse_url("http://127.0.0.1?@evil.example/").host == "127.0.0.1"
    assert parse_url("HTTP://Example.COM:80/a?b=c#d") == httpx.URL("http://example.com/a?b=c")
    assert parse_url("https://bücher.example/a").raw_host == b"xn--bcher-kva.example"
    with pytest.raises(Refused):
        parse_url("http://evil.example\\@127.0.0.1/")


def test_ports_follow_the_scheme() -> None:
    assert port_of(parse_url("http://a.example")) == 80
    assert port_of(parse_url("https://a.example")) == 443
    assert port_of(parse_url("https://a.example:8443")) == 8443


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("https://a.example/x", "https://a.example:443/y", True),
        ("https://a.example", "http://a.example", False),
        ("https://a.example", "https://b.example", False),
        ("https://a.example", "https://a.example:8443", False),
    ],
)
def test_origins(left: str, right: str, *, same: bool) -> None:
    assert same_origin(parse_url(left), parse_url(right)) is same


def test_redirects_are_joined_and_checked() -> None:
    here = parse_url("https://a.example/x/y?z")
    assert str(joined(here, "../w")) == "https://a.example/w"
    assert str(joined(here, "//b.example/q")) == "https://b.example/q"
    assert str(joined(parse_url("http://a.example"), "https://b.example/")) == (
        "https://b.example/"
    )
    for location in ("http://a.example/", "file:///etc/passwd", "https://u@b.example", "http:b"):
        with pytest.raises(Refused):
            joined(here, location)
