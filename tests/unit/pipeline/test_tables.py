import numpy as np
import pytest

from telecine.pipeline import tables


def test_tables_come_back_as_they_were() -> None:
    columns = {"a": np.arange(5, dtype="<u4"), "b": np.array([-1, 2], dtype="<i8")}
    meta, found = tables.unpack(tables.pack({"keys": ["x", "ü"]}, columns))
    assert meta == {"keys": ["x", "ü"]}
    assert {name: table.tolist() for name, table in found.items()} == {
        "a": [0, 1, 2, 3, 4],
        "b": [-1, 2],
    }


def test_a_table_is_a_view_and_cannot_be_changed() -> None:
    _, found = tables.unpack(tables.pack({}, {"a": np.arange(3, dtype="<u4")}))
    with pytest.raises(ValueError, match="read-only"):
        found["a"][0] = 7


@pytest.mark.parametrize("cut", [0, 3, 7])
def test_foreign_or_short_bytes_are_refused(cut: int) -> None:
    data = tables.pack({}, {"a": np.arange(9, dtype="<u4")})
    with pytest.raises(tables.TableError):
        tables.unpack(data[:cut])


def test_a_table_that_is_cut_short_is_refused() -> None:
    data = tables.pack({}, {"a": np.arange(90, dtype="<u4")})
    with pytest.raises(tables.TableError, match="cut short"):
        tables.unpack(data[:-16])
