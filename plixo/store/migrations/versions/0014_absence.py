"""Absences, and to whom a decision hands its part of a request.

Revision: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLES = ("absences", "absence_returns")


def upgrade() -> None:
    """Make the tables, add the column, and fix what was signed."""
    op.create_table(
        "absences",
        sa.Column("absence_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("delegate_id", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entered_by", sa.Text(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signed", sa.Text(), nullable=False),
        sa.CheckConstraint("until > since and person_id <> delegate_id", name="absences_sound"),
        sa.ForeignKeyConstraint(["person_id"], ["people.person_id"]),
        sa.ForeignKeyConstraint(["delegate_id"], ["people.person_id"]),
        sa.ForeignKeyConstraint(["entered_by"], ["people.person_id"]),
        sa.PrimaryKeyConstraint("absence_id"),
    )
    op.create_index("absences_until", "absences", ["until"])
    op.create_table(
        "absence_returns",
        sa.Column("absence_id", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_by", sa.Text(), nullable=False),
        sa.Column("signed", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["absence_id"], ["absences.absence_id"]),
        sa.ForeignKeyConstraint(["ended_by"], ["people.person_id"]),
        sa.PrimaryKeyConstraint("absence_id"),
    )
    op.add_column("decisions", sa.Column("subject", sa.Text(), nullable=False, server_default=""))
    refuse = _refuse("this is never changed")
    op.execute(f"create trigger decisions_subject_fixed before update of subject on decisions {refuse}")
    for table in TABLES:
        op.execute(f"create trigger {table}_fixed before update on {table} {refuse}")
        op.execute(f"create trigger {table}_kept before delete on {table} {_refuse('this is never removed')}")
        if _postgresql():
            op.execute(
                f"create trigger {table}_whole before truncate on {table} "
                "for each statement execute function plixo_refuse()"
            )


def downgrade() -> None:
    """Take them back."""
    op.execute(f"drop trigger decisions_subject_fixed{' on decisions' if _postgresql() else ''}")
    op.drop_column("decisions", "subject")
    for table in reversed(TABLES):
        op.drop_table(table)


def _refuse(words: str) -> str:
    if _postgresql():
        return "for each row execute function plixo_refuse()"
    return f"begin select raise(abort, '{words}'); end"


def _postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
