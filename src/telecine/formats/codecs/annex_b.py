"""Pictures as a byte stream (H.264 and H.265, Annex B) into what MP4 holds.

Units are told apart by start codes there and by lengths here; parameter sets move into a
record of their own.
"""

from collections.abc import Iterator, Sequence

from telecine.formats.codecs import h264, hevc
from telecine.formats.errors import FormatError

MAX_UNITS = 2048
"""In one picture: 4K has at most a few hundred slices."""

_START = b"\0\0\1"
_SEI_RECOVERY_POINT = 6


def units(data: bytes) -> list[bytes]:
    """Return the NAL units of a byte stream. Raises FormatError: more than `MAX_UNITS`."""
    found: list[bytes] = []
    at = data.find(_START)
    while at >= 0:
        following = data.find(_START, at + 3)
        unit = data[at + 3 : following if following >= 0 else len(data)].rstrip(b"\0")
        if unit:
            found.append(unit)
        if len(found) > MAX_UNITS:
            raise FormatError(f"more than {MAX_UNITS} units in a picture")
        at = following
    return found


def with_lengths(parts: Sequence[bytes]) -> bytes:
    """Return units with four bytes of length before each."""
    return b"".join(piece for unit in parts for piece in (len(unit).to_bytes(4), unit))


class Pictures:
    """Access units of one track, in order of decoding; `record` describes all that follow."""

    codec = ""

    def __init__(self) -> None:
        self.record: bytes | None = None
        self._sets: frozenset[bytes] = frozenset()

    def take(self, data: bytes) -> tuple[bytes, bool] | None:
        """Return a picture and whether decoding can begin with it.

        None: there is none in `data`, or no record yet. Raises FormatError.
        """
        found = units(data)
        sets = tuple(dict.fromkeys(each for each in found if self._is_set(each)))
        key = self._is_key(found)
        if key and sets and frozenset(sets) != self._sets and self._is_complete(sets):
            self.record = self._record_of(sets)
            self._sets = frozenset(sets)
        if self.record is None or not any(self._is_slice(each) for each in found):
            return None
        # What differs from the record stays where it is: decoders take it from there.
        kept = [each for each in found if not self._is_needless(each)]
        return with_lengths(kept), key

    def _is_needless(self, unit: bytes) -> bool:
        return self._is_noise(unit) or (self._is_set(unit) and unit in self._sets)

    def _is_set(self, unit: bytes) -> bool:
        raise NotImplementedError

    def _is_complete(self, sets: Sequence[bytes]) -> bool:
        raise NotImplementedError

    def _is_slice(self, unit: bytes) -> bool:
        raise NotImplementedError

    def _is_noise(self, unit: bytes) -> bool:
        raise NotImplementedError

    def _is_key(self, found: Sequence[bytes]) -> bool:
        raise NotImplementedError

    def _record_of(self, sets: Sequence[bytes]) -> bytes:
        raise NotImplementedError


class H264Pictures(Pictures):
    """H.264. Decoding begins at IDR pictures, or where the encoder says so (D.1.8)."""

    codec = "avc1"
    _IDR, _SEI, _SPS, _PPS = 5, 6, 7, 8
    _NOISE = frozenset((9, 10, 11, 12))  # delimiter, ends, filler

    def _is_set(self, unit: bytes) -> bool:
        return unit[0] & 31 in (self._SPS, self._PPS)

    def _is_complete(self, sets: Sequence[bytes]) -> bool:
        return {each[0] & 31 for each in sets} == {self._SPS, self._PPS}

    def _is_slice(self, unit: bytes) -> bool:
        return 1 <= unit[0] & 31 <= self._IDR

    def _is_noise(self, unit: bytes) -> bool:
        return unit[0] & 31 in self._NOISE

    def _is_key(self, found: Sequence[bytes]) -> bool:
        kinds = {each[0] & 31 for each in found}
        if self._IDR in kinds or self._SPS not in kinds:
            return self._IDR in kinds
        return any(recovers(h264.unescape(each)[1:]) for each in found if each[0] & 31 == self._SEI)

    def _record_of(self, sets: Sequence[bytes]) -> bytes:
        return h264.record_of(
            [each for each in sets if each[0] & 31 == self._SPS],
            [each for each in sets if each[0] & 31 == self._PPS],
        )


class HevcPictures(Pictures):
    """HEVC. Decoding begins at IRAP pictures (H.265, 3.69)."""

    codec = "hvc1"
    _SETS = frozenset((32, 33, 34))
    _NOISE = frozenset((35, 36, 37, 38))

    def _is_set(self, unit: bytes) -> bool:
        return unit[0] >> 1 & 63 in self._SETS

    def _is_complete(self, sets: Sequence[bytes]) -> bool:
        return {each[0] >> 1 & 63 for each in sets} == self._SETS

    def _is_slice(self, unit: bytes) -> bool:
        return unit[0] >> 1 & 63 < 32

    def _is_noise(self, unit: bytes) -> bool:
        return unit[0] >> 1 & 63 in self._NOISE

    def _is_key(self, found: Sequence[bytes]) -> bool:
        return any(16 <= each[0] >> 1 & 63 <= 23 for each in found)

    def _record_of(self, sets: Sequence[bytes]) -> bytes:
        return hevc.record_of(sets)


def recovers(messages: bytes) -> bool:
    """Tell whether SEI messages (H.264, 7.3.2.3) say that decoding can begin right here."""
    return any(
        kind == _SEI_RECOVERY_POINT and content[:1] and content[0] & 0x80  # after 0 frames
        for kind, content in _messages(messages)
    )


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 2 <= len(data):
        numbers = [0, 0]  # type and size
        for which in (0, 1):
            while at < len(data):
                numbers[which] += data[at]
                at += 1
                if data[at - 1] != 0xFF:
                    break
        yield numbers[0], data[at : at + numbers[1]]
        at += numbers[1]
