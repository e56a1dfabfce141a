"""Pictures at a time asked for: out of the source, or out of what is encoded of it."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from telecine import ids
from telecine.db.engine import Database
from telecine.domains.encodings.handlers import still
from telecine.domains.encodings.handlers.bench import Bench
from telecine.domains.encodings.handlers.ladder import encode_chunk
from telecine.domains.encodings.handlers.still import take_still
from telecine.domains.encodings.jobs import EncodeChunk, TakeStill
from telecine.domains.encodings.models import Asset
from telecine.domains.encodings.queries import steps_of
from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import Runner
from telecine.pipeline.probe import Prober
from telecine.storage.local import LocalStore
from telecine.storage.spool import Spool
from tests.fixtures.media import barcode_mp4, read_numbers
from tests.integration.domains.encodings.cinema import Cinema, Connect, front, planned

pytestmark = pytest.mark.anyio


async def test_long_decodes_are_saved_where_pieces_are_stored(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner, store = Runner(find_ffmpeg(None), "required"), LocalStore(tmp_path / "store")
    prober = Prober(runner)
    bench = Bench(db=db, store=store, runner=runner, prober=prober, spool=Spool(tmp_path / "spool"))
    _, asset = await planned(bench, barcode_mp4(width_px=640, height_px=360, keyframe_interval=150))
    monkeypatch.setattr(still, "_CHEAP_PIXELS", 640 * 360 * 15)
    monkeypatch.setattr(still, "_QUICK_PIXELS", 640 * 360 * 30)

    async def taken(at_ms: int) -> tuple[int, str]:
        await take_still(bench, TakeStill(asset_id=asset.id, at_ms=at_ms))
        async with db.transaction() as tx:
            (step,) = [row for row in await steps_of(tx, asset.id) if row.name == "thumbnail"]
        (picture,) = [entry.key async for entry in store.list(f"{asset.prefix}still-")]
        with Image.open(BytesIO(await store.read(picture))) as image:
            assert image.size == (640, 360)
            (number,) = read_numbers(np.asarray(image.convert("L"))[np.newaxis])
        return number, step.detail["from"]

    assert await taken(2050) == (61, "source")  # nothing is encoded yet
    await encode_chunk(bench, EncodeChunk(asset_id=asset.id, chunk=0))
    assert await taken(2050) == (61, "rendition")
    assert await taken(4999) == (149, "rendition")
    assert await taken(900) == (27, "source")  # near its key frame
    # A piece that is as wide as the picture will be costs less than half as much.
    monkeypatch.setattr(still, "MAX_WIDTH_PX", 426)
    assert await taken(900) == (27, "rendition")
    assert await taken(400) == (12, "source")
    await prober.close()


async def test_one_that_was_just_replaced_is_the_new_one(cinema: Cinema) -> None:
    """Whoever asks before the process has heard of it gets neither half a picture nor none."""
    bench, asset = cinema.bench, cinema.asset
    async with front(cinema) as connect:
        await take_still(bench, TakeStill(asset_id=asset.id, at_ms=0))
        before = await picture(connect, cinema)
        async with bench.db.transaction() as tx:
            row = await tx.get_one(Asset, asset.id)
            old, new = row.still_key, f"{asset.prefix}still-{ids.nonce()}.jpg"
            assert old is not None
            await bench.store.put(new, (await bench.store.read(old))[:-1])
            row.still_key = new  # nobody is told
        await bench.store.delete([old])
        assert await picture(connect, cinema) == before[:-1]


async def picture(connect: Connect, cinema: Cinema) -> bytes:
    client = await connect()
    client.send(
        f"GET /vod/{cinema.video_id}/thumbnail.jpg HTTP/1.1\r\nhost: x\r\n"
        "connection: close\r\n\r\n".encode()
    )
    head, _, body = (await client.until_end()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    return body
