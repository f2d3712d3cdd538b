"""The tables. What may be written where is guarded here and by triggers, not by code alone."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Computed,
    ForeignKey,
    Index,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from plixo.store.base import Base


class PersonRow(Base):
    """Somebody who works here."""

    __tablename__ = "people"

    person_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str] = mapped_column(unique=True)
    groups: Mapped[list[str]]
    limits: Mapped[dict[str, Any]]
    time_zone: Mapped[str]
    working_hours: Mapped[str]
    holidays: Mapped[str]
    delegate_id: Mapped[str | None]
    related_customers: Mapped[list[str]]
    active: Mapped[bool]


class SessionRow(Base):
    """A sign-in, of a browser or of the command line; the token itself is kept by its holder alone."""

    __tablename__ = "sessions"
    __table_args__ = (CheckConstraint("kind in ('console', 'cli')", name="sessions_kind"),)

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.person_id"))
    kind: Mapped[str]
    created_at: Mapped[datetime]
    authenticated_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class LoginRow(Base):
    """A command line that asks to be signed in, until somebody confirms its code in the console."""

    __tablename__ = "logins"

    device_hash: Mapped[str] = mapped_column(primary_key=True)
    user_code: Mapped[str] = mapped_column(unique=True)
    person_id: Mapped[str | None] = mapped_column(ForeignKey("people.person_id"))
    authenticated_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class SignInAttemptRow(Base):
    """A browser on its way to the identity provider and back; the secret it took along is kept by it alone."""

    __tablename__ = "sign_in_attempts"

    secret_hash: Mapped[str] = mapped_column(primary_key=True)
    next_page: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class PolicyRow(Base):
    """A published policy: immutable; published again, the same content is another version."""

    __tablename__ = "policies"

    version: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[str]
    content: Mapped[str]
    published_at: Mapped[datetime]
    signed: Mapped[str | None]


class PolicyDraftRow(Base):
    """What somebody wants to be published, a policy or exchange rates: immutable."""

    __tablename__ = "policy_drafts"
    __table_args__ = (
        CheckConstraint("kind in ('policy', 'rates')", name="policy_drafts_kind"),
        Index("policy_drafts_created", "created_at"),
    )

    draft_id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    author_id: Mapped[str] = mapped_column(ForeignKey("people.person_id"))
    created_at: Mapped[datetime]
    hash: Mapped[str]
    content: Mapped[str]
    base_version: Mapped[int]
    note: Mapped[str]


class PolicyPublicationRow(Base):
    """Who published a draft: immutable. A version without such a row came with a release."""

    __tablename__ = "policy_publications"

    draft_id: Mapped[str] = mapped_column(ForeignKey("policy_drafts.draft_id"), primary_key=True)
    version: Mapped[int | None] = mapped_column(unique=True)
    published_by: Mapped[str] = mapped_column(ForeignKey("people.person_id"))
    published_at: Mapped[datetime]


class RateRow(Base):
    """What one major unit of a currency is worth in the base currency, as text so that nothing is rounded."""

    __tablename__ = "rates"

    currency: Mapped[str] = mapped_column(primary_key=True)
    base: Mapped[str] = mapped_column(primary_key=True)
    rate: Mapped[str]
    as_of: Mapped[datetime]
    signed: Mapped[str | None]


WAITS_ON = """replace(replace(replace(cast(waits_for as text), '", "', ','), '["', ''), '"]', '')"""
"""The list of `waits_for` as a word that an index holds: `["controller", "legal"]` is `controller,legal`. The database
works it out, so that nobody can write the one without the other."""

_INBOX = (
    *("state", "due_at", "created_at", "waits_on", "stand_ins", "requester_id", "customer_id", "since_round", "stage"),
    *("amount_minor", "approval_id"),
)
_ROUTED = ("routed_at", "requester_id", "customer_id", "created_at", "state", "automatic", "base_minor")
_HAS_ENDED = text("ended_at is not null")
_WAS_ROUTED = text("routed_at is not null")


class ApprovalRow(Base):
    """An approval request."""

    __tablename__ = "approvals"
    __table_args__ = (
        UniqueConstraint("requester_id", "request_id", name="approvals_request"),
        CheckConstraint("amount_minor > 0 and base_minor >= 0", name="approvals_amounts"),
        CheckConstraint(
            "state in ('routing', 'waiting', 'needs_information', 'returned', 'withdrawn', 'rejected', 'approved', "
            "'executing', 'executed', 'needs_attention')",
            name="approvals_state",
        ),
        # This one holds all that the inbox chooses, orders and counts by.
        Index("approvals_inbox", *_INBOX),
        Index("approvals_ended", "ended_at", postgresql_where=_HAS_ENDED, sqlite_where=_HAS_ENDED),
        # These three hold all that the sums add up, so that no sum reads a row of its own.
        Index("approvals_requester", "requester_id", "created_at", "state", "automatic", "base_minor"),
        Index("approvals_customer", "customer_id", "created_at", "state", "automatic", "base_minor"),
        Index("approvals_created", "created_at", "state", "base_minor"),
        Index("approvals_target", "target_id"),
        Index("approvals_routed", *_ROUTED, postgresql_where=_WAS_ROUTED, sqlite_where=_WAS_ROUTED),
    )
    __mapper_args__ = {"eager_defaults": False}  # noqa: RUF012 - SQLAlchemy's own way to say it

    approval_id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    request_id: Mapped[str]
    requester_id: Mapped[str] = mapped_column(ForeignKey("people.person_id"))
    customer_id: Mapped[str]
    customer_name: Mapped[str]
    target_id: Mapped[str]
    change: Mapped[dict[str, Any]]
    digest: Mapped[str]
    amount_minor: Mapped[int]
    currency: Mapped[str]
    base_minor: Mapped[int]
    base_currency: Mapped[str]
    rate: Mapped[str | None]
    rate_as_of: Mapped[datetime | None]
    net_minor: Mapped[int]
    tax_minor: Mapped[int]
    gross_minor: Mapped[int]
    policy: Mapped[str]
    path: Mapped[dict[str, Any]]
    automatic: Mapped[bool]
    signed: Mapped[str]
    state: Mapped[str]
    round: Mapped[int]
    stage: Mapped[int]
    waits_for: Mapped[list[str]]
    waits_on: Mapped[str | None] = mapped_column(Computed(WAITS_ON, persisted=True), deferred=True)
    stand_ins: Mapped[str] = mapped_column(server_default="")
    stage_since: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    clocks: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    stripe_object: Mapped[str]
    why: Mapped[str]
    bulk: Mapped[bool] = mapped_column(server_default=false())
    since_round: Mapped[int] = mapped_column(server_default="0")
    amended_by: Mapped[str] = mapped_column(server_default="")
    routed_at: Mapped[datetime | None]


class DecisionRow(Base):
    """A signed decision: stored before Temporal is told, so that it cannot be lost."""

    __tablename__ = "decisions"
    __table_args__ = (
        CheckConstraint("status in ('submitted', 'recorded', 'refused', 'conflict')", name="decisions_status"),
        CheckConstraint(
            "verdict in ('approve', 'reject', 'ask', 'return', 'answer', 'withdraw', 'amend', 'delegate', 'reassign', "
            "'nudge')",
            name="decisions_verdict",
        ),
        CheckConstraint("amount_minor > 0", name="decisions_amount"),
        Index("decisions_approval", "approval_id", "position"),
        Index("decisions_status_at", "status", "submitted_at"),
        Index("decisions_settled", "settled_at"),
    )

    decision_id: Mapped[str] = mapped_column(primary_key=True)
    approval_id: Mapped[str] = mapped_column(ForeignKey("approvals.approval_id"))
    round: Mapped[int]
    stage: Mapped[int]
    person_id: Mapped[str] = mapped_column(ForeignKey("people.person_id"))
    group: Mapped[str | None] = mapped_column("group_name")
    verdict: Mapped[str]
    digest: Mapped[str]
    amount_minor: Mapped[int]
    comment: Mapped[str]
    basis: Mapped[str] = mapped_column(server_default="")
    subject: Mapped[str] = mapped_column(server_default="")
    signed: Mapped[str]
    status: Mapped[str]
    position: Mapped[int | None]
    why: Mapped[str]
    submitted_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]


class DocumentRow(Base):
    """A file that somebody added to a request: immutable, and nobody removes it."""

    __tablename__ = "documents"
    __table_args__ = (
        UniqueConstraint("approval_id", "sha256", name="documents_once"),
        CheckConstraint("kind in ('pdf', 'png', 'jpeg', 'text')", name="documents_kind"),
        CheckConstraint("size between 1 and 10485760", name="documents_size"),
    )

    document_id: Mapped[str] = mapped_column(primary_key=True)
    approval_id: Mapped[str] = mapped_column(ForeignKey("approvals.approval_id"))
    person_id: Mapped[str] = mapped_column(ForeignKey("people.person_id"))
    name: Mapped[str]
    kind: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[str]
    added_at: Mapped[datetime]


class DocumentPartRow(Base):
    """A document's bytes, in parts of one length but the last, so that nobody has to hold all of it to pass it on."""

    __tablename__ = "document_parts"

    document_id: Mapped[str] = mapped_column(ForeignKey("documents.document_id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[bytes]


class AmendmentRow(Base):
    """What a requester made of a request: immutable. A request takes it over when the decision of its id is recorded.

    A trigger then copies what was signed; nobody else changes that of a request. `routed_at` is when its path was made,
    where it was made anew.
    """

    __tablename__ = "amendments"
    __table_args__ = (
        CheckConstraint("amount_minor > 0 and base_minor >= 0", name="amendments_amounts"),
        CheckConstraint("round > 0 and since_round between 0 and round", name="amendments_rounds"),
        Index("amendments_approval", "approval_id", "created_at"),
    )

    decision_id: Mapped[str] = mapped_column(ForeignKey("decisions.decision_id"), primary_key=True)
    approval_id: Mapped[str] = mapped_column(ForeignKey("approvals.approval_id"))
    requester_id: Mapped[str] = mapped_column(ForeignKey("people.person_id"))
    round: Mapped[int]
    since_round: Mapped[int]
    change: Mapped[dict[str, Any]]
    digest: Mapped[str]
    amount_minor: Mapped[int]
    base_minor: Mapped[int]
    base_currency: Mapped[str]
    rate: Mapped[str | None]
    rate_as_of: Mapped[datetime | None]
    net_minor: Mapped[int]
    tax_minor: Mapped[int]
    gross_minor: Mapped[int]
    policy: Mapped[str]
    path: Mapped[dict[str, Any]]
    automatic: Mapped[bool]
    signed: Mapped[str]
    replaced: Mapped[str]
    created_at: Mapped[datetime]
    routed_at: Mapped[datetime | None]


class EffectRow(Base):
    """The one write to Stripe that a request ends in."""

    __tablename__ = "effects"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="effects_amount"),
        CheckConstraint("state in ('intended', 'done', 'refused')", name="effects_state"),
        CheckConstraint("(state = 'done') = (stripe_object <> '')", name="effects_done"),
    )

    effect_id: Mapped[str] = mapped_column(primary_key=True)
    approval_id: Mapped[str] = mapped_column(ForeignKey("approvals.approval_id"), unique=True)
    kind: Mapped[str]
    params: Mapped[dict[str, Any]]
    key: Mapped[str] = mapped_column(unique=True)
    customer_id: Mapped[str]
    amount_minor: Mapped[int]
    currency: Mapped[str]
    state: Mapped[str]
    stripe_object: Mapped[str]
    why: Mapped[str]
    intended_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]


class AuditRow(Base):
    """One step in a request's hash-chained history; never changed, never removed."""

    __tablename__ = "audit"
    __table_args__ = (Index("audit_at", "at"),)

    approval_id: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[str]
    event: Mapped[str]
    actor: Mapped[str]
    detail: Mapped[dict[str, Any]]
    prev: Mapped[str]
    hash: Mapped[str]


class CheckpointRow(Base):
    """A signed checkpoint over the audit log; never changed, never removed."""

    __tablename__ = "checkpoints"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    root: Mapped[str]
    requests: Mapped[int]
    entries: Mapped[int]
    previous: Mapped[str]
    signed: Mapped[str]


class CheckpointWishRow(Base):
    """Somebody asks for a checkpoint; `made` says which one met it."""

    __tablename__ = "checkpoint_wishes"

    request_id: Mapped[str] = mapped_column(primary_key=True)
    asked_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    made: Mapped[int | None]
    problem: Mapped[str]


class OutboxRow(Base):
    """A mail that must leave once."""

    __tablename__ = "outbox"
    __table_args__ = (Index("outbox_unsent", "sent_at", "bulk", "created_at"),)

    key: Mapped[str] = mapped_column(primary_key=True)
    recipient: Mapped[str]
    template: Mapped[str]
    context: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    attempts: Mapped[int]
    sent_at: Mapped[datetime | None]
    problem: Mapped[str]
    bulk: Mapped[bool] = mapped_column(server_default=false())
    not_before: Mapped[datetime | None]
