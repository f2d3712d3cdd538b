"""Which requests and mails came as one of many; and indexes that hold what the sums add up.

Revision: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None

INDEXES = {
    "approvals_requester": ("approvals", ["requester_id", "created_at"], ["state", "automatic", "base_minor"]),
    "approvals_customer": ("approvals", ["customer_id", "created_at"], ["state", "automatic", "base_minor"]),
    "approvals_created": ("approvals", ["created_at"], ["state", "base_minor"]),
}


def upgrade() -> None:
    """Add the columns, fix what is said of a request, and make the indexes anew."""
    for table in ("approvals", "outbox"):
        op.add_column(table, sa.Column("bulk", sa.Boolean(), nullable=False, server_default=sa.false()))
    _fix()
    for name, (table, found, added) in INDEXES.items():
        op.drop_index(name, table)
        op.create_index(name, table, [*found, *added])
    op.drop_index("outbox_unsent", "outbox")
    op.create_index("outbox_unsent", "outbox", ["sent_at", "bulk", "created_at"])


def downgrade() -> None:
    """Take them back."""
    op.execute(f"drop trigger approvals_bulk_fixed{' on approvals' if _postgresql() else ''}")
    op.drop_index("outbox_unsent", "outbox")
    for table in ("approvals", "outbox"):
        op.drop_column(table, "bulk")
    op.create_index("outbox_unsent", "outbox", ["sent_at", "leased_until"])
    for name, (table, found, _added) in INDEXES.items():
        op.drop_index(name, table)
        op.create_index(name, table, found)


def _fix() -> None:
    refuse = "for each row execute function plixo_refuse()"
    if not _postgresql():
        refuse = "begin select raise(abort, 'this is never changed'); end"
    op.execute(f"create trigger approvals_bulk_fixed before update of bulk on approvals {refuse}")


def _postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
