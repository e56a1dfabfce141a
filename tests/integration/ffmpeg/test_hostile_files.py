"""Files that name other files or places: nothing of it is opened."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from telecine.ffmpeg.errors import MediaError
from telecine.ffmpeg.runner import Runner, input_url, output_url
from telecine.ffmpeg.safety import INPUT_FLAGS
from tests.fixtures.media import make_clip
from tests.integration.ffmpeg.conftest import LIMITS, Loopback

pytestmark = pytest.mark.anyio


def playlist(uri: str) -> bytes:
    return (
        "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-TARGETDURATION:10\n"
        f"#EXTINF:10.0,\n{uri}\n#EXT-X-ENDLIST\n"
    ).encode()


def manifest(uri: str) -> bytes:
    return f"""<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT10S"
 minBufferTime="PT2S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period>
<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1" width="64" height="36"
 codecs="avc1.64001f"><BaseURL>{uri}</BaseURL><SegmentBase indexRange="0-1"/></Representation>
</AdaptationSet></Period></MPD>""".encode()


def png(width_px: int, height_px: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    picture = b"IDAT" + zlib.compress(bytes(100))
    chunks = [header, picture, b"IEND"]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in chunks
    )


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "playlist of a local file": lambda _: playlist("file:///etc/passwd"),
    "playlist of a local path": lambda _: playlist("/etc/passwd"),
    "playlist of a request": lambda port: playlist(f"http://127.0.0.1:{port}/internal.ts"),
    "playlist of both": lambda port: playlist(
        f"concat:http://127.0.0.1:{port}/x|subfile,,start,0,end,9,,:/etc/passwd"
    ),
    "list of files": lambda _: b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    "list of requests": lambda port: (
        f"ffconcat version 1.0\nfile 'http://127.0.0.1:{port}/'\n".encode()
    ),
    "manifest of a local file": lambda _: manifest("file:///etc/passwd"),
    "manifest of a request": lambda port: manifest(f"http://127.0.0.1:{port}/x.mp4"),
    "session description": lambda port: (
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        f"m=video {port} RTP/AVP 96\n"
        "a=rtpmap:96 H264/90000\n"
    ).encode(),
    "huge picture": lambda _: png(60_000, 60_000),
    "nothing": lambda _: b"",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("policy", ["required", "off"])
async def test_nothing_is_opened(
    name: str, policy: str, ffmpeg_path: Path, loopback: Loopback, tmp_path: Path
) -> None:
    """Without the sandbox too: the options alone suffice, and so does each layer."""
    hostile = tmp_path / "upload.mp4"
    hostile.write_bytes(HOSTILE[name](loopback.port))
    got = bytearray()
    runner = Runner(ffmpeg_path, "off" if policy == "off" else "required")
    with pytest.raises(MediaError):
        await runner.run(
            ["-v", "error", *INPUT_FLAGS, *input_url(), "-c", "copy", "-f", "data", output_url(0)],
            limits=LIMITS, input_file=hostile, outputs=[got.extend],
        )  # fmt: skip
    assert not got
    assert loopback.visits() == 0


async def test_the_sandbox_stops_what_the_options_would_let_pass(
    ffmpeg_path: Path, loopback: Loopback, tmp_path: Path
) -> None:
    """The list that the web advises makes the request, so the listener can count one."""
    hostile = tmp_path / "upload.m3u8"
    hostile.write_bytes(playlist(f"http://127.0.0.1:{loopback.port}/internal.ts"))
    careless = ["-v", "error", "-rw_timeout", "200000",
                "-protocol_whitelist", "file,fd,http,tcp", "-f", "hls"]  # fmt: skip
    await anyio.run_process(
        [str(ffmpeg_path), *careless, "-i", str(hostile), "-f", "null", "-"], check=False
    )
    assert loopback.visits() > 0
    with pytest.raises(MediaError):
        await Runner(ffmpeg_path, "required").run(
            [*careless, *input_url(), "-f", "null", "-"], limits=LIMITS, input_file=hostile
        )
    assert loopback.visits() == 0


async def test_a_picture_beyond_8k_is_refused(runner: Runner) -> None:
    clip = make_clip(
        "beyond-8k.mp4", "-f", "lavfi", "-i", "color=s=8192x8192:d=0.04:r=25",
        "-c:v", "libx264", "-preset", "ultrafast",
    )  # fmt: skip
    with pytest.raises(MediaError):
        await runner.run(
            ["-v", "error", *INPUT_FLAGS, *input_url(), "-f", "null", "-"],
            limits=LIMITS, input_file=clip,
        )  # fmt: skip
