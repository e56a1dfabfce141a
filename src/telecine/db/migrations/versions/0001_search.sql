-- Every three successive characters of the lower-cased text, each once. A text
-- below three characters has none: as a search term it then excludes nothing,
-- and the comparison that follows the index decides. Linear in the text.
CREATE FUNCTION telecine_trigrams(text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
  SELECT coalesce(array_agg(DISTINCT trigram), '{}')
  FROM (
    SELECT character || lead(character, 1) OVER places || lead(character, 2) OVER places
    FROM unnest(string_to_array(lower($1), NULL)) WITH ORDINALITY AS c(character, place)
    WINDOW places AS (ORDER BY place)
  ) AS t(trigram)
  WHERE trigram IS NOT NULL
);

-- [{"key": "a", "value": "b"}] as {"a<US>b"}: a pair is found by one array element.
CREATE FUNCTION telecine_pairs(jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
  SELECT coalesce(array_agg(DISTINCT (pair->>'key') || E'\x1f' || (pair->>'value')), '{}')
  FROM jsonb_array_elements($1) AS pair
  WHERE pair->>'key' IS NOT NULL AND pair->>'value' IS NOT NULL
);
