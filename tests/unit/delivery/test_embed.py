import json
from html.parser import HTMLParser

import pytest

from telecine.delivery import embed
from telecine.delivery.embed import EmbedPage, PageTheme, render_embed, render_missing
from telecine.delivery.front_end import ICONS, FrontEnd
from telecine.domains.players import themes

pytestmark = pytest.mark.usefixtures("front_end")


@pytest.fixture
def front_end(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A front end of two files: what is in them does not matter here."""
    folder = tmp_path_factory.mktemp("dist")
    chunk = {"name": "player", "isEntry": True, "file": "assets/p-1.js", "css": ["assets/p-1.css"]}
    (folder / "manifest.json").write_text(json.dumps({"player/main.ts": chunk}))
    monkeypatch.setattr(embed, "_front_end", FrontEnd(folder))


class Page(HTMLParser):
    """The tags of a page, and the text of its JSON island."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.island = ""
        self._inside = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = ("id", "telecine-media") in attrs

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.island += data


def rendered(**changes: str | None) -> Page:
    values = {
        "media_id": "vi1",
        "title": "One",
        "hls_url": "/vod/vi1/hls/manifest.m3u8",
        "poster_url": "/vod/vi1/thumbnail.jpg",
        "mp4_url": "/vod/vi1/mp4/source.mp4",
        **changes,
    }
    return Page(bytes(render_embed(EmbedPage(**values)).body).decode())  # type: ignore[arg-type]


def policy(page: EmbedPage) -> dict[str, str]:
    header = render_embed(page).headers["content-security-policy"]
    return {part.split()[0]: part.partition(" ")[2] for part in header.split("; ")}


HOSTILE = """</script><script>alert(1)</script>" onload="x" '&<!--"""


def test_both_pages_name_the_icon() -> None:
    missing = Page(bytes(render_missing().body).decode())
    for page in (rendered(), missing):
        icons = [found["href"] for tag, found in page.tags if found.get("rel") == "icon"]
        assert len(icons) == 1
        assert icons[0] in ICONS


def test_text_of_users_never_becomes_markup() -> None:
    page = rendered(title=HOSTILE, description=HOSTILE)
    assert json.loads(page.island)["title"] == HOSTILE
    assert [attributes for tag, attributes in page.tags if "onload" in attributes] == []
    assert [attributes.get("src") for tag, attributes in page.tags if tag == "script"] == [
        "/static/assets/p-1.js",
        None,
    ]
    descriptions = [
        attributes["content"]
        for tag, attributes in page.tags
        if tag == "meta" and attributes.get("name") == "description"
    ]
    assert descriptions == [HOSTILE]


def test_the_island_is_what_the_script_reads() -> None:
    assert json.loads(rendered(mp4_url=None, poster_url=None).island) == {
        "id": "vi1",
        "title": "One",
        "hls": "/vod/vi1/hls/manifest.m3u8",
        "poster": None,
        "mp4": None,
        "session": None,
        "live": False,
        "panoramic": False,
        "chapters": {},
        "storyboard": None,
        "theme": {**themes.DEFAULTS, "logo": None},
        "collector": "/watch",
        "captions": [],
    }


def test_nothing_runs_that_is_written_into_the_page() -> None:
    page = rendered()
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        if tag == "script":
            assert "src" in attributes or attributes["type"] == "application/json"
    assert "style" not in [tag for tag, _ in page.tags]


def test_the_policy_names_a_collector_elsewhere() -> None:
    page = EmbedPage(
        media_id="vi1",
        title="",
        hls_url="/vod/vi1/hls/m.m3u8",
        poster_url=None,
        collector_url="https://collector.example/watch",
    )
    assert policy(page)["connect-src"] == "'self' https://collector.example"


def test_the_policy_names_foreign_media_hosts_and_no_others() -> None:
    own = EmbedPage(media_id="vi1", title="", hls_url="/vod/vi1/hls/m.m3u8", poster_url=None)
    assert policy(own)["connect-src"] == "'self'"
    foreign = EmbedPage(
        media_id="vi1",
        title="",
        hls_url="https://vod.example:8443/vi1/hls/m.m3u8",
        poster_url="https://vod.example:8443/vi1/t.jpg",
    )
    rules = policy(foreign)
    assert rules["connect-src"] == "'self' https://vod.example:8443"
    assert rules["media-src"] == "'self' https://vod.example:8443 blob: data:"
    assert rules["script-src"] == "'self'"
    assert rules["default-src"] == "'none'"


def test_the_policy_names_every_host_that_the_page_fetches_from() -> None:
    page = EmbedPage(
        media_id="vi1",
        title="",
        hls_url="/m",
        poster_url=None,
        chapters={"en": "https://a.example/en.vtt"},
        storyboard_url="https://b.example/s.vtt",
        theme=PageTheme(logo_url="https://c.example/logo.png", logo_link="https://d.example"),
    )
    hosts = "'self' https://a.example https://b.example https://c.example"
    assert policy(page)["img-src"] == policy(page)["connect-src"] == hosts


def test_only_pages_with_advertisements_fetch_from_anywhere() -> None:
    page = EmbedPage(media_id="vi1", title="", hls_url="/m", poster_url=None, ads=True)
    rules = policy(page)
    assert rules["connect-src"] == "'self' http: https:"
    assert (rules["script-src"], rules["style-src"]) == ("'self'", "'self'")


def test_any_site_may_frame_the_page() -> None:
    page = EmbedPage(media_id="vi1", title="", hls_url="/m", poster_url=None)
    assert policy(page)["frame-ancestors"] == "*"
    assert "x-frame-options" not in render_embed(page).headers


def test_an_unknown_video_is_a_page_of_its_own() -> None:
    reply = render_missing()
    assert reply.status_code == 404
    assert reply.headers["content-type"].startswith("text/html")
    assert b"Video not found" in bytes(reply.body)


def test_without_a_front_end_the_page_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr(embed, "_front_end", FrontEnd(tmp_path_factory.mktemp("empty")))
    page = EmbedPage(media_id="vi1", title="", hls_url="/m", poster_url=None)
    assert render_embed(page).status_code == 503
    assert embed.static_routes() == []
    assert b"without the front end" in bytes(render_embed(page).body)
