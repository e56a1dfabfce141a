import pytest

from telecine.sealing import Sealer, SealError

OLD, NEW = "an old master secret", "a new master secret"


def test_what_was_sealed_is_opened_in_its_place() -> None:
    sealer = Sealer([NEW])
    sealed = sealer.seal("sig_sec_x", "webhook_1")
    assert b"sig_sec_x" not in sealed
    assert sealer.open(sealed, "webhook_1") == "sig_sec_x"


def test_the_same_secret_never_looks_the_same() -> None:
    sealer = Sealer([NEW])
    assert sealer.seal("x", "here") != sealer.seal("x", "here")


def test_it_cannot_be_moved_to_another_place() -> None:
    sealed = Sealer([NEW]).seal("x", "here")
    with pytest.raises(SealError, match="there"):
        Sealer([NEW]).open(sealed, "there")


@pytest.mark.parametrize("position", [4, 16, -1])
def test_a_changed_byte_is_noticed(position: int) -> None:
    sealed = bytearray(Sealer([NEW]).seal("x", "here"))
    sealed[position] ^= 1
    with pytest.raises(SealError, match="changed"):
        Sealer([NEW]).open(bytes(sealed), "here")


def test_a_replaced_master_still_opens_but_no_longer_seals() -> None:
    sealed = Sealer([OLD]).seal("x", "here")
    both = Sealer([NEW, OLD])
    assert both.open(sealed, "here") == "x"
    again = both.seal("x", "here")
    assert Sealer([NEW]).open(again, "here") == "x"
    with pytest.raises(SealError, match="is not set"):
        Sealer([NEW]).open(sealed, "here")
