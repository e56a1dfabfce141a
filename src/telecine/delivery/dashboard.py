"""The page of the dashboard: one for all its addresses, its script shows what each is about."""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from telecine.delivery.embed import templates
from telecine.delivery.front_end import FrontEnd, NotBuilt
from telecine.http.services import PublicUrls

ENTRY = "dashboard"
PATH = "/dashboard"

_front_end = FrontEnd()


class _Page:
    def __init__(self, urls: PublicUrls) -> None:
        self._headers = _headers(urls)

    async def respond(self, request: Request) -> Response:
        """Answer with the page; 503 where the front end was left out."""
        del request
        try:
            html = templates.get_template("dashboard.html").render(
                script=_front_end.script(ENTRY), sheets=_front_end.sheets(ENTRY)
            )
        except NotBuilt:
            text = "This installation was made without the front end.\n"
            return PlainTextResponse(text, 503)
        return HTMLResponse(html, headers=self._headers)


def routes(urls: PublicUrls) -> list[Route]:
    """Return the routes of the page; `urls` are where its pictures and players come from."""
    respond = _Page(urls).respond
    return [Route(PATH, respond), Route(f"{PATH}/{{path:path}}", respond)]


def _headers(urls: PublicUrls) -> dict[str, str]:
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": f"'self' {_origin(urls.vod)}",
        "frame-src": f"'self' {_origin(urls.embed)}",
        # Keys go to the host that the page came from, and to nobody else.
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "cache-control": "no-cache",  # it names the scripts of this version
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "cross-origin-opener-policy": "same-origin",
        # Players ask which site they are on.
        "referrer-policy": "strict-origin",
        "x-content-type-options": "nosniff",
        "x-robots-tag": "noindex",
    }


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
