"""URLs that people give us, and the ones that servers send us on to (pure).

One parser from the check to the socket, so that there is no second opinion about
what the host is.
"""

import httpx

from telecine.net.errors import Refused

Url = httpx.URL
"""A parsed URL, for those who only pass it on."""

MAX_URL_LENGTH = 8000
"""Characters; signed URLs of object stores have up to about 2000."""

_PORTS = {"http": 80, "https": 443}


def parse_url(text: str) -> httpx.URL:
    """Return the URL without its fragment.

    Raises:
        Refused: not http(s), no host, a user name in it, or no URL at all.
    """
    if len(text) > MAX_URL_LENGTH:
        msg = f"a URL of more than {MAX_URL_LENGTH} characters"
        raise Refused(msg)
    try:
        url = httpx.URL(text)
        host = url.raw_host
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise Refused("not a URL") from error
    if url.scheme not in _PORTS:
        raise Refused("not an http or https URL")
    if not host:
        raise Refused("a URL without a host")
    if url.port is not None and not 1 <= url.port <= 65535:
        raise Refused("a URL with a port that does not exist")
    if url.userinfo:
        raise Refused("a URL with a user name in it")
    return url.copy_with(fragment=None)


def port_of(url: httpx.URL) -> int:
    """Return the port that a request to `url` dials."""
    return _PORTS[url.scheme] if url.port is None else url.port


def same_origin(left: httpx.URL, right: httpx.URL) -> bool:
    """Tell whether two URLs lead to the same server (RFC 6454, section 5)."""
    return (left.scheme, left.raw_host, port_of(left)) == (
        right.scheme,
        right.raw_host,
        port_of(right),
    )


def joined(url: httpx.URL, reference: str) -> httpx.URL:
    """Return what a redirect or a playlist at `url` refers to.

    Raises:
        Refused: it is what `parse_url` refuses, or leads from https to http.
    """
    try:
        text = str(url.join(reference))
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise Refused("leads to what is not a URL") from error
    target = parse_url(text)
    if url.scheme == "https" and target.scheme == "http":
        raise Refused("leads from https to http")
    return target
