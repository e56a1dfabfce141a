"""What the first chunk of a video teaches the rest."""

from pathlib import Path

import pytest

from telecine.db.engine import Database
from telecine.domains.encodings.handlers.bench import Bench, stored_piece
from telecine.domains.encodings.handlers.ladder import encode_chunk
from telecine.domains.encodings.jobs import EncodeChunk
from telecine.domains.encodings.models import Asset
from telecine.domains.encodings.queries import renditions_of, steps_of
from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import Runner
from telecine.pipeline.probe import Prober
from telecine.storage.spool import Spool
from telecine.storage.store import Store
from tests.fixtures.media import barcode_mp4, frame_numbers
from tests.integration.domains.encodings.cinema import FRAMES, planned

pytestmark = pytest.mark.anyio


async def test_easy_content_is_encoded_better_from_the_second_chunk_on(
    db: Database, store: Store, tmp_path: Path
) -> None:
    runner = Runner(find_ffmpeg(None), "required")
    prober = Prober(runner)
    bench = Bench(db=db, store=store, runner=runner, prober=prober, spool=Spool(tmp_path / "spool"))
    _, view = await planned(bench, barcode_mp4(frames=FRAMES, width_px=640, height_px=360))
    for _ in range(2):  # twice changes nothing
        await encode_chunk(bench, EncodeChunk(asset_id=view.id, chunk=0))
    await encode_chunk(bench, EncodeChunk(asset_id=view.id, chunk=1))
    async with db.transaction() as tx:
        asset = await tx.get(Asset, view.id)
        rows = {row.name: row for row in await renditions_of(tx, view.id)}
        steps = {row.name: row.detail for row in await steps_of(tx, view.id)}
    assert asset is not None
    row = rows["240p"]
    assert steps["chunk 0"]["crf"] == {"240p": 22.0}
    assert row.crf == 22.0
    assert rows["360p"].crf is None  # copied
    # Players do not see the change: one init segment, every picture.
    pieces = [await stored_piece(bench, asset, row, n) or b"" for n in range(view.plan.pieces)]
    assert frame_numbers((row.init or b"") + b"".join(pieces)) == list(range(FRAMES))
    await prober.close()
