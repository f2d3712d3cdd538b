"""First tables.

Revision: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


STATES_THAT_FOLLOW = (
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
NEVER_CHANGED = {
    "audit": ("approval_id", "seq", "at", "event", "actor", "detail", "prev", "hash"),
    "approvals": (
        "approval_id",
        "kind",
        "request_id",
        "requester_id",
        "customer_id",
        "customer_name",
        "target_id",
        "change",
        "digest",
        "amount_minor",
        "currency",
        "base_minor",
        "base_currency",
        "policy",
        "path",
        "automatic",
        "signed",
        "created_at",
    ),
    "decisions": (
        "decision_id",
        "approval_id",
        "round",
        "stage",
        "person_id",
        "group_name",
        "verdict",
        "digest",
        "amount_minor",
        "comment",
        "signed",
        "submitted_at",
    ),
    "effects": (
        "effect_id",
        "approval_id",
        "kind",
        "params",
        "key",
        "customer_id",
        "amount_minor",
        "currency",
        "intended_at",
    ),
    "policies": ("version", "hash", "content", "published_at"),
}


def upgrade() -> None:
    """Make the tables, then the guards that hold whatever code writes to them."""
    _tables()
    if op.get_bind().dialect.name == "postgresql":
        _guards_of_postgresql()
    else:
        _guards_of_sqlite()


def _guards_of_sqlite() -> None:
    follow = ", ".join(f"'{step}'" for step in STATES_THAT_FOLLOW)
    op.execute(
        "create trigger approvals_transition before update of state on approvals "
        f"when new.state <> old.state and old.state || '>' || new.state not in ({follow}) "
        "begin select raise(abort, 'that state cannot follow'); end"
    )
    for table, columns in NEVER_CHANGED.items():
        op.execute(
            f"create trigger {table}_fixed before update of {', '.join(columns)} on {table} "
            "begin select raise(abort, 'this is never changed'); end"
        )
        op.execute(
            f"create trigger {table}_kept before delete on {table} "
            "begin select raise(abort, 'this is never removed'); end"
        )


def _guards_of_postgresql() -> None:
    follow = ", ".join(f"'{step}'" for step in STATES_THAT_FOLLOW)
    op.execute(
        "create function plixo_check_transition() returns trigger language plpgsql as $$ begin "
        f"if new.state <> old.state and old.state || '>' || new.state not in ({follow}) "
        "then raise exception 'that state cannot follow' using errcode = 'check_violation'; end if; "
        "return new; end $$"
    )
    op.execute(
        "create trigger approvals_transition before update of state on approvals "
        "for each row execute function plixo_check_transition()"
    )
    op.execute(
        "create function plixo_refuse() returns trigger language plpgsql as $$ begin "
        "raise exception 'this is never changed or removed' using errcode = 'check_violation'; end $$"
    )
    for table, columns in NEVER_CHANGED.items():
        op.execute(
            f"create trigger {table}_fixed before update of {', '.join(columns)} on {table} "
            "for each row execute function plixo_refuse()"
        )
        op.execute(f"create trigger {table}_kept before delete on {table} for each row execute function plixo_refuse()")
        op.execute(
            f"create trigger {table}_whole before truncate on {table} "
            "for each statement execute function plixo_refuse()"
        )


def _tables() -> None:
    op.create_table(
        "audit",
        sa.Column("approval_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("prev", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("approval_id", "seq"),
    )
    op.create_table(
        "outbox",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("context", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("outbox_unsent", "outbox", ["sent_at", "leased_until"], unique=False)

    op.create_table(
        "people",
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("groups", sa.JSON(), nullable=False),
        sa.Column("limits", sa.JSON(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("working_hours", sa.Text(), nullable=False),
        sa.Column("holidays", sa.Text(), nullable=False),
        sa.Column("delegate_id", sa.Text(), nullable=True),
        sa.Column("related_customers", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("person_id"),
        sa.UniqueConstraint("email"),
    )
    op.create_table(
        "policies",
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("version"),
        sa.UniqueConstraint("hash"),
    )
    op.create_table(
        "rates",
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("base", sa.Text(), nullable=False),
        sa.Column("rate", sa.Text(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("currency", "base"),
    )
    op.create_table(
        "approvals",
        sa.Column("approval_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("requester_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("customer_name", sa.Text(), nullable=False),
        sa.Column("target_id", sa.Text(), nullable=False),
        sa.Column("change", sa.JSON(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("base_minor", sa.BigInteger(), nullable=False),
        sa.Column("base_currency", sa.Text(), nullable=False),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
        sa.Column("tax_minor", sa.BigInteger(), nullable=False),
        sa.Column("gross_minor", sa.BigInteger(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("path", sa.JSON(), nullable=False),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.Column("signed", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("round", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.BigInteger(), nullable=False),
        sa.Column("waits_for", sa.JSON(), nullable=False),
        sa.Column("stage_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stripe_object", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state in ('routing', 'waiting', 'returned', 'withdrawn', 'rejected', 'approved', 'executing', 'executed', 'needs_attention')",
            name="approvals_state",
        ),
        sa.CheckConstraint("amount_minor > 0 and base_minor >= 0", name="approvals_amounts"),
        sa.ForeignKeyConstraint(
            ["requester_id"],
            ["people.person_id"],
        ),
        sa.PrimaryKeyConstraint("approval_id"),
        sa.UniqueConstraint("requester_id", "request_id", name="approvals_request"),
    )
    op.create_index("approvals_created", "approvals", ["created_at"], unique=False)
    op.create_index("approvals_customer", "approvals", ["customer_id", "created_at"], unique=False)
    op.create_index("approvals_inbox", "approvals", ["state", "due_at"], unique=False)
    op.create_index("approvals_requester", "approvals", ["requester_id", "created_at"], unique=False)
    op.create_index("approvals_target", "approvals", ["target_id"], unique=False)

    op.create_table(
        "logins",
        sa.Column("device_hash", sa.Text(), nullable=False),
        sa.Column("user_code", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=True),
        sa.Column("authenticated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["people.person_id"],
        ),
        sa.PrimaryKeyConstraint("device_hash"),
        sa.UniqueConstraint("user_code"),
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("authenticated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind in ('console', 'cli')", name="sessions_kind"),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["people.person_id"],
        ),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    op.create_table(
        "decisions",
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("approval_id", sa.Text(), nullable=False),
        sa.Column("round", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("group_name", sa.Text(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("signed", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status in ('submitted', 'recorded', 'refused', 'conflict')", name="decisions_status"),
        sa.CheckConstraint("verdict in ('approve', 'reject', 'withdraw')", name="decisions_verdict"),
        sa.CheckConstraint("amount_minor > 0", name="decisions_amount"),
        sa.ForeignKeyConstraint(
            ["approval_id"],
            ["approvals.approval_id"],
        ),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["people.person_id"],
        ),
        sa.PrimaryKeyConstraint("decision_id"),
    )
    op.create_index("decisions_approval", "decisions", ["approval_id", "position"], unique=False)
    op.create_index("decisions_status_at", "decisions", ["status", "submitted_at"], unique=False)

    op.create_table(
        "effects",
        sa.Column("effect_id", sa.Text(), nullable=False),
        sa.Column("approval_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("stripe_object", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("intended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(state = 'done') = (stripe_object <> '')", name="effects_done"),
        sa.CheckConstraint("state in ('intended', 'done', 'refused')", name="effects_state"),
        sa.CheckConstraint("amount_minor > 0", name="effects_amount"),
        sa.ForeignKeyConstraint(
            ["approval_id"],
            ["approvals.approval_id"],
        ),
        sa.PrimaryKeyConstraint("effect_id"),
        sa.UniqueConstraint("approval_id"),
        sa.UniqueConstraint("key"),
    )
