"""How well a video plays, from nothing but what its player tells with requests (pure).

Requests of one player come through several processes, so they may be stored in another order
than they were made in. Those of the last moments are kept as they are, and looked at anew with
each that comes; older ones are only a `Tally`. See docs/reference/analytics.md for what is
concluded, and what cannot be.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from telecine.domains.analytics.reports import (
    NO_QUALITY,
    NOT_STARTED,
    UNTOLD_START,
    Kind,
    Quality,
    Sample,
)

LATE_MS = 3000
"""Processes store what they heard several times a second: later than this none comes."""

MOST_RECENT = 200

ONE_WAIT_MS = 1500
"""Sound and picture tell of the same wait; so do two requests this near to each other."""

LONGEST_WAIT_MS = 60_000
"""Whoever seems to wait for longer has stopped, or gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """Requests for picture, or for sound. Sums are what averages are made of."""

    asked_ms: int | None = None
    begun_ms: int | None = None
    eased_ms: int | None = None  # when a request found data, and was not urgent any more
    is_late: bool = False  # it played before it was heard of
    count: int = 0
    follows: bool = False
    last_ms: int = 0
    empty_ms: int = 0  # when the buffer that was last told of has run out
    tail_ms: int = 0
    media_ms: int = 0
    bitrate_kbps: int | None = None
    bits: int = 0  # rate times duration
    bits_ms: int = 0
    switch_count: int = 0
    rendition: str | None = None

    def after(self, sample: Sample) -> "Track":
        """Return the same with one more request."""
        first = self.asked_ms is None
        buffer_ms, length_ms = sample.buffer_ms or 0, sample.duration_ms or 0
        rate = sample.bitrate_kbps or self.bitrate_kbps
        switched = self.bitrate_kbps is not None and rate != self.bitrate_kbps
        begun_ms = self.begun_ms
        if begun_ms is None and not first and sample.has_data:
            begun_ms = sample.at_ms
        eased_ms = self.eased_ms
        if eased_ms is None and not first and sample.has_data and not sample.urgent:
            eased_ms = sample.at_ms
        return replace(
            self,
            asked_ms=sample.at_ms if first else self.asked_ms,
            begun_ms=begun_ms,
            eased_ms=eased_ms,
            is_late=self.is_late or (first and sample.has_data),
            count=self.count + 1,
            follows=self.follows or sample.follows,
            last_ms=sample.at_ms,
            empty_ms=sample.at_ms + buffer_ms,
            tail_ms=buffer_ms + length_ms,
            media_ms=self.media_ms + length_ms,
            bitrate_kbps=rate,
            bits=self.bits + (sample.bitrate_kbps or 0) * length_ms,
            bits_ms=self.bits_ms + (length_ms if sample.bitrate_kbps else 0),
            switch_count=self.switch_count + switched,
            rendition=sample.rendition or self.rendition,
        )

    @property
    def startup(self) -> int | None:
        """When it began to play, or that it did not, or that nobody knows."""
        if self.begun_ms is not None and not self.is_late:
            return self.begun_ms
        if self.is_late or not self.follows:
            return UNTOLD_START  # all there is may have come with these
        return NOT_STARTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What requests come to. `wait_…` are of the last wait, which may go on."""

    first_ms: int
    video: Track = field(default_factory=Track)
    audio: Track = field(default_factory=Track)
    start_ms: int | None = None
    stall_count: int = 0
    stall_ms: int = 0  # without the last one
    wait_at_ms: int | None = None
    wait_since_ms: int | None = None  # while it goes on
    wait_ms: int = 0
    wait_told: bool = False
    throughput: int = 0
    throughput_count: int = 0
    failed: bool = False

    @property
    def main(self) -> Track:
        """Return that of the picture, where there is one."""
        return self.audio if self.video.asked_ms is None else self.video

    def after(self, sample: Sample) -> "Tally":
        """Return the same with one more request."""
        track = self.audio if sample.kind == Kind.AUDIO else self.video
        known = self._waited(sample, track)
        if sample.kind == Kind.AUDIO:
            known = replace(known, audio=track.after(sample))
        elif sample.kind == Kind.VIDEO:
            known = replace(known, video=track.after(sample))
        told = sample.throughput_kbps
        return replace(
            known,
            start_ms=self.start_ms if sample.start_ms is None else sample.start_ms,
            throughput=self.throughput + (told or 0),
            throughput_count=self.throughput_count + (told is not None),
            failed=self.failed or sample.failed,
        )

    def _waited(self, sample: Sample, track: Track) -> "Tally":
        """Count a wait, or how long the last one has become."""
        known, at_ms = self, sample.at_ms
        tells = sample.starved or sample.stall_ms is not None
        if tells and (self.wait_at_ms is None or at_ms - self.wait_at_ms > ONE_WAIT_MS):
            since_ms = at_ms
            if track.asked_ms is not None:
                since_ms = min(at_ms, max(track.empty_ms, at_ms - LONGEST_WAIT_MS))
            known = replace(
                self,
                stall_count=self.stall_count + 1,
                stall_ms=self.stall_ms + self.wait_ms,
                wait_at_ms=at_ms,
                wait_since_ms=since_ms,
                wait_ms=at_ms - since_ms,
                wait_told=False,
            )
        if sample.stall_ms is not None:
            longer_ms = max(sample.stall_ms, known.wait_ms if known.wait_told else 0)
            known = replace(known, wait_ms=longer_ms, wait_told=True, wait_since_ms=None)
        if known.wait_since_ms is not None and sample.kind != Kind.OTHER and sample.has_data:
            waited_ms = min(at_ms - known.wait_since_ms, LONGEST_WAIT_MS)
            known = replace(known, wait_ms=waited_ms, wait_since_ms=None)
        return known

    @property
    def startup(self) -> int | None:
        """When it began to play, or that it did not, or that nobody knows.

        All of the picture of a short video is asked for before there is any (Shaka does): it
        plays where the sound goes on behind that, in no hurry.
        """
        main, eased_ms = self.main, self.audio.eased_ms
        begun = main.begun_ms is not None or main.is_late
        if not begun and eased_ms is not None and eased_ms > main.last_ms:
            return eased_ms
        return main.startup

    def quality(self) -> Quality:
        """Return what it comes to."""
        main = self.main
        if main.asked_ms is None:
            return NO_QUALITY
        startup_ms = self.startup
        if self.start_ms is not None:
            startup_ms = self.start_ms
        elif startup_ms not in (None, NOT_STARTED, UNTOLD_START):
            startup_ms = startup_ms - self.first_ms
        return Quality(
            startup_ms=startup_ms,
            stall_count=self.stall_count,
            stall_ms=self.stall_ms + self.wait_ms,
            switch_count=main.switch_count,
            error_count=int(self.failed),
            bitrate_kbps=main.bits // main.bits_ms if main.bits_ms else main.bitrate_kbps,
            throughput_kbps=self.throughput // self.throughput_count
            if self.throughput_count
            else None,
            rendition=main.rendition,
        )

    def watched_ms(self) -> int:
        """Return how long it played: the media asked for, unless that is more than the time."""
        main, quality = self.main, self.quality()
        if main.asked_ms is None or quality.startup_ms == NOT_STARTED:
            return 0
        begun_ms = main.asked_ms if main.begun_ms is None or main.is_late else main.begun_ms
        passed_ms = max(0, main.last_ms - begun_ms - quality.stall_ms) + main.tail_ms
        return min(main.media_ms, passed_ms) if main.media_ms else passed_ms


@dataclass(frozen=True, slots=True)
class Heard:
    """All requests of one player for one media so far."""

    settled: Tally | None = None
    recent: tuple[Sample, ...] = ()

    def after(self, samples: Iterable[Sample]) -> "Heard":
        """Return the same with more requests, in whatever order they come."""
        ordered = sorted((*self.recent, *samples), key=lambda each: each.at_ms)
        before_ms = ordered[-1].at_ms - LATE_MS if ordered else 0
        young = [each for each in ordered if each.at_ms >= before_ms][-MOST_RECENT:]
        old = ordered[: len(ordered) - len(young)]
        return Heard(_added(self.settled, old), tuple(young))

    def tally(self) -> Tally:
        """Return what all of them come to."""
        tally = _added(self.settled, self.recent)
        return Tally(first_ms=0) if tally is None else tally

    def as_json(self) -> dict[str, Any]:
        """Return what `of_json` takes."""
        settled = None if self.settled is None else asdict(self.settled)
        return {"settled": settled, "recent": [list(each) for each in self.recent]}

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> "Heard":
        """Return what was kept."""
        settled = kept["settled"]
        if settled is not None:
            tracks = {name: Track(**settled[name]) for name in ("video", "audio")}
            settled = Tally(**{**settled, **tracks})
        return cls(settled, tuple(Sample(*each) for each in kept["recent"]))


def _added(tally: Tally | None, samples: Iterable[Sample]) -> Tally | None:
    for sample in samples:
        tally = (Tally(first_ms=sample.at_ms) if tally is None else tally).after(sample)
    return tally
