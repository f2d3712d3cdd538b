"""Since when a decision's workflow surely knows of it.

Revision: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the moment; what was settled before is taken as told."""
    op.add_column("decisions", sa.Column("told_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("decisions_told_at", "decisions", ["told_at", "submitted_at"], unique=False)
    op.execute("update decisions set told_at = settled_at")


def downgrade() -> None:
    """Forget it."""
    op.drop_index("decisions_told_at", "decisions")
    op.drop_column("decisions", "told_at")
