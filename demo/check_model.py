"""What the independent checker reads and what it says."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Row = dict[str, Any]
"""A row of a table, an entry of the ledger, or a signed body: names and plain values."""


class UnreadableError(Exception):
    """A source cannot be read: a check that has not seen everything never says that all is well."""


@dataclass(frozen=True)
class Sources:
    """Where the checker looks.

    Attributes:
        database_url: A SQLite file's path, or an address of SQLite or PostgreSQL.
        ledger_url: Where the stand-in answers.
        temporal_address: Host and port of the Temporal server.
        namespace: Its namespace.
        mailbox: The Maildir that every mail ends in; None where mails leave for somewhere else.
        public_keys: The file of the staff side's public keys.
        payload_keys: The file of keys that Temporal's payloads are encrypted with; beside the public keys unless given.
        checkpoints: The folder of checkpoints over the audit log; None where nobody looks.
        audit_keys: The file of the public keys that sign them; None with the folder.
    """

    database_url: str
    ledger_url: str
    temporal_address: str
    namespace: str
    mailbox: Path | None
    public_keys: Path
    payload_keys: Path | None = None
    checkpoints: Path | None = None
    audit_keys: Path | None = None

    @property
    def payload_key_file(self) -> Path:
        """The file of payload keys."""
        return self.payload_keys or self.public_keys.with_name("payload-keys.json")


@dataclass(frozen=True)
class Finding:
    """Something that must not be.

    Attributes:
        what: A stable word for its kind, such as `double_effect`.
        approval_id: Whose request it concerns; empty where it concerns none.
        detail: What was found, in words.
    """

    what: str
    approval_id: str
    detail: str


@dataclass(frozen=True)
class Report:
    """What the checker says.

    Attributes:
        ok: Whether nothing was found.
        findings: What was found.
        counts: How much of each kind was looked at.
        approvals: Every request, oldest first, ready to be printed as JSON: `id`, `status`, `amount_minor` and
            `currency` as asked, `path` (each stage in words), `decided_by` (ids of the people whose decisions were
            recorded), `stripe_object`, `workflow_id`, `history_events` and `billable_actions` (what Temporal Cloud
            would charge for that workflow, all its runs together).
    """

    ok: bool
    findings: list[Finding]
    counts: dict[str, int]
    approvals: list[dict[str, Any]]


@dataclass(frozen=True)
class House:
    """The database, as one moment showed it.

    Attributes:
        people: By id.
        policies: Every published policy.
        rates: By currency and base currency.
        approvals: By id, oldest first.
        decisions: In the order they were recorded.
        effects: By approval.
        audit: By approval, then in order.
        outbox: Every mail that was to leave, by key.
        checkpoints: Every checkpoint over the audit log, in order.
        documents: Every document on a request, with its bytes as `content`.
        amendments: What requesters made of their requests, by approval, then in order.
        absences: Who is or was away, the first to begin first.
        returns: Who came back earlier, by absence.
    """

    people: Mapping[str, Row]
    policies: Sequence[Row]
    rates: Mapping[tuple[str, str], Row]
    approvals: Mapping[str, Row]
    decisions: Sequence[Row]
    effects: Mapping[str, Row]
    audit: Sequence[Row]
    outbox: Mapping[str, Row]
    checkpoints: Sequence[Row] = ()
    documents: Sequence[Row] = ()
    amendments: Sequence[Row] = ()
    absences: Sequence[Row] = ()
    returns: Mapping[str, Row] = field(default_factory=dict)

    def recorded(self, approval_id: str) -> Sequence[Row]:
        """A request's recorded decisions."""
        return self._recorded.get(approval_id, ())

    def chain(self, approval_id: str) -> Sequence[Row]:
        """A request's entries in the audit log."""
        return self.chains.get(approval_id, ())

    def amended(self, approval_id: str) -> Sequence[Row]:
        """What its requester made of a request, whether it was taken up or not, in order."""
        return self._amended.get(approval_id, ())

    @cached_property
    def _amended(self) -> Mapping[str, Sequence[Row]]:
        return _by_approval(self.amendments)

    @cached_property
    def chains(self) -> Mapping[str, Sequence[Row]]:
        """The audit log by request, those of no request among them."""
        return _by_approval(self.audit)

    @cached_property
    def _recorded(self) -> Mapping[str, Sequence[Row]]:
        return _by_approval([row for row in self.decisions if row["status"] == "recorded"])


def _by_approval(rows: Sequence[Row]) -> Mapping[str, Sequence[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["approval_id"]].append(row)
    return found


@dataclass(frozen=True)
class Leak:
    """Something of a history that was not encrypted, or that cannot be read.

    Attributes:
        what: `payload_in_plain` or `payload_unreadable`.
        event: The event's number and kind, in words.
    """

    what: str
    event: str


@dataclass(frozen=True)
class Run:
    """One run of a workflow.

    Attributes:
        kind: The workflow's type.
        events: How many its history has.
        actions: What Temporal Cloud would charge for it.
        closed: How it ended, such as `completed`; empty while it runs.
        outcome: What it returned; None unless it completed.
        answers: Each decision that it took up, and what became of it.
        done: Activities that completed.
        messages: Each decision that a message named, and whether the message was encrypted.
        leaks: What its history holds in plain, or what cannot be read.
    """

    kind: str
    events: int
    actions: int
    closed: str = ""
    outcome: Row | None = None
    answers: tuple[tuple[str, str], ...] = ()
    done: tuple[str, ...] = ()
    messages: tuple[tuple[str, bool], ...] = ()
    leaks: tuple[Leak, ...] = ()


@dataclass(frozen=True)
class Mail:
    """One mail that arrived.

    Attributes:
        name: Its file.
        key: The letter's, as the product names it.
        recipients: Every address that it names.
        message_id: What mail stores tell mails apart by.
        aside: Whether the mailbox put it aside as one that had arrived before.
    """

    name: str
    key: str
    recipients: tuple[str, ...]
    message_id: str = ""
    aside: bool = False


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints as they are kept apart from the database.

    Attributes:
        files: Each one's content by its number; None for one that is no JSON.
        keys: The public keys that sign them, by id.
    """

    files: Mapping[int, object]
    keys: Mapping[str, Ed25519PublicKey]


@dataclass(frozen=True)
class Scene:
    """Everything that was read.

    Attributes:
        house: The database.
        ledger: The stand-in's executed writes, in order.
        histories: Each workflow's runs, oldest first, by workflow id.
        mails: What arrived; None where nobody looked.
        keys: The staff side's public keys, by id.
        moving: Whether the database changed while the rest was read.
        checkpoints: Those kept apart from the database; None where nobody looked.
    """

    house: House
    ledger: Sequence[Row]
    histories: Mapping[str, Sequence[Run]]
    mails: Sequence[Mail] | None
    keys: Mapping[str, Ed25519PublicKey]
    moving: bool = False
    checkpoints: Checkpoints | None = None


@dataclass(frozen=True)
class Signed:
    """What was signed and verified.

    Attributes:
        requests: The signed bodies of requests as they are asked for now, by approval.
        decisions: The signed bodies of recorded decisions, by decision, where the row says the same.
        rounds: The signed bodies of each request's rounds, the first one first.
        signed_at: When each of those was signed, seconds since 1970 in UTC.
    """

    requests: Mapping[str, Row] = field(default_factory=dict)
    decisions: Mapping[str, Row] = field(default_factory=dict)
    rounds: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    signed_at: Mapping[str, int] = field(default_factory=dict)


ENDED = frozenset({"withdrawn", "rejected", "executed", "needs_attention"})
"""States in which nothing more happens."""


def workflow_id(approval_id: str) -> str:
    """The workflow that carries a credit."""
    return f"credit/{approval_id}"


def moment_text(moment: datetime) -> str:
    """A moment in words for findings."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
