"""What other sites learn of a public media: cards of its page, and oEmbed (oembed.com)."""

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from html import escape
from io import BytesIO
from urllib.parse import parse_qsl, quote, urlsplit

from PIL import Image
from starlette.types import Receive, Scope, Send

from telecine.delivery import answers
from telecine.delivery.answers import Answer
from telecine.http.services import PublicUrls
from telecine.problems import Problem, bad_request, invalid_attribute, not_found, problem
from telecine.storage.store import ObjectMissing, Store

PATH = "/oembed"

_PAGE = re.compile(r"(?:/(?:vod|live))?/(?P<id>(?:vi|li)[0-9A-Za-z]{1,64})/?")
_USUAL_PX = 1280, 720
_CACHE = b"public, max-age=60"


@dataclass(frozen=True, slots=True)
class Shared:
    """A public media as others show it; all URLs are absolute."""

    title: str
    page_url: str
    oembed_url: str
    poster_url: str | None
    poster_key: str | None
    width_px: int
    height_px: int

    @classmethod
    def of(
        cls,
        urls: PublicUrls,
        folder: str,
        title: str,
        poster_key: str | None,
        size_px: tuple[int, int] | None,
    ) -> "Shared":
        """Describe the media below `folder`, such as `vod/vi1`. `size_px`: None if unknown."""
        page_url = f"{urls.embed}/{folder}"
        media = urls.live if folder.startswith("live") else urls.vod
        width_px, height_px = size_px or _USUAL_PX
        return cls(
            title=title,
            page_url=page_url,
            oembed_url=f"{urls.embed}{PATH}?url={quote(page_url, safe='')}",
            poster_url=f"{media}/{folder}/thumbnail.jpg" if poster_key else None,
            poster_key=poster_key,
            width_px=width_px,
            height_px=height_px,
        )

    def fitting(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Return the size at which the player fits a place, never above the video's own."""
        scale = min(1, width_px / self.width_px, height_px / self.height_px)
        return max(1, round(self.width_px * scale)), max(1, round(self.height_px * scale))


Finder = Callable[[str], Awaitable[Shared | None]]
"""Returns the public media with a public id, None if there is none."""


class OEmbed:
    """Answers `/oembed`; `find` looks media up."""

    def __init__(self, find: Finder, store: Store, urls: PublicUrls) -> None:
        self._find = find
        self._store = store
        self._hosts = {urlsplit(base).netloc for base in (urls.embed, urls.vod, urls.live)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request for PATH."""
        del receive
        try:
            answer = await self._answer(scope)
        except Problem as error:
            answer = answers.refusal(error)
        await answers.send_answer(scope, send, self._store, answer)

    async def _answer(self, scope: Scope) -> Answer:
        if scope["method"] not in ("GET", "HEAD"):
            raise problem(405, "method-not-allowed", "Method is not allowed for this route.")
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        if query.get("format", "json") != "json":
            raise problem(501, "format-not-supported", "Only JSON is supported.", "format")
        width_px, height_px = (
            _pixels(query, name, usual)
            for name, usual in zip(("maxwidth", "maxheight"), _USUAL_PX, strict=True)
        )
        shared = await self._shared(query.get("url"))
        body = await self._document(shared, *shared.fitting(width_px, height_px))
        return answers.text(scope, b"application/json", json.dumps(body), _CACHE)

    async def _shared(self, url: str | None) -> Shared:
        try:
            parts = urlsplit(url or "")
        except ValueError:
            parts = urlsplit("")
        if not parts.netloc:
            raise bad_request([invalid_attribute("url", "This value must be a page's URL.")])
        found = _PAGE.fullmatch(parts.path) if parts.netloc in self._hosts else None
        shared = None if found is None else await self._find(found["id"])
        if shared is None:
            raise not_found("url")
        return shared

    async def _document(self, shared: Shared, width_px: int, height_px: int) -> dict[str, object]:
        frame = (
            f'<iframe src="{escape(shared.page_url)}" width="{width_px}" height="{height_px}" '
            'frameborder="0" scrolling="no" allow="autoplay; fullscreen; picture-in-picture" '
            "allowfullscreen></iframe>"
        )
        document: dict[str, object] = {
            "type": "video",
            "version": "1.0",
            "title": shared.title,
            "provider_name": "Telecine",
            "provider_url": shared.page_url.removesuffix(urlsplit(shared.page_url).path),
            "width": width_px,
            "height": height_px,
            "html": frame,
        }
        size = await self._picture_size(shared.poster_key)
        if size is not None:
            document["thumbnail_url"] = shared.poster_url
            document["thumbnail_width"], document["thumbnail_height"] = size
        return document

    async def _picture_size(self, key: str | None) -> tuple[int, int] | None:
        """Return width and height; only the head of the file is looked at."""
        if key is None:
            return None
        try:
            with Image.open(BytesIO(await self._store.read(key))) as picture:
                return picture.size
        except ObjectMissing:
            return None


def _pixels(query: dict[str, str], name: str, usual: int) -> int:
    text = query.get(name)
    if text is None:
        return usual
    if not re.fullmatch("[1-9][0-9]{0,5}", text):
        raise bad_request([invalid_attribute(name, "This value must be a number of pixels.")])
    return int(text)
