import itertools
import re

from telecine import ids


def test_row_keys_are_version_7_and_ascend_strictly() -> None:
    keys = [ids.row_key() for _ in range(20_000)]
    assert all(key.version == 7 and key.variant == "specified in RFC 4122" for key in keys)
    assert all(before < after for before, after in itertools.pairwise(keys))


def test_public_ids_have_the_length_and_the_letters_of_the_contract() -> None:
    made = {ids.public_id("vi") for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch(r"vi[0-9A-Za-z]{22}", one) for one in made)
