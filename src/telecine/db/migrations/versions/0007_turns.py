"""Whose turn it is in a lane is found by index."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None
release = 1

_IN_TURN = "WHERE status = 'todo' AND args->>'turn_of' IS NOT NULL"


def upgrade() -> None:
    op.execute(
        "CREATE INDEX ix_procrastinate_jobs_round ON procrastinate_jobs"
        f" (queue_name, priority) {_IN_TURN}"
    )
    op.execute(
        "CREATE INDEX ix_procrastinate_jobs_turn ON procrastinate_jobs"
        f" (queue_name, (args->>'turn_of'), priority) {_IN_TURN}"
    )
