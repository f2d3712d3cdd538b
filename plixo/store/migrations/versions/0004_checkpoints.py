"""Checkpoints over the audit log, and the wishes for one.

Revision: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; a checkpoint is never changed or removed."""
    op.create_table(
        "checkpoints",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("signed", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "checkpoint_wishes",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("made", sa.BigInteger(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("request_id"),
    )
    op.create_index("audit_at", "audit", ["at"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        _guards_of_postgresql()
    else:
        _guards_of_sqlite()


def _guards_of_sqlite() -> None:
    op.execute(
        "create trigger checkpoints_fixed before update on checkpoints "
        "begin select raise(abort, 'this is never changed'); end"
    )
    op.execute(
        "create trigger checkpoints_kept before delete on checkpoints "
        "begin select raise(abort, 'this is never removed'); end"
    )


def _guards_of_postgresql() -> None:
    for name, when in (("fixed", "update"), ("kept", "delete")):
        op.execute(
            f"create trigger checkpoints_{name} before {when} on checkpoints "
            "for each row execute function plixo_refuse()"
        )
    op.execute(
        "create trigger checkpoints_whole before truncate on checkpoints "
        "for each statement execute function plixo_refuse()"
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_index("audit_at", "audit")
    op.drop_table("checkpoint_wishes")
    op.drop_table("checkpoints")
