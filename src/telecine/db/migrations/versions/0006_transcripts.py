"""What is said in videos: transcripts, and how summaries are made."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None
release = 1


def upgrade() -> None:
    op.create_table(
        "transcript",
        sa.Column("video_id", sa.Uuid, nullable=False),
        sa.Column("project_id", sa.Uuid, nullable=False),
        sa.Column("language", sa.String),
        sa.Column("spoken", sa.String),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("failure", sa.String),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("video_id", name="pk_transcript"),
        sa.ForeignKeyConstraint(
            ["video_id"], ["video.id"], name="fk_transcript_video_id_video", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["project.id"],
            name="fk_transcript_project_id_project",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_transcript_project_id", "transcript", ["project_id"])
    made = sa.Column("generated", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("caption", made)
    everything = sa.text("""'["abstract", "takeaways"]'::jsonb""")
    wanted = sa.Column("attributes", postgresql.JSONB, nullable=False, server_default=everything)
    op.add_column("summary", wanted)
    op.add_column("summary", sa.Column("failure", sa.String))
