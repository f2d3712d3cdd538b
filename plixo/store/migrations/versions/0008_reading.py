"""Whom a request waits for as a column that an index holds, when requests ended, and mails that wait for the morning.

Revision: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# `["controller", "legal"]` becomes `controller,legal`.
WAITS_ON = """replace(replace(replace(cast(waits_for as text), '", "', ','), '["', ''), '"]', '')"""
INBOX = ["state", "due_at", "created_at", "waits_on", "requester_id", "customer_id", "round", "approval_id"]


def upgrade() -> None:
    """Add the columns and indexes."""
    # SQLite adds no stored column to a table that is there; PostgreSQL indexes none that is not stored.
    computed = sa.Computed(WAITS_ON, persisted=op.get_bind().dialect.name == "postgresql" or None)
    op.add_column("approvals", sa.Column("waits_on", sa.Text(), computed, nullable=True))
    op.drop_index("approvals_inbox", "approvals")
    op.create_index("approvals_inbox", "approvals", INBOX)
    ended = sa.text("ended_at is not null")
    op.create_index("approvals_ended", "approvals", ["ended_at"], postgresql_where=ended, sqlite_where=ended)
    op.create_index("decisions_settled", "decisions", ["settled_at"])
    op.add_column("outbox", sa.Column("not_before", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Take them back."""
    op.drop_column("outbox", "not_before")
    op.drop_index("decisions_settled", "decisions")
    op.drop_index("approvals_ended", "approvals")
    op.drop_index("approvals_inbox", "approvals")
    op.create_index("approvals_inbox", "approvals", ["state", "due_at"])
    op.drop_column("approvals", "waits_on")
