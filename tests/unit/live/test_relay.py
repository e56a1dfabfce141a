"""What is sent on has one timeline, whatever the encoder's clock does."""

from collections.abc import Mapping

from telecine.formats.flv.packets import audio_packets, video_packets
from telecine.live.relay import Relay, Tag

CONFIG = b"\x17\x00\x00\x00\x00config"
KEY = b"\x17\x01\x00\x00\x00key"
DELTA = b"\x27\x01\x00\x00\x00delta"
SOUND = b"\xaf\x01sound"


class Notes:
    def __init__(self) -> None:
        self.tags: list[Tag] = []
        self.described: list[Mapping[str, object]] = []

    def take(self, tag: Tag) -> None:
        self.tags.append(tag)

    def describe(self, values: Mapping[str, object]) -> None:
        self.described.append(values)


def send(relay: Relay, time_ms: int, body: bytes, *, video: bool = True) -> None:
    packets = (video_packets if video else audio_packets)(body)
    relay.hand_on(video, relay.place(video, time_ms, packets)[0], body, packets)


def test_times_go_on_after_a_jump_and_another_connection() -> None:
    relay, notes = Relay(), Notes()
    relay.add(notes)
    send(relay, 0, CONFIG)
    for time_ms in (0xFFFFFFF0, 0x10, 0x8, 90_000, 90_033):
        send(relay, time_ms, DELTA)
    relay.interrupt()
    send(relay, 0, KEY)
    times = [tag.time_ms for tag in notes.tags]
    assert times == [0, 33, 65, 98, 131, 164, 197]
    assert [tag.key for tag in notes.tags] == [False] * 6 + [True]


def test_sound_has_its_place_beside_the_pictures() -> None:
    relay = Relay()
    send(relay, 0, CONFIG)
    notes = Notes()
    relay.add(notes)
    send(relay, 990, SOUND, video=False)  # before the first picture
    for time_ms in (1000, 1040):
        send(relay, time_ms, DELTA)
    for time_ms in (1020, 6000):
        send(relay, time_ms, SOUND, video=False)
    send(relay, 1080, DELTA)
    assert [tag.time_ms for tag in notes.tags] == [33, 43, 83, 63, 5043, 123]


def test_who_comes_late_learns_the_newest_configurations() -> None:
    relay = Relay()
    relay.describe({"width": 1})
    send(relay, 0, CONFIG + b"1")
    send(relay, 0, CONFIG + b"2")
    send(relay, 0, b"\xaf\x00\x11\x90", video=False)
    assert [tag.body for tag in relay.greeting()] == [CONFIG + b"2", b"\xaf\x00\x11\x90"]
    assert relay.metadata == {"width": 1}
    assert relay.has_video
    assert relay.enhanced is None


def test_who_has_left_is_told_nothing() -> None:
    relay, notes = Relay(), Notes()
    relay.add(notes)
    send(relay, 0, b"\x90hvc1record")
    relay.remove(notes)
    send(relay, 0, SOUND, video=False)
    relay.describe({})
    assert len(notes.tags) == 1
    assert notes.described == []
    assert relay.enhanced == "hvc1"


def test_further_tracks_have_their_place_beside_the_first() -> None:
    relay, notes = Relay(), Notes()
    send(relay, 0, CONFIG)
    relay.add(notes)
    further = b"\x96\x03avc1\x01picture"  # multitrack, one track, number 1, a key frame
    for time_ms, body in ((1000, KEY), (990, further), (1040, DELTA), (1030, further)):
        send(relay, time_ms, body)
    assert [tag.time_ms for tag in notes.tags] == [33, 23, 73, 63]
    assert [tag.key for tag in notes.tags] == [True, False, False, False]
