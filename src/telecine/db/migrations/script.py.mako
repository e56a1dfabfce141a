"""${message}"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None
# The schema release, as in telecine.db.release: what this revision removes must be
# unused since the one before.
release = 0


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
