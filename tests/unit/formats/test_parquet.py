from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telecine.formats.parquet import Column, Type, Writer

COLUMNS = [
    Column("i", Type.INTEGER),
    Column("f", Type.NUMBER),
    Column("m", Type.MOMENT),
    Column("t", Type.TEXT),
]
Row = tuple[Any, ...]


def written(path: Path, groups: list[list[Row]], columns: list[Column] = COLUMNS) -> Path:
    writer = Writer(columns)
    parts = [writer.begin()]
    parts += [writer.group(list(zip(*rows, strict=True))) for rows in groups]
    path.write_bytes(b"".join([*parts, writer.end()]))
    return path


@cache
def reader() -> duckdb.DuckDBPyConnection:
    """Return the one reader: to make one takes longer than all that it does."""
    return duckdb.connect(config={"threads": 1})


def read(path: Path) -> list[Row]:
    columns = "SELECT i, f, epoch_us(m), t FROM read_parquet(?, file_row_number = true)"
    return reader().execute(f"{columns} ORDER BY file_row_number", [str(path)]).fetchall()


def test_every_type_with_and_without_gaps(tmp_path: Path) -> None:
    groups: list[list[Row]] = [
        [(n, n / 3, n * 10**15, f"\u00e9{n}\n") for n in range(1000)],
        [(None, None, None, None)] * 9,
        [(n if n % 3 else None, None, -n, "" if n % 2 else None) for n in range(1, 100)],
        [(-(2**63), 5e-324, 0, "x" * 100_000), (2**63 - 1, -1e308, 1, "\U0001f3ac")],
    ]
    path = written(tmp_path / "t.parquet", groups)
    assert read(path) == [row for rows in groups for row in rows]
    [found] = reader().execute(f"SELECT typeof(m), typeof(t), m FROM '{path}' LIMIT 1").fetchall()
    assert found == ("TIMESTAMP WITH TIME ZONE", "VARCHAR", datetime(1970, 1, 1, tzinfo=UTC))


def test_a_table_without_rows_is_one(tmp_path: Path) -> None:
    assert read(written(tmp_path / "none.parquet", [])) == []


def test_as_many_columns_and_groups_as_there_are(tmp_path: Path) -> None:
    columns = [Column(f"c{n}", Type.INTEGER) for n in range(40)]
    groups: list[list[Row]] = [[(n,) * 40] for n in range(300)]
    path = written(tmp_path / "wide.parquet", groups, columns)
    total = reader().execute(f"SELECT count(*), sum(c0), sum(c39) FROM '{path}'").fetchall()
    assert total == [(300, 44850, 44850)]


_WHOLE = st.integers(-(2**63), 2**63 - 1)
_ROW = st.tuples(
    st.none() | _WHOLE,
    st.none() | st.floats(allow_nan=False),
    st.none() | st.integers(-(2**60), 2**60),
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)


@settings(max_examples=40)
@given(st.lists(st.lists(_ROW, min_size=1, max_size=20), max_size=4))
def test_what_goes_in_comes_out(
    tmp_path_factory: pytest.TempPathFactory, groups: list[list[Row]]
) -> None:
    path = written(tmp_path_factory.getbasetemp() / "any.parquet", groups)
    assert read(path) == [row for rows in groups for row in rows]
