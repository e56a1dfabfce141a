"""The first schema: accounts, videos, encodings, events, jobs."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from procrastinate.schema import SchemaManager
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    Double,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB, TSTZMULTIRANGE
from sqlalchemy.types import UserDefinedType

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None
release = 1

LISTED = sa.text("discarded_at IS NULL AND deleted_at IS NULL")


class Xid8(UserDefinedType[int]):
    """As in the models, which a revision may not import: they move on."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the SQL name."""
        return "xid8"


def upgrade() -> None:
    _schema_release()
    op.execute(_sql("0001_search.sql"))
    _accounts()
    _webhooks()
    _upload_tokens()
    _videos()
    _watermarks()
    _players()
    _text_tracks()
    _summaries()
    _used_tokens()
    op.execute(_sql("0001_counting.sql"))
    _sources()
    _resumable_uploads()
    _encodings()
    _live_streams()
    _analytics()
    _jobs()


def _sql(name: str) -> str:
    return Path(__file__).with_name(name).read_text()


def _key() -> Column[object]:
    return Column("id", Uuid(), nullable=False)


def _now(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)


def _time(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=True)


def _parent(table: str, column: str, parent: str, *, nullable: bool = False) -> Column[object]:
    foreign_key = sa.ForeignKey(
        f"{parent}.id", name=f"fk_{table}_{column}_{parent}", ondelete="CASCADE"
    )
    return Column(column, Uuid(), foreign_key, nullable=nullable)


def _schema_release() -> None:
    op.create_table(
        "schema_release",
        Column("id", Boolean(), server_default=sa.text("true"), nullable=False),
        Column("release", Integer(), nullable=False),
        sa.CheckConstraint("id", name="ck_schema_release_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_schema_release"),
    )


def _accounts() -> None:
    op.create_table(
        "project",
        _key(),
        Column("public_id", String(), nullable=False),
        Column("environment", String(), nullable=False),
        Column("name", String(), nullable=False),
        Column("settings", JSONB(), nullable=False),
        _time("suspended_at"),
        _now("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_project"),
    )
    op.create_index("ix_project_public_id", "project", ["public_id"])
    op.create_table(
        "api_key",
        _key(),
        Column("public_id", String(), nullable=False),
        _parent("api_key", "project_id", "project"),
        Column("name", String(), nullable=False),
        Column("digest", LargeBinary(), nullable=False),
        Column("last_characters", String(), nullable=False),
        _time("revoked_at"),
        _now("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_api_key"),
        sa.UniqueConstraint("digest", name="uq_api_key_digest"),
        sa.UniqueConstraint("public_id", name="uq_api_key_public_id"),
    )
    op.create_index("ix_api_key_project_id", "api_key", ["project_id"])
    op.create_table(
        "token",
        _key(),
        _parent("token", "project_id", "project"),
        _parent("token", "api_key_id", "api_key"),
        Column("kind", String(), nullable=False),
        Column("digest", LargeBinary(), nullable=False),
        Column("expires_at", DateTime(timezone=True), nullable=False),
        _now("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_token"),
        sa.UniqueConstraint("digest", name="uq_token_digest"),
    )
    op.create_index("ix_token_api_key_id", "token", ["api_key_id"])
    op.create_index("ix_token_expires_at", "token", ["expires_at"])
    op.create_index("ix_token_project_id", "token", ["project_id"])
    op.create_table(
        "signing_key",
        _key(),
        Column("public_id", String(), nullable=False),
        _parent("signing_key", "project_id", "project"),
        Column("name", String(), nullable=False),
        Column("sealed_secret", LargeBinary(), nullable=False),
        _now("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_signing_key"),
        sa.UniqueConstraint("public_id", name="uq_signing_key_public_id"),
    )
    op.create_index("ix_signing_key_project_id", "signing_key", ["project_id"])
    op.create_table(
        "kept_answer",
        Column("digest", LargeBinary(), nullable=False),
        Column(
            "project_id",
            Uuid(),
            sa.ForeignKey(
                "project.id", name="fk_kept_answer_project_id_project", ondelete="CASCADE"
            ),
            nullable=True,
        ),
        Column("request_digest", LargeBinary(), nullable=False),
        Column("sealed", LargeBinary(), nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_kept_answer"),
    )
    op.create_index("ix_kept_answer_created_at", "kept_answer", ["created_at"])
    op.create_index("ix_kept_answer_project_id", "kept_answer", ["project_id"])


def _webhooks() -> None:
    op.create_table(
        "event",
        _key(),
        Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        _parent("event", "project_id", "project"),
        Column("type", String(), nullable=False),
        Column("media_id", String(), nullable=False),
        Column("payload", sa.JSON(), nullable=False),
        _now("emitted_at"),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
    )
    op.create_index("ix_event_emitted_at", "event", ["emitted_at"])
    op.create_index("ix_event_project_id", "event", ["project_id"])
    op.create_index("ix_event_xid_id", "event", ["xid", "id"])
    op.create_table(
        "event_cursor",
        Column("reader", String(), nullable=False),
        Column("xid", Xid8(), nullable=False),
        Column("event_id", Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("reader", name="pk_event_cursor"),
    )
    op.create_table(
        "webhook",
        _key(),
        _parent("webhook", "project_id", "project"),
        Column("public_id", String(), nullable=False),
        Column("url", String(), nullable=False),
        Column("host", String(), nullable=False),
        Column("events", ARRAY(String()), nullable=False),
        Column("secret", LargeBinary(), nullable=False),
        _now("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_webhook"),
        sa.UniqueConstraint("public_id", name="uq_webhook_public_id"),
    )
    op.create_index(
        "ix_webhook_project_id_created_at", "webhook", ["project_id", "created_at", "id"]
    )
    _deliveries()


def _deliveries() -> None:
    op.create_table(
        "delivery",
        Column("position", BigInteger(), sa.Identity(always=True), nullable=False),
        Column("id", Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        _parent("delivery", "project_id", "project"),
        _parent("delivery", "webhook_id", "webhook"),
        _parent("delivery", "event_id", "event"),
        Column("media_id", String(), nullable=False),
        Column("host", String(), nullable=False),
        Column("state", String(), nullable=False),
        Column("attempts", Integer(), server_default=sa.text("0"), nullable=False),
        _now("created_at"),
        _now("next_at"),
        Column("give_up_at", DateTime(timezone=True), nullable=False),
        Column("owner", String(), nullable=True),
        _time("lease_until"),
        _time("tried_at"),
        Column("status", Integer(), nullable=True),
        Column("duration_ms", Integer(), nullable=True),
        Column("answer", String(), nullable=True),
        Column("error", String(), nullable=True),
        _time("finished_at"),
        sa.PrimaryKeyConstraint("position", name="pk_delivery"),
        sa.UniqueConstraint("id", name="uq_delivery_id"),
        sa.UniqueConstraint("webhook_id", "event_id", name="uq_delivery_webhook_id"),
    )
    waiting = sa.text("state = 'waiting'")
    op.create_index(
        "ix_delivery_due", "delivery", ["next_at", "position"], postgresql_where=waiting
    )
    op.create_index(
        "ix_delivery_turn",
        "delivery",
        ["webhook_id", "media_id", "position"],
        postgresql_where=waiting,
    )
    op.create_index("ix_delivery_log", "delivery", ["webhook_id", "position"])
    op.create_index("ix_delivery_event_id", "delivery", ["event_id"])
    op.create_index("ix_delivery_project_id", "delivery", ["project_id"])


def _upload_tokens() -> None:
    op.create_table(
        "upload_token",
        _key(),
        _parent("upload_token", "project_id", "project"),
        Column("public_id", String(), nullable=False),
        Column("ttl_s", Integer(), nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),
        _time("expires_at"),
        sa.PrimaryKeyConstraint("id", name="pk_upload_token"),
        sa.UniqueConstraint("public_id", name="uq_upload_token_public_id"),
    )
    for column in ("created_at", "ttl_s"):
        op.create_index(f"ix_upload_token_{column}", "upload_token", ["project_id", column, "id"])


def _videos() -> None:
    op.create_table(
        "video",
        _key(),
        _parent("video", "project_id", "project"),
        Column("public_id", String(), nullable=False),
        Column("title", String(), nullable=False),
        Column("description", String(), nullable=False),
        Column("public", Boolean(), nullable=False),
        Column("panoramic", Boolean(), nullable=False),
        Column("mp4_support", Boolean(), nullable=False),
        Column("tags", ARRAY(Text()), nullable=False),
        Column("metadata", JSONB(), nullable=False),
        Column("player_id", String(), nullable=True),
        Column("language", String(), nullable=True),
        Column("language_origin", String(), nullable=True),
        Column("live_stream_id", String(), nullable=True),
        Column("clip", JSONB(), nullable=True),
        Column("watermarks", JSONB(), nullable=True),
        Column("thumbnail_key", String(), nullable=True),
        Column("thumbnail_at_ms", BigInteger(), nullable=True),
        Column("epochs", Integer(), server_default=sa.text("0"), nullable=False),
        _now("published_at"),
        _now("created_at"),
        _now("updated_at"),
        _time("discarded_at"),
        _time("deletes_at"),
        _time("deleted_at"),
        Column(
            "title_start",
            String(),
            Computed("left(title, 200)", persisted=True),
            nullable=False,
        ),
        Column(
            "title_trigrams",
            ARRAY(Text()),
            Computed("telecine_trigrams(title)", persisted=True),
            nullable=False,
        ),
        Column(
            "description_trigrams",
            ARRAY(Text()),
            Computed("telecine_trigrams(description)", persisted=True),
            nullable=False,
        ),
        Column(
            "metadata_pairs",
            ARRAY(Text()),
            Computed("telecine_pairs(metadata)", persisted=True),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name="pk_video"),
        sa.UniqueConstraint("public_id", name="uq_video_public_id"),
    )
    op.create_index(
        "ix_video_created_at", "video", ["project_id", "created_at", "id"], postgresql_where=LISTED
    )
    op.create_index("ix_video_deletes_at", "video", ["deletes_at"])
    op.create_index(
        "ix_video_description_trigrams", "video", ["description_trigrams"], postgresql_using="gin"
    )
    op.create_index("ix_video_live_stream_id", "video", ["project_id", "live_stream_id"])
    discarded = sa.text("discarded_at IS NOT NULL AND deleted_at IS NULL")
    op.create_index("ix_video_discarded", "video", ["project_id", "id"], postgresql_where=discarded)
    op.create_index("ix_video_metadata_pairs", "video", ["metadata_pairs"], postgresql_using="gin")
    op.create_index(
        "ix_video_published_at",
        "video",
        ["project_id", "published_at", "id"],
        postgresql_where=LISTED,
    )
    op.create_index("ix_video_tags", "video", ["tags"], postgresql_using="gin")
    op.create_index(
        "ix_video_title_start",
        "video",
        ["project_id", "title_start", "id"],
        postgresql_where=LISTED,
    )
    op.create_index("ix_video_title_trigrams", "video", ["title_trigrams"], postgresql_using="gin")
    op.create_index(
        "ix_video_updated_at", "video", ["project_id", "updated_at", "id"], postgresql_where=LISTED
    )
    op.create_table(
        "video_count",
        _parent("video_count", "project_id", "project"),
        Column("listed", Boolean(), nullable=False),
        Column("slot", SmallInteger(), nullable=False),
        Column("videos", BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "listed", "slot", name="pk_video_count"),
    )


def _watermarks() -> None:
    op.create_table(
        "watermark",
        _key(),
        _parent("watermark", "project_id", "project"),
        Column("public_id", String(), nullable=False),
        Column("key", String(), nullable=False),
        Column("width_px", Integer(), nullable=False),
        Column("height_px", Integer(), nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),
        _time("stored_at"),
        _time("deleted_at"),
        sa.PrimaryKeyConstraint("id", name="pk_watermark"),
        sa.UniqueConstraint("public_id", name="uq_watermark_public_id"),
    )
    op.create_index("ix_watermark_created_at", "watermark", ["project_id", "created_at", "id"])
    op.create_index(
        "ix_watermark_unlisted",
        "watermark",
        ["id"],
        postgresql_where=sa.text("NOT (stored_at IS NOT NULL AND deleted_at IS NULL)"),
    )
    op.create_table(
        "watermark_use",
        _parent("watermark_use", "watermark_id", "watermark"),
        _parent("watermark_use", "video_id", "video"),
        sa.PrimaryKeyConstraint("watermark_id", "video_id", name="pk_watermark_use"),
    )
    op.create_index("ix_watermark_use_video_id", "watermark_use", ["video_id"])


def _summaries() -> None:
    op.create_table(
        "summary",
        _key(),
        _parent("summary", "project_id", "project"),
        _parent("summary", "video_id", "video"),
        Column("public_id", String(), nullable=False),
        Column("origin", String(), nullable=False),
        Column("source_status", String(), nullable=False),
        Column("abstract", String(), nullable=False),
        Column("takeaways", JSONB(), nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),
        Column("updated_at", DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_summary"),
        sa.UniqueConstraint("video_id", name="uq_summary_video_id"),
        sa.UniqueConstraint("public_id", name="uq_summary_public_id"),
    )
    op.create_index("ix_summary_created_at", "summary", ["project_id", "created_at", "id"])


def _players() -> None:
    op.create_table(
        "player_theme",
        _key(),
        _parent("player_theme", "project_id", "project"),
        Column("public_id", String(), nullable=False),
        Column("name", String(), nullable=True),
        Column("choices", JSONB(), nullable=False),
        Column("logo", LargeBinary(), nullable=True),
        Column("logo_tag", String(), nullable=True),
        Column("logo_link", String(), nullable=True),
        Column("created_at", DateTime(timezone=True), nullable=False),
        Column("updated_at", DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_player_theme"),
        sa.UniqueConstraint("public_id", name="uq_player_theme_public_id"),
    )
    for column in ("created_at", "updated_at", "name"):
        op.create_index(f"ix_player_theme_{column}", "player_theme", ["project_id", column, "id"])


def _text_tracks() -> None:
    for table in ("caption", "chapter"):
        op.create_table(
            table,
            _parent(table, "video_id", "video"),
            Column("language", String(), nullable=False),
            _parent(table, "project_id", "project"),
            Column("key", String(), nullable=False),
            Column("size_bytes", BigInteger(), nullable=False),
            Column("header_bytes", Integer(), nullable=False),
            Column("created_at", DateTime(timezone=True), nullable=False),
            *([Column("is_default", Boolean(), nullable=False)] if table == "caption" else ()),
            sa.PrimaryKeyConstraint("video_id", "language", name=f"pk_{table}"),
        )
        op.create_index(f"ix_{table}_project_id", table, ["project_id"])


def _used_tokens() -> None:
    op.create_table(
        "used_token",
        Column("digest", LargeBinary(), nullable=False),
        Column("viewer", LargeBinary(), nullable=True),
        Column("used_at", DateTime(timezone=True), nullable=False),
        Column("seen_at", DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_used_token"),
    )
    op.create_index("ix_used_token_used_at", "used_token", ["used_at"])


def _sources() -> None:
    op.create_table(
        "source",
        _key(),
        _parent("source", "project_id", "project"),
        _parent("source", "video_id", "video", nullable=True),
        Column("state", String(), nullable=False),
        Column("mode", String(), nullable=True),
        Column("total", BigInteger(), nullable=True),
        Column("file_name", String(), nullable=False),
        Column("prefix", String(), nullable=False),
        Column("key", String(), nullable=False),
        Column("unit_bytes", BigInteger(), nullable=True),
        Column("size_bytes", BigInteger(), nullable=True),
        Column("extents", JSONB(), nullable=False),
        Column("origin_url", String(), nullable=True),
        Column("origin_video", String(), nullable=True),
        Column("failure", String(), nullable=True),
        Column("upload_token_id", Uuid(), nullable=True),
        Column("group_key", LargeBinary(), nullable=True),
        _now("created_at"),
        _now("updated_at"),
        _time("completed_at"),
        sa.PrimaryKeyConstraint("id", name="pk_source"),
        sa.UniqueConstraint("video_id", name="uq_source_video_id"),
    )
    op.create_index("ix_source_project_id", "source", ["project_id"])
    op.create_index(
        "ix_source_unfinished",
        "source",
        ["updated_at"],
        postgresql_where=sa.text("completed_at IS NULL"),
    )
    op.create_index(
        "ix_source_group_key",
        "source",
        ["upload_token_id", "group_key"],
        postgresql_where=sa.text("completed_at IS NULL AND group_key IS NOT NULL"),
    )
    op.create_index(
        "ix_source_origin_video",
        "source",
        ["project_id", "origin_video"],
        postgresql_where=sa.text("completed_at IS NULL AND origin_video IS NOT NULL"),
    )
    op.create_table(
        "source_part",
        _key(),
        _parent("source_part", "project_id", "project"),
        _parent("source_part", "source_id", "source"),
        Column("number", BigInteger(), nullable=False),
        Column("own_key", String(), nullable=False),
        Column("place_start", BigInteger(), nullable=True),
        Column("place_end", BigInteger(), nullable=True),
        Column("size_bytes", BigInteger(), nullable=True),
        Column("extents", JSONB(), nullable=False),
        Column("answered", Boolean(), server_default=sa.text("false"), nullable=False),
        _now("claimed_at"),
        _time("stored_at"),
        sa.PrimaryKeyConstraint("id", name="pk_source_part"),
    )
    op.create_index("ix_source_part_project_id", "source_part", ["project_id"])
    op.create_index("ix_source_part_source_id", "source_part", ["source_id"])
    op.create_index(
        "uq_source_part_number",
        "source_part",
        ["source_id", "number"],
        unique=True,
        postgresql_where=sa.text("stored_at IS NOT NULL"),
    )
    op.create_index(
        "ix_source_part_claimed_at",
        "source_part",
        ["claimed_at"],
        postgresql_where=sa.text("stored_at IS NULL"),
    )
    op.create_table(
        "source_fetch",
        _parent("source_fetch", "source_id", "source"),
        _parent("source_fetch", "project_id", "project"),
        Column("state", String(), nullable=False),
        Column("run", String(), nullable=True),
        Column("attempt", BigInteger(), server_default=sa.text("0"), nullable=False),
        Column("validator", String(), nullable=True),
        Column("position", BigInteger(), server_default=sa.text("0"), nullable=False),
        Column("reason", String(), nullable=True),
        _time("started_at"),
        _time("finished_at"),
        sa.PrimaryKeyConstraint("source_id", name="pk_source_fetch"),
    )
    op.create_index("ix_source_fetch_project_id", "source_fetch", ["project_id"])


def _resumable_uploads() -> None:
    source = sa.ForeignKey("source.id", name="fk_tus_upload_source_id_source", ondelete="SET NULL")
    op.create_table(
        "tus_upload",
        _key(),
        _parent("tus_upload", "project_id", "project"),
        Column("public_id", String(), nullable=False),
        _parent("tus_upload", "video_id", "video", nullable=True),
        Column("source_id", Uuid(), source, nullable=True),
        Column("made_video", Boolean(), nullable=False),
        Column("length_bytes", BigInteger(), nullable=True),
        Column("file_name", String(), nullable=False),
        Column("metadata_header", String(), nullable=False),
        Column("concat_header", String(), nullable=True),
        Column("upload_token_id", Uuid(), nullable=True),
        Column("created_at", DateTime(timezone=True), nullable=False),
        Column("expires_at", DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tus_upload"),
        sa.UniqueConstraint("public_id", name="uq_tus_upload_public_id"),
        sa.UniqueConstraint("video_id", name="uq_tus_upload_video_id"),
    )
    for column in ("project_id", "source_id", "expires_at"):
        op.create_index(f"ix_tus_upload_{column}", "tus_upload", [column])
    op.create_table(
        "upload_writer",
        _parent("upload_writer", "source_id", "source"),
        Column("id", Uuid(), nullable=False),
        Column("ending", Boolean(), nullable=False),
        Column("seen_at", DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source_id", name="pk_upload_writer"),
    )


def _encodings() -> None:
    op.create_table(
        "asset",
        _key(),
        _parent("asset", "project_id", "project"),
        _parent("asset", "video_id", "video"),
        _parent("asset", "source_id", "source"),
        Column("public_id", String(), nullable=False),
        Column("prefix", String(), nullable=False),
        Column("epoch", Integer(), nullable=False),
        Column("state", String(), nullable=False),
        Column("options", JSONB(), nullable=False),
        Column("summary", JSONB(), nullable=False),
        Column("duration_s", Double(), nullable=True),
        Column("failure", String(), nullable=True),
        Column("still_key", String(), nullable=True),
        Column("storyboard_key", String(), nullable=True),
        Column("storyboard_offsets", ARRAY(BigInteger()), nullable=True),
        Column("report", JSONB(), nullable=True),
        Column("remarks", JSONB(), nullable=False),
        Column("chunks", Integer(), nullable=False),
        Column("next_chunk", Integer(), nullable=False),
        _now("created_at"),
        _time("playable_at"),
        Column("growth", String(), nullable=True),
        Column("revision", String(), nullable=False),
        Column("earlier_revision", String(), nullable=False),
        Column("arrived", Integer(), nullable=False),
        Column("look_from_bytes", BigInteger(), nullable=False),
        _time("look_at"),
        sa.PrimaryKeyConstraint("id", name="pk_asset"),
        sa.UniqueConstraint("video_id", "epoch", name="uq_asset_video_id"),
    )
    for column in ("project_id", "public_id", "source_id"):
        op.create_index(f"ix_asset_{column}", "asset", [column])
    op.create_table(
        "rendition",
        _key(),
        _parent("rendition", "project_id", "project"),
        _parent("rendition", "asset_id", "asset"),
        Column("name", String(), nullable=False),
        Column("passthrough", Boolean(), nullable=False),
        Column("state", String(), nullable=False),
        Column("failure", String(), nullable=True),
        Column("pieces", Integer(), nullable=False),
        Column("pieces_stored", Integer(), nullable=False),
        Column("init", LargeBinary(), nullable=True),
        Column("index_key", String(), nullable=True),
        Column("peak_bps", BigInteger(), nullable=True),
        Column("average_bps", BigInteger(), nullable=True),
        _time("encoded_at"),
        Column("crf", Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_rendition"),
        sa.UniqueConstraint("asset_id", "name", name="uq_rendition_asset_id"),
    )
    for column in ("asset_id", "project_id"):
        op.create_index(f"ix_rendition_{column}", "rendition", [column])
    op.create_table(
        "run",
        _key(),
        _parent("run", "project_id", "project"),
        _parent("run", "asset_id", "asset"),
        _parent("run", "rendition_id", "rendition"),
        Column("first_piece", Integer(), nullable=False),
        Column("object_key", String(), nullable=False),
        Column("offsets", ARRAY(BigInteger()), nullable=False),
        _now("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_run"),
        sa.UniqueConstraint("rendition_id", "first_piece", name="uq_run_rendition_id"),
    )
    for column in ("asset_id", "object_key", "project_id"):
        op.create_index(f"ix_run_{column}", "run", [column])
    op.create_table(
        "jit_want",
        _parent("jit_want", "rendition_id", "rendition"),
        Column("segment", Integer(), nullable=False),
        _parent("jit_want", "project_id", "project"),
        _parent("jit_want", "asset_id", "asset"),
        Column("asked_at", DateTime(timezone=True), nullable=False),
        Column("wanted_until", DateTime(timezone=True), nullable=False),
        Column("owner", String(), nullable=True),
        _time("lease_until"),
        Column("attempts", Integer(), nullable=False),
        Column("failure", String(), nullable=True),
        sa.PrimaryKeyConstraint("rendition_id", "segment", name="pk_jit_want"),
    )
    op.create_index("ix_jit_want_wanted_until", "jit_want", ["wanted_until"])
    op.create_index("ix_jit_want_project_id", "jit_want", ["project_id"])
    op.create_index("ix_jit_want_asset_id", "jit_want", ["asset_id"])
    op.create_table(
        "step",
        _key(),
        _parent("step", "project_id", "project"),
        _parent("step", "asset_id", "asset"),
        Column("name", String(), nullable=False),
        Column("state", String(), nullable=False),
        Column("attempt", Integer(), server_default=sa.text("1"), nullable=False),
        Column("detail", JSONB(), nullable=False),
        _now("started_at"),
        _time("finished_at"),
        sa.PrimaryKeyConstraint("id", name="pk_step"),
        sa.UniqueConstraint("asset_id", "name", name="uq_step_asset_id"),
    )
    op.create_index("ix_step_project_id", "step", ["project_id"])


def _live_streams() -> None:
    op.create_table(
        "live_stream",
        _key(),
        _parent("live_stream", "project_id", "project"),
        Column("public_id", String(), nullable=False),
        Column("name", String(), nullable=False),
        Column("key_digest", LargeBinary(), nullable=False),
        Column("sealed_key", LargeBinary(), nullable=False),
        Column("public", Boolean(), nullable=False),
        Column("player_id", String(), nullable=True),
        Column("record", Boolean(), nullable=True),
        Column("sealed_restreams", LargeBinary(), nullable=True),
        Column("thumbnail_key", String(), nullable=True),
        Column("broadcasting", Boolean(), nullable=False),
        _now("created_at"),
        _now("updated_at"),
        _time("deleted_at"),
        Column("name_start", String(), Computed("left(name, 200)", persisted=True), nullable=False),
        Column(
            "name_trigrams",
            ARRAY(Text()),
            Computed("telecine_trigrams(name)", persisted=True),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name="pk_live_stream"),
        sa.UniqueConstraint("public_id", name="uq_live_stream_public_id"),
        sa.UniqueConstraint("key_digest", name="uq_live_stream_key_digest"),
    )
    for column in ("created_at", "updated_at", "name_start"):
        op.create_index(
            f"ix_live_stream_{column}",
            "live_stream",
            ["project_id", column, "id"],
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
    op.create_index(
        "ix_live_stream_name_trigrams", "live_stream", ["name_trigrams"], postgresql_using="gin"
    )
    op.create_index("ix_live_stream_project_id", "live_stream", ["project_id"])
    op.create_table(
        "broadcast",
        _key(),
        _parent("broadcast", "project_id", "project"),
        _parent("broadcast", "live_stream_id", "live_stream"),
        Column("node", String(), nullable=False),
        Column("started_at", DateTime(timezone=True), nullable=False),
        _time("completed_at"),
        _time("ended_at"),
        sa.PrimaryKeyConstraint("id", name="pk_broadcast"),
    )
    running = sa.text("ended_at IS NULL")
    op.create_index(
        "uq_broadcast_running",
        "broadcast",
        ["live_stream_id"],
        unique=True,
        postgresql_where=running,
    )
    op.create_index("ix_broadcast_node", "broadcast", ["node"], postgresql_where=running)
    for column in ("project_id", "live_stream_id"):
        op.create_index(f"ix_broadcast_{column}", "broadcast", [column])
    op.create_table(
        "recording",
        _key(),
        _parent("recording", "project_id", "project"),
        _parent("recording", "broadcast_id", "broadcast"),
        Column("key", String(), nullable=False),
        Column("kept", Boolean(), nullable=False),
        Column("size_bytes", BigInteger(), nullable=True),
        Column("video_public_id", String(), nullable=True),
        Column("failure", String(), nullable=True),
        Column("started_at", DateTime(timezone=True), nullable=False),
        _time("ended_at"),
        sa.PrimaryKeyConstraint("id", name="pk_recording"),
    )
    op.create_index("ix_recording_unfinished", "recording", ["id"], postgresql_where=running)
    for column in ("project_id", "broadcast_id"):
        op.create_index(f"ix_recording_{column}", "recording", [column])


def _analytics() -> None:
    op.create_table(
        "playback",
        _key(),
        _parent("playback", "project_id", "project"),
        Column("key", LargeBinary(), nullable=False),
        Column("session_id", String(), nullable=False),
        Column("generation", SmallInteger(), nullable=False),
        Column("media_id", String(), nullable=False),
        Column("media_type", String(), nullable=False),
        Column("loaded_at", DateTime(timezone=True), nullable=False),
        Column("last_at", DateTime(timezone=True), nullable=False),
        _time("impression_at"),
        _time("started_at"),
        _time("ended_at"),
        Column("load_ms", Integer(), nullable=True),
        Column("watched", TSTZMULTIRANGE(), server_default=sa.text("'{}'"), nullable=False),
        Column("watched_ms", BigInteger(), server_default=sa.text("0"), nullable=False),
        Column("spans", JSONB(), server_default=sa.text("'[]'"), nullable=False),
        Column("skew_ms", BigInteger(), nullable=False),
        Column("position_s", Double(), nullable=True),
        Column("event_count", Integer(), server_default=sa.text("0"), nullable=False),
        Column("viewer", LargeBinary(), nullable=False),
        Column("referrer", String(), nullable=False),
        Column("labels", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        Column("country", String(), nullable=True),
        Column("continent", String(), nullable=True),
        Column("city", String(), nullable=True),
        Column("device_type", String(), nullable=False),
        Column("device_vendor", String(), nullable=True),
        Column("device_model", String(), nullable=True),
        Column("os", String(), nullable=False),
        Column("os_version", String(), nullable=True),
        Column("browser", String(), nullable=False),
        Column("browser_version", String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_playback"),
        sa.UniqueConstraint("key", name="uq_playback_key"),
    )
    op.create_index("ix_playback_media", "playback", ["project_id", "media_id", "loaded_at"])
    op.create_index("ix_playback_session_id", "playback", ["project_id", "session_id"])
    op.create_index("ix_playback_last_at", "playback", ["last_at"], postgresql_using="brin")
    # Rewritten every few seconds while somebody watches: a row's next version stays beside it.
    op.execute("ALTER TABLE playback SET (fillfactor = 70)")
    op.create_table(
        "play_event",
        _parent("play_event", "playback_id", "playback"),
        Column("emitted_ms", BigInteger(), nullable=False),
        Column("type", String(), nullable=False),
        Column("at_s", Double(), nullable=False),
        Column("from_s", Double(), nullable=True),
        Column("place", SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("playback_id", "emitted_ms", "type", "at_s", name="pk_play_event"),
    )
    op.create_table(
        "play_total",
        _parent("play_total", "project_id", "project"),
        Column("media_id", String(), nullable=False),
        Column("media_type", String(), nullable=False),
        Column("plays", BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "media_id", name="pk_play_total"),
    )


def _jobs() -> None:
    op.execute(SchemaManager.get_schema())
    op.execute(
        "CREATE INDEX ix_procrastinate_jobs_asset_id ON procrastinate_jobs"
        " ((args->>'asset_id')) WHERE status IN ('todo', 'doing')"
    )
    # For the end of a worker, whose jobs let go of it.
    op.execute(
        "CREATE INDEX ix_procrastinate_jobs_worker_id ON procrastinate_jobs (worker_id)"
        " WHERE worker_id IS NOT NULL"
    )
    # Queues are rewritten all day: vacuum after 2 % of dead rows, not after 20 %.
    for table in ("procrastinate_jobs", "procrastinate_events", "procrastinate_workers"):
        op.execute(
            f"ALTER TABLE {table} SET"
            " (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02)"
        )
    op.create_table(
        "worker",
        _key(),
        Column("host", String(), nullable=False),
        Column("pid", Integer(), nullable=False),
        Column("version", String(), nullable=False),
        Column("slots", JSONB(), nullable=False),
        Column("queue_workers", ARRAY(BigInteger()), nullable=False),
        Column("free_bytes", BigInteger(), nullable=True),
        Column("started_at", DateTime(timezone=True), nullable=False),
        Column("seen_at", DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_worker"),
    )
    # Half-empty pages let a row's next version stay beside the last one.
    for table in ("video_count", "worker"):
        op.execute(f"ALTER TABLE {table} SET (fillfactor = 50)")
