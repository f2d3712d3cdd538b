"""What happens to a waiting request by the clock, and on what the decision of somebody in another's place rests.

Revision: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INBOX = ["state", "due_at", "created_at", "waits_on", "requester_id", "customer_id", "round", "approval_id"]


def upgrade() -> None:
    """Add the columns, and fix what was signed of a decision."""
    op.add_column("approvals", sa.Column("clocks", sa.JSON(), nullable=True))
    op.add_column("approvals", sa.Column("stand_ins", sa.Text(), nullable=False, server_default=""))
    op.drop_index("approvals_inbox", "approvals")
    op.create_index("approvals_inbox", "approvals", [*INBOX[:4], "stand_ins", *INBOX[4:7], "stage", "approval_id"])
    op.add_column("decisions", sa.Column("basis", sa.Text(), nullable=False, server_default=""))
    refuse = "for each row execute function plixo_refuse()"
    if not _postgresql():
        refuse = "begin select raise(abort, 'this is never changed'); end"
    op.execute(f"create trigger decisions_basis_fixed before update of basis on decisions {refuse}")


def downgrade() -> None:
    """Take them back."""
    op.execute(f"drop trigger decisions_basis_fixed{' on decisions' if _postgresql() else ''}")
    op.drop_column("decisions", "basis")
    op.drop_index("approvals_inbox", "approvals")
    op.create_index("approvals_inbox", "approvals", INBOX)
    op.drop_column("approvals", "stand_ins")
    op.drop_column("approvals", "clocks")


def _postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
