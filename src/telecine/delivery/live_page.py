"""The player page of a live stream, on the air or not."""

from collections.abc import Callable

from starlette.types import Scope

from telecine.delivery.answers import Answer
from telecine.delivery.embed import EmbedPage, render_embed, render_missing
from telecine.delivery.live_cache import LiveView
from telecine.delivery.page import page_answer, query_token, wants_ads
from telecine.http.services import PublicUrls


class LivePages:
    """Renders `/live/{id}`. `opens` tells whether a token opens a private stream."""

    def __init__(self, urls: PublicUrls, opens: Callable[[str, str], bool]) -> None:
        # On one host a path is enough, and right behind any proxy.
        self._media_base = "" if urls.live == urls.embed else urls.live
        self._opens = opens

    async def render(self, scope: Scope, stream: LiveView | None, path_token: str | None) -> Answer:
        """Return the page; 404 for unknown ids and for private streams without a token."""
        if stream is None:
            return page_answer(render_missing())
        token = path_token or query_token(scope)
        private = not stream.public
        if private and not (token and self._opens(token, stream.public_id)):
            return page_answer(render_missing())
        folder = f"{self._media_base}/live" + (f"/private/{token}" if private else "")
        page = EmbedPage(
            media_id=stream.public_id,
            title=stream.name,
            hls_url=f"{folder}/{stream.public_id}.m3u8",
            poster_url=(
                f"{folder}/{stream.public_id}/thumbnail.jpg" if stream.thumbnail_key else None
            ),
            live=True,
            private=private,
            ads=wants_ads(scope),
        )
        return page_answer(render_embed(page), b"private, no-store" if private else None)
