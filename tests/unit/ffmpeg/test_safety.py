from telecine.ffmpeg.safety import DEMUXERS, INPUT_FLAGS


def test_no_demuxer_opens_other_files() -> None:
    assert not {"hls", "applehttp", "dash", "concat", "image2", "tee", "sdp", "imf"} & {*DEMUXERS}


def test_the_only_protocol_is_the_descriptor() -> None:
    flags = dict(zip(INPUT_FLAGS[1::2], INPUT_FLAGS[2::2], strict=True))
    assert INPUT_FLAGS[0] == "-nostdin"
    assert flags == {
        "-protocol_whitelist": "fd",
        "-format_whitelist": ",".join(DEMUXERS),
        "-max_pixels": "35389440",
        "-max_streams": "32",
    }
