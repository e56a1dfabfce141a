"""Cuts what an encoder sends into segments and parts: no sockets, no clocks.

Times of an encoder are milliseconds of 32 bits that may jump. Ours go on from what was
last written, so that the parts of an event make one MP4 whatever happened between.
"""

from collections.abc import Sequence
from dataclasses import replace

from telecine.formats.codecs.live_tracks import (
    TrackFormat,
    audio_format,
    belongs,
    measured,
    opus_ticks,
    video_format,
)
from telecine.formats.flv.packets import Coded, Config, Packet
from telecine.formats.mp4.multitrack import Sample
from telecine.live.fragments import init_of, part_of, split_off
from telecine.live.intake import CONFIG_WAIT_MS
from telecine.live.model import (
    LEAST_PART,
    Boundary,
    Ended,
    Init,
    Output,
    Part,
    Position,
    SegmentEnd,
    clock_step,
    first_least_ms,
    first_limit_ms,
    first_targets,
)

JUMP_MS = 2000
"""A step between neighbours above which the encoder's clock jumped, or backward."""

SEGMENT_MS = 1000
"""A key frame begins a segment if the last one has lasted so long."""

AUDIO_SEGMENT_MS = 2000
LONGEST_SEGMENT_MS = 10_000
_DRIFT_MS = 200
_MAX_EARLY = 2000
_USUAL_FRAME_MS = 33
_TICKS_MS = 120
_BEGIN = Position()

_Entry = tuple[int, Coded, int]
"""A packet between its time on the encoder's clock and when it was received."""


class Packager:
    """One rendition, sound and pictures together.

    `part_ms`: how long parts are to be; `begin`: where another one was interrupted.
    """

    def __init__(self, part_ms: int, begin: Position = _BEGIN) -> None:
        self._part_ms = part_ms
        self._targets = begin.targets
        self._told: dict[bool, Config] = {}  # what an encoder says of pictures (True) and sound
        self._video: TrackFormat | None = None
        self._audio: TrackFormat | None = None
        self._expects_video = self._expects_audio = True
        self._size_px = (0, 0)
        self.wait_ms = CONFIG_WAIT_MS  # how far the second track may be behind the first
        self._early: list[_Entry] = []
        self._running = False
        self._init, self._inits = begin.init, begin.inits
        self._msn, self._sequence = begin.msn, begin.sequence
        self._longest_part_ms = self._shortest_part_ms = 0
        self._discontinuity = begin.msn > 0
        self.begun: Boundary | None = None  # the newest segment
        self._made: list[Output] = []
        self._clock_ms: int | None = None  # the encoder's, which does not wrap around
        self._end_ms = begin.end_ms  # of all that was written, on our timeline
        self._reset_clock()

    def _reset_clock(self) -> None:
        self._running = False
        self._shift_ms = 0  # from the encoder's time to ours
        self._started_ms = 0
        self._first_offset_ms = 0
        self._last_ms: int | None = None
        self._frame_ms = _USUAL_FRAME_MS
        self._held: _Entry | None = None  # a picture whose duration the next one tells
        self._pictures: list[Sample] = []
        self._pictures_at_ms = 0
        self._sounds: list[Sample] = []
        self._sounds_at = 0
        self._next_sound: int | None = None
        self._part_length_ms = self._part_number = self._segment_ms = 0
        self._received_ms = 0
        self._early.clear()

    @property
    def formats(self) -> tuple[TrackFormat, ...]:
        """Return the tracks that are being written."""
        return tuple(each for each in (self._video, self._audio) if each is not None)

    def expect(
        self,
        *,
        video: bool,
        audio: bool,
        size_px: tuple[int, int],
        wait_ms: int = CONFIG_WAIT_MS,
    ) -> None:
        """Take what an encoder says of its tracks before it sends them.

        `wait_ms`: how far the second track may be behind the first.
        """
        self._expects_video, self._expects_audio, self._size_px = video, audio, size_px
        self.wait_ms = wait_ms

    def push(self, time_ms: int, packet: Packet, received_ms: int) -> Sequence[Output]:
        """Take a packet; return what it completes.

        Raises:
            FormatError: a codec or configuration that is not for us.
        """
        if packet.track:
            return ()  # further tracks are renditions of their own
        if isinstance(packet, Config):
            self._configure(packet)
        elif belongs(packet, self._video if packet.video else self._audio):
            last = self._clock_ms
            if last is not None:
                time_ms = last + clock_step(last, time_ms)
            self._clock_ms = time_ms
            if packet.video and packet.key:
                self._measure(packet)
            if self._running:
                self._take(time_ms, packet, received_ms)
            else:
                self._wait(time_ms, packet, received_ms)
        return self._taken() if self._made else ()

    def interrupt(self) -> Sequence[Output]:
        """Return what is held: nothing follows, or something that does not join on."""
        self._break()
        return self._taken()

    def end(self) -> Sequence[Output]:
        """End the event."""
        self._break()
        return (*self._taken(), Ended())

    def _taken(self) -> Sequence[Output]:
        """Return what was made since it was asked for last."""
        made, self._made = self._made, []
        return made

    def _break(self) -> None:
        if self._running:
            if self._held is not None:
                self._close_picture(self._held[1], self._frame_ms)
                self._cut_overhang()
            self._end_segment()
            self._discontinuity = self._msn > 0
        self._reset_clock()

    def _configure(self, packet: Config) -> None:
        if packet == self._told.get(packet.video):
            return
        if packet.video:
            found = video_format(packet.codec, packet.record, self._size_px)
        else:
            found = audio_format(packet.codec, packet.record)
        if self._running:
            self._break()
        self._told[packet.video] = packet
        if packet.video:
            self._video = found
        else:
            self._audio = found

    def _measure(self, packet: Coded) -> None:
        """Learn from a key frame how large the pictures are, which may change with it."""
        found = self._video
        if found is not None and packet.codec == found.codec:
            found = measured(found, packet.data)
        if found is not self._video:
            if self._running:
                self._break()
            self._video = found

    def _wait(self, time_ms: int, packet: Coded, received_ms: int) -> None:
        """Keep what comes until both tracks are known, or one has not come in time."""
        if packet.video:
            if self._video is None or (not packet.key and not self._has_key()):
                return
        elif self._audio is None:
            return
        self._early.append((time_ms, packet, received_ms))
        waited = abs(time_ms - self._early[0][0]) >= self.wait_ms
        ready = (self._audio is not None or not self._expects_audio or waited) and (
            self._has_key() or (self._video is None and (not self._expects_video or waited))
        )
        if not ready:
            if len(self._early) >= _MAX_EARLY or (waited and self._video is not None):
                # Sound without a key frame: what is old is of no use.
                del self._early[: max(1, len(self._early) // 2)]
            return
        early, self._early = self._early, []
        first = next((i for i, (_, each, _) in enumerate(early) if each.video), 0)
        self._start(*early[first])
        for earlier in early:
            self._take(*earlier)

    def _has_key(self) -> bool:
        return any(packet.video and packet.key for _, packet, _ in self._early)

    def _start(self, time_ms: int, packet: Coded, received_ms: int) -> None:
        self._running = True
        self._started_ms = self._end_ms
        self._shift_ms = self._end_ms - time_ms
        self._first_offset_ms = packet.offset_ms if packet.video else 0
        self._received_ms = received_ms
        data, codecs = init_of(self._video, self._audio)
        width, height = (self._video.width_px, self._video.height_px) if self._video else (0, 0)
        if data != self._init:
            self._init = data
            self._inits += 1
            self._made.append(Init(self._inits - 1, data, codecs, width, height))
        self._begin_segment(time_ms + (packet.offset_ms if packet.video else 0), packet.key)

    def _take(self, time_ms: int, packet: Coded, received_ms: int) -> None:
        lead = packet.video == (self._video is not None)
        if lead:
            before, self._last_ms = self._last_ms, time_ms
            if before is not None and not 0 <= time_ms - before <= JUMP_MS:
                self._break()
                self._wait(time_ms, packet, received_ms)
                return
        if packet.video:
            self._picture(time_ms, packet, received_ms)
        elif self._audio is not None:
            self._sound(time_ms, packet, received_ms)

    def _picture(self, time_ms: int, packet: Coded, received_ms: int) -> None:
        if self._held is not None:
            held_ms, held, held_received_ms = self._held
            length_ms = max(1, time_ms - held_ms)
            if self._segment_ms and self._segment_ms + length_ms > self._longest_segment_ms():
                # It lasts longer than was thought when it came.
                self._end_segment()
                self._received_ms = held_received_ms
                self._begin_segment(held_ms + held.offset_ms, held.key)
            self._close_picture(held, length_ms)
            self._cut_overhang()
            shown_ms = time_ms + packet.offset_ms
            if self._cuts_before(shown_ms, packet.key, length_ms):
                self._end_segment()
                self._received_ms = received_ms
                self._begin_segment(shown_ms, packet.key)
            elif self._least_ms() <= self._part_length_ms > self._limit_ms() - length_ms:
                # A shorter one would break the rules; what is longer is cut when it is there.
                self._end_part()
        self._held = time_ms, packet, received_ms

    def _cuts_before(self, shown_ms: int, key: bool, next_ms: int) -> bool:
        """Tell whether a segment begins with a picture; `next_ms`: how long that may last."""
        del shown_ms
        if key and self._segment_ms >= SEGMENT_MS - 50:
            return True
        return self._segment_ms + next_ms > self._longest_segment_ms()

    def _longest_segment_ms(self) -> int:
        if self._targets is None:
            return LONGEST_SEGMENT_MS
        # EXTINF is rounded before it is compared (RFC 8216bis, 4.4.3.1).
        return self._targets.segment_s * 1000 + 400

    def _limit_ms(self) -> int:
        """Return how long a part may be."""
        if self._targets is not None:
            return self._targets.part_ms
        return first_limit_ms(self._part_ms, self._shortest_part_ms)

    def _least_ms(self) -> float:
        """Return how long a part must be that does not end its segment (4.4.4.9)."""
        if self._targets is not None:
            return LEAST_PART * self._targets.part_ms
        return first_least_ms(self._part_ms, self._longest_part_ms)

    def _cut_overhang(self) -> None:
        """Cut parts off that are long enough, though their last picture is shown for longer.

        Parts are as long as their playlist says, not as their samples: what follows the
        picture within its time has sound alone, or nothing.
        """
        limit = self._limit_ms()
        while self._part_length_ms > limit:
            rest = self._part_length_ms - limit
            self._part_length_ms = limit
            self._end_part(until_ms=self._end_ms - rest)
            self._part_length_ms = rest

    def _close_picture(self, packet: Coded, length_ms: int) -> None:
        if not self._pictures:
            self._pictures_at_ms = self._end_ms
        offset = (packet.offset_ms - self._first_offset_ms) * _TICKS_MS
        self._pictures.append(Sample(length_ms * _TICKS_MS, offset, packet.key, packet.data))
        self._frame_ms = length_ms
        self._advance(length_ms)

    def _advance(self, length_ms: int) -> None:
        self._end_ms += length_ms
        self._part_length_ms += length_ms
        self._segment_ms += length_ms

    def _sound(self, time_ms: int, packet: Coded, received_ms: int) -> None:
        track = self._audio
        assert track is not None  # noqa: S101 - the caller's condition
        ticks = track.packet_ticks or opus_ticks(packet.data)
        due = (time_ms + self._shift_ms) * track.timescale // 1000
        drift = _DRIFT_MS * track.timescale // 1000
        if self._next_sound is None or due - self._next_sound > drift:
            if self._sounds and self._next_sound is not None:
                # A run of samples has no holes: its last one fills this.
                last = self._sounds[-1]
                self._sounds[-1] = replace(last, duration=last.duration + due - self._next_sound)
            self._next_sound = due
        elif due - self._next_sound < -drift:
            return  # from before the picture, or sent twice
        if self._next_sound * 1000 < self._started_ms * track.timescale:
            self._next_sound = None
            return
        if self._video is None:
            self._lead_with_sound(track, ticks, received_ms)
        if not self._sounds:
            self._sounds_at = self._next_sound
        self._sounds.append(Sample(ticks, 0, True, packet.data))
        self._next_sound += ticks
        if self._video is None:
            self._advance(self._next_sound * 1000 // track.timescale - self._end_ms)

    def _lead_with_sound(self, track: TrackFormat, ticks: int, received_ms: int) -> None:
        """Cut by the sound, where there are no pictures."""
        length_ms = ticks * 1000 // track.timescale + 1
        if self._segment_ms + length_ms > AUDIO_SEGMENT_MS:
            self._end_segment()
            self._received_ms = received_ms
            self._begin_segment(self._end_ms, key=True)
        elif self._part_length_ms + length_ms > self._limit_ms():
            self._end_part()

    def _begin_segment(self, shown_ms: int, key: bool) -> None:
        self._segment_ms = self._part_number = 0
        self.begun = Boundary(
            self._msn, shown_ms, self._end_ms, self._received_ms, self._discontinuity, key
        )

    def _end_part(self, *, ends: bool = False, until_ms: int | None = None) -> None:
        """End a part; sound that begins at or behind `until_ms` belongs to the next one."""
        later, later_at = list[Sample](), 0
        if until_ms is not None:
            until = until_ms * self._audio.timescale // 1000 if self._audio else 0
            later, later_at = split_off(self._sounds, self._sounds_at, until)
        if not self._part_length_ms:
            return
        now_ms = self._end_ms if until_ms is None else until_ms
        shown = (self._pictures_at_ms if self._pictures else now_ms) * _TICKS_MS
        self._sequence += 1
        part = Part(
            msn=self._msn,
            number=self._part_number,
            duration_ms=self._part_length_ms,
            independent=self._video is None or (bool(self._pictures) and self._pictures[0].key),
            init=self._inits - 1,
            discontinuity=self._discontinuity,
            received_ms=self._received_ms,
            data=part_of(self._sequence, self._pictures, shown, self._sounds, self._sounds_at),
            ends=ends,
        )
        self._made.append(part)
        self._part_number += 1
        self._longest_part_ms = max(self._longest_part_ms, self._part_length_ms)
        if not ends:
            shortest = self._shortest_part_ms or self._part_length_ms
            self._shortest_part_ms = min(shortest, self._part_length_ms)
        self._part_length_ms = 0
        self._pictures, self._sounds, self._sounds_at = [], later, later_at

    def _end_segment(self) -> None:
        self._end_part(ends=True)
        if not self._part_number:
            return
        if self._targets is None:
            self._targets = first_targets(self._longest_part_ms, self._segment_ms)
            self._made.append(self._targets)
        self._made.append(SegmentEnd(self._msn))
        self._msn += 1
        self._discontinuity = False
