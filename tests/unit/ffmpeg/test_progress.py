from hypothesis import given
from hypothesis import strategies as st

from telecine.ffmpeg.progress import Progress, ProgressReader

WIRE = (
    b"frame=0\nfps=0.00\nbitrate=N/A\ntotal_size=N/A\nout_time_us=N/A\nprogress=continue\n"
    b"frame=75\nfps=0.00\nout_time_us=2500000\nout_time_ms=2500000\nspeed= 9.1x\nprogress=end\n"
)
BLOCKS = [
    Progress(frames=0, media_us=0, ended=False),
    Progress(frames=75, media_us=2_500_000, ended=True),
]


@given(st.lists(st.integers(1, 60)))
def test_any_split_gives_the_same_blocks(reads: list[int]) -> None:
    reader, wire, blocks = ProgressReader(), WIRE, []
    for size in [*reads, len(WIRE)]:
        blocks += reader.feed(wire[:size])
        wire = wire[size:]
    assert blocks == BLOCKS


def test_an_unfinished_block_is_not_given() -> None:
    assert ProgressReader().feed(b"frame=1\nprogress=cont") == []
