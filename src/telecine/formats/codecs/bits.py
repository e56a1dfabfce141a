"""Bit by bit reading of codec headers."""

from telecine.formats.errors import FormatError


class BitReader:
    """Reads bits from the most significant on. Raises FormatError behind the end."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    @property
    def left(self) -> int:
        """Bits not yet read."""
        return self._left

    def bits(self, count: int) -> int:
        """Return the next `count` bits as a number."""
        if count > self._left:
            raise FormatError("a codec header ends early")
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def flag(self) -> bool:
        """Return the next bit."""
        return self.bits(1) == 1

    def ue(self) -> int:
        """Return an unsigned Exp-Golomb number (H.264, 9.1), at most 2**32 - 2."""
        zeros = 0
        while not self.flag():
            zeros += 1
            if zeros > 31:
                raise FormatError("an Exp-Golomb number above 32 bits")
        return (1 << zeros) - 1 + self.bits(zeros)

    def se(self) -> int:
        """Return a signed Exp-Golomb number (H.264, 9.1.1)."""
        number = self.ue()
        return (number + 1) // 2 if number & 1 else -(number // 2)
