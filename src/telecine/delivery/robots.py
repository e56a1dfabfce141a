"""What robots may read: player pages and what they show, nothing of the API."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

PATH = "/robots.txt"
_RULES = """User-agent: *
Allow: /vod/
Allow: /live/
Allow: /vi
Allow: /li
Allow: /oembed
Allow: /player/
Allow: /static/
Allow: /favicon.ico
Disallow: /videos
Disallow: /live-streams
Disallow: /
"""


def routes() -> list[Route]:
    """Return the route of `robots.txt`."""
    return [Route(PATH, _respond)]


async def _respond(request: Request) -> Response:
    del request
    return PlainTextResponse(_RULES, headers={"cache-control": "public, max-age=86400"})
