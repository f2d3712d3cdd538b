"""Drafts of policies and of exchange rates, who published which, signed; and the rate that a request was routed at.

A policy's content may be published again as a new version, so its hash is no longer unique.

Revision: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

NEVER_CHANGED = ("policy_drafts", "policy_publications")
POLICY_COLUMNS = "version, hash, content, published_at"


def upgrade() -> None:
    """Make the tables with their guards, and add the columns."""
    op.create_table(
        "policy_drafts",
        sa.Column("draft_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("author_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("base_version", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint("kind in ('policy', 'rates')", name="policy_drafts_kind"),
        sa.ForeignKeyConstraint(["author_id"], ["people.person_id"]),
        sa.PrimaryKeyConstraint("draft_id"),
    )
    op.create_index("policy_drafts_created", "policy_drafts", ["created_at"])
    op.create_table(
        "policy_publications",
        sa.Column("draft_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=True),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["draft_id"], ["policy_drafts.draft_id"]),
        sa.ForeignKeyConstraint(["published_by"], ["people.person_id"]),
        sa.PrimaryKeyConstraint("draft_id"),
        sa.UniqueConstraint("version"),
    )
    op.add_column("rates", sa.Column("signed", sa.Text(), nullable=True))
    op.add_column("approvals", sa.Column("rate", sa.Text(), nullable=True))
    op.add_column("approvals", sa.Column("rate_as_of", sa.DateTime(timezone=True), nullable=True))
    if _postgresql():
        op.drop_constraint("policies_hash_key", "policies")
        op.add_column("policies", sa.Column("signed", sa.Text(), nullable=True))
        _guards_of_postgresql()
    else:
        _policies_anew(unique="", more=", signed text")
        _guards_of_sqlite()


def downgrade() -> None:
    """Take them back; fails where the same content was published twice."""
    op.execute(f"drop trigger approvals_rate_fixed{' on approvals' if _postgresql() else ''}")
    op.drop_column("rates", "signed")
    op.drop_column("approvals", "rate_as_of")
    op.drop_column("approvals", "rate")
    op.drop_table("policy_publications")
    op.drop_table("policy_drafts")
    if _postgresql():
        op.execute("drop trigger policies_signed on policies")
        op.drop_column("policies", "signed")
        op.create_unique_constraint("policies_hash_key", "policies", ["hash"])
    else:
        _policies_anew(unique=", unique (hash)")


def _policies_anew(unique: str, more: str = "") -> None:
    """SQLite drops no constraint: the table is made once more, with its guards."""
    op.execute("alter table policies rename to policies_before")
    op.execute(
        "create table policies (version bigint not null, hash text not null, content text not null, "
        f"published_at datetime not null{more}, primary key (version){unique})"
    )
    op.execute(f"insert into policies ({POLICY_COLUMNS}) select {POLICY_COLUMNS} from policies_before")
    for name in ("fixed", "kept"):
        op.execute(f"drop trigger policies_{name}")
    op.execute("drop table policies_before")
    _guard_in_sqlite("policies", POLICY_COLUMNS + (", signed" if more else ""))


def _guards_of_sqlite() -> None:
    for table in NEVER_CHANGED:
        _guard_in_sqlite(table, "")
    op.execute(
        "create trigger approvals_rate_fixed before update of rate, rate_as_of on approvals "
        "begin select raise(abort, 'this is never changed'); end"
    )


def _guard_in_sqlite(table: str, columns: str) -> None:
    changed = f"update of {columns}" if columns else "update"
    op.execute(
        f"create trigger {table}_fixed before {changed} on {table} "
        "begin select raise(abort, 'this is never changed'); end"
    )
    op.execute(
        f"create trigger {table}_kept before delete on {table} begin select raise(abort, 'this is never removed'); end"
    )


def _guards_of_postgresql() -> None:
    for table in NEVER_CHANGED:
        for name, when in (("fixed", "update"), ("kept", "delete")):
            op.execute(
                f"create trigger {table}_{name} before {when} on {table} for each row execute function plixo_refuse()"
            )
        op.execute(
            f"create trigger {table}_whole before truncate on {table} "
            "for each statement execute function plixo_refuse()"
        )
    op.execute(
        "create trigger policies_signed before update of signed on policies "
        "for each row execute function plixo_refuse()"
    )
    op.execute(
        "create trigger approvals_rate_fixed before update of rate, rate_as_of on approvals "
        "for each row execute function plixo_refuse()"
    )


def _postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
