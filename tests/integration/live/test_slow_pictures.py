"""What the packager makes of pictures that stand still is a film that decodes."""

import re
import subprocess

import pytest

from telecine.formats.flv import tags
from telecine.formats.flv.packets import audio_packets, video_packets
from telecine.live.model import Init, Output, Part
from telecine.live.packager import Packager
from tests.fixtures.broadcasting import live_clip
from tests.fixtures.media import FFMPEG

STRETCH = 15  # 30 Hz becomes 2 Hz: every picture lasts longer than a part


@pytest.mark.parametrize("sounding", [True, False])
def test_a_film_of_two_pictures_a_second(sounding: bool) -> None:
    packager, outputs, sent = Packager(200), list[Output](), 0
    packager.expect(video=True, audio=sounding, size_px=(0, 0))
    for kind, time_ms, body in tags.TagReader().feed(live_clip("source.flv", 8).read_bytes()):
        if kind == tags.VIDEO and sent < 16:
            packets = video_packets(body)
            sent += bool(packets) and body[1] == 1
        elif kind == tags.AUDIO and sounding:
            packets = audio_packets(body)
        else:
            continue
        stretch = STRETCH if kind == tags.VIDEO else 1
        for packet in packets:
            outputs += packager.push(stretch * time_ms, packet, 0)
    outputs += packager.end()
    parts = [output for output in outputs if isinstance(output, Part)]
    assert max(part.duration_ms for part in parts) <= 206
    (init,) = (output for output in outputs if isinstance(output, Init))
    done = subprocess.run(
        [str(FFMPEG), "-v", "info", "-nostdin", "-i", "pipe:0", "-f", "null", "-"],
        input=init.data + b"".join(part.data for part in parts),
        capture_output=True,
        check=True,
    )
    said = done.stderr.decode()
    assert "rror" not in said, said
    assert re.findall(r"frame=\s*(\d+)", said)[-1] == str(sent)
