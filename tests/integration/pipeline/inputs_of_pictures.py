"""Sources whose pictures are of every kind: colours, depths, shapes, codecs."""

from fractions import Fraction

from tests.integration.pipeline.inputs import QUIET, X264, X265, Input, other

BT2020 = "colorprim=bt2020:colormatrix=bt2020nc"
VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "30")
AV1 = ("-c:v", "libsvtav1", "-preset", "12", "-g", "30", "-vf", "format=yuv420p")
MPEG2 = ("-c:v", "mpeg2video", "-b:v", "3M", "-g", "15", "-bf", "2")
FIELDS = "tinterlace=interleave_top:vlpf,fieldorder=tff,format=yuv420p"
PRORES = ("-c:v", "prores_ks")
OPUS = ("-c:a", "libopus")

ENCODED = {"passed": (False, True)}  # the pictures; the sound is copied


def hdr(transfer: str, full_or_tv: str = "tv") -> tuple[str, ...]:
    """SDR pictures, carried in an HDR signal: diffuse white is at 203 cd/m²."""
    return ("-vf", ("format=gbrp,setparams=range=pc:colorspace=gbr:color_primaries=bt709:"
            "color_trc=bt709,zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt2020,"
            f"zscale=t={transfer}:m=bt2020nc:r={full_or_tv}:npl=203,"
            "format=yuv420p10le"))  # fmt: skip


def x265(*more: str, tags: str = QUIET) -> tuple[str, ...]:
    return (*X265, "-x265-params", tags, *more)


def shape(*filters: str) -> tuple[str, ...]:
    return ("-vf", ",".join((*filters, "format=yuv420p")))


# fmt: off
PICTURES = (
    # colours and depths
    Input(name="hdr10.mp4", video=x265(*hdr("smpte2084"), "-tag:v", "hvc1",
          tags=f"{QUIET}:{BT2020}:transfer=smpte2084"),
          codecs=("hevc", "aac"), passed=(False, True), colours=12),
    Input(name="hlg.mp4", video=x265(*hdr("arib-std-b67"),
          tags=f"{QUIET}:{BT2020}:transfer=arib-std-b67"),
          codecs=("hevc", "aac"), passed=(False, True), colours=12),
    other("pq.webm", video=(*VP9, *hdr("smpte2084"), "-color_primaries", "bt2020",
          "-color_trc", "smpte2084", "-colorspace", "bt2020nc"), audio=OPUS,
          codecs=("vp9", "opus"), colours=12),
    other("hdr-full.mkv", video=x265(*hdr("smpte2084", "pc"),
          tags=f"{QUIET}:{BT2020}:transfer=smpte2084:range=full"),
          codecs=("hevc", "aac"), colours=12),
    Input(name="ten-bits.mp4", video=(*X264, "-pix_fmt", "yuv420p10le"), passed=(False, True)),
    other("ten-bits.mkv", video=x265("-pix_fmt", "yuv420p10le"), codecs=("hevc", "aac")),
    Input(name="chroma-422.mp4", video=(*X264, "-pix_fmt", "yuv422p"), passed=(False, True)),
    Input(name="chroma-444.mp4", video=(*X264, "-pix_fmt", "yuv444p"), passed=(False, True)),
    Input(name="full-range.mp4", video=(*X264, "-vf", "scale=out_range=pc",
          "-pix_fmt", "yuvj420p")),
    Input(name="bt709.mp4", video=(*X264, *shape("scale=out_color_matrix=bt709:out_range=tv"),
          "-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709")),
    other("rgb.mkv", video=("-c:v", "libx264rgb", "-preset", "ultrafast", "-g", "30")),
    Input(name="grey.mp4", video=(*X264, "-pix_fmt", "gray"), colours=256, passed=(False, True)),
    # shapes
    Input(name="turned-90.mp4", copied=(("-display_rotation", "90"), ()), shown_px=(180, 320),
          upright=("transpose=clock",), passed=(False, True)),
    Input(name="turned-180.mp4", copied=(("-display_rotation", "180"), ()),
          upright=("hflip", "vflip"), passed=(False, True)),
    other("turned-270.mkv", copied=(("-display_rotation", "270"), ()), shown_px=(180, 320),
          upright=("transpose=cclock",)),
    Input(name="mirrored.mp4", copied=(("-display_hflip",), ()), upright=("hflip",),
          passed=(False, True)),
    Input(name="upside-down.mov", copied=(("-display_vflip",), ()), upright=("vflip",),
          passed=(False, True)),
    Input(name="mirrored-90.mp4", video=x265(*shape(), "-tag:v", "hvc1"),
          copied=(("-display_rotation", "90", "-display_hflip"), ()), shown_px=(180, 320),
          upright=("hflip", "transpose=clock"), codecs=("hevc", "aac"), passed=(False, True)),
    other("mirrored.mkv", copied=(("-display_hflip",), ()), upright=("hflip",)),
    Input(name="portrait.mp4", size_px=(180, 320)),
    Input(name="anamorphic.mp4", video=(*X264, *shape("setsar=4/3")), shown_px=(427, 180)),
    other("anamorphic.mkv", video=(*X264, *shape("setsar=4/3")), shown_px=(427, 180)),
    Input(name="odd.mp4", size_px=(321, 181), video=(*X264, "-pix_fmt", "yuv444p"),
          passed=(False, True)),
    other("odd.webm", size_px=(321, 181), video=(*VP9, *shape()), audio=OPUS,
          codecs=("vp9", "opus")),
    # fields (combed where they move, which costs more than its rate allows)
    Input(name="interlaced.mp4", video=(*X264, "-vf", FIELDS, "-flags", "+ildct+ilme",
          "-x264-params", "tff=1"), rate=Fraction(15), shown=tuple(range(45)), legible=False,
          colours=20, near=(95, 0.995), passed=(False, True)),
    other("interlaced.ts", video=(*MPEG2, "-vf", FIELDS, "-flags", "+ildct+ilme"),
          audio=("-c:a", "mp2"), rate=Fraction(15), shown=tuple(range(45)), legible=False,
          colours=20, near=(95, 0.995), codecs=("mpeg2video", "mp2")),
    # codecs
    Input(name="hevc.mp4", video=x265(*shape(), "-tag:v", "hvc1"), codecs=("hevc", "aac"),
          passed=(False, True)),
    other("hevc.ts", video=x265(*shape()), codecs=("hevc", "aac")),
    other("vp8.webm", video=("-c:v", "libvpx", *VP9[2:]), audio=("-c:a", "libvorbis"),
          codecs=("vp8", "vorbis")),
    other("vp9.webm", video=(*VP9, *shape()), audio=OPUS, codecs=("vp9", "opus")),
    other("av1.webm", video=AV1, audio=OPUS, codecs=("av1", "opus")),
    Input(name="av1.mp4", video=AV1, audio=OPUS, codecs=("av1", "opus"), passed=(False, False)),
    Input(name="prores.mov", video=(*PRORES, "-profile:v", "2"), audio=("-c:a", "pcm_s16le"),
          codecs=("prores", "pcm_s16le"), passed=(False, False)),
    Input(name="prores-4444.mov", video=(*PRORES, "-profile:v", "4", "-pix_fmt", "yuva444p10le"),
          audio=("-c:a", "pcm_s24le"), codecs=("prores", "pcm_s24le"), passed=(False, False)),
    other("xvid.avi", video=("-c:v", "mpeg4", "-q:v", "3", "-bf", "2", "-g", "30"),
          audio=("-c:a", "libmp3lame"), codecs=("mpeg4", "mp3"), slack=1),
    other("sorenson.flv", video=("-c:v", "flv", "-q:v", "3", "-g", "30"),
          audio=("-c:a", "libmp3lame", "-ar", "44100"), codecs=("flv1", "mp3")),
    other("dvd.mpg", size_px=(320, 240), video=(*MPEG2, *shape("setdar=16/9")),
          audio=("-c:a", "ac3", "-ac", "2"), shown_px=(427, 240), codecs=("mpeg2video", "ac3")),
    other("windows.wmv", video=("-c:v", "wmv2", "-q:v", "3", "-g", "30"),
          audio=("-c:a", "wmav2"), codecs=("wmv2", "wmav2")),
    other("theora.ogv", video=("-c:v", "libtheora", "-q:v", "8", "-g", "30"),
          audio=("-c:a", "libvorbis"), codecs=("theora", "vorbis")),
    other("moving.gif", video=("-vf", "fps=10,split[a][b];[a]palettegen[p];[b][p]paletteuse"),
          audio=(), codecs=("gif", None), beeps_s=(), rate=Fraction(10),
          shown=tuple(range(1, 90, 3)), colours=20),
)
# fmt: on
