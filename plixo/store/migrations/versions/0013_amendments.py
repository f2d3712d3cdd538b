"""What requesters make of their requests: signed and immutable rows, which the database copies into the request.

Workers say which amendment a request takes over, and that it goes into the next round; what it says then, they may not
write. A trigger copies it from the staff side's row.

Revision: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None

INBOX = ["state", "due_at", "created_at", "waits_on", "stand_ins", "requester_id", "customer_id"]
ROUTED = ["routed_at", "requester_id", "customer_id", "created_at", "state", "automatic", "base_minor"]
COPIED = (
    *("change", "digest", "amount_minor", "base_minor", "base_currency", "policy", "path", "automatic", "signed"),
    *("rate", "rate_as_of", "since_round"),
)
"""What an amendment makes another in its request."""
LASTING = (
    *("approval_id", "kind", "request_id", "requester_id", "customer_id", "customer_name", "target_id", "currency"),
    "created_at",
)
BEFORE = (
    *("approval_id", "kind", "request_id", "requester_id", "customer_id", "customer_name", "target_id", "change"),
    *("digest", "amount_minor", "currency", "base_minor", "base_currency", "policy", "path", "automatic", "signed"),
    "created_at",
)
OPEN = "('waiting', 'needs_information', 'returned', 'approved')"
STEP = "'approved>withdrawn'"
MORE_STEPS = "'approved>withdrawn', 'approved>waiting'"


def upgrade() -> None:
    """Make the table, add what requests say of it, and let triggers copy."""
    _table()
    op.add_column("approvals", sa.Column("since_round", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("approvals", sa.Column("amended_by", sa.Text(), nullable=False, server_default=""))
    op.add_column("approvals", sa.Column("routed_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_index("approvals_inbox", "approvals")
    op.create_index("approvals_inbox", "approvals", [*INBOX, "since_round", "stage", "amount_minor", "approval_id"])
    routed = sa.text("routed_at is not null")
    op.create_index("approvals_routed", "approvals", ROUTED, postgresql_where=routed, sqlite_where=routed)
    _follow(STEP, MORE_STEPS)
    _guard_by_postgresql() if _postgresql() else _guard_by_sqlite()


def downgrade() -> None:
    """Take them back; refused where something was amended."""
    if op.get_bind().execute(sa.text("select count(*) from amendments")).scalar_one():
        raise RuntimeError("requests were amended, which that version does not know")
    _unguard()
    _follow(MORE_STEPS, STEP)
    op.drop_index("approvals_routed", "approvals")
    op.drop_index("approvals_inbox", "approvals")
    op.create_index("approvals_inbox", "approvals", [*INBOX, "round", "stage", "approval_id"])
    for column in ("routed_at", "amended_by", "since_round"):
        op.drop_column("approvals", column)
    op.drop_table("amendments")


def _table() -> None:
    op.create_table(
        "amendments",
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("approval_id", sa.Text(), nullable=False),
        sa.Column("requester_id", sa.Text(), nullable=False),
        sa.Column("round", sa.BigInteger(), nullable=False),
        sa.Column("since_round", sa.BigInteger(), nullable=False),
        sa.Column("change", sa.JSON(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("base_minor", sa.BigInteger(), nullable=False),
        sa.Column("base_currency", sa.Text(), nullable=False),
        sa.Column("rate", sa.Text(), nullable=True),
        sa.Column("rate_as_of", sa.DateTime(timezone=True), nullable=True),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
        sa.Column("tax_minor", sa.BigInteger(), nullable=False),
        sa.Column("gross_minor", sa.BigInteger(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("path", sa.JSON(), nullable=False),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.Column("signed", sa.Text(), nullable=False),
        sa.Column("replaced", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("routed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount_minor > 0 and base_minor >= 0", name="amendments_amounts"),
        sa.CheckConstraint("round > 0 and since_round between 0 and round", name="amendments_rounds"),
        sa.ForeignKeyConstraint(["approval_id"], ["approvals.approval_id"]),
        sa.ForeignKeyConstraint(["decision_id"], ["decisions.decision_id"]),
        sa.ForeignKeyConstraint(["requester_id"], ["people.person_id"]),
        sa.PrimaryKeyConstraint("decision_id"),
    )
    op.create_index("amendments_approval", "amendments", ["approval_id", "created_at"])


def _guard_by_postgresql() -> None:
    for name, when in (("fixed", "update"), ("kept", "delete")):
        op.execute(
            f"create trigger amendments_{name} before {when} on amendments for each row execute function plixo_refuse()"
        )
    op.execute(
        "create trigger amendments_whole before truncate on amendments for each statement execute function plixo_refuse()"
    )
    op.execute(
        "create trigger approvals_rounds_fixed before update of since_round, routed_at on approvals "
        "for each row execute function plixo_refuse()"
    )
    copied = " ".join(f"new.{column} := said.{column};" for column in COPIED)
    # A table of a session's own would come before ours where the schema is left out.
    op.execute(
        "create function plixo_amend() returns trigger language plpgsql set search_path = public, pg_temp as $$ "
        "declare said public.amendments%rowtype; begin "
        "select * into said from public.amendments where decision_id = new.amended_by "
        "and approval_id = old.approval_id and round = new.round; "
        f"if said.decision_id is null or new.round <> old.round + 1 or old.state not in {OPEN} then "
        "raise exception 'no amendment says so' using errcode = 'check_violation'; end if; "
        f"{copied} new.routed_at := coalesce(said.routed_at, old.routed_at); return new; end $$"
    )
    op.execute(
        "create trigger approvals_amended before update of round, amended_by on approvals for each row "
        "when (new.round <> old.round or new.amended_by <> old.amended_by) execute function plixo_amend()"
    )


def _guard_by_sqlite() -> None:
    for name, when, why in (("fixed", "update", "never changed"), ("kept", "delete", "never removed")):
        op.execute(
            f"create trigger amendments_{name} before {when} on amendments "
            f"begin select raise(abort, 'this is {why}'); end"
        )
    said = "amendments.approval_id = old.approval_id and amendments.decision_id ="
    op.execute(
        "create trigger approvals_amended before update of round, amended_by on approvals "
        "when (new.round <> old.round or new.amended_by <> old.amended_by) and not (new.round = old.round + 1 and "
        f"old.state in {OPEN} and exists (select 1 from amendments where {said} new.amended_by and round = new.round)) "
        "begin select raise(abort, 'no amendment says so'); end"
    )
    op.execute(
        "create trigger approvals_amend after update of round, amended_by on approvals when new.round <> old.round "
        f"begin update approvals set ({', '.join(COPIED)}, routed_at) = (select {', '.join(COPIED)}, "
        f"coalesce(amendments.routed_at, old.routed_at) from amendments where {said} new.amended_by) "
        "where approval_id = new.approval_id; end"
    )
    # A trigger cannot change the row that is being written, as PostgreSQL's does: the copy is an update of its own.
    op.execute("drop trigger approvals_fixed")
    op.execute("drop trigger approvals_rate_fixed")
    copied = (*COPIED, "routed_at")
    _fix_in_sqlite("approvals_fixed", LASTING)
    new = ", ".join(f"new.{column}" for column in COPIED)
    same = f"({new}) is (select {', '.join(COPIED)} from amendments where {said} old.amended_by and round = old.round)"
    routed = "new.routed_at is coalesce((select routed_at from amendments where decision_id = old.amended_by), old.routed_at)"
    _fix_in_sqlite("approvals_copied", copied, f"when not (old.round > 0 and {same} and {routed}) ")


def _unguard() -> None:
    if _postgresql():
        op.execute("drop trigger approvals_amended on approvals")
        op.execute("drop trigger approvals_rounds_fixed on approvals")
        op.execute("drop function plixo_amend()")
        return
    for name in ("approvals_copied", "approvals_fixed", "approvals_amend", "approvals_amended"):
        op.execute(f"drop trigger {name}")
    _fix_in_sqlite("approvals_fixed", BEFORE)
    _fix_in_sqlite("approvals_rate_fixed", ("rate", "rate_as_of"))


def _fix_in_sqlite(name: str, columns: tuple[str, ...], when: str = "") -> None:
    op.execute(
        f"create trigger {name} before update of {', '.join(columns)} on approvals {when}"
        "begin select raise(abort, 'this is never changed'); end"
    )


def _follow(before: str, after: str) -> None:
    """Change the steps that may follow each other, whatever they are by now."""
    found = op.get_bind()
    if _postgresql():
        text = found.exec_driver_sql("select pg_get_functiondef('plixo_check_transition'::regproc)").scalar_one()
        op.execute(sa.text(_replaced(text, before, after).replace(":", r"\:")))
        return
    text = found.exec_driver_sql("select sql from sqlite_schema where name = 'approvals_transition'").scalar_one()
    op.execute("drop trigger approvals_transition")
    op.execute(_replaced(text, before, after))


def _replaced(text: str, before: str, after: str) -> str:
    if before not in text:
        raise RuntimeError("other steps follow each other than expected")
    return text.replace(before, after)


def _postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
