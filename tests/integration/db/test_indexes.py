"""Every row that hangs on another is found by an index when the other goes."""

import psycopg

# An index serves a foreign key whose columns it begins with, in any order; a partial one
# only where it leaves out nothing but NULL, which refers to nobody.
WITHOUT_INDEX = """
SELECT c.conrelid::regclass::text || '(' || string_agg(a.attname, ', ' ORDER BY a.attnum) || ')'
  FROM pg_constraint c
  JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
 WHERE c.contype = 'f'
   AND c.connamespace = 'public'::regnamespace
   AND NOT EXISTS (
        SELECT FROM pg_index i
         WHERE i.indrelid = c.conrelid AND i.indisvalid
           AND (SELECT array_agg(k ORDER BY k)
                  FROM unnest((i.indkey::int2[])[0:cardinality(c.conkey) - 1]) k)
             = (SELECT array_agg(k ORDER BY k) FROM unnest(c.conkey) k)
           AND (i.indpred IS NULL
                OR pg_get_expr(i.indpred, i.indrelid) = '(' || (
                   SELECT attname FROM pg_attribute
                    WHERE attrelid = c.conrelid AND attnum = c.conkey[1]) || ' IS NOT NULL)'))
 GROUP BY c.oid, c.conrelid
 ORDER BY 1
"""


def without_index(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute(WITHOUT_INDEX).fetchall()]


def test_every_foreign_key_has_an_index(database_url: str) -> None:
    assert without_index(database_url) == []


def test_a_foreign_key_without_an_index_is_found(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE a (x uuid, y uuid REFERENCES project, z uuid)")
        connection.execute("CREATE INDEX ON a (x, y)")
        connection.execute("CREATE INDEX ON a (y) WHERE x IS NULL")
    assert without_index(database_url) == ["a(y)"]
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE INDEX ON a (y) WHERE y IS NOT NULL")
    assert without_index(database_url) == []
