-- True: listed. False: discarded. NULL: deleted, counted nowhere.
CREATE FUNCTION telecine_video_listed(discarded_at timestamptz, deleted_at timestamptz)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN deleted_at IS NULL THEN discarded_at IS NULL END;

-- A slot per connection (of 16), so that uploads to one project rarely wait for
-- each other's row. A slot alone may be negative; only the sum has a meaning.
-- Rows in key order, so that two transactions cannot lock them crosswise. A
-- project that is being deleted takes its counters along.
CREATE FUNCTION telecine_count_videos(project uuid, is_listed boolean, change bigint)
RETURNS void LANGUAGE sql
BEGIN ATOMIC
  INSERT INTO video_count AS c (project_id, listed, slot, videos)
  SELECT project, is_listed, pg_backend_pid() % 16, change
  WHERE is_listed IS NOT NULL AND EXISTS (SELECT FROM project AS p WHERE p.id = project)
  ON CONFLICT (project_id, listed, slot) DO UPDATE SET videos = c.videos + excluded.videos;
END;

CREATE FUNCTION telecine_count_inserted_videos() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM telecine_count_videos(project_id, listed, change) FROM (
    SELECT project_id, telecine_video_listed(discarded_at, deleted_at), count(*)
    FROM inserted GROUP BY 1, 2 ORDER BY 1, 2
  ) AS s(project_id, listed, change);
  RETURN NULL;
END $$;

CREATE FUNCTION telecine_count_deleted_videos() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM telecine_count_videos(project_id, listed, -change) FROM (
    SELECT project_id, telecine_video_listed(discarded_at, deleted_at), count(*)
    FROM deleted GROUP BY 1, 2 ORDER BY 1, 2
  ) AS s(project_id, listed, change);
  RETURN NULL;
END $$;

CREATE FUNCTION telecine_count_moved_video() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM telecine_count_videos(project_id, listed, change) FROM (VALUES
    (OLD.project_id, telecine_video_listed(OLD.discarded_at, OLD.deleted_at), -1),
    (NEW.project_id, telecine_video_listed(NEW.discarded_at, NEW.deleted_at), 1)
  ) AS s(project_id, listed, change) ORDER BY project_id, listed;
  RETURN NULL;
END $$;

-- Per statement, because a bulk import would write one counter row a thousand times.
CREATE TRIGGER video_count_inserted AFTER INSERT ON video
REFERENCING NEW TABLE AS inserted
FOR EACH STATEMENT EXECUTE FUNCTION telecine_count_inserted_videos();

CREATE TRIGGER video_count_deleted AFTER DELETE ON video
REFERENCING OLD TABLE AS deleted
FOR EACH STATEMENT EXECUTE FUNCTION telecine_count_deleted_videos();

-- Per row, because the condition spares all other updates the trigger.
CREATE TRIGGER video_count_moved AFTER UPDATE ON video
FOR EACH ROW WHEN (
  (OLD.project_id, telecine_video_listed(OLD.discarded_at, OLD.deleted_at))
  IS DISTINCT FROM
  (NEW.project_id, telecine_video_listed(NEW.discarded_at, NEW.deleted_at))
) EXECUTE FUNCTION telecine_count_moved_video();
