"""Adding documents: checked by content, kept whole or not at all, told of in the request's history."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from plixo.domain.approval import State
from plixo.domain.documents import MAX_BYTES, MOST, DocumentKind
from plixo.domain.people import Group
from plixo.domain.refusals import Conflict, NotAllowed, NotFound, Refused
from plixo.messages.approvals import Step
from plixo.store import documents
from plixo.store.away import is_full
from plixo.store.documents import PART
from starters.documents import Added, Adding, add_document
from tests.support.desk import Office, open_office, together
from tests.support.rows import CUSTOMER

PDF = b"%PDF-1.7\nAs agreed on the telephone.\n%%EOF\n"


async def add(
    office: Office, approval_id: str, role: str = "billing_admin", content: bytes = PDF, name: str = "mail.pdf"
) -> Added:
    return await add_document(office.desk, approval_id, Adding(office.rows.people[role], name, content))


async def refused(office: Office, approval_id: str, role: str, content: bytes = PDF) -> Refused:
    with pytest.raises(Refused) as caught:
        await add(office, approval_id, role, content)
    return caught.value


async def kept(office: Office, approval_id: str) -> list[tuple[str, bytes]]:
    """Every document's name and bytes, as the database has them."""
    async with office.rows.ledger.read() as session:
        found = await documents.of_approval(session, approval_id)
        return [
            (one.name, b"".join([await documents.part(session, one, at) for at in documents.parts(one)]))
            for one in found
        ]


async def escalated(office: Office, approval_id: str) -> None:
    """Hours in which nobody decides, until the CFO may as well."""
    rows, step = office.rows, Step(approval_id)
    standing = await rows.approvals.open(step)
    while not any(one.basis_of("p-cfo") for one in (await rows.record(approval_id)).approval.escalated):
        rows.clock.at = datetime.fromtimestamp(standing.next_at, UTC)
        act = {"remind": rows.approvals.remind, "escalate": rows.approvals.escalate}[standing.next_event]
        standing = await act(replace(step, at=standing.next_at))


async def count(office: Office, table: str) -> int:
    async with office.rows.ledger.read() as session:
        return int((await session.execute(text(f"select count(*) from {table}"))).scalar_one())


@pytest.mark.parametrize("size", [len(PDF), PART - 1, PART, PART + 1, 3 * PART + 7, MAX_BYTES], ids=str)
async def test_it_is_kept_byte_by_byte_and_the_history_says_what_it_is(either_office: Office, size: int) -> None:
    office = either_office
    approval_id = await office.asked()
    content = PDF + bytes(range(256)) * (MAX_BYTES // 256)
    added = await add(office, approval_id, content=content[:size])
    document = added.document
    assert added.new
    assert (document.kind, document.size, document.name) == (DocumentKind.PDF, size, "mail.pdf")
    assert document.sha256 == hashlib.sha256(content[:size]).hexdigest()
    assert (document.person_id, document.added_at) == ("p-billing-admin", office.rows.clock())
    assert await kept(office, approval_id) == [("mail.pdf", content[:size])]
    async with office.rows.ledger.read() as session:
        assert await documents.is_whole(session, document)
        assert await documents.first_changed(session, approval_id) is None
    line = (await office.rows.trail(approval_id))[-1]
    assert (line.event, line.actor) == ("document_added", "p-billing-admin")
    told = ("document_id", "name", "size", "sha256", "kind")
    assert line.detail == {name: getattr(document, name) for name in told}


@pytest.mark.asvs("8.2.2")
@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("billing_admin", True),
        ("controller", True),
        ("legal", False),
        ("cfo", False),
        ("finance", False),
        ("operator", False),
        ("administrator", False),
    ],
)
async def test_who_asked_for_it_and_who_is_asked_add_documents_and_nobody_else(
    office: Office, role: str, *, may: bool
) -> None:
    approval_id = await office.asked()
    if may:
        assert (await add(office, approval_id, role)).new
        return
    refusal = await refused(office, approval_id, role)
    assert isinstance(refusal, NotAllowed)
    assert refusal.code == "not_asked"
    line = (await office.rows.trail(approval_id))[-1]
    assert (line.event, line.actor) == ("document_refused", office.rows.people[role].person_id)
    assert line.detail == {"code": "not_asked", "why": str(refusal)}
    assert await kept(office, approval_id) == []


async def test_who_may_decide_by_now_in_anothers_place_may_add_one(office: Office) -> None:
    approval_id = await office.asked()
    assert isinstance(await refused(office, approval_id, "cfo"), NotAllowed)
    await escalated(office, approval_id)
    assert (await add(office, approval_id, "cfo")).new


async def test_the_next_stage_adds_documents_once_it_is_asked(office: Office) -> None:
    approval_id = await office.asked("38000.00", reason="contract_concession")
    assert (await add(office, approval_id, "legal", PDF + b"1")).new
    assert (await add(office, approval_id, "controller", PDF + b"2")).new
    assert (await office.decide(approval_id, "legal")).answer == "accepted"
    assert (await add(office, approval_id, "legal", PDF + b"3")).new, "the stage still waits"


async def test_somebody_related_to_the_customer_adds_none_unless_they_asked(office: Office) -> None:
    approval_id = await office.asked()
    await office.rows.change_person("controller", related_customers=frozenset({CUSTOMER}))
    assert (await refused(office, approval_id, "controller")).code == "related_customer"


async def test_who_has_left_adds_none(office: Office) -> None:
    approval_id = await office.asked()
    await office.rows.change_person("billing_admin", active=False)
    assert isinstance(await refused(office, approval_id, "billing_admin"), NotFound)
    await office.rows.change_person("controller", groups=frozenset({Group.FINANCE}))
    assert (await refused(office, approval_id, "controller")).code == "not_asked"


@pytest.mark.asvs("8.2.2")
async def test_support_cannot_tell_somebody_elses_request_from_one_that_is_not(office: Office) -> None:
    approval_id = await office.asked()
    real = await refused(office, approval_id, "support")
    none = await refused(office, "CR-" + "A" * 26, "support")
    nonsense = await refused(office, "../x", "support")
    assert real.problems == none.problems == nonsense.problems
    line = (await office.rows.trail(approval_id))[-1]
    assert (line.event, line.actor, line.detail["code"]) == ("document_refused", "p-support", "approval_unknown")
    assert (await add(office, await office.asked(role="support"), "support")).new, "their own"


async def test_a_question_is_answered_with_a_document_and_what_is_returned_takes_one(office: Office) -> None:
    asked, returned = await office.asked(), await office.asked()
    assert (await office.decide(asked, verdict="ask")).record.approval.state is State.NEEDS_INFORMATION
    assert (await office.decide(returned, verdict="return")).record.approval.state is State.RETURNED
    for approval_id in (asked, returned):
        assert (await add(office, approval_id, "billing_admin")).new
        assert (await refused(office, approval_id, "legal", PDF + b"2")).code == "not_asked"
    assert (await add(office, asked, "controller", PDF + b"3")).new
    assert (await refused(office, returned, "controller", PDF + b"3")).code == "not_asked"


@pytest.mark.parametrize("end", ["approve", "reject", "withdraw"])
async def test_what_is_decided_takes_no_more_documents(office: Office, end: str) -> None:
    approval_id = await office.asked()
    first = (await add(office, approval_id)).document
    answer = await office.decide(approval_id, "billing_admin" if end == "withdraw" else "controller", end)
    refusal = await refused(office, approval_id, "billing_admin", PDF + b"more")
    assert isinstance(refusal, Conflict)
    state = answer.record.approval.state
    assert refusal.code == f"already_{state}"
    said = f"The request is {state.label[0].lower()}{state.label[1:]} already; documents are added while it is decided."
    assert str(refusal) == said
    again = await add(office, approval_id)
    assert (again.document, again.new) == (first, False), "what was lost on the way back can be asked for again"


async def test_what_policy_allows_by_itself_takes_none(office: Office) -> None:
    approval_id = await office.asked("120.00")
    assert (await office.rows.record(approval_id)).approval.state is State.APPROVED
    assert isinstance(await refused(office, approval_id, "billing_admin"), Conflict)


@pytest.mark.asvs("16.3.2")
@pytest.mark.asvs("5.2.2")
@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "document_empty"),
        (b"%PDF-" + bytes(MAX_BYTES), "document_too_large"),
        (b"MZ\x90\x00", "document_type"),
        (b"<html>", "document_type"),
        (b"PK\x03\x04\x00", "document_type"),
    ],
    ids=["empty", "too large", "program", "page", "archive"],
)
async def test_what_is_no_document_is_refused_with_a_trace_and_without_its_name(
    office: Office, content: bytes, code: str
) -> None:
    approval_id = await office.asked()
    refusal = await refused(office, approval_id, "billing_admin", content)
    assert (refusal.code, refusal.problems[0].field) == (code, "document")
    line = (await office.rows.trail(approval_id))[-1]
    assert (line.event, line.detail) == ("document_refused", {"code": code, "why": str(refusal)})
    assert await count(office, "documents") == await count(office, "document_parts") == 0


async def test_the_same_bytes_are_the_same_document_however_often_and_by_whom(either_office: Office) -> None:
    office = either_office
    approval_id, other = await office.asked(), await office.asked()
    roles = ["billing_admin", "controller"] * 4
    answers = await together(*(add(office, approval_id, role, name=f"{at}.pdf") for at, role in enumerate(roles)))
    assert [answer.new for answer in answers].count(True) == 1
    assert len({answer.document for answer in answers}) == 1
    assert (await office.rows.events(approval_id)).count("document_added") == 1
    assert len(await kept(office, approval_id)) == 1
    elsewhere = await add(office, other)
    assert elsewhere.new
    assert elsewhere.document.document_id != answers[0].document.document_id, "another request, another document"


async def test_a_request_has_twenty_however_many_come_at_once(either_office: Office) -> None:
    office = either_office
    approval_id = await office.asked()
    for number in range(MOST - 2):
        await add(office, approval_id, content=PDF + bytes([number + 1]))
    last = await together(*(add(office, approval_id, content=PDF + b"last" + bytes([at + 1])) for at in range(5)))
    refusals = [one for one in last if isinstance(one, Refused)]
    assert [one.code for one in refusals] == ["documents_full"] * 3
    assert len(await kept(office, approval_id)) == MOST
    assert (await office.rows.events(approval_id)).count("document_added") == MOST
    assert not (await add(office, approval_id, content=PDF + bytes([1]))).new, "what is there is still there"


async def test_they_are_listed_in_the_order_they_were_added(office: Office) -> None:
    approval_id = await office.asked()
    for number in (3, 1, 2):
        await add(office, approval_id, content=PDF + bytes([number]), name=f"{number}.pdf")
        office.rows.clock.forward(minutes=1)
    assert [name for name, _ in await kept(office, approval_id)] == ["3.pdf", "1.pdf", "2.pdf"]


async def nothing_half_made(office: Office, approval_id: str) -> None:
    assert await count(office, "documents") == await count(office, "document_parts") == 0
    assert "document_added" not in await office.rows.events(approval_id)


async def test_a_full_disk_refuses_it_and_leaves_nothing_half_made(office: Office) -> None:
    approval_id = await office.asked()
    engine = office.rows.ledger.engine
    most: list[int] = []

    @event.listens_for(engine.sync_engine, "checkout")
    def little_room(connection: Any, *_: object) -> None:
        pages = connection.cursor()
        pages.execute(f"pragma max_page_count = {most[0] if most else 1 << 30}")
        pages.close()

    async with office.rows.ledger.read() as session:
        most.append(int((await session.execute(text("pragma page_count"))).scalar_one()) + 40)
    with pytest.raises(OperationalError, match="full") as caught:
        await add(office, approval_id, content=PDF + bytes(PART * 3))
    assert is_full(caught.value)
    await nothing_half_made(office, approval_id)
    assert (await add(office, approval_id)).new, "what fits is taken"
    most.clear()
    assert (await add(office, approval_id, content=PDF + bytes(PART * 3))).new, "and all of it once there is room"


@pytest.mark.postgres
async def test_postgres_runs_full_in_the_middle_of_it(postgres_url: str) -> None:
    """Played by a trigger that fails as PostgreSQL does where no page can be added."""
    async with open_office(postgres_url) as office:
        approval_id = await office.asked()
        await run(office, _FULL, _FULL_AT_THE_THIRD)
        try:
            with pytest.raises(OperationalError, match="No space left") as caught:
                await add(office, approval_id, content=PDF + bytes(PART * 3))
            assert is_full(caught.value)
            await nothing_half_made(office, approval_id)
        finally:
            await run(office, "drop function played_full cascade")
        assert (await add(office, approval_id, content=PDF + bytes(PART * 3))).new


async def run(office: Office, *statements: str) -> None:
    async with office.rows.ledger.begin() as tx:
        for statement in statements:
            await tx.session.execute(text(statement))


_FULL = """create function played_full() returns trigger language plpgsql as $$ begin
  raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$"""
_FULL_AT_THE_THIRD = """create trigger played_full before insert on document_parts for each row
  when (new.position = 2) execute function played_full()"""


async def test_the_entry_and_the_document_are_kept_together_or_not_at_all(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    approval_id = await office.asked()

    async def broken(*_: object) -> None:
        raise RuntimeError("the audit log is away")

    with monkeypatch.context() as patched:
        patched.setattr("plixo.store.audit.append", broken)
        with pytest.raises(RuntimeError):
            await add(office, approval_id)
    await nothing_half_made(office, approval_id)


async def test_a_document_changes_nothing_of_what_is_asked_and_who_decides(office: Office) -> None:
    approval_id = await office.asked()
    before = await office.rows.record(approval_id)
    await add(office, approval_id)
    assert replace(await office.rows.record(approval_id)) == before
    assert (await office.decide(approval_id)).answer == "accepted"
