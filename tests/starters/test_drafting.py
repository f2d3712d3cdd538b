"""Drafting and publishing: who may, what becomes of it, and that every desk takes it up."""

import json
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from plixo.bootstrap import prepare_database, published_policy
from plixo.config import Settings
from plixo.domain.credit import CreditForm
from plixo.domain.ids import POLICY_CHAIN
from plixo.domain.people import Group
from plixo.domain.refusals import Conflict, NotAllowed, NotFound, Refused
from plixo.policy.published import PublishedPolicy, load_policy
from plixo.ports import Customer
from plixo.store import audit, audit_export, policies
from plixo.store.audit_file import check_block
from plixo.store.drafts import Draft
from starters import drafting
from starters.credits import preview_credit, request_credit
from starters.trust import RATE_KIND, Trust, policy_body, rate_body
from tests.support.desk import Office, open_office
from tests.support.rows import PlayedStripe, fresh_sqlite

pytestmark = pytest.mark.asvs("2.3.5")


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with open_office(await fresh_sqlite(tmp_path)) as opened:
        yield opened


def lower(policy: PublishedPolicy, controller: int = 3000) -> PublishedPolicy:
    limits = json.loads(json.dumps(policy.plain_limits))
    limits["approve"]["credit"]["controller"] = controller
    return drafting.typed_policy(limits, policy.plain_table)


async def drafted(office: Office, **changed: Any) -> Draft:
    async with office.rows.ledger.read() as session:
        desk = await office.desk.up_to_date(session)
    policy = lower(desk.policy, **changed)
    return await drafting.draft_policy(desk, office.rows.people["administrator"], policy, "Less alone.")


async def publish(office: Office, draft: Draft, role: str = "controller") -> Draft:
    who = drafting.Publisher(office.rows.people[role], office.rows.clock())
    return await drafting.publish_draft(office.desk, who, draft.draft_id)


async def chain(office: Office) -> list[audit.AuditLine]:
    return await office.rows.trail(POLICY_CHAIN)


async def test_a_published_draft_routes_the_next_request_and_leaves_the_others(office: Office) -> None:
    before = await office.ask("4200.00")
    draft = await publish(office, await drafted(office))
    assert (draft.version, draft.published_by) == (2, "p-controller")
    after = await office.ask("4200.00")
    assert before.record.approval.path.describe() == ("Controller",)
    assert after.record.approval.path.describe() == ("Controller and Legal",)
    assert (await office.rows.record(before.record.approval.approval_id)).policy == office.desk.policy.reference
    assert after.record.policy == f"2@{draft.hash[:12]}"
    assert (await published_policy(office.rows.ledger, office.desk.trust)).version == 2


async def test_each_version_is_parsed_once(office: Office) -> None:
    await publish(office, await drafted(office))
    found = []
    for _ in range(2):
        async with office.rows.ledger.read() as session:
            found.append((await office.desk.up_to_date(session)).policy)
    assert found[0] is found[1]
    assert office.desk.policy.version == 1


async def test_drafting_and_publishing_are_in_a_chain_of_their_own_refusals_too(office: Office) -> None:
    draft = await drafted(office)
    with pytest.raises(NotAllowed):
        await publish(office, draft, "legal")
    await publish(office, draft)
    lines = await chain(office)
    assert [(line.event, line.actor) for line in lines] == [
        ("policy_drafted", "p-administrator"),
        ("policy_publish_refused", "p-legal"),
        ("policy_published", "p-controller"),
    ]
    assert lines[2].detail == {
        "draft_id": draft.draft_id,
        "author": "p-administrator",
        "hash": draft.hash,
        "version": 2,
        "base_version": 1,
    }
    async with office.rows.ledger.read() as session:
        blocks = [block async for block in audit_export.blocks(session, [POLICY_CHAIN])]
    assert [check_block(block, office.rows.verifier) for block in blocks] == [None]


@pytest.mark.parametrize("role", ["billing_admin", "controller", "cfo", "legal", "finance", "support", "operator"])
async def test_only_administrators_draft(office: Office, role: str) -> None:
    with pytest.raises(NotAllowed) as refusal:
        await drafting.draft_policy(office.desk, office.rows.people[role], lower(office.desk.policy), "")
    assert refusal.value.code == "not_drafter"
    assert [line.event for line in await chain(office)] == ["policy_draft_refused"]


@pytest.mark.parametrize("role", ["administrator", "legal", "finance", "billing_admin", "support", "operator"])
async def test_only_a_controller_or_the_cfo_publishes(office: Office, role: str) -> None:
    with pytest.raises(NotAllowed) as refusal:
        await publish(office, await drafted(office), role)
    assert refusal.value.code == "not_publisher"
    assert (await published_policy(office.rows.ledger, office.desk.trust)).version == 1


async def test_nobody_publishes_their_own_draft(office: Office) -> None:
    await office.rows.change_person("administrator", groups=frozenset({Group.ADMINISTRATOR, Group.CONTROLLER}))
    draft = await drafted(office)
    with pytest.raises(NotAllowed) as refusal:
        await publish(office, draft, "administrator")
    assert refusal.value.code == "own_draft"
    assert (await publish(office, draft, "cfo")).version == 2


@pytest.mark.asvs("7.5.3")
async def test_publishing_needs_a_fresh_sign_in(office: Office) -> None:
    draft = await drafted(office)
    old = office.rows.clock() - timedelta(minutes=16)
    who = drafting.Publisher(office.rows.people["controller"], old)
    with pytest.raises(NotAllowed) as refusal:
        await drafting.publish_draft(office.desk, who, draft.draft_id)
    assert refusal.value.problems[0].field == "session"


async def test_a_draft_is_published_once_and_not_after_another_one(office: Office) -> None:
    first, second = await drafted(office), await drafted(office, controller=2000)
    made = await publish(office, first)
    assert await publish(office, first) == made, "the same person again changes nothing"
    for draft, role, code in ((first, "cfo", "draft_published"), (second, "cfo", "draft_outdated")):
        with pytest.raises(Conflict) as refusal:
            await publish(office, draft, role)
        assert refusal.value.code == code
        assert refusal.value.problems[0].field == "draft"
    with pytest.raises(NotFound):
        await publish(office, replace(first, draft_id="PD-NONE"))
    assert (await published_policy(office.rows.ledger, office.desk.trust)).version == 2


async def test_the_same_draft_twice_is_one(office: Office) -> None:
    assert await drafted(office) == await drafted(office)
    assert len(await chain(office)) == 1


async def test_going_back_is_a_new_version_with_the_old_content(office: Office) -> None:
    await publish(office, await drafted(office))
    async with office.rows.ledger.read() as session:
        desk = await office.desk.up_to_date(session)
    again = await drafting.draft_again(desk, office.rows.people["administrator"], 1, "Back.")
    assert (await publish(office, again)).version == 3
    async with office.rows.ledger.read() as session:
        found = await policies.versions(session)
    assert [one.version for one in found] == [3, 2, 1]
    assert found[0].hash == found[2].hash != found[1].hash
    with pytest.raises(NotFound):
        await drafting.draft_again(desk, office.rows.people["administrator"], 9, "")


async def test_what_holds_already_or_counts_otherwise_is_no_draft(office: Office) -> None:
    administrator = office.rows.people["administrator"]
    with pytest.raises(Refused) as refusal:
        await drafting.draft_policy(office.desk, administrator, office.desk.policy, "")
    assert refusal.value.code == "policy_unchanged"
    euros = drafting.typed_policy(
        {**office.desk.policy.plain_limits, "base_currency": "EUR"}, office.desk.policy.plain_table
    )
    with pytest.raises(Refused) as refusal:
        await drafting.draft_policy(office.desk, administrator, euros, "")
    assert refusal.value.problems[0].field == "limits.base_currency"
    with pytest.raises(Refused) as refusal:
        await drafting.draft_policy(office.desk, administrator, lower(office.desk.policy), "{{7*7}}")
    assert refusal.value.problems[0].field == "note"


@pytest.mark.parametrize(
    ("limits", "table", "field"),
    [
        ({"base_currency": "USD"}, None, "limits.authority"),
        (None, None, "limits"),
        ("right", {"nodes": 1}, "table.nodes"),
        ("right", {"nodes": [1.5]}, "table"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_field(limits: Any, table: Any, field: str) -> None:
    right = dict(load_policy(Settings().policies).plain_limits) if limits == "right" else limits
    with pytest.raises(Refused) as refusal:
        drafting.typed_policy(right, table)
    assert refusal.value.problems[0].field == field


RATES = [{"currency": "EUR", "rate": "1.25", "as_of": "2026-08-03"}]


async def published_rates(office: Office, rows: list[dict[str, str]] = RATES) -> Draft:
    draft = await drafting.draft_rates(office.desk, office.rows.people["administrator"], rows, "The central bank.")
    return await publish(office, draft, "cfo")


async def in_euros(_stripe: PlayedStripe, customer_id: str) -> Customer:
    return Customer(customer_id, "Example GmbH", "pay@example.com", "EUR")


async def test_a_published_rate_routes_and_is_kept_on_the_request(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PlayedStripe, "customer", in_euros)
    before = await office.ask("100.00", currency="EUR", invoice="")
    assert before.record.approval.path.rule == "no-exchange-rate"
    assert (before.record.rate, before.record.base_minor) == (None, 10_000)
    assert (await published_rates(office)).version is None
    after = await office.ask("100.00", currency="EUR", invoice="")
    assert after.record.approval.path.automatic
    kept = await office.rows.record(after.record.approval.approval_id)
    assert (kept.rate, kept.base_minor, kept.base_currency) == ("1.25", 12_500, "USD")
    (requested, *_) = await office.rows.trail(kept.approval.approval_id)
    assert (requested.detail["rate"], requested.detail["rate_as_of"]) == ("1.25", "2026-08-03T00:00:00+00:00")
    await published_rates(office, [{**RATES[0], "rate": "2", "as_of": "2026-08-03T01:00:00+00:00"}])
    assert (await office.rows.record(kept.approval.approval_id)).rate == "1.25"


async def test_an_older_rate_does_not_come_back(office: Office) -> None:
    await published_rates(office)
    with pytest.raises(Conflict) as refusal:
        await published_rates(office, [{**RATES[0], "as_of": "2026-08-01"}])
    assert refusal.value.code == "draft_outdated"


async def test_rates_are_drafted_by_administrators_and_named_when_wrong(office: Office) -> None:
    with pytest.raises(NotAllowed):
        await drafting.draft_rates(office.desk, office.rows.people["controller"], RATES, "")
    with pytest.raises(Refused) as refusal:
        await drafting.draft_rates(office.desk, office.rows.people["administrator"], [{**RATES[0], "rate": "0"}], "")
    assert refusal.value.problems[0].field == "rates.1.rate"


async def test_asking_with_a_preview_says_what_has_changed_since(office: Office) -> None:
    admin = office.rows.people["billing_admin"]
    form = CreditForm("cus_ExampleLogistics", "4200.00", "USD", "service_outage", "p-1", note="Down.")
    seen = await preview_credit(office.desk, admin, form)
    same = await request_credit(office.desk, admin, form, seen=seen.token)
    assert same.changed == ""
    await publish(office, await drafted(office))
    asked = await request_credit(office.desk, admin, replace(form, request_id="p-2"), seen=seen.token)
    assert asked.changed.startswith(
        "When it was checked, Controller would have been asked; now it is Controller and Legal"
    )
    assert asked.changed.endswith("Policy version 2 has followed version 1 since.")
    (requested, *_) = await office.rows.trail(asked.record.approval.approval_id)
    assert requested.detail["changed_since_preview"] == asked.changed


async def test_a_release_follows_a_release_and_never_what_people_published(tmp_path: Path) -> None:
    url = await fresh_sqlite(tmp_path)
    folder = tmp_path / "policies"
    folder.mkdir()
    shipped = Settings().policies
    for name in ("limits.toml", "approvals.jdm.json"):
        (folder / name).write_text((shipped / name).read_text())
    settings = Settings(env="dev", data=tmp_path, database_url=url, policies=folder)

    async def release(controller: int) -> None:
        text = (shipped / "limits.toml").read_text()
        (folder / "limits.toml").write_text(text.replace("controller = 25_000", f"controller = {controller}"))
        await prepare_database(settings)

    async with open_office(url) as office:

        def trust() -> Trust:
            return Trust(office.rows.verifier, load_policy(folder).hash)

        await release(24_000)
        await release(24_000)
        assert (await published_policy(office.rows.ledger, trust())).version == 2
        assert [(line.event, line.actor) for line in await chain(office)] == [("policy_published", "system")]
        draft = await publish(office, await drafted(office))
        assert draft.version == 3
        await release(23_000)
        found = await published_policy(office.rows.ledger, trust())
        assert (found.version, found.hash) == (3, draft.hash)


async def test_who_may_not_draft_is_told_before_anything_is_tried(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tried(*_: object) -> None:
        raise AssertionError("this costs time, and is for administrators")

    monkeypatch.setattr(drafting, "typed_policy", tried)
    policy, support = office.desk.policy, office.rows.people["support"]
    with pytest.raises(NotAllowed):
        await drafting.draft_parts(office.desk, support, policy.plain_limits, policy.plain_table, "")
    with pytest.raises(NotAllowed):
        await drafting.draft_again(office.desk, support, 1, "")


async def test_a_trial_leaves_the_loop_to_everybody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    asked_in: list[int] = []
    monkeypatch.setattr(drafting, "typed_policy", lambda *_: asked_in.append(threading.get_ident()))
    await drafting.tried_policy({}, {})
    assert asked_in != [threading.get_ident()]


async def plant(office: Office, sql: str, **values: Any) -> None:
    """What whoever has the database's password alone can do."""
    async with office.rows.ledger.begin() as tx:
        await tx.session.execute(text(sql), values)


PLANTED = "insert into policies (version, hash, content, published_at, signed) values (2, :h, :c, :at, :signed)"
AT = "2026-01-01 00:00:00.000000"


def signature(office: Office, kind: str, version: int, digest: str) -> str:
    now = office.rows.clock()
    body = policy_body(version, digest, "p-administrator", "p-controller", now)
    return office.desk.signer.sign(kind, body, now=now)


@pytest.mark.parametrize("forged", ["unsigned", "garbage", "other kind", "other version", "other content", "hash"])
async def test_a_policy_that_nobody_signed_routes_nothing(office: Office, forged: str) -> None:
    policy = lower(office.desk.policy, 1_000_000)
    signed = {
        "unsigned": None,
        "garbage": "a.b.c",
        "other kind": signature(office, "request", 2, policy.hash),
        "other version": signature(office, "policy", 1, policy.hash),
        "other content": signature(office, "policy", 2, office.desk.policy.hash),
        "hash": signature(office, "policy", 2, office.desk.policy.hash),
    }[forged]
    digest = office.desk.policy.hash if forged == "hash" else policy.hash
    await plant(office, PLANTED, h=digest, c=policy.content, at=AT, signed=signed)
    with pytest.raises(Conflict) as refusal:
        await office.ask("4200.00")
    assert refusal.value.code == "policy_unusable"
    assert "publish another policy" in str(refusal.value)
    async with office.rows.ledger.read() as session:
        desk = await office.desk.up_to_date(session)
    assert (desk.policy.version, desk.follows) == (1, 2), "whoever reads goes on with the last good one"


async def test_a_policy_that_cannot_be_read_is_followed_by_one_that_can(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    await plant(office, PLANTED, h="x", c='{"limits":{},"table":{}}', at=AT, signed=signature(office, "policy", 2, "x"))
    for _ in range(2):
        with pytest.raises(Conflict):
            await office.ask("4200.00")
    assert [record.getMessage()[:36] for record in caplog.records] == ["policy version 2 cannot be used, not"]
    assert (await published_policy(office.rows.ledger, office.desk.trust)).version == 1, "a console starts with it"
    async with office.rows.ledger.read() as session:
        desk = await office.desk.up_to_date(session)
    again = await drafting.draft_again(desk, office.rows.people["administrator"], 1, "Back to what can be read.")
    assert (await publish(office, again)).version == 3
    assert (await office.ask("4200.00")).record.policy.startswith("3@")


async def test_what_was_published_is_signed_by_the_staff_side(office: Office) -> None:
    draft = await publish(office, await drafted(office))
    async with office.rows.ledger.read() as session:
        kept = await policies.kept(session, 2)
    assert kept is not None
    body = office.rows.verifier.verify(kept.signed or "", "policy", now=None)
    assert body == {
        "version": 2,
        "hash": draft.hash,
        "author": "p-administrator",
        "publisher": "p-controller",
        "at": body["at"],
    }


@pytest.mark.parametrize("forged", ["unsigned", "altered", "of another currency"])
async def test_a_rate_that_nobody_signed_routes_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch, forged: str
) -> None:
    monkeypatch.setattr(PlayedStripe, "customer", in_euros)
    await published_rates(office)
    now = office.rows.clock()
    pounds = rate_body({**RATES[0], "currency": "GBP"}, "USD", "a", "b", now)
    changed, values = {
        "unsigned": ("signed = null", {}),
        "altered": ("rate = '0.000001'", {}),
        "of another currency": ("signed = :signed", {"signed": office.desk.signer.sign(RATE_KIND, pounds, now=now)}),
    }[forged]
    await plant(office, f"update rates set {changed}", **values)
    with pytest.raises(Conflict) as refusal:
        await office.ask("100.00", currency="EUR", invoice="")
    assert refusal.value.code == "rate_not_signed"


async def test_a_rate_that_is_far_from_what_holds_is_refused(office: Office) -> None:
    await published_rates(office)
    later = {**RATES[0], "as_of": "2026-08-03T01:00:00+00:00"}
    for rate in ("0.0124", "125.1"):
        with pytest.raises(Refused) as refusal:
            await published_rates(office, [{**later, "rate": rate}])
        assert (refusal.value.code, refusal.value.problems[0].field) == ("rate_far_off", "rates.1.rate")
    await published_rates(office, [{**later, "rate": "0.0125"}])


async def test_the_smallest_amount_at_the_smallest_rate_is_not_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PlayedStripe, "customer", in_euros)
    await published_rates(office, [{**RATES[0], "rate": "0.000000000001"}])
    asked = await office.ask("100.00", "support", currency="EUR", invoice="")
    assert asked.record.base_minor == 1
    assert not asked.record.approval.path.automatic


async def test_an_older_draft_of_the_same_moment_does_not_come_back(office: Office) -> None:
    administrator = office.rows.people["administrator"]
    older = await drafting.draft_rates(office.desk, administrator, [{**RATES[0], "rate": "1.20"}], "")
    await published_rates(office)
    with pytest.raises(Conflict) as refusal:
        await publish(office, older)
    assert refusal.value.code == "draft_outdated"
