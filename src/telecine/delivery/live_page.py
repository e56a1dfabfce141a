"""The player page of a live stream, on the air or not."""

from starlette.types import Scope

from telecine.delivery.answers import ASK_AGAIN, PRIVATE, Answer
from telecine.delivery.embed import EmbedPage, render_embed, render_missing, render_refused
from telecine.delivery.gate import SESSION, Gate
from telecine.delivery.live_cache import LiveView
from telecine.delivery.page import (
    collector_url,
    page_answer,
    page_theme,
    query_token,
    wants_ads,
)
from telecine.delivery.restrictions import for_this_viewer
from telecine.delivery.sharing import Shared
from telecine.http.services import PublicUrls


class LivePages:
    """Renders `/live/{id}`; `gate` decides on private streams."""

    def __init__(self, urls: PublicUrls, gate: Gate) -> None:
        # On one host a path is enough, and right behind any proxy.
        self._media_base = "" if urls.live == urls.embed else urls.live
        self._collector = collector_url(urls)
        self._gate = gate
        self._urls = urls

    async def render(self, scope: Scope, stream: LiveView | None, path_token: str | None) -> Answer:
        """Return the page; 404 for unknown ids and for private streams without a token."""
        if stream is None:
            return page_answer(scope, render_missing())
        if self._gate.refuses_page(scope, stream):
            return page_answer(scope, render_refused())
        folder, suffix, session_url = f"{self._media_base}/live", "", None
        private = not stream.public
        if private:
            token = path_token or query_token(scope)
            admission = await self._gate.opens_page(scope, stream, token)
            if admission is None:
                return page_answer(scope, render_missing())
            folder += f"/private/{admission.token}"
            if admission.session is None:
                url = f"{folder}/{stream.public_id}/session"
                session_url = None if admission.lasting else url
            else:
                suffix = f"?{SESSION}={admission.session}"
        poster_url = f"{folder}/{stream.public_id}/thumbnail.jpg{suffix}"
        page = EmbedPage(
            media_id=stream.public_id,
            title=stream.name,
            hls_url=f"{folder}/{stream.public_id}.m3u8{suffix}",
            poster_url=poster_url if stream.thumbnail_key else None,
            session_url=session_url,
            live=True,
            private=private,
            shared=self.shared(stream),
            theme=page_theme(self._media_base, stream.player_id, stream.theme),
            ads=wants_ads(scope),
            collector_url=self._collector,
        )
        answer = page_answer(scope, render_embed(page), PRIVATE if private else ASK_AGAIN)
        return answer if stream.access is None else for_this_viewer(answer)

    def shared(self, stream: LiveView) -> Shared | None:
        """Return what other sites may show of a live stream: None of a private one."""
        if not stream.public:
            return None
        folder = f"live/{stream.public_id}"
        return Shared.of(self._urls, folder, stream.name, stream.thumbnail_key, None)
