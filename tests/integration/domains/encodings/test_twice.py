"""Jobs run at least once: whatever runs again changes nothing."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from telecine.db.engine import Database
from telecine.domains.encodings.handlers.audio import encode_audio_span
from telecine.domains.encodings.handlers.bench import Bench
from telecine.domains.encodings.handlers.probe import probe_asset
from telecine.domains.encodings.jobs import EncodeAudio, ProbeAsset
from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import Runner
from telecine.pipeline.probe import Prober
from telecine.storage.spool import Spool
from telecine.storage.store import Store
from tests.fixtures.media import X264, make_barcode
from tests.integration.domains.encodings.cinema import planned

pytestmark = pytest.mark.anyio

ROWS = {
    "asset": "state, epoch, prefix, chunks, next_chunk, summary::text",
    "rendition": "id, name, state, pieces, pieces_stored, md5(init)",
    "run": "rendition_id, first_piece, object_key, offsets",
    "event": "id, type, payload::text",
    "procrastinate_jobs": "id, task_name, priority, args::text",
}


async def everything(bench: Bench) -> dict[str, Any]:
    """Return all that jobs leave behind, but for how long their steps took."""
    found: dict[str, Any] = {}
    async with bench.db.transaction() as tx:
        for table, columns in ROWS.items():
            rows = await tx.execute(text(f"SELECT {columns} FROM {table} ORDER BY 1, 2"))
            found[table] = [tuple(row) for row in rows]
    found["objects"] = sorted([entry.key async for entry in bench.store.list("")])
    return found


async def test_probe_and_sound_run_twice(db: Database, store: Store, tmp_path: Path) -> None:
    runner = Runner(find_ffmpeg(None), "required")
    prober = Prober(runner)
    bench = Bench(db=db, store=store, runner=runner, prober=prober, spool=Spool(tmp_path / "spool"))
    mp3 = ("-c:a", "libmp3lame", "-b:a", "96k", "-ac", "2")  # cannot be copied
    _, view = await planned(
        bench, make_barcode("mp3.mp4", *X264, *mp3, width_px=640, height_px=360)
    )
    assert not view.renditions["audio"].passthrough

    probed = await everything(bench)
    await probe_asset(bench, ProbeAsset(asset_id=view.id))
    assert await everything(bench) == probed

    await encode_audio_span(bench, EncodeAudio(asset_id=view.id, span=0))
    once = await everything(bench)
    assert once["run"] != probed["run"]
    await encode_audio_span(bench, EncodeAudio(asset_id=view.id, span=0))
    assert await everything(bench) == once
    await prober.close()
