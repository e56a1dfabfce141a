"""The player page of a video, whatever state the video is in."""

import json
from urllib.parse import parse_qs

from starlette.responses import Response
from starlette.types import Scope

from telecine.delivery import answers, logos
from telecine.delivery.answers import ASK_AGAIN, NEVER, PRIVATE, Answer
from telecine.delivery.embed import (
    EmbedPage,
    PageCaption,
    PageTheme,
    render_embed,
    render_missing,
    render_refused,
)
from telecine.delivery.gate import SESSION, Gate
from telecine.delivery.media import Media
from telecine.delivery.restrictions import for_this_viewer
from telecine.delivery.sharing import Shared
from telecine.domains.players.queries import ShownTheme
from telecine.http.services import PublicUrls


class PlayerPages:
    """Renders `/vod/{id}`; `gate` decides on private videos."""

    def __init__(self, urls: PublicUrls, gate: Gate) -> None:
        # On one host a path is enough, and right behind any proxy.
        self._media_base = "" if urls.vod == urls.embed else urls.vod
        self._collector = collector_url(urls)
        self._urls = urls
        self._gate = gate

    async def render(self, scope: Scope, media: Media | None, path_token: str | None) -> Answer:
        """Return the page; 404 for unknown ids and for private videos without a token."""
        if media is None:
            return page_answer(scope, render_missing())
        if self._gate.refuses_page(scope, media.video):
            return page_answer(scope, render_refused())
        public_id, private = media.video.public_id, not media.video.public
        folder, suffix, session_url = f"{self._media_base}/vod/{public_id}", "", None
        if private:
            token = path_token or query_token(scope)
            admission = await self._gate.opens_page(scope, media.video, token)
            if admission is None:
                return page_answer(scope, render_missing())
            folder += f"/token/{admission.token}"
            if admission.session is None:
                session_url = None if admission.lasting else f"{folder}/session"
            else:
                suffix = f"?{SESSION}={admission.session}"
        pictures = media.asset is not None and media.asset.plan.renditions
        mp4 = pictures and media.video.mp4_support
        page = EmbedPage(
            media_id=public_id,
            title=media.video.title,
            description=media.video.description,
            hls_url=f"{folder}/hls/manifest.m3u8{suffix}",
            poster_url=f"{folder}/thumbnail.jpg{suffix}" if media.thumbnail_key else None,
            mp4_url=f"{folder}/mp4/source.mp4{suffix}" if mp4 else None,
            storyboard_url=f"{folder}/storyboard.vtt{suffix}" if pictures else None,
            private=private,
            shared=self.shared(media),
            session_url=session_url,
            panoramic=media.video.panoramic,
            theme=page_theme(self._media_base, media.video.player_id, media.theme),
            ads=wants_ads(scope),
            collector_url=self._collector,
            captions=[
                PageCaption(track.language, track.label, url, track.default)
                for track in media.captions
                for url in [f"{folder}/captions/{track.language}.vtt{suffix}"]
            ],
            chapters={
                track.language: f"{folder}/chapters/{track.language}.vtt{suffix}"
                for track in media.chapters
            },
        )
        answer = page_answer(scope, render_embed(page), PRIVATE if private else ASK_AGAIN)
        return answer if media.video.access is None else for_this_viewer(answer)

    def shared(self, media: Media) -> Shared | None:
        """Return what other sites may show of a video: None of a private one."""
        if not media.video.public:
            return None
        renditions = () if media.asset is None else media.asset.plan.renditions
        size_px = (renditions[-1].width_px, renditions[-1].height_px) if renditions else None
        folder, title = f"vod/{media.video.public_id}", media.video.title
        return Shared.of(self._urls, folder, title, media.thumbnail_key, size_px)

    def descriptor(self, media: Media, token: str | None) -> str:
        """Return `player.json`: what old players of apps read in place of a page."""
        public_id = media.video.public_id
        folder = f"{self._urls.vod}/vod/{public_id}"
        if not media.video.public:
            folder += f"/token/{token}"
        pictures = media.asset is not None and media.asset.plan.renditions
        mp4 = pictures and media.video.mp4_support
        told = {
            "id": public_id,
            "title": media.video.title,
            "description": media.video.description,
            "video": {
                "poster": f"{folder}/thumbnail.jpg" if media.thumbnail_key else None,
                "src": f"{folder}/hls/manifest.m3u8",
                "mp4": f"{folder}/mp4/source.mp4" if mp4 else None,
            },
            "panoramic": media.video.panoramic,
            "chapters": {
                track.language: f"{folder}/chapters/{track.language}.vtt"
                for track in media.chapters
            },
        }
        return json.dumps(told, ensure_ascii=False)


def page_theme(media_base: str, player_id: str | None, theme: ShownTheme | None) -> PageTheme:
    """Return the look of a page that names a theme: the defaults if that is gone."""
    if theme is None or player_id is None:
        return PageTheme()
    logo_url = None
    if theme.logo_tag is not None:
        logo_url = f"{media_base}{logos.path(player_id, theme.logo_tag)}"
    return PageTheme(choices=theme.choices, logo_url=logo_url, logo_link=theme.logo_link)


def collector_url(urls: PublicUrls) -> str:
    """Return where a page tells what its viewer does: on one host a path is enough."""
    return ("" if urls.collector == urls.embed else urls.collector) + "/watch"


def wants_ads(scope: Scope) -> bool:
    """Tell whether a page was asked for as one with advertisements (`web/player`)."""
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return "ads" in query


def query_token(scope: Scope) -> str | None:
    """Return the token of a private media that a page's URL has."""
    found = parse_qs(scope["query_string"].decode("latin-1")).get("token")
    return found[0] if found else None


def page_answer(scope: Scope, response: Response, cache_control: bytes = NEVER) -> Answer:
    """Return a page as the answer of a delivery; what it says of a fault is never kept."""
    own = {b"content-length", b"content-type", b"x-content-type-options"}
    headers = [(name, value) for name, value in response.raw_headers if name not in own]
    kind, body = response.headers["content-type"].encode(), bytes(response.body)
    if response.status_code == 200:
        return answers.text(scope, kind, body, cache_control, *headers)
    return Answer(response.status_code, kind, [body], NEVER, headers=tuple(headers))
