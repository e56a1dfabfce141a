"""The page that plays one media in an iframe or a browser tab."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse
from starlette.routing import Route

from telecine.delivery.front_end import FrontEnd, NotBuilt
from telecine.delivery.sharing import Shared
from telecine.domains.players import themes

ENTRY = "player"

_front_end = FrontEnd()
templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
)
"""All pages of ours; whatever is put into them is escaped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageTheme:
    """The look of a page. `logo_link` is shown only if it is a web address."""

    choices: Mapping[str, Any] = field(default_factory=dict)
    logo_url: str | None = None
    logo_link: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return all members of the theme by their names in the API, and the logo."""
        logo = None
        if self.logo_url is not None:
            logo = {"src": self.logo_url, "link": _web_address(self.logo_link)}
        return {**themes.resolved(self.choices), "logo": logo}


def _web_address(text: str | None) -> str | None:
    """Return a link that a click may follow: no script, no other scheme."""
    try:
        parts = urlsplit(text or "")
    except ValueError:
        return None
    return text if parts.scheme in {"http", "https"} and parts.netloc else None


@dataclass(frozen=True, slots=True)
class PageCaption:
    """Captions that a viewer can choose; `label` is the language's name in itself."""

    language: str
    label: str
    url: str
    default: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedPage:
    """What a page says and plays. URLs are absolute, or paths on the page's host.

    `mp4_url` is None where downloading is not allowed, `storyboard_url` (202 until it is
    made) where there are no pictures.
    """

    media_id: str
    title: str
    hls_url: str
    poster_url: str | None
    mp4_url: str | None = None
    storyboard_url: str | None = None
    description: str = ""
    private: bool = False
    session_url: str | None = None
    """Where the script of a private page turns its token into a session, once."""
    live: bool = False
    panoramic: bool = False
    chapters: Mapping[str, str] = field(default_factory=dict)
    """WebVTT files of chapters by language tag."""
    ads: bool = False
    """The page asks advertisement servers, whose hosts nobody knows before."""
    collector_url: str = "/watch"
    """Where the script tells what viewers do."""
    theme: PageTheme = field(default_factory=PageTheme)
    captions: Sequence[PageCaption] = ()
    shared: Shared | None = None
    """What cards of other sites show; None: nothing, as of a private media."""

    def island(self) -> dict[str, Any]:
        """Return what the script reads (`web/player/media.ts`)."""
        return {
            "id": self.media_id,
            "title": self.title,
            "hls": self.hls_url,
            "poster": self.poster_url,
            "mp4": self.mp4_url,
            "session": self.session_url,
            "live": self.live,
            "panoramic": self.panoramic,
            "chapters": dict(self.chapters),
            "storyboard": self.storyboard_url,
            "theme": self.theme.as_json(),
            "collector": self.collector_url,
            "captions": [asdict(caption) for caption in self.captions],
        }

    def urls(self) -> list[str]:
        """Return all that the page fetches, and tells."""
        pictures = (self.poster_url, self.storyboard_url, self.theme.logo_url)
        fetched = (self.hls_url, self.mp4_url, *pictures, *self.chapters.values())
        return [url for url in (*fetched, self.collector_url) if url]


def render_embed(page: EmbedPage) -> HTMLResponse:
    """Render the player page; 503 where the front end was left out."""
    try:
        html = templates.get_template("embed.html").render(
            page=page,
            island=page.island(),
            script=_front_end.script(ENTRY),
            sheets=_front_end.sheets(ENTRY),
        )
    except NotBuilt:
        return _message(503, "No player here", "This installation was made without the front end.")
    headers = _headers(_origins(page.urls()), ads=page.ads) | {"link": _needed(page)}
    if page.private:
        # The page's address has the token in it: nobody else may learn it.
        headers |= {"referrer-policy": "strict-origin", "x-robots-tag": "noindex"}
    return HTMLResponse(html, headers=headers)


def _needed(page: EmbedPage) -> str:
    """Return a `Link` header of what the page fetches first: proxies send it as Early Hints."""
    sheets = [f"<{sheet}>; rel=preload; as=style" for sheet in _front_end.sheets(ENTRY)]
    links = [f"<{_front_end.script(ENTRY)}>; rel=modulepreload", *sheets]
    if not page.private:
        links.append(f"<{page.hls_url}>; rel=preload; as=fetch; crossorigin")
    return ", ".join(links)


def render_missing() -> HTMLResponse:
    """Render what a viewer sees under an id that is unknown or gone (404)."""
    return _message(404, "Video not found", "It does not exist or is no longer available.")


def render_refused() -> HTMLResponse:
    """Render what is shown on a site that may not show the media (403)."""
    return _message(403, "Video not available", "It cannot be watched on this site.")


def static_routes() -> list[Route]:
    """Return the routes of the page's scripts and style sheets."""
    return _front_end.routes()


def _message(status: int, heading: str, text: str) -> HTMLResponse:
    try:
        sheets = _front_end.sheets(ENTRY)
    except NotBuilt:
        sheets = []
    html = templates.get_template("message.html").render(heading=heading, text=text, sheets=sheets)
    return HTMLResponse(html, status, headers=_headers(()))


def _origins(urls: Iterable[str]) -> tuple[str, ...]:
    """Return the foreign origins that the page fetches from, each once."""
    parts = [urlsplit(url) for url in urls]
    return tuple(sorted({f"{part.scheme}://{part.netloc}" for part in parts if part.netloc}))


def _headers(origins: Iterable[str], *, ads: bool = False) -> dict[str, str]:
    # With advertisements everything may be fetched from anywhere, and run from nowhere else.
    sources = " ".join(["'self'", *(("http:", "https:") if ads else origins)])
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": sources,
        "connect-src": sources,
        # blob: is the buffer that the script fills, data: the empty file of its text tracks.
        "media-src": f"{sources} blob: data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "*",
    }
    return {
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "referrer-policy": "strict-origin-when-cross-origin",
        "x-content-type-options": "nosniff",
    }
