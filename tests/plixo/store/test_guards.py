"""What the database itself refuses, whatever code or person writes to it."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from plixo.domain.absence import Absence
from plixo.domain.approval import State
from plixo.domain.checkpoint import Checkpoint
from plixo.domain.documents import Document, DocumentKind
from plixo.domain.effects import Effect, EffectKind
from plixo.domain.money import Money
from plixo.ports import AuditEntry
from plixo.store import absences, checkpoints, documents, drafts, policies
from plixo.store.models import Base
from tests.support.rows import NOW, Rows

FOLLOWS = {
    State.ROUTING: {State.WAITING, State.APPROVED, State.RETURNED, State.WITHDRAWN},
    State.WAITING: {State.APPROVED, State.REJECTED, State.WITHDRAWN, State.RETURNED, State.NEEDS_INFORMATION},
    State.NEEDS_INFORMATION: {State.WAITING, State.APPROVED, State.RETURNED, State.WITHDRAWN},
    State.RETURNED: {State.WAITING, State.APPROVED, State.WITHDRAWN},
    State.APPROVED: {State.WAITING, State.RETURNED, State.WITHDRAWN, State.EXECUTING},
    State.EXECUTING: {State.EXECUTED, State.NEEDS_ATTENTION},
}
ROAD = {
    State.ROUTING: (),
    State.WAITING: (State.WAITING,),
    State.NEEDS_INFORMATION: (State.WAITING, State.NEEDS_INFORMATION),
    State.RETURNED: (State.RETURNED,),
    State.WITHDRAWN: (State.WAITING, State.WITHDRAWN),
    State.REJECTED: (State.WAITING, State.REJECTED),
    State.APPROVED: (State.APPROVED,),
    State.EXECUTING: (State.APPROVED, State.EXECUTING),
    State.EXECUTED: (State.APPROVED, State.EXECUTING, State.EXECUTED),
    State.NEEDS_ATTENTION: (State.APPROVED, State.EXECUTING, State.NEEDS_ATTENTION),
}
MOVES = {
    "approvals": {
        "net_minor",
        "tax_minor",
        "gross_minor",
        "state",
        "round",
        "stage",
        "waits_for",
        "stand_ins",
        "stage_since",
        "due_at",
        "clocks",
        "ended_at",
        "stripe_object",
        "why",
        "amended_by",
    },
    "amendments": set(),
    "decisions": {"status", "position", "why", "settled_at"},
    "absences": set(),
    "absence_returns": set(),
    "effects": {"state", "stripe_object", "why", "settled_at"},
    "audit": set(),
    "policies": set(),
    "policy_drafts": set(),
    "policy_publications": set(),
    "checkpoints": set(),
    "documents": set(),
    "document_parts": set(),
}
FIXED = [
    (table, column.name) for table, moves in MOVES.items() for column in Base.metadata.tables[table].columns
    if column.name not in moves and not column.computed
]  # fmt: skip


def effect(approval_id: str, **changed: Any) -> Effect:
    usual = {
        "effect_id": f"EF-{approval_id}",
        "approval_id": approval_id,
        "kind": EffectKind.CREDIT_NOTE,
        "params": {"amount": 1},
        "key": f"key-{approval_id}",
        "amount": Money(1, "USD"),
        "customer_id": "cus_1",
    }
    return Effect(**{**usual, **changed})


def document(approval_id: str, **changed: Any) -> Document:
    usual = {
        "document_id": f"DO-{approval_id}",
        "approval_id": approval_id,
        "person_id": "p-billing-admin",
        "name": "mail.pdf",
        "kind": DocumentKind.PDF,
        "size": 5,
        "sha256": "hash",
        "added_at": NOW,
    }
    return Document(**{**usual, **changed})


async def run(rows: Rows, statement: str, **values: Any) -> int:
    async with rows.ledger.begin() as tx:
        return int((await tx.session.execute(text(statement), values)).rowcount)  # type: ignore[attr-defined]


async def filled(rows: Rows) -> str:
    """A row in every guarded table."""
    approval_id = await rows.waiting()
    await rows.say(approval_id, "controller")
    await rows.amend(approval_id, 300_000)
    async with rows.ledger.begin() as tx:
        await tx.intend(effect(approval_id), NOW)
        await policies.publish(tx.session, "hash", "content", NOW)
        await drafts.insert(tx.session, drafts.Draft("PD-1", "policy", "p-administrator", NOW, "hash", "{}", 1, ""))
        await drafts.publish(tx.session, "PD-1", 1, "p-controller", NOW)
        await documents.insert(tx.session, document(approval_id), b"%PDF-")
        gone = Absence("AB-1", "p-controller", "p-cfo", NOW, NOW + timedelta(days=1), "p-controller")
        await absences.insert(tx.session, gone, "signed", NOW)
        await absences.end(tx.session, "AB-1", NOW, "p-controller", "signed")
        await checkpoints.insert(tx.session, Checkpoint(1, NOW.isoformat(), "root", 1, 3), "signed")
    return approval_id


async def test_only_the_steps_of_the_state_machine_can_follow(either_rows: Rows) -> None:
    for before, road in ROAD.items():
        for after in State:
            approval_id = await either_rows.ask()
            for state in road:
                await run(either_rows, "update approvals set state = :s where approval_id = :a", s=state, a=approval_id)
            try:
                await run(either_rows, "update approvals set state = :s where approval_id = :a", s=after, a=approval_id)
                followed = True
            except DBAPIError:
                followed = False
            assert followed == (after is before or after in FOLLOWS.get(before, set())), f"{before} > {after}"


async def test_what_was_written_is_never_changed(either_rows: Rows) -> None:
    await filled(either_rows)
    for table, column in FIXED:
        with pytest.raises(DBAPIError, match="never changed"):
            await run(either_rows, f'update {table} set "{column}" = "{column}"')


async def test_what_moves_can_be_written(either_rows: Rows) -> None:
    await filled(either_rows)
    for table, columns in MOVES.items():
        for column in columns:
            assert await run(either_rows, f'update {table} set "{column}" = "{column}"') >= 1


@pytest.mark.asvs("16.4.2")
@pytest.mark.parametrize("table", sorted(MOVES))
async def test_what_was_written_is_never_removed(either_rows: Rows, table: str) -> None:
    await filled(either_rows)
    with pytest.raises(DBAPIError, match=r"never (changed or )?removed"):
        await run(either_rows, f"delete from {table}")


@pytest.mark.postgres
@pytest.mark.asvs("16.4.2")
@pytest.mark.parametrize("table", sorted(MOVES))
async def test_nor_is_it_removed_all_at_once(postgres_rows: Rows, table: str) -> None:
    with pytest.raises(DBAPIError, match="never changed or removed"):
        await run(postgres_rows, f"truncate {table} cascade")


async def test_a_request_has_one_effect_at_most_and_a_key_belongs_to_one(either_rows: Rows) -> None:
    first, second = await either_rows.ask(), await either_rows.ask()
    async with either_rows.ledger.begin() as tx:
        await tx.intend(effect(first), NOW)
    for twin in (effect(first, effect_id="EF-2", key="other"), effect(second, key=f"key-{first}")):
        with pytest.raises(IntegrityError):
            async with either_rows.ledger.begin() as tx:
                await tx.intend(twin, NOW)


@pytest.mark.parametrize(
    "statement",
    [
        "update approvals set state = 'paid'",
        "update decisions set status = 'maybe'",
        "update effects set state = 'done'",
        "update effects set stripe_object = 'cn_1'",
        "insert into audit select 'x', seq, at, event, actor, detail, prev, null from audit",
    ],
)
async def test_what_makes_no_sense_is_refused(either_rows: Rows, statement: str) -> None:
    await filled(either_rows)
    with pytest.raises(DBAPIError):
        await run(either_rows, statement)


@pytest.mark.parametrize("amount", [0, -1])
async def test_an_amount_is_above_zero(either_rows: Rows, amount: int) -> None:
    approval_id = await either_rows.ask()
    columns = [column.name for column in Base.metadata.tables["approvals"].columns if not column.computed]
    values = ", ".join(
        {"amount_minor": str(amount), "approval_id": "'x'", "request_id": "'x'"}.get(c, c) for c in columns
    )
    copy = f"insert into approvals ({', '.join(columns)}) select {values} from approvals where approval_id = :a"
    with pytest.raises(IntegrityError):
        await run(either_rows, copy, a=approval_id)


async def test_what_fails_half_way_leaves_nothing_behind(either_rows: Rows) -> None:
    approval_id = await either_rows.ask()
    with pytest.raises(RuntimeError):  # noqa: PT012 - what fails is the transaction
        async with either_rows.ledger.begin() as tx:
            await tx.audit(AuditEntry(approval_id, "half", "system"), NOW)
            raise RuntimeError
    assert await either_rows.events(approval_id) == []


async def test_what_is_read_for_reading_cannot_be_kept_by_mistake(either_rows: Rows) -> None:
    approval_id = await either_rows.ask()
    async with either_rows.ledger.read() as session:
        await session.execute(text("update approvals set why = 'oops'"))
    assert (await either_rows.record(approval_id)).why == ""


async def test_the_same_bytes_are_on_a_request_once(either_rows: Rows) -> None:
    first, second = await either_rows.ask(), await either_rows.ask()
    async with either_rows.ledger.begin() as tx:
        await documents.insert(tx.session, document(first), b"%PDF-")
        await documents.insert(tx.session, document(second), b"%PDF-")
    with pytest.raises(IntegrityError):
        async with either_rows.ledger.begin() as tx:
            await documents.insert(tx.session, document(first, document_id="DO-2"), b"%PDF-")


@pytest.mark.parametrize(
    "changed",
    [{"kind": "html"}, {"size": 0}, {"size": 10 * 1024 * 1024 + 1}, {"person_id": "p-nobody"}, {"approval_id": "CR-x"}],
    ids=str,
)
async def test_a_document_that_can_be_none_is_refused(either_rows: Rows, changed: dict[str, Any]) -> None:
    approval_id = await either_rows.ask()
    made = {**vars(document(approval_id)), "kind": "pdf", **changed}
    columns = ", ".join(made)
    values = ", ".join(f":{name}" for name in made)
    with pytest.raises(IntegrityError):
        await run(either_rows, f"insert into documents ({columns}) values ({values})", **{**made, "added_at": str(NOW)})
