"""Sign-ins on their way to the identity provider.

Revision: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "sign_in_attempts",
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("next_page", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("secret_hash"),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("sign_in_attempts")
