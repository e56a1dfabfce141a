"""What was used last is kept."""

from telecine.last_used import LastUsed


def test_what_was_used_longest_ago_is_forgotten_first() -> None:
    kept = LastUsed[str, int](2)
    kept.put("a", 1)
    kept.put("b", 2)
    assert kept.get("a") == 1
    kept.put("c", 3)
    assert kept.get("b") is None
    assert [*kept.values()] == [1, 3]


def test_values_count_for_their_size() -> None:
    kept = LastUsed[str, bytes](10, len)
    kept.put("a", b"1234")
    kept.put("b", b"1234")
    kept.put("b", b"123456")
    assert [*kept.values()] == [b"1234", b"123456"]
    kept.put("c", b"12")
    assert [*kept.values()] == [b"123456", b"12"]
    kept.pop("b")
    kept.put("d", b"12345678")
    assert [*kept.values()] == [b"12", b"12345678"]


def test_the_newest_is_kept_whatever_its_size() -> None:
    kept = LastUsed[str, bytes](3, len)
    kept.put("a", b"12")
    kept.put("b", b"12345")
    assert [*kept.values()] == [b"12345"]
    kept.clear()
    kept.put("c", b"1")
    kept.put("d", b"12")
    assert [*kept.values()] == [b"1", b"12"]
