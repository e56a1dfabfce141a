"""What the master playlist lists: codecs beside H.264, and what is made in time."""

from dataclasses import replace
from typing import Any, cast
from uuid import UUID

from tests.unit.pipeline import sources

from telecine.delivery import playlists
from telecine.delivery.media import AssetView, RenditionView
from telecine.formats.hls.check import check_master
from telecine.formats.hls.playlist import Master, Variant, parse
from telecine.pipeline.plan import PlanOptions, plan

PLAN = plan(
    sources.probe(sources.video(640, 360), sources.audio()),
    PlanOptions(extra_codecs=("hevc", "av1")),
)
LADDER = {"240p", "360p", "audio"}
HEVC, AV1 = {"240p-hevc", "360p-hevc"}, {"240p-av1", "360p-av1"}


def asset(names: set[str]) -> AssetView:
    views = {
        name: RenditionView(UUID(int=2), name, False, "encoded", b"", None, 100_000, 90_000)
        for name in names
    }
    return AssetView(
        id=UUID(int=1),
        project_id=UUID(int=0),
        epoch=1,
        prefix="",
        plan=PLAN,
        source=cast("Any", None),
        renditions=views,
        still_key=None,
        storyboard_key=None,
        storyboard_offsets=None,
        arrived=PLAN.segments,
    )


def variants(names: set[str], *, transport: bool = False) -> list[Variant]:
    text = playlists.master(asset(names), transport=transport)
    assert check_master(text) == []
    master = parse(text)
    assert isinstance(master, Master)
    return list(master.renditions)


def folders(names: set[str], *, transport: bool = False) -> list[str]:
    found = variants(names, transport=transport)
    return [variant.uri.partition("/")[0] for variant in found]


def test_they_follow_the_ladder_codec_by_codec() -> None:
    assert folders(LADDER | HEVC | AV1) == [
        "360p", "240p", "360p-hevc", "240p-hevc", "360p-av1", "240p-av1",
    ]  # fmt: skip
    codecs = [variant.codecs.partition(".")[0] for variant in variants(LADDER | HEVC | AV1)]
    assert codecs == ["avc1", "avc1", "hvc1", "hvc1", "av01", "av01"]
    assert {variant.audio for variant in variants(LADDER | HEVC | AV1)} == {"audio"}


def test_a_codec_is_listed_once_all_of_its_rungs_are_stored() -> None:
    assert folders(LADDER | {"240p-hevc"} | AV1) == ["360p", "240p", "360p-av1", "240p-av1"]
    assert folders(LADDER) == ["360p", "240p"]


def test_what_is_not_made_in_time_is_listed_once_it_is_stored() -> None:
    slow = replace(asset(LADDER), viewer_px_per_s=1)
    assert "360p" in playlists.master(slow)
    views = dict(slow.renditions)
    views["360p"] = replace(views["360p"], state="pending")
    early = replace(slow, renditions=views)
    for transport in (False, True):
        assert "360p" not in playlists.master(early, transport=transport)
        assert "240p" in playlists.master(early, transport=transport)
    quick = replace(early, viewer_px_per_s=10**9)
    assert "360p" in playlists.master(quick)
    assert "360p" in playlists.master(replace(early, viewer_px_per_s=None))


def test_transport_streams_have_none() -> None:
    assert folders(LADDER | HEVC | AV1, transport=True) == ["360p", "240p"]


def test_an_asset_is_complete_with_all_of_them() -> None:
    assert asset(LADDER | HEVC | AV1).complete
    assert not asset(LADDER | HEVC | {"240p-av1"}).complete
