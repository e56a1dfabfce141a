from dataclasses import replace
from uuid import UUID

from telecine.domains.accounts.access import Access
from telecine.domains.videos.delivered import DeliveredVideo

VIDEO = DeliveredVideo(
    id=UUID(int=1),
    project_id=UUID(int=2),
    public_id="vi1",
    title="",
    description="",
    public=True,
    panoramic=False,
    mp4_support=True,
    player_id=None,
    thumbnail_key=None,
    hls_format=None,
    access=None,
)


def test_only_what_is_for_everybody_is_unrestricted() -> None:
    assert VIDEO.unrestricted
    assert not replace(VIDEO, public=False).unrestricted
    lists = Access.of({"allowed_referrers": ["shop.example"]})
    assert not replace(VIDEO, access=lists).unrestricted
