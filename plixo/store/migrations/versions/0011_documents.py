"""Documents on a request, in parts, with who added them.

Revision: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

NEVER_CHANGED = ("documents", "document_parts")


def upgrade() -> None:
    """Make the tables with their guards."""
    op.create_table(
        "documents",
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("approval_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind in ('pdf', 'png', 'jpeg', 'text')", name="documents_kind"),
        sa.CheckConstraint("size between 1 and 10485760", name="documents_size"),
        sa.ForeignKeyConstraint(["approval_id"], ["approvals.approval_id"]),
        sa.ForeignKeyConstraint(["person_id"], ["people.person_id"]),
        sa.PrimaryKeyConstraint("document_id"),
        sa.UniqueConstraint("approval_id", "sha256", name="documents_once"),
    )
    op.create_table(
        "document_parts",
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.document_id"]),
        sa.PrimaryKeyConstraint("document_id", "position"),
    )
    for table in NEVER_CHANGED:
        _guard(table)


def downgrade() -> None:
    """Take them back, and every document with them."""
    op.drop_table("document_parts")
    op.drop_table("documents")


def _guard(table: str) -> None:
    refuse = "for each row execute function plixo_refuse()"
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"create trigger {table}_fixed before update on {table} {refuse}")
        op.execute(f"create trigger {table}_kept before delete on {table} {refuse}")
        op.execute(
            f"create trigger {table}_whole before truncate on {table} "
            "for each statement execute function plixo_refuse()"
        )
        return
    for name, when, never in (("fixed", "update", "changed"), ("kept", "delete", "removed")):
        op.execute(
            f"create trigger {table}_{name} before {when} on {table} "
            f"begin select raise(abort, 'this is never {never}'); end"
        )
