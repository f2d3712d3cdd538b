"""Questions and answers, and what is returned without being ended: more verdicts, a state, and more steps between them.

Revision: 0010
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

STEPS = (
    "routing>waiting",
    "routing>approved",
    "routing>returned",
    "waiting>approved",
    "waiting>rejected",
    "waiting>withdrawn",
    "waiting>returned",
    "approved>returned",
    "approved>executing",
    "executing>executed",
    "executing>needs_attention",
)
MORE_STEPS = (
    "routing>withdrawn",
    "waiting>needs_information",
    "needs_information>waiting",
    "needs_information>approved",
    "needs_information>returned",
    "needs_information>withdrawn",
    "returned>waiting",
    "returned>approved",
    "returned>withdrawn",
    "approved>withdrawn",
)
STATES = (
    "state in ('routing', 'waiting', 'returned', 'withdrawn', 'rejected', 'approved', 'executing', 'executed', "
    "'needs_attention')"
)
MORE_STATES = STATES.replace("'returned'", "'needs_information', 'returned'")
VERDICTS = "verdict in ('approve', 'reject', 'withdraw')"
MORE_VERDICTS = (
    "verdict in ('approve', 'reject', 'ask', 'return', 'answer', 'withdraw', 'amend', 'delegate', 'reassign', 'nudge')"
)


def upgrade() -> None:
    """Allow more."""
    _allow("approvals", "approvals_state", STATES, MORE_STATES)
    _allow("decisions", "decisions_verdict", VERDICTS, MORE_VERDICTS)
    _follow((*STEPS, *MORE_STEPS))


def downgrade() -> None:
    """Allow no more than before; refused where something of it was used."""
    _follow(STEPS)
    _allow("decisions", "decisions_verdict", MORE_VERDICTS, VERDICTS)
    _allow("approvals", "approvals_state", MORE_STATES, STATES)


def _allow(table: str, name: str, before: str, after: str) -> None:
    if _postgresql():
        op.drop_constraint(name, table)
        op.create_check_constraint(name, table, after)
        return
    # SQLite changes no constraint of a table that is there. Its documentation allows this instead for one that changes
    # nothing of what is stored; a copy of the table would lose its triggers, and what points at it.
    connection = op.get_bind()
    version = connection.exec_driver_sql("pragma schema_version").scalar_one()
    connection.exec_driver_sql("pragma writable_schema = on")
    changed = connection.exec_driver_sql(
        "update sqlite_schema set sql = replace(sql, ?, ?) where type = 'table' and name = ? and instr(sql, ?) > 0",
        (before, after, table, before),
    )
    if changed.rowcount != 1:
        raise RuntimeError(f"{table} has another rule than expected for {name}")
    connection.exec_driver_sql(f"pragma schema_version = {version + 1}")
    connection.exec_driver_sql("pragma writable_schema = off")


def _follow(steps: tuple[str, ...]) -> None:
    follow = ", ".join(f"'{step}'" for step in steps)
    refused = f"new.state <> old.state and old.state || '>' || new.state not in ({follow})"
    if _postgresql():
        op.execute(
            "create or replace function plixo_check_transition() returns trigger language plpgsql as $$ begin "
            f"if {refused} then raise exception 'that state cannot follow' using errcode = 'check_violation'; end if; "
            "return new; end $$"
        )
        return
    op.execute("drop trigger approvals_transition")
    op.execute(
        "create trigger approvals_transition before update of state on approvals "
        f"when {refused} begin select raise(abort, 'that state cannot follow'); end"
    )


def _postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
