"""H.264 encoders in hardware: what each is told so that it does what x264 does.

Quality below a cap, key frames (IDR) where they are forced and nowhere else, no B-frames,
since nothing is known of what each makes of them before a forced key frame. Whether one does
all that is tried before it is used: see `trial`.
"""

from telecine.formats.codecs.h264_levels import level_idc
from telecine.pipeline.encoders import Encoder, cap
from telecine.pipeline.model import VideoRendition

_GIB = 1 << 30
_RENDER_NODE = "/dev/dri/renderD128"

_NO_KEY_FRAMES = ("-g", "9999", "-bf", "0")


def _shape(rendition: VideoRendition) -> list[str]:
    # By number: the encoders do not agree on the names of levels.
    level = str(level_idc(rendition.level))
    return ["-profile:v", rendition.profile, "-level", level, *_NO_KEY_FRAMES]


def _vaapi(rendition: VideoRendition) -> list[str]:
    return [
        "-c:v", "h264_vaapi",
        *_shape(rendition),
        # Constant quality that the rate bounds; not every driver has it.
        "-rc_mode", "QVBR",
        "-global_quality", str(round(rendition.crf)),
        "-b:v", str(rendition.max_rate_bps),
        *cap(rendition),
        # Every key frame is an IDR picture.
        "-idr_interval", "0",
        # Nothing that names the driver or its settings.
        "-sei", "0",
    ]  # fmt: skip


def _nvenc(rendition: VideoRendition) -> list[str]:
    return [
        "-c:v", "h264_nvenc",
        *_shape(rendition),
        "-preset", "p4",
        "-tune", "hq",
        "-rc", "vbr",
        "-cq", f"{rendition.crf:g}",
        "-b:v", "0",
        *cap(rendition),
        "-forced-idr", "1",
        "-no-scenecut", "1",
        "-extra_sei", "0",
    ]  # fmt: skip


def _videotoolbox(rendition: VideoRendition) -> list[str]:
    return [
        "-c:v", "h264_videotoolbox",
        *_shape(rendition),
        # From 0 to 100, more is better.
        "-q:v", str(round(100 - 2 * rendition.crf)),
        *cap(rendition),
        # Software under another name is nothing that was asked for.
        "-allow_sw", "0",
        "-realtime", "0",
        "-a53cc", "0",
    ]  # fmt: skip


HARDWARE = {
    "vaapi": Encoder(
        name="vaapi",
        settings=_vaapi,
        before_input=("-init_hw_device", f"vaapi=gpu:{_RENDER_NODE}", "-filter_hw_device", "gpu"),
        upload="format=nv12,hwupload",
        devices=(_RENDER_NODE,),
        address_space_bytes=8 * _GIB,
    ),
    "nvenc": Encoder(
        name="nvenc",
        settings=_nvenc,
        devices=("/dev/nvidiactl", "/dev/nvidia0", "/dev/nvidia-uvm"),
        # One address space with the card: as much as is there, used or not.
        address_space_bytes=1024 * _GIB,
    ),
    "videotoolbox": Encoder(
        name="videotoolbox",
        settings=_videotoolbox,
        least_level=30,
        address_space_bytes=8 * _GIB,
    ),
}
"""By the word of the setting."""
