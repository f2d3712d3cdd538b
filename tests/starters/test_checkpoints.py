"""Checkpoints on real rows: what is kept elsewhere shows what was taken out of the database."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import OKPKey
from sqlalchemy import text

from activities.audit import AuditActivities
from plixo.domain.ids import effect_id
from plixo.domain.refusals import NotAllowed
from plixo.messages.audit import CheckpointWish
from plixo.signing.keys import load_or_create_signing_key, load_public_keys
from plixo.signing.tokens import StaffSigner, StaffVerifier
from plixo.store import audit_export, checkpoints, trail
from plixo.store.audit_file import hashes_of, to_document, verify_document
from plixo.store.checkpoint_check import NONE_KEPT, Against, Shelf, shelf
from plixo.store.checkpoint_file import BadCheckpoint, Held, prove
from plixo.store.checkpoint_folder import CheckpointFolder
from starters.checkpoints import GAP, LEASE, CannotCheckpoint, CheckpointDesk, make_checkpoint, meet_wishes
from tests.support.desk import Office, together
from tests.support.rows import tamper

pytestmark = pytest.mark.asvs("16.4.3")


@pytest.fixture
async def desk(office: Office, tmp_path: Path) -> CheckpointDesk:
    return desk_of(office, tmp_path)


def desk_of(office: Office, folder: Path) -> CheckpointDesk:
    keys = folder / "keys"
    key = load_or_create_signing_key(keys / "audit-private.json", keys / "audit-public.json")
    return CheckpointDesk(
        ledger=office.rows.ledger,
        verifier=office.rows.verifier,
        signer=StaffSigner(key),
        audit_verifier=StaffVerifier(load_public_keys(keys / "audit-public.json")),
        folder=CheckpointFolder(folder / "elsewhere"),
        clock=office.rows.clock,
    )


async def look(desk: CheckpointDesk) -> tuple[list[str], Shelf]:
    """What `plixo audit verify` would say of the database against the folder."""
    async with desk.ledger.read() as session:
        found = shelf(desk.folder, await checkpoints.newest(session, 7), desk.audit_verifier)
        against = Against(found.held)
        async for block in audit_export.blocks(session, await audit_export.known_ids(session)):
            against.take(block["approval_id"], hashes_of(block))
    against.finish()
    return [*against.findings, *found.findings], found


async def sql(desk: CheckpointDesk, *statements: str) -> None:
    """As somebody who owns the database: its guards are no more than rows in it."""
    async with desk.ledger.begin() as tx:
        names = await tx.session.scalars(text("select name from sqlite_master where type = 'trigger'"))
        for name in names.all():
            await tx.session.execute(text(f'drop trigger "{name}"'))
        for statement in statements:
            assert (await tx.session.execute(text(statement))).rowcount > 0, statement


async def wish(desk: CheckpointDesk, request_id: str = "nightly") -> str:
    answer = await AuditActivities(desk.ledger, desk.clock).ask_for_checkpoint(CheckpointWish(request_id))
    return answer.state


async def test_it_holds_every_chains_head_and_is_kept_in_both_places(either_office: Office, tmp_path: Path) -> None:
    desk = desk_of(either_office, tmp_path)
    first, second = await either_office.asked(), await either_office.asked()
    made = await make_checkpoint(desk)
    assert sorted(made.heads) == sorted([first, second])
    assert (made.checkpoint.number, made.checkpoint.requests, made.checkpoint.entries) == (1, 2, 4)
    assert (made.checkpoint.compared_with, made.checkpoint.findings, made.checkpoint.previous) == (0, (), "")
    assert prove(desk.folder.read(1), desk.audit_verifier) == made
    async with desk.ledger.read() as session:
        (kept,) = await checkpoints.newest(session)
    assert (kept.number, kept.signed, kept.root) == (1, made.signed, made.checkpoint.root)
    assert [path.name for path in desk.folder.place.iterdir()] == ["checkpoint-000001.json"]
    assert await look(desk) == ([], Shelf((made,)))


async def test_each_is_compared_with_the_one_before_and_names_it(office: Office, desk: CheckpointDesk) -> None:
    await office.asked()
    first = await make_checkpoint(desk)
    await office.decide(await office.asked())
    second = await make_checkpoint(desk)
    assert second.checkpoint.compared_with == first.checkpoint.number
    assert len(second.checkpoint.previous) == 64
    assert (await look(desk))[0] == []


async def test_over_an_empty_log_there_is_one_too(desk: CheckpointDesk) -> None:
    assert (await make_checkpoint(desk)).checkpoint.requests == 0
    assert (await look(desk))[0] == []


@pytest.mark.parametrize(
    ("statements", "named"),
    [
        (("delete from audit where approval_id = '{first}' and seq >= 3",), "{first}: entry 3 is missing: the chain"),
        (
            (
                "delete from decisions",
                "delete from audit where approval_id = '{first}'",
                "delete from approvals where approval_id = '{first}'",
            ),
            "{first}: the whole request is missing (checkpoint 1 holds it with 4 entries)",
        ),
        (
            ("update audit set hash = 'made-up' where approval_id = '{first}' and seq = 4",),
            "{first}: entry 4 is not the one that checkpoint 1 holds",
        ),
        (("delete from checkpoints",), "checkpoint 1: "),
        (("update checkpoints set signed = 'another'",), "checkpoint 1: the database holds another one"),
    ],
    ids=["cut", "removed", "made anew", "no row", "another row"],
)
async def test_what_was_taken_out_of_the_database_is_named_and_no_new_one_is_signed(
    office: Office, desk: CheckpointDesk, statements: tuple[str, ...], named: str
) -> None:
    first, _second = await office.asked(), await office.asked()
    await office.decide(first)
    await make_checkpoint(desk)
    await sql(desk, *(statement.format(first=first) for statement in statements))
    findings, _ = await look(desk)
    assert len(findings) == 1
    assert findings[0].startswith(named.format(first=first))
    with pytest.raises(CannotCheckpoint):
        await make_checkpoint(desk)
    assert desk.folder.numbers() == [1]


async def test_what_was_taken_out_before_the_newest_one_shows_by_those_before_it(
    office: Office, desk: CheckpointDesk
) -> None:
    """A tail was cut, and a console with another folder signed over it: the older checkpoint still holds it."""
    first = await office.asked()
    await office.decide(first)
    await make_checkpoint(desk)
    astray = replace(desk, folder=CheckpointFolder(desk.folder.place / "another"))
    await sql(desk, f"delete from audit where approval_id = '{first}' and seq = 4")
    await make_checkpoint(astray)
    desk.folder.path(2).write_text(astray.folder.path(2).read_text())
    findings, found = await look(desk)
    assert [one.checkpoint.number for one in found.held] == [2, 1]
    assert findings == [f"{first}: entry 4 is missing: the chain was cut off (checkpoint 1 holds 4 entries)"]
    gap = "When checkpoint 2 was signed, the one before it was not in the folder to be compared with."
    assert gap in found.notes


async def test_a_bit_flip_is_quoted_in_what_is_signed_after_it(office: Office, desk: CheckpointDesk) -> None:
    first = await office.asked()
    await sql(desk, "update audit set actor = 'p-eve' where seq = 1")
    made = await make_checkpoint(desk)
    assert made.checkpoint.findings == (f"{first}: entry 1 was changed",)
    _, found = await look(desk)
    assert found.notes == (f"When checkpoint 1 was signed, this was found: {first}: entry 1 was changed",)


SPOILT = {
    "nested": '{"a":' * 600 + "1" + "}" * 600,
    "nested until no parser reads it": '{"a":' * 5_000 + "1" + "}" * 5_000,
    "a number without end": f'{{"a": {"9" * 5_000}}}',
    "a float": '{"a": 1.5}',
    "half a character": '{"a": "\\ud800"}',
    "no object": "[]",
}
FORGED = (
    "insert into audit values (:approval_id, 3, '2026-08-03T14:00:00.000+00:00', 'noted', 'system', :detail, '', '')"
)
UNSENT = (
    "insert into effects values (:effect_id, :approval_id, 'credit_note', :params, :effect_id, 'cus_1', 1, 'USD', "
    "'intended', '', '', '2026-08-03 14:00:00+00:00', null)"
)


async def forge(desk: CheckpointDesk, statement: str, **values: str) -> None:
    """As a worker that was taken over: it may add to the audit log, and write down an effect."""
    async with desk.ledger.begin() as tx:
        await tx.session.execute(text(statement), values)


async def test_a_row_that_cannot_be_read_is_a_finding_and_keeps_nothing_else_from_being_signed(
    either_office: Office, tmp_path: Path
) -> None:
    desk = desk_of(either_office, tmp_path)
    sound, *bad = [await either_office.asked() for _ in range(1 + 2 * len(SPOILT))]
    rows, effects = bad[: len(SPOILT)], bad[len(SPOILT) :]
    for number, spoilt in enumerate(SPOILT.values()):
        await forge(desk, FORGED, approval_id=rows[number], detail=spoilt)
        about = {"effect_id": effect_id(effects[number]), "approval_id": effects[number]}
        await forge(desk, UNSENT, params=spoilt, **about)
    made = await make_checkpoint(desk)
    assert sorted(made.heads) == sorted([sound, *bad])
    assert (await make_checkpoint(desk)).checkpoint.compared_with == 1
    async with desk.ledger.read() as session:
        blocks = [block async for block in audit_export.blocks(session, [sound, *bad])]
        assert rows[0] in {line.approval_id for line in await trail.newest(session)}
    document = json.loads(json.dumps(to_document(blocks, {}, either_office.rows.signer, desk.clock(), whole=True)))
    told = [f"{one}: entry 3 holds what no entry can, and cannot be read" for one in rows]
    told += [f"{one}: its rows were changed until they cannot be read" for one in effects]
    assert list(verify_document(document, desk.verifier).findings) == told
    assert sorted(made.checkpoint.findings) == sorted(told)


HALF = {"a float": "1.5", "half a character": '"\\ud800"', "nothing": "null", "a list of floats": "[1.5]"}


@pytest.mark.parametrize("column", ["change", "path"])
@pytest.mark.parametrize("spoilt", HALF)
async def test_a_request_whose_row_no_file_can_hold_is_a_finding_and_the_others_are_exported(
    office: Office, desk: CheckpointDesk, column: str, spoilt: str
) -> None:
    sound, bad = await office.asked(), await office.asked()
    field = "kind" if column == "change" else "rule"
    changed = f"json_set({column}, '$.{field}', json('{HALF[spoilt]}'))"
    tamper(office.rows.url, f"update approvals set {column} = {changed} where approval_id = ?", bad)
    async with desk.ledger.read() as session:
        blocks = [block async for block in audit_export.blocks(session, [sound, bad])]
    document = json.loads(json.dumps(to_document(blocks, {}, office.rows.signer, desk.clock(), whole=True)))
    (finding,) = verify_document(document, desk.verifier).findings
    assert finding.startswith(f"{bad}: ")


@pytest.mark.postgres
@pytest.mark.parametrize("either_office", ["postgres"], indirect=True)
async def test_a_moment_that_no_calendar_has_is_a_finding_too(either_office: Office, tmp_path: Path) -> None:
    desk = desk_of(either_office, tmp_path)
    sound, bad = await either_office.asked(), await either_office.asked()
    await forge(desk, "update approvals set due_at = 'infinity' where approval_id = :bad", bad=bad)
    made = await make_checkpoint(desk)
    assert sorted(made.heads) == sorted([sound, bad])
    assert made.checkpoint.findings == (f"{bad}: its rows were changed until they cannot be read",)


async def test_a_restored_backup_can_be_signed_with_the_reason_and_is_a_beginning(
    office: Office, desk: CheckpointDesk
) -> None:
    first = await office.asked()
    await office.decide(first)
    await make_checkpoint(desk)
    await sql(desk, f"delete from audit where approval_id = '{first}' and seq = 4")
    made = await make_checkpoint(desk, anew="restored from the backup of Sunday")
    assert (made.checkpoint.number, made.checkpoint.compared_with) == (2, 0)
    findings, found = await look(desk)
    assert findings == []
    words = "Checkpoint 2 does not follow from the one before it: restored from the backup of Sunday"
    assert found.notes[-1] == words


async def test_without_the_folder_the_next_one_says_that_it_was_compared_with_none(
    office: Office, desk: CheckpointDesk
) -> None:
    await office.asked()
    await make_checkpoint(desk)
    desk.folder.path(1).unlink()
    findings, found = await look(desk)
    assert (len(findings), found.notes) == (1, (NONE_KEPT,))
    assert findings[0].startswith("checkpoint 1: its file ")
    assert (await make_checkpoint(desk)).checkpoint.compared_with == 0
    assert len((await look(desk))[0]) == 1, "until somebody says why"
    await make_checkpoint(desk, anew="the folder's disk was lost")
    assert (await look(desk))[0] == []


@pytest.mark.parametrize(
    ("tampered", "said"),
    [
        (lambda it: it["heads"].pop(), "its heads are not those that were signed"),
        (lambda it: it["heads"][0].__setitem__(1, 1), "its heads are not those that were signed"),
        (lambda it: it["checkpoint"].update(entries=1), "what stands beside the signature is not what was signed"),
        (lambda it: it.update(signed=it["signed"][:-4] + "AAAA"), "the audit key did not sign it"),
        (lambda it: it.pop("heads"), "it lacks what a checkpoint has"),
        (lambda it: it.update(format="other"), "it does not say that its format is plixo-checkpoint/1"),
    ],
)
async def test_a_file_that_was_tampered_with_is_not_to_be_trusted(
    office: Office, desk: CheckpointDesk, tampered: Callable[[Any], Any], said: str
) -> None:
    await office.asked()
    await make_checkpoint(desk)
    document = desk.folder.read(1)
    tampered(document)
    desk.folder.path(1).write_text(json.dumps(document))
    with pytest.raises(BadCheckpoint, match=said):
        prove(document, desk.audit_verifier)
    findings, _ = await look(desk)
    assert [said in finding for finding in findings] == [True]
    with pytest.raises(CannotCheckpoint, match="is not to be trusted"):
        await make_checkpoint(desk)


async def test_neither_key_signs_for_the_other(office: Office, desk: CheckpointDesk) -> None:
    """The staff side's key under a checkpoint is refused, and the audit key under a decision."""
    await office.asked()
    await make_checkpoint(replace(desk, signer=office.rows.signer))
    with pytest.raises(BadCheckpoint, match="the audit key did not sign it"):
        prove(desk.folder.read(1), desk.audit_verifier)
    token = desk.signer.sign("checkpoint", {"number": 1}, now=desk.clock())
    for verifier in (desk.verifier, StaffVerifier(desk.audit_verifier.keys)):  # type: ignore[attr-defined]
        with pytest.raises(NotAllowed):
            verifier.verify(token, "decision", now=None)


async def test_a_strangers_checkpoint_is_refused(office: Office, desk: CheckpointDesk) -> None:
    await office.asked()
    stranger = StaffSigner(OKPKey.generate_key("Ed25519", private=True))
    await make_checkpoint(replace(desk, signer=stranger))
    findings, _ = await look(desk)
    assert len(findings) == 1
    assert "the audit key did not sign it" in findings[0]


async def test_whoever_dies_before_the_file_has_its_name_leaves_it_to_the_next(
    office: Office, desk: CheckpointDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.asked()
    with monkeypatch.context() as dying:
        dying.setattr(CheckpointFolder, "finish", lambda *_: None)
        await make_checkpoint(desk)
    assert desk.folder.numbers() == []
    second = await make_checkpoint(desk)
    assert (desk.folder.numbers(), second.checkpoint.compared_with) == ([2, 1], 1)
    assert (await look(desk))[0] == []


async def test_who_comes_second_takes_back_no_file_but_their_own(office: Office, desk: CheckpointDesk) -> None:
    """Two who sign the same in the same millisecond write the same file."""
    await office.asked()
    made = await make_checkpoint(desk)
    document = desk.folder.read(1)
    desk.folder.path(1).unlink()
    winner, loser = desk.folder.prepare(document), desk.folder.prepare(document)
    loser.unlink()
    desk.folder.finish(1, made.signed)
    assert prove(desk.folder.read(1), desk.audit_verifier) == made
    assert not winner.exists()


async def test_a_folder_that_cannot_be_written_signs_nothing(office: Office, desk: CheckpointDesk) -> None:
    await office.asked()
    desk.folder.place.write_text("a file")
    with pytest.raises(OSError, match="elsewhere"):
        await make_checkpoint(desk)
    async with desk.ledger.read() as session:
        assert await checkpoints.newest(session) == []


async def test_two_at_once_leave_one_chain(either_office: Office, tmp_path: Path) -> None:
    desk = desk_of(either_office, tmp_path)
    await either_office.asked()
    done = await together(*(make_checkpoint(desk) for _ in range(3)))
    made = [one for one in done if isinstance(one, Held)]
    assert made
    assert all(isinstance(one, (Held, CannotCheckpoint)) for one in done), done
    assert desk.folder.numbers() == list(range(len(made), 0, -1))
    assert (await look(desk))[0] == []


async def test_a_wish_is_met_once_by_one_of_several_consoles(either_office: Office, tmp_path: Path) -> None:
    desk = desk_of(either_office, tmp_path)
    await either_office.asked()
    assert await meet_wishes(desk) == 0
    assert [await wish(desk), await wish(desk, "again"), await wish(desk)] == ["asked", "already_asked", "asked"]
    assert sorted(await together(*(meet_wishes(desk) for _ in range(4)))) == [0, 0, 0, 1]
    assert desk.folder.numbers() == [1]
    async with desk.ledger.read() as session:
        assert await checkpoints.waiting(session) == []


async def test_wishes_in_quick_succession_wait(office: Office, desk: CheckpointDesk) -> None:
    await wish(desk)
    assert await meet_wishes(desk) == 1
    await wish(desk, "flood")
    assert await meet_wishes(desk) == 0
    assert await meet_wishes(replace(desk, clock=lambda: office.rows.clock() + GAP + timedelta(seconds=1))) == 1


async def test_a_checkpoint_dated_in_the_future_stops_no_wish(office: Office, desk: CheckpointDesk) -> None:
    await make_checkpoint(replace(desk, clock=lambda: office.rows.clock() + timedelta(days=1)))
    await wish(desk)
    assert await meet_wishes(desk) == 1
    await wish(desk, "flood")
    assert await meet_wishes(desk) == 0


async def test_a_wish_that_cannot_be_met_says_why_and_is_tried_again(office: Office, desk: CheckpointDesk) -> None:
    first = await office.asked()
    await office.decide(first)
    await make_checkpoint(desk)
    later = replace(desk, clock=lambda: office.rows.clock() + GAP)
    await sql(desk, f"delete from audit where approval_id = '{first}' and seq = 4")
    await wish(desk)
    with pytest.raises(CannotCheckpoint):
        await meet_wishes(later)
    async with desk.ledger.read() as session:
        assert f"{first}: entry 4 is missing" in await checkpoints.problem(session)
    assert await meet_wishes(later) == 0
    with pytest.raises(CannotCheckpoint):
        await meet_wishes(replace(desk, clock=lambda: office.rows.clock() + GAP + LEASE + timedelta(seconds=1)))


async def test_a_wish_that_says_it_is_taken_for_ever_is_met_all_the_same(either_office: Office, tmp_path: Path) -> None:
    """A worker may add wishes, and one that nobody met would stand before every later one."""
    desk = desk_of(either_office, tmp_path)
    async with desk.ledger.read() as session:
        postgres = session.get_bind().dialect.name == "postgresql"
    ends = ("9999-12-31 23:59:59+00:00", *(("infinity",) if postgres else ()))
    for number, end in enumerate(ends, start=1):
        await forge(desk, f"insert into checkpoint_wishes values ('{end}', '{end}', '{end}', null, '')")
        assert await wish(desk) == "already_asked"
        later = replace(desk, clock=lambda far=number: either_office.rows.clock() + far * 2 * GAP)
        assert await meet_wishes(later) == 1
    async with desk.ledger.read() as session:
        assert await checkpoints.waiting(session) == []
