import ast
import asyncio
import base64
import json
import mailbox
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console

from demo.check import Report, Sources, check, main, table
from demo.check_histories import read_run
from plixo.config import ROOT
from plixo.domain.canonical import sha256_hex
from plixo.domain.path import ApprovalPath
from plixo.policy.published import PublishedPolicy
from plixo.signing.tokens import StaffSigner
from plixo.temporal.payload_keys import KeyRing, PayloadKey, _write
from starters.desk import Desk
from tests.demo.planted import (
    PAYLOAD_KEYS,
    History,
    Planted,
    at_work,
    build,
    claims,
    payloads,
    plain_payloads,
    served,
)
from tests.support.databases import database
from tests.support.rows import FOREIGN_KEY

FOREIGN = PayloadKey(bytes(32), datetime(2026, 1, 2, tzinfo=UTC))
PRODUCT = {"plixo", "starters", "workflows", "activities", "workers", "web", "standin"}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    folder = tmp_path_factory.mktemp("house")
    return asyncio.run(build(folder, f"sqlite+aiosqlite:///{folder / 'plixo.db'}"))


@pytest.fixture
def house(clean: Planted, tmp_path: Path) -> Planted:
    return clean.copy(tmp_path / "copy")


async def test_a_clean_house_gives_no_finding(house: Planted) -> None:
    report = await house.check()

    assert report.findings == []
    assert report.ok
    assert report.counts == {
        "requests": 7,
        "executed": 4,
        "effects in the ledger": 4,
        "recorded decisions": 5,
        "audit entries": 32,
        "refusals in the audit log": 0,
        "checkpoints": 1,
        "workflows": 8,
        "workflows of nobody": 1,
        "mails": 9,
        "mails put aside": 0,
    }


async def test_every_request_is_told_with_its_path_its_people_and_its_cost(house: Planted) -> None:
    facts = {one["id"]: one for one in (await house.check()).approvals}

    assert list(facts) == list(house.ids.values())
    assert facts[house.ids["approved"]] == {
        "id": house.ids["approved"],
        "status": "executed",
        "amount_minor": 420_000,
        "currency": "USD",
        "path": ["Controller"],
        "decided_by": ["p-controller"],
        "stripe_object": house.ledger_of(house.ids["approved"])["id"],
        "workflow_id": f"credit/{house.ids['approved']}",
        "history_events": 26,
        "billable_actions": 7,
    }
    both, automatic = facts[house.ids["both"]], facts[house.ids["automatic"]]
    assert (both["path"], both["decided_by"]) == (["Controller and Legal"], ["p-controller", "p-legal"])
    assert (automatic["path"], automatic["decided_by"], automatic["billable_actions"]) == (["automatic"], [], 3)


@pytest.mark.postgres
async def test_a_clean_house_on_postgresql_gives_no_finding(tmp_path: Path) -> None:
    with database("postgres", tmp_path) as url:
        planted = await build(tmp_path, url)
        report = await planted.check()

    assert report.findings == []
    assert report.counts["executed"] == 4


class TestTheLedger:
    async def test_a_planted_double_credit_is_found(self, house: Planted) -> None:
        row = house.ledger_of(house.ids["approved"])
        house.traces.ledger.append({**row, "seq": 99, "id": "cn_again"})

        assert await house.found() == {("double_effect", "approved")}

    async def test_a_planted_double_credit_to_the_balance_is_found(self, house: Planted) -> None:
        row = house.ledger_of(house.ids["balance"])
        house.traces.ledger.append({**row, "seq": 99, "id": "cbtxn_again"})

        assert await house.found() == {("double_effect", "balance")}

    async def test_a_credit_note_whose_double_went_to_the_balance_is_found(self, house: Planted) -> None:
        row = house.ledger_of(house.ids["approved"])
        other = {"object": "customer_balance_transaction", "id": "cbtxn_x", "amount": -row["amount"]}
        house.traces.ledger.append({**row, **other, "path": "/v1/customers/cus_Logistics/balance_transactions"})

        assert ("double_effect", "approved") in await house.found()

    async def test_what_stripe_enters_itself_for_a_notes_remainder_is_no_double(self, house: Planted) -> None:
        row = house.ledger_of(house.ids["approved"])
        entry = {"object": "customer_balance_transaction", "id": "cbtxn_x", "amount": -100, "type": "credit_note"}
        house.traces.ledger.append({**row, **entry, "path": "/v1/customers/cus_Logistics/balance_transactions"})

        assert await house.found() == set()

    async def test_a_planted_missing_credit_is_found(self, house: Planted) -> None:
        house.traces.ledger.remove(house.ledger_of(house.ids["approved"]))

        assert await house.found() == {("effect_missing", "approved")}

    async def test_a_credit_nobody_asked_for_is_found(self, house: Planted) -> None:
        row = house.ledger_of(house.ids["approved"])
        house.traces.ledger.append({**row, "id": "cn_stray", "metadata": {}})

        assert await house.found() == {("effect_nobody_asked", "")}

    async def test_a_credit_for_a_request_that_does_not_exist_is_found(self, house: Planted) -> None:
        row = house.ledger_of(house.ids["approved"])
        metadata = {"plixo_approval": "CR-NONE", "plixo_effect": "EF-CR-NONE"}
        house.traces.ledger.append({**row, "id": "cn_stray", "metadata": metadata})

        assert await house.found() == {("effect_nobody_asked", "CR-NONE")}

    @pytest.mark.parametrize("name", ["rejected", "withdrawn", "waiting"])
    async def test_a_credit_for_a_request_that_was_not_approved_is_found(self, house: Planted, name: str) -> None:
        approval_id = house.ids[name]
        row = house.ledger_of(house.ids["balance"])
        metadata = {"plixo_approval": approval_id, "plixo_effect": f"EF-{approval_id}"}
        house.traces.ledger.append({**row, "id": "cbtxn_x", "customer": "cus_Press", "metadata": metadata})

        assert {("effect_not_approved", name), ("effect_not_intended", name)} <= await house.found()

    @pytest.mark.parametrize(
        ("field", "value"),
        [("amount", 420_001), ("currency", "eur"), ("customer", "cus_Foods"), ("invoice", "in_Foods")],
    )
    async def test_a_credit_that_differs_from_what_was_signed_is_found(
        self, house: Planted, field: str, value: Any
    ) -> None:
        house.ledger_of(house.ids["approved"])[field] = value

        assert ("effect_differs", "approved") in await house.found()

    async def test_a_credit_above_what_one_of_two_allowed_is_found(self, house: Planted) -> None:
        house.decided_otherwise(house.ids["both"], "p-legal", amount_minor=3_000_000)

        assert ("approval_missing", "both") in await house.found()

    async def test_a_credit_above_what_both_allowed_is_found(self, house: Planted) -> None:
        for who in ("p-legal", "p-controller"):
            house.decided_otherwise(house.ids["both"], who, amount_minor=3_000_000)

        assert ("effect_differs", "both") in await house.found()

    async def test_a_credit_made_under_another_key_is_found(self, house: Planted) -> None:
        house.ledger_of(house.ids["balance"])["idempotency_key"] = "another"

        assert await house.found() == {("effect_differs", "balance"), ("effect_row_differs", "balance")}

    async def test_another_object_than_the_one_in_the_ledger_is_found(self, house: Planted) -> None:
        house.sql("update approvals set stripe_object = 'cn_x' where approval_id = ?", house.ids["automatic"])

        found = await house.found()
        assert {("object_differs", "automatic"), ("outcome_differs", "automatic")} == found

    async def test_a_voided_credit_note_is_found(self, house: Planted) -> None:
        row = house.ledger_of(house.ids["approved"])
        house.traces.ledger.append({**row, "path": f"/v1/credit_notes/{row['id']}/void"})

        assert await house.found() == {("effect_changed", "approved")}

    async def test_credits_above_an_invoice_that_the_ledger_tells_of_are_found(self, house: Planted) -> None:
        invoice = {"path": "/v1/invoices/in_Logistics/finalize", "object": "invoice", "id": "in_Logistics"}
        house.traces.enter(**invoice, amount=419_999, currency="usd", customer="cus_Logistics")

        assert await house.found() == {("over_credited", "")}

    async def test_net_and_tax_that_do_not_come_to_the_credit_are_found(self, house: Planted) -> None:
        house.sql("update approvals set tax_minor = 1 where approval_id = ?", house.ids["automatic"])

        assert await house.found() == {("amounts_do_not_tie", "automatic")}

    async def test_an_effect_row_that_says_another_sum_than_the_ledger_is_found(self, house: Planted) -> None:
        house.sql("update effects set amount_minor = 17999 where approval_id = ?", house.ids["automatic"])

        assert ("effect_row_differs", "automatic") in await house.found()

    @pytest.mark.parametrize(
        ("name", "value"),
        [("amount", 1), ("invoice", "in_Foods"), ("refund_amount", 18_000), ("metadata", {})],
    )
    async def test_a_kept_write_that_is_not_the_one_in_the_ledger_is_found(
        self, house: Planted, name: str, value: Any
    ) -> None:
        params = json.loads(house.one("select params from effects where approval_id = ?", house.ids["automatic"]))
        params[name] = value
        house.sql("update effects set params = ? where approval_id = ?", json.dumps(params), house.ids["automatic"])

        assert await house.found() == {("effect_row_differs", "automatic")}

    async def test_an_effect_row_of_no_request_is_found(self, house: Planted) -> None:
        house.sql("update effects set approval_id = 'CR-NONE' where approval_id = ?", house.ids["automatic"])

        assert ("effect_row_stray", "CR-NONE") in await house.found()

    async def test_an_effect_that_stayed_intended_after_the_end_is_found(self, house: Planted) -> None:
        house.sql(
            "update effects set state = 'intended', stripe_object = '' where approval_id = ?", house.ids["automatic"]
        )

        assert ("effect_unsettled", "automatic") in await house.found()


class TestSignatures:
    async def test_a_planted_unsigned_decision_is_found(self, house: Planted) -> None:
        house.sql("update decisions set signed = '' where approval_id = ?", house.ids["approved"])

        assert await house.found() == {("decision_unsigned", "approved"), ("approval_missing", "approved")}

    async def test_a_decision_row_that_nobody_signed_is_found(self, house: Planted) -> None:
        house.sql(
            "insert into decisions select 'DE-FORGED', ?, round, stage, person_id, group_name, verdict, digest, "
            "amount_minor, comment, 'a.b.c', status, position, why, submitted_at, settled_at, basis, subject "
            "from decisions where approval_id = ?",
            house.ids["waiting"],
            house.ids["approved"],
        )

        assert ("decision_unsigned", "waiting") in await house.found()

    async def test_a_decision_signed_with_another_key_under_our_keys_name_is_found(self, house: Planted) -> None:
        token = house.one("select signed from decisions where approval_id = ?", house.ids["approved"])
        forged = _raw_token(_header(house, "decision"), claims(token), Ed25519PrivateKey.generate())
        house.sql("update decisions set signed = ? where approval_id = ?", forged, house.ids["approved"])

        assert ("decision_unsigned", "approved") in await house.found()

    @pytest.mark.parametrize(
        "header",
        [{"alg": "EdDSA"}, {"alg": "none"}, {"alg": "HS256"}, {"kid": "another"}, {"typ": "JWT"}, {"crit": ["b64"]}],
    )
    async def test_our_own_keys_signature_under_another_header_is_found(
        self, house: Planted, header: dict[str, Any]
    ) -> None:
        token = house.one("select signed from decisions where approval_id = ?", house.ids["approved"])
        ours = _raw_token(_header(house, "decision"), claims(token), _our_key(house))
        house.sql("update decisions set signed = ? where approval_id = ?", ours, house.ids["approved"])
        assert await house.found() == set()

        forged = _raw_token({**_header(house, "decision"), **header}, claims(token), _our_key(house))
        house.sql("update decisions set signed = ? where approval_id = ?", forged, house.ids["approved"])
        assert ("decision_unsigned", "approved") in await house.found()

    async def test_a_signed_statement_of_which_one_letter_changed_is_found(self, house: Planted) -> None:
        head, body, signature = house.one(
            "select signed from decisions where approval_id = ?", house.ids["approved"]
        ).split(".")
        altered = body.replace(body[40], "A" if body[40] != "A" else "B", 1)
        house.sql("update decisions set signed = ?", f"{head}.{altered}.{signature}")

        assert ("decision_unsigned", "approved") in await house.found()

    async def test_a_request_signed_as_a_decision_is_found(self, house: Planted) -> None:
        token = house.one("select signed from approvals where approval_id = ?", house.ids["automatic"])
        forged = house.sign("decision", claims(token)["body"])
        house.sql("update approvals set signed = ? where approval_id = ?", forged, house.ids["automatic"])

        assert ("request_unsigned", "automatic") in await house.found()

    async def test_a_signature_for_another_audience_is_found(self, house: Planted) -> None:
        token = house.one("select signed from approvals where approval_id = ?", house.ids["automatic"])
        forged = _raw_token(_header(house, "request"), {**claims(token), "aud": "another"}, _our_key(house))
        house.sql("update approvals set signed = ? where approval_id = ?", forged, house.ids["automatic"])

        assert ("request_unsigned", "automatic") in await house.found()

    async def test_a_request_that_carries_another_ones_signature_is_found(self, house: Planted) -> None:
        token = house.one("select signed from approvals where approval_id = ?", house.ids["automatic"])
        house.sql("update approvals set signed = ? where approval_id = ?", token, house.ids["balance"])

        assert ("request_altered", "balance") in await house.found()

    async def test_an_altered_amount_in_a_request_row_is_found(self, house: Planted) -> None:
        house.sql("update approvals set amount_minor = 80001 where approval_id = ?", house.ids["waiting"])

        assert await house.found() == {("request_altered", "waiting")}

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("requester_id", "p-cfo"),
            ("customer_id", "cus_Foods"),
            ("base_minor", 1),
            ("policy", "9@000000000000"),
            ("path", json.dumps({"rule": "", "why": "", "notes": [], "stages": []})),
            ("automatic", 1),
            ("currency", "EUR"),
        ],
    )
    async def test_a_request_row_that_says_something_else_than_was_signed_is_found(
        self, house: Planted, column: str, value: Any
    ) -> None:
        house.sql(f"update approvals set {column} = ? where approval_id = ?", value, house.ids["waiting"])

        assert ("request_altered", "waiting") in await house.found()

    async def test_an_altered_amount_in_a_decision_row_is_found(self, house: Planted) -> None:
        house.sql("update decisions set amount_minor = 1 where approval_id = ?", house.ids["approved"])

        assert ("decision_altered", "approved") in await house.found()

    async def test_a_fingerprint_that_is_not_that_of_the_signed_change_is_found(self, house: Planted) -> None:
        house.asked_otherwise(house.ids["waiting"], digest="0" * 64)

        assert ("digest_mismatch", "waiting") in await house.found()

    async def test_a_decision_bound_to_another_fingerprint_is_found(self, house: Planted) -> None:
        house.decided_otherwise(house.ids["approved"], digest="0" * 64)

        assert {("decision_not_allowed", "approved"), ("approval_missing", "approved")} <= await house.found()

    async def test_a_decision_recorded_after_its_signature_had_expired_is_found(self, house: Planted) -> None:
        house.sql("update decisions set settled_at = '2099-01-01' where approval_id = ?", house.ids["approved"])

        assert ("signature_out_of_time", "approved") in await house.found()

    async def test_a_row_that_nobody_signed_is_named_after_it_has_come_to_its_end(self, house: Planted) -> None:
        async with at_work(house) as work:
            forger = replace(work, desk=replace(work.desk, signer=StaffSigner(FOREIGN_KEY)))
            forged = await forger.ask("180.00", "Clinics")
            assert await work.state(forged) == "withdrawn"

        assert await house.found() == {("request_unsigned", forged)}

    async def test_a_row_that_was_only_ever_written_into_the_database_is_named_for_that_too(
        self, house: Planted
    ) -> None:
        async with at_work(house) as work:
            forger = replace(work, desk=replace(work.desk, signer=StaffSigner(FOREIGN_KEY)))
            forged = await forger.ask("180.00", "Clinics")
        house.unhappened(forged, "requested")

        assert await house.found() == {("request_unsigned", forged), ("audit_lacks", forged)}

    async def test_a_request_that_is_returned_without_a_word_is_found(self, house: Planted) -> None:
        async with at_work(house) as work:
            forger = replace(work, desk=replace(work.desk, signer=StaffSigner(FOREIGN_KEY)))
            forged = await forger.ask("180.00", "Clinics")
        house.unhappened(forged, "open_refused")

        assert ("audit_lacks", forged) in await house.found()


class TestDuties:
    async def test_a_decision_by_the_requester_is_found(self, house: Planted) -> None:
        house.decided_otherwise(house.ids["approved"], person_id="p-billing-admin")

        assert {("decision_not_allowed", "approved"), ("approval_missing", "approved")} <= await house.found()

    async def test_a_decision_by_the_requester_is_found_even_where_they_sit_in_the_group(self, house: Planted) -> None:
        house.decided_otherwise(house.ids["approved"], person_id="p-billing-admin")
        groups = json.dumps(["billing_admin", "controller"])
        house.sql("update people set groups = ?, limits = '{}' where person_id = 'p-billing-admin'", groups)

        assert {("decision_not_allowed", "approved"), ("approval_missing", "approved")} <= await house.found()

    async def test_a_decision_for_another_round_is_found(self, house: Planted) -> None:
        house.decided_otherwise(house.ids["approved"], round=1)

        assert await house.found() == {("decision_not_allowed", "approved"), ("approval_missing", "approved")}

    @pytest.mark.parametrize("person", ["p-legal", "p-finance", "p-administrator", "p-nobody"])
    async def test_a_decision_by_somebody_of_another_group_is_found(self, house: Planted, person: str) -> None:
        house.decided_otherwise(house.ids["approved"], person_id=person)

        assert {("decision_not_allowed", "approved"), ("approval_missing", "approved")} <= await house.found()

    async def test_a_decision_for_a_group_that_was_not_asked_is_found(self, house: Planted) -> None:
        house.decided_otherwise(house.ids["approved"], person_id="p-legal", group="legal")

        assert {("decision_not_allowed", "approved"), ("approval_missing", "approved")} <= await house.found()

    async def test_a_decision_by_somebody_who_has_left_is_found(self, house: Planted) -> None:
        house.sql("update people set active = 0 where person_id = 'p-legal'")

        assert await house.found() == {("decision_not_allowed", "both"), ("approval_missing", "both")}

    async def test_a_decision_by_somebody_related_to_the_customer_is_found(self, house: Planted) -> None:
        house.sql("update people set related_customers = '[\"cus_Foods\"]' where person_id = 'p-legal'")

        assert await house.found() == {("decision_not_allowed", "both"), ("approval_missing", "both")}

    async def test_a_decision_above_a_persons_own_limit_is_found(self, house: Planted) -> None:
        house.sql("update people set limits = '{\"credit\": 419999}' where person_id = 'p-controller'")

        assert await house.found() == {("decision_not_allowed", "approved"), ("approval_missing", "approved")}

    async def test_a_decision_above_its_seats_limit_is_found(self, house: Planted) -> None:
        path = json.loads(house.one("select path from approvals where approval_id = ?", house.ids["approved"]))
        path["stages"][0]["seats"][0]["limit_minor"] = 419_999
        house.asked_otherwise(house.ids["approved"], path=path)

        assert {("decision_not_allowed", "approved"), ("approval_missing", "approved")} == await house.found()

    async def test_one_person_on_two_seats_is_found(self, house: Planted) -> None:
        house.sql("update people set groups = '[\"controller\", \"legal\"]' where person_id = 'p-controller'")
        decision = house.decided_otherwise(house.ids["both"], "p-legal", person_id="p-controller")

        found = [one for one in (await house.check()).findings if decision not in one.detail]
        assert [(one.what, one.approval_id) for one in found] == [("one_person_twice", house.ids["both"])]

    async def test_an_effect_in_spite_of_a_rejection_is_found(self, house: Planted) -> None:
        house.decided_otherwise(house.ids["both"], "p-legal", verdict="reject")

        assert {("effect_despite_refusal", "both"), ("approval_missing", "both")} <= await house.found()

    async def test_a_withdrawal_by_somebody_else_is_found(self, house: Planted) -> None:
        house.decided_otherwise(house.ids["withdrawn"], "p-billing-admin", person_id="p-support")

        assert ("decision_not_allowed", "withdrawn") in await house.found()

    async def test_a_decision_left_unanswered_on_an_ended_request_is_found(self, house: Planted) -> None:
        house.sql(
            "insert into decisions select 'DE-LATE', approval_id, round, stage, person_id, group_name, verdict, "
            "digest, amount_minor, comment, signed, 'submitted', null, why, submitted_at, null, basis, subject "
            "from decisions where approval_id = ?",
            house.ids["approved"],
        )

        assert await house.found() == {("decision_left", "approved")}


class TestAutomatic:
    async def test_an_automatic_credit_above_authority_is_found(self, house: Planted) -> None:
        """Everything about it is in order, but that nobody was asked: only the figures can tell."""
        async with at_work(house) as working:
            working.desk = _lenient(working.desk)
            house.ids["smuggled"] = await working.ask("500.01", "Clinics", invoice=True)

        assert house.ledger_of(house.ids["smuggled"])["amount"] == 50_001
        assert await house.found() == {("automatic_not_allowed", "smuggled")}

    async def test_an_automatic_credit_at_authority_is_none(self, house: Planted) -> None:
        async with at_work(house) as working:
            house.ids["at the limit"] = await working.ask("500.00", "Clinics", invoice=True)

        assert house.ledger_of(house.ids["at the limit"])["amount"] == 50_000
        assert await house.found() == set()

    @pytest.mark.parametrize("reason", ["legal_claim", "settlement", "insolvency", "fraud"])
    async def test_an_automatic_credit_for_a_reason_that_never_is_one_is_found(
        self, house: Planted, reason: str
    ) -> None:
        async with at_work(house) as working:
            working.desk = _lenient(working.desk)
            house.ids["smuggled"] = await working.ask("10.00", "Clinics", reason=reason, invoice=True)

        assert await house.found() == {("automatic_not_allowed", "smuggled")}

    async def test_automatic_credits_above_the_customers_sum_are_found(self, house: Planted) -> None:
        async with at_work(house) as working:
            working.desk = _lenient(working.desk)
            house.ids["second"] = await working.ask("450.00", "Studio")
            house.ids["third"] = await working.ask("450.00", "Studio")

        assert await house.found() == {("automatic_not_allowed", "third")}

    async def test_an_automatic_credit_to_a_related_customer_is_found(self, house: Planted) -> None:
        house.sql("update people set related_customers = '[\"cus_Studio\"]' where person_id = 'p-billing-admin'")

        assert await house.found() == {("automatic_not_allowed", "balance")}

    async def test_a_big_credit_that_one_person_was_asked_about_is_found(self, house: Planted) -> None:
        path = json.loads(house.one("select path from approvals where approval_id = ?", house.ids["both"]))
        path["stages"][0]["seats"] = path["stages"][0]["seats"][:1]
        house.asked_otherwise(house.ids["both"], path=path)

        assert ("too_few_asked", "both") in await house.found()

    async def test_a_policy_that_was_changed_after_it_was_published_is_found(self, house: Planted) -> None:
        content = json.loads(house.one("select content from policies"))
        content["limits"]["authority"]["billing_admin"]["credit"] = 1_000_000
        house.sql("update policies set content = ?", json.dumps(content))

        assert {what for what, _ in await house.found()} == {"policy_unknown"}

    async def test_a_request_counted_in_another_base_currency_than_its_policys_is_found(self, house: Planted) -> None:
        house.sql("update approvals set base_currency = 'JPY' where approval_id = ?", house.ids["waiting"])

        assert await house.found() == {("base_amount_wrong", "waiting")}

    @pytest.mark.parametrize(
        ("rate", "as_of", "why"),
        [
            (None, "", "Nobody was asked, although there is no exchange rate for EUR."),
            ("1.00", "2020-01-01", "Nobody was asked, although the exchange rate for EUR was too old."),
            ("1.25", "2020-01-01", "It was routed as 45000 USD; it comes to 56250."),
        ],
    )
    async def test_an_automatic_credit_in_another_currency_without_a_rate_to_rely_on_is_found(
        self, house: Planted, rate: str | None, as_of: str, why: str
    ) -> None:
        change = json.loads(house.one("select change from approvals where approval_id = ?", house.ids["balance"]))
        change["amount"]["currency"] = "EUR"
        house.asked_otherwise(house.ids["balance"], change=change)
        if rate:
            house.sql("insert into rates (currency, base, rate, as_of) values ('EUR', 'USD', ?, ?)", rate, as_of)

        assert why in {one.detail for one in (await house.check()).findings}

    async def test_a_rate_on_a_request_that_its_audit_log_does_not_tell_is_found(self, house: Planted) -> None:
        change = json.loads(house.one("select change from approvals where approval_id = ?", house.ids["balance"]))
        change["amount"]["currency"] = "EUR"
        house.asked_otherwise(house.ids["balance"], change=change)
        house.sql(
            "update approvals set rate = '1.00', rate_as_of = created_at where approval_id = ?", house.ids["balance"]
        )

        told = "It was routed at a rate of 1.00, which its audit log does not tell."
        assert told in {one.detail for one in (await house.check()).findings}

    async def test_an_amount_routed_as_less_than_it_comes_to_is_found(self, house: Planted) -> None:
        house.asked_otherwise(house.ids["approved"], base_minor=100)

        assert ("base_amount_wrong", "approved") in await house.found()


async def _republished(house: Planted, **limits: Any) -> None:
    """The house's policy says this as well, and every request was routed on it; nothing else is told of it."""
    content = json.loads(house.one("select content from policies"))
    content["limits"] |= limits
    hashed = sha256_hex(content)
    house.sql("update policies set content = ?, hash = ?", json.dumps(content), hashed)
    for approval_id in house.ids.values():
        house.asked_otherwise(approval_id, policy=f"1@{hashed[:12]}")


class TestQuorumsAndFallbacks:
    @pytest.mark.parametrize(
        ("seat", "stage", "what"),
        [
            ({"quorum": 2}, {}, "stages_not_published"),
            ({}, {"one_rejection_ends": False}, "stages_not_published"),
            ({"fallback": "legal"}, {}, "fallback_not_published"),
        ],
        ids=["quorum", "rejection", "fallback"],
    )
    async def test_a_path_that_asks_otherwise_than_its_policy_is_found(
        self, house: Planted, seat: dict[str, Any], stage: dict[str, Any], what: str
    ) -> None:
        path = json.loads(house.one("select path from approvals where approval_id = ?", house.ids["waiting"]))
        path["stages"][0]["seats"][0] |= seat
        path["stages"][0] |= stage
        house.asked_otherwise(house.ids["waiting"], path=path)

        assert await house.found() == {(what, "waiting")}

    async def test_a_path_without_the_fallback_of_its_policy_is_as_good_as_one_with_it(self, house: Planted) -> None:
        path = json.loads(house.one("select path from approvals where approval_id = ?", house.ids["waiting"]))
        del path["stages"][0]["seats"][0]["fallback"]
        house.asked_otherwise(house.ids["waiting"], path=path)

        assert await house.found() == set()

    async def test_side_by_side_where_the_policy_says_one_after_the_other_is_found(self, house: Planted) -> None:
        stages = {"both": [{"seats": {"legal": 1}}, {"seats": {"controller": 1}}]}
        await _republished(house, stages=stages)

        assert await house.found() == {("stages_not_published", "both")}

    async def test_an_effect_on_fewer_people_than_the_quorum_is_found(self, house: Planted) -> None:
        await _republished(house, stages={"controller": [{"seats": {"controller": 2}}]})
        path = json.loads(house.one("select path from approvals where approval_id = ?", house.ids["approved"]))
        path["stages"][0]["seats"][0]["quorum"] = 2
        house.asked_otherwise(house.ids["approved"], path=path)

        assert ("approval_missing", "approved") in await house.found()

    async def test_a_rejection_that_does_not_end_it_is_no_finding_and_the_same_person_twice_is_one(
        self, house: Planted
    ) -> None:
        stages = [{"seats": {"controller": 1, "legal": 1}, "one_rejection_ends": False}]
        await _republished(house, stages={"both": stages})
        path = json.loads(house.one("select path from approvals where approval_id = ?", house.ids["both"]))
        path["stages"][0]["one_rejection_ends"] = False
        house.asked_otherwise(house.ids["both"], path=path)
        assert ("stages_not_published", "both") not in await house.found()

        house.decided_otherwise(house.ids["both"], "p-legal", verdict="reject")
        found = {what for what, name in await house.found() if name == "both"}
        assert "effect_despite_refusal" not in found
        assert "approval_missing" in found

    async def test_a_decision_in_an_empty_groups_place_needs_the_signed_seat_and_the_audit_log_to_say_so(
        self, house: Planted
    ) -> None:
        house.sql("update people set related_customers = '[\"cus_Press\"]' where person_id = 'p-controller'")
        async with at_work(house) as working:
            house.ids["empty"] = await working.ask("900.00", "Press")
            await working.decide(house.ids["empty"], "p-cfo")
            assert await working.state(house.ids["empty"]) == "executed"
        mine = {what for what, name in await house.found() if name == "empty"}
        assert mine == set()

        query = "select detail from audit where approval_id = ? and event = 'group_empty'"
        assert json.loads(house.one(query, house.ids["empty"])) == {
            "group": "controller",
            "to": "cfo",
            "people": ["p-cfo"],
        }
        house.sql("update people set groups = '[\"finance\"]' where person_id = 'p-cfo'")
        assert {("decision_not_allowed", "empty"), ("approval_missing", "empty")} <= await house.found()
        house.sql("update people set groups = '[\"cfo\"]' where person_id = 'p-cfo'")
        path = json.loads(house.one("select path from approvals where approval_id = ?", house.ids["empty"]))
        del path["stages"][0]["seats"][0]["fallback"]
        house.asked_otherwise(house.ids["empty"], path=path)
        assert ("decision_not_allowed", "empty") in await house.found()

    async def test_a_decision_in_the_place_of_a_group_that_was_not_empty_is_found(self, house: Planted) -> None:
        decision = house.decided_otherwise(
            house.ids["approved"], "p-controller", person_id="p-cfo", basis="fallback:cfo"
        )

        found = [one.detail for one in (await house.check()).findings if one.what == "decision_not_allowed"]
        assert found == [f"{decision}: p-cfo is not in the group controller."]


class TestTheCheckpoints:
    async def test_a_cut_tail_is_found_with_its_entry(self, house: Planted) -> None:
        house.sql("delete from audit where approval_id = ? and event = 'effect_done'", house.ids["approved"])

        assert await house.found() == {("audit_lacks", "approved"), ("audit_cut", "approved")}

    async def test_a_request_that_was_removed_with_all_its_rows_is_found(self, house: Planted) -> None:
        gone = house.ids["waiting"]
        house.sql("delete from audit where approval_id = ?", gone)
        house.sql("delete from approvals where approval_id = ?", gone)

        assert ("audit_request_missing", "waiting") in await house.found()

    async def test_a_chain_that_was_made_anew_is_found(self, house: Planted) -> None:
        house.unhappened(house.ids["approved"], "decision_signed")
        house.sql(
            "insert into audit select approval_id, seq + 1, at, event, actor, detail, hash, 'x' from audit "
            "where approval_id = ? order by seq desc limit 1",
            house.ids["approved"],
        )

        assert ("audit_rewritten", "approved") in await house.found()

    async def test_entries_since_the_checkpoint_are_none_of_its_business(self, house: Planted) -> None:
        async with at_work(house) as work:
            await work.decide(house.ids["waiting"], "p-controller", "reject")

        assert {what for what, _ in await house.found() if what.startswith(("audit", "checkpoint"))} == set()

    @pytest.mark.parametrize(
        ("statement", "what"),
        [
            ("delete from checkpoints", "checkpoint_missing"),
            ("update checkpoints set signed = 'a.b.c'", "checkpoint_unsigned"),
            ("update checkpoints set root = 'another'", "checkpoint_altered"),
            ("update checkpoints set previous = 'another'", "checkpoint_altered"),
            ("update checkpoints set number = 2", "checkpoint_missing"),
        ],
    )
    async def test_a_row_that_was_tampered_with_is_found(self, house: Planted, statement: str, what: str) -> None:
        house.sql(statement)

        assert (what, "") in await house.found()

    @pytest.mark.parametrize(
        "tamper",
        [
            lambda it: it["heads"].pop(),
            lambda it: it["heads"][0].__setitem__(1, 1),
            lambda it: it.update(signed="a.b.c"),
            lambda it: it.pop("heads"),
            lambda it: it["heads"].append(it["heads"][0]),
        ],
    )
    async def test_a_file_that_was_tampered_with_is_found(self, house: Planted, tamper: Any) -> None:
        (file,) = house.settings.checkpoint_folder.glob("checkpoint-*.json")
        document = json.loads(file.read_text())
        tamper(document)
        file.write_text(json.dumps(document))

        assert await house.found() == {("checkpoint_altered", "")}

    async def test_a_file_that_is_gone_is_found(self, house: Planted) -> None:
        (file,) = house.settings.checkpoint_folder.glob("checkpoint-*.json")
        file.unlink()

        assert await house.found() == {("checkpoint_missing", "")}

    async def test_one_that_the_staff_sides_key_signed_is_found(self, house: Planted) -> None:
        body = claims(house.one("select signed from checkpoints"))["body"]
        house.sql("update checkpoints set signed = ?", house.sign("checkpoint", body))

        assert await house.found() == {("checkpoint_unsigned", "")}


class TestTheAuditLog:
    @pytest.fixture
    def house(self, clean: Planted, tmp_path: Path) -> Planted:
        """Without checkpoints: what a chain tells by itself."""
        copied = clean.copy(tmp_path / "copy")
        copied.sql("delete from checkpoints")
        shutil.rmtree(copied.settings.checkpoint_folder)
        return copied

    async def test_an_altered_entry_is_found(self, house: Planted) -> None:
        house.sql("update audit set actor = 'p-cfo' where approval_id = ? and seq = 2", house.ids["waiting"])

        assert await house.found() == {("audit_broken", "waiting")}

    @pytest.mark.parametrize("detail", ['{"path": 0.5}', "no json at all", "[]"])
    async def test_an_entry_altered_beyond_reading_is_found(self, house: Planted, detail: str) -> None:
        house.sql("update audit set detail = ? where approval_id = ? and seq = 2", detail, house.ids["waiting"])

        assert await house.found() == {("audit_broken", "waiting")}

    @pytest.mark.parametrize("seq", [1, 2, 3])
    async def test_a_removed_entry_is_found(self, house: Planted, seq: int) -> None:
        house.sql("delete from audit where approval_id = ? and seq = ?", house.ids["approved"], seq)

        assert ("audit_broken", "approved") in await house.found()

    async def test_a_cut_tail_is_found_by_what_it_no_longer_tells(self, house: Planted) -> None:
        house.sql("delete from audit where approval_id = ? and event = 'effect_done'", house.ids["approved"])

        assert await house.found() == {("audit_lacks", "approved")}

    @pytest.mark.parametrize(
        ("event", "told"),
        [
            ("requested", ["who asked for what."]),
            ("decision_recorded", ["of decision "]),
            ("effect_intended", ["that this effect was intended."]),
            ("effect_done", ["how it came to be executed.", "that this effect was done."]),
        ],
    )
    async def test_a_step_that_was_taken_out_of_a_chain_hashed_anew_is_found(
        self, house: Planted, event: str, told: list[str]
    ) -> None:
        house.unhappened(house.ids["approved"], event)

        findings = (await house.check()).findings

        assert [(one.what, one.approval_id) for one in findings] == [("audit_lacks", house.ids["approved"])] * len(told)
        details = sorted(one.detail.removeprefix("The audit log does not tell ") for one in findings)
        assert all(detail.startswith(words) for detail, words in zip(details, told, strict=True))

    async def test_a_chain_that_was_removed_whole_is_found(self, house: Planted) -> None:
        house.sql("delete from audit where approval_id = ?", house.ids["rejected"])

        assert await house.found() == {("audit_lacks", "rejected")}

    async def test_entries_that_changed_places_are_found(self, house: Planted) -> None:
        for before, after in ((2, 90), (3, 2), (90, 3)):
            house.sql("update audit set seq = ? where approval_id = ? and seq = ?", after, house.ids["both"], before)

        assert await house.found() == {("audit_broken", "both")}

    async def test_a_decision_row_that_the_log_tells_of_and_that_is_gone_is_found(self, house: Planted) -> None:
        house.sql("delete from decisions where approval_id = ?", house.ids["rejected"])

        assert ("decision_row_missing", "rejected") in await house.found()

    async def test_an_effect_row_that_the_log_tells_of_and_that_is_gone_is_found(self, house: Planted) -> None:
        house.sql("delete from effects where approval_id = ?", house.ids["automatic"])

        assert {("effect_row_missing", "automatic"), ("effect_not_intended", "automatic")} <= await house.found()

    async def test_a_log_of_an_effect_without_any_request_is_found(self, house: Planted) -> None:
        house.sql("update audit set approval_id = 'CR-NONE' where approval_id = ?", house.ids["automatic"])

        assert {("audit_of_nobody", "CR-NONE"), ("audit_lacks", "automatic")} <= await house.found()


class TestHistories:
    async def test_a_decision_that_only_the_history_knows_is_found(self, house: Planted) -> None:
        history = house.history(house.ids["waiting"])
        history.marker({"decision_id": "DE-X", "answer": "accepted"}, history.task())

        assert await house.found() == {("decision_only_in_history", "waiting")}

    async def test_a_decision_that_the_history_refused_is_none(self, house: Planted) -> None:
        history = house.history(house.ids["waiting"])
        history.marker({"decision_id": "DE-X", "answer": "refused"}, history.task())

        assert await house.found() == set()

    async def test_a_decision_that_the_history_never_took_up_is_found(self, house: Planted) -> None:
        name = f"credit/{house.ids['approved']}"
        kept = [event for event in house.traces.histories[name][0] if not _speaks_of_a_decision(event)]
        house.traces.histories[name] = [kept]

        assert await house.found() == {("decision_only_in_database", "approved")}

    async def test_a_decision_that_stood_already_when_the_history_took_it_up_is_none(self, house: Planted) -> None:
        name = f"credit/{house.ids['approved']}"
        (decision,) = house.sql("select decision_id from decisions where approval_id = ?", house.ids["approved"])
        history = History([event for event in house.traces.histories[name][0] if not _speaks_of_a_decision(event)])
        last = history.events.pop()
        history.marker({"decision_id": decision[0], "answer": "already_received"}, history.task())
        house.traces.histories[name] = [[*history.events, last]]

        assert await house.found() == set()

    async def test_a_request_without_a_workflow_is_found(self, house: Planted) -> None:
        del house.traces.histories[f"credit/{house.ids['waiting']}"]

        assert await house.found() == {("workflow_missing", "waiting")}

    async def test_a_workflow_that_runs_on_after_its_request_has_ended_is_found(self, house: Planted) -> None:
        house.traces.histories[f"credit/{house.ids['rejected']}"][0].pop()

        assert await house.found() == {("workflow_open", "rejected")}

    async def test_a_request_whose_workflow_failed_is_found(self, house: Planted) -> None:
        house.history(house.ids["waiting"]).fail()
        house.traces.histories[f"credit/{house.ids['rejected']}"][0].pop()
        house.history(house.ids["rejected"]).fail()

        assert await house.found() == {("request_stranded", "waiting"), ("workflow_broke", "rejected")}

    async def test_a_workflow_that_ended_otherwise_than_the_rows_say_is_found(self, house: Planted) -> None:
        last = house.traces.histories[f"credit/{house.ids['rejected']}"][0]
        other = house.traces.histories[f"credit/{house.ids['withdrawn']}"][0]
        last[-1] = other[-1]

        assert await house.found() == {("outcome_differs", "rejected")}

    async def test_a_forged_workflow_that_did_not_fail_is_found(self, house: Planted) -> None:
        house.traces.histories["credit/CR-FORGED"][0].pop()

        assert await house.found() == {("workflow_of_nobody", "")}

    async def test_a_forged_workflow_that_came_to_move_money_is_found(self, house: Planted) -> None:
        history = History(house.traces.histories["credit/CR-FORGED"][0])
        history.events.pop()
        history.activity("execute_approval")
        history.fail()

        assert await house.found() == {("workflow_of_nobody", "")}

    async def test_another_kind_of_workflow_is_none_of_the_checkers_business_unless_it_moves_money(
        self, house: Planted
    ) -> None:
        history = History()
        history.start("NightlyReport")
        house.traces.histories["report"] = [history.events]
        assert await house.found() == set()

        history.activity("execute_approval")
        assert await house.found() == {("workflow_of_nobody", "")}

    async def test_something_that_was_written_in_plain_is_found(self, house: Planted) -> None:
        approved = house.traces.histories[f"credit/{house.ids['approved']}"][0]
        approved[-1]["workflowExecutionCompletedEventAttributes"]["result"] = plain_payloads({"state": "executed"})
        waiting = house.traces.histories[f"credit/{house.ids['waiting']}"][0]
        waiting[0]["userMetadata"] = {"summary": plain_payloads("Credit 800.00 USD, Press")["payloads"][0]}

        assert {("payload_in_plain", "approved"), ("payload_in_plain", "waiting")} <= await house.found()

    async def test_the_words_of_a_failure_in_plain_are_found(self, house: Planted) -> None:
        failure = {"message": "Press owes nothing", "applicationFailureInfo": {"type": "KeyError"}}
        house.history(house.ids["waiting"]).add("ACTIVITY_TASK_FAILED", failure={"cause": failure})

        assert await house.found() == {("payload_in_plain", "waiting")}

    async def test_the_words_of_a_failure_that_were_encrypted_are_no_finding(self, house: Planted) -> None:
        words = payloads({"message": "Press owes nothing", "stack_trace": ""})["payloads"][0]
        failure = {"message": "Encoded failure", "encodedAttributes": words, "applicationFailureInfo": {}}
        house.history(house.ids["waiting"]).add("ACTIVITY_TASK_FAILED", failure=failure)

        assert await house.found() == set()

    async def test_the_words_of_a_failure_that_the_server_dropped_are_no_finding(self, house: Planted) -> None:
        kept = {"message": "Encoded failure", "applicationFailureInfo": {"type": "OperationalError"}}
        failure = {"message": "Failure exceeds size limit.", "cause": kept, "serverFailureInfo": {}}
        house.history(house.ids["waiting"]).add("ACTIVITY_TASK_STARTED", lastFailure=failure)
        assert await house.found() == set()

        kept["stackTrace"] = "File press.py"
        assert await house.found() == {("payload_in_plain", "waiting")}

    async def test_a_decision_that_only_a_later_answer_names_is_in_the_history(self, house: Planted) -> None:
        """The server died before it had noted the first; the second one's answer says that both stand."""
        events = house.history(house.ids["both"]).events
        for kind in ("MARKER_RECORDED", "WORKFLOW_EXECUTION_UPDATE_COMPLETED"):
            events.remove(next(event for event in events if event["eventType"] == f"EVENT_TYPE_{kind}"))
        assert await house.found() == set()

        for kind in ("MARKER_RECORDED", "WORKFLOW_EXECUTION_UPDATE_COMPLETED"):
            events.remove(next(event for event in events if event["eventType"] == f"EVENT_TYPE_{kind}"))
        assert await house.found() == {("decision_only_in_database", "both")}

    @pytest.mark.parametrize("how", ["altered", "unknown key", "too short", "another key's id"])
    async def test_something_that_cannot_be_decrypted_is_found(self, house: Planted, how: str) -> None:
        payload = house.traces.histories[f"credit/{house.ids['waiting']}"][0][0][
            "workflowExecutionStartedEventAttributes"
        ]["input"]["payloads"][0]
        data = bytearray(base64.b64decode(payload["data"]))
        if how == "altered":
            data[20] ^= 1
        elif how == "too short":
            del data[5:]
        else:
            named = b"0" * 16 if how == "unknown key" else FOREIGN.key_id.encode()
            payload["metadata"]["encryption-key-id"] = base64.b64encode(named).decode()
            rotated = KeyRing(PAYLOAD_KEYS.current_id, {**PAYLOAD_KEYS.keys, FOREIGN.key_id: FOREIGN})
            _write(house.settings.payload_keys, rotated)
        payload["data"] = base64.b64encode(data).decode()

        assert await house.found() == {("payload_unreadable", "waiting")}

    async def test_histories_without_their_keys_are_not_all_well(self, house: Planted) -> None:
        house.settings.payload_keys.unlink()

        assert await house.found() == {("source_unreadable", "")}

    async def test_messages_in_plain_or_unreadable_are_anybodys_and_no_finding(self, house: Planted) -> None:
        history = house.history(house.ids["waiting"])
        for sent in (plain_payloads({"decision_id": "DE-X"}), {"payloads": [{}]}, plain_payloads(None)):
            history.add("WORKFLOW_EXECUTION_SIGNALED", signalName="submit_decision", input=sent)
        history.add("WORKFLOW_EXECUTION_SIGNALED", signalName="submit_decision")

        assert await house.found() == set()

    async def test_a_decision_that_was_taken_up_from_a_plain_message_is_found(self, house: Planted) -> None:
        (accepted,) = [
            event["workflowExecutionUpdateAcceptedEventAttributes"]
            for event in house.traces.histories[f"credit/{house.ids['approved']}"][0]
            if event["eventType"] == "EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED"
        ]
        message = {
            "approval_id": "",
            "decision_id": house.one("select decision_id from decisions where approval_id = ?", house.ids["approved"]),
        }
        accepted["acceptedRequest"]["input"]["args"] = plain_payloads(message)
        assert await house.found() == {("decision_in_plain", "approved")}

        house.history(house.ids["approved"]).events.insert(
            1,
            {
                "eventId": "99",
                "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED",
                "workflowExecutionSignaledEventAttributes": {"input": payloads(message)},
            },
        )
        assert await house.found() == set()

    async def test_a_start_in_plain_is_the_forgers_own(self, house: Planted) -> None:
        start = house.traces.histories["credit/CR-FORGED"][0][0]
        start["workflowExecutionStartedEventAttributes"]["input"] = plain_payloads({"approval_id": "CR-FORGED"})

        assert await house.found() == set()

    async def test_what_is_still_under_way_gets_a_moment(self, house: Planted) -> None:
        events = house.traces.histories[f"credit/{house.ids['approved']}"][0]
        last = events.pop()

        async def completes() -> None:
            await asyncio.sleep(0.3)
            events.append(last)

        completing = asyncio.create_task(completes())
        report = await house.check(patience_seconds=5)
        await completing

        assert report.findings == []

    async def test_a_fault_is_told_at_once(self, house: Planted) -> None:
        house.traces.ledger.clear()

        async with asyncio.timeout(5):
            report = await house.check(patience_seconds=60)

        assert not report.ok

    async def test_a_workflow_that_was_ended_and_taken_up_again_is_no_finding(self, house: Planted) -> None:
        for name, ending in (("approved", "TERMINATED"), ("both", "CANCELED"), ("waiting", "TERMINATED")):
            before = History()
            before.start()
            before.activity("open_approval")
            before.waits()
            before.add(f"WORKFLOW_EXECUTION_{ending}")
            before.events[0]["eventTime"] = "2000-01-01T00:00:00Z"
            house.traces.histories[f"credit/{house.ids[name]}"].append(before.events)

        assert await house.found() == set()


class TestCost:
    def test_every_try_of_an_activity_is_one_action(self) -> None:
        history = History()
        history.start()
        history.activity("execute_approval", attempt=4)

        assert read_run(history.events, {}).actions == 1 + 4

    def test_local_activities_of_one_task_are_one_action_together(self) -> None:
        history = History()
        history.start()
        first = history.task()
        for task in (first, first, history.task()):
            history.marker({"decision_id": "DE-X", "answer": "conflict"}, task)

        assert read_run(history.events, {}).actions == 1 + 2

    def test_other_markers_cost_nothing(self) -> None:
        history = History()
        history.start()
        history.add("MARKER_RECORDED", markerName="core_patch")

        assert read_run(history.events, {}).actions == 1

    def test_continuing_as_new_is_one_action_and_the_new_runs_start_none(self) -> None:
        before, after = History(), History()
        before.start()
        before.add("WORKFLOW_EXECUTION_CONTINUED_AS_NEW")
        after.start(continuedExecutionRunId="a-run")

        assert read_run(before.events, {}).actions + read_run(after.events, {}).actions == 1 + 1

    def test_signals_timers_and_search_attributes_are_one_action_each(self) -> None:
        history = History()
        history.start()
        history.waits()
        history.add("WORKFLOW_EXECUTION_SIGNALED")
        history.add("TIMER_CANCELED")

        assert read_run(history.events, {}).actions == 1 + 3


class TestMails:
    async def test_a_mail_that_arrived_twice_is_found(self, house: Planted) -> None:
        box = mailbox.Maildir(house.folder / "mailbox")
        box.add(next(iter(box.values())))

        assert {what for what, _ in await house.found()} == {"double_mail"}

    async def test_a_mail_that_was_put_aside_as_arrived_before_is_none(self, house: Planted) -> None:
        """Its relay was killed before it could note that it had sent it, so that it was taken twice."""
        house.sql("update outbox set attempts = 2")
        box = mailbox.Maildir(house.folder / "mailbox")
        box.add_folder("Repeated").add(next(iter(box)))

        assert await house.found() == set()
        assert (await house.check()).counts["mails put aside"] == 1

    async def test_a_mail_that_one_relay_sent_twice_is_found_although_it_was_put_aside(self, house: Planted) -> None:
        box = mailbox.Maildir(house.folder / "mailbox")
        box.add_folder("Repeated").add(next(iter(box)))

        assert {what for what, _ in await house.found()} == {"double_mail"}

    @pytest.mark.parametrize("header", ["Message-ID", "X-Plixo-Key", "To"])
    async def test_a_mail_that_was_put_aside_and_had_not_arrived_is_found(self, house: Planted, header: str) -> None:
        box = mailbox.Maildir(house.folder / "mailbox")
        message = next(one for one in box if house.ids["approved"] in str(one["X-Plixo-Key"]))
        house.sql("update outbox set attempts = 2")
        message.replace_header(header, f"{house.ids['approved']}/else@plixo.example")
        box.add_folder("Repeated").add(message)

        assert await house.found() == {("mail_swallowed", "approved")}

    async def test_a_mail_to_a_stranger_is_found(self, house: Planted) -> None:
        key = house.one("select key from outbox where key like ?", f"{house.ids['approved']}/asked%")
        box = mailbox.Maildir(house.folder / "mailbox")
        (name,) = [name for name, message in box.items() if message["X-Plixo-Key"] == key]
        message = box[name]
        message["Cc"] = "press@elsewhere.example"
        box[name] = message

        assert await house.found() == {("mail_to_stranger", "approved")}

    async def test_a_mail_that_nobody_wrote_is_found(self, house: Planted) -> None:
        message = EmailMessage()
        message["To"] = "controller@plixo.example"
        mailbox.Maildir(house.folder / "mailbox").add(message)

        assert await house.found() == {("mail_nobody_wrote", "")}

    async def test_a_mail_that_went_to_somebody_else_is_found(self, house: Planted) -> None:
        house.sql("update outbox set recipient = 'cfo@plixo.example' where key like ?", f"{house.ids['both']}/exec%")

        assert await house.found() == {("mail_misdirected", "both")}

    async def test_a_mail_that_left_and_never_arrived_is_found(self, house: Planted) -> None:
        box = mailbox.Maildir(house.folder / "mailbox")
        for name in [name for name, message in box.items() if house.ids["waiting"] in message["X-Plixo-Key"]]:
            box.remove(name)

        assert await house.found() == {("mail_missing", "waiting")}

    async def test_a_mail_that_still_waits_is_none(self, house: Planted) -> None:
        box = mailbox.Maildir(house.folder / "mailbox")
        for name in [name for name, message in box.items() if house.ids["waiting"] in message["X-Plixo-Key"]]:
            box.remove(name)
        house.sql("update outbox set sent_at = null where key like ?", f"{house.ids['waiting']}/%")

        assert await house.found() == set()


class TestWhatCannotBeRead:
    @pytest.mark.parametrize("lost", ["plixo.db", "mailbox", "keys/signing-public.json"])
    async def test_a_source_that_cannot_be_read_is_a_finding(self, house: Planted, lost: str) -> None:
        (house.folder / lost).rename(house.folder / "elsewhere")

        assert await house.found() == {("source_unreadable", "")}

    async def test_a_database_of_something_else_is_a_finding(self, house: Planted) -> None:
        house.sql("drop table audit")

        assert await house.found() == {("source_unreadable", "")}

    @pytest.mark.parametrize(
        "statement",
        [
            "update approvals set path = '[]'",
            "update approvals set path = '{\"stages\": [1]}'",
            "update people set limits = '[]'",
            "update approvals set amount_minor = 'many'",
            "update approvals set created_at = 'yesterday'",
            "update effects set params = 'none'",
            "update policies set content = '{}'",
        ],
    )
    async def test_rows_tampered_with_beyond_understanding_are_a_finding_and_never_a_crash(
        self, house: Planted, statement: str
    ) -> None:
        house.sql(statement)

        assert not (await house.check()).ok

    async def test_a_ledger_of_another_shape_is_a_finding(self, house: Planted) -> None:
        house.traces.ledger.append({"object": "credit_note"})

        assert await house.found() == {("source_misshapen", "")}

    async def test_a_ledger_that_does_not_answer_is_a_finding(self, house: Planted) -> None:
        with served([]) as url:
            pass
        sources = Sources(house.database_url, url, "", "default", None, house.settings.public_keys)

        report = await check(sources, house.fetch_histories)

        assert [(one.what, report.ok) for one in report.findings] == [("source_unreadable", False)]

    def test_the_command_exits_with_1_when_it_could_not_see_everything(
        self, house: Planted, capsys: pytest.CaptureFixture[str]
    ) -> None:
        where = ["--ledger", "http://127.0.0.1:1", "--temporal", "127.0.0.1:1"]
        keys = ["--keys", str(house.settings.public_keys)]

        assert main(["--database", str(house.folder / "plixo.db"), *where, *keys, "--json"]) == 1
        printed = json.loads(capsys.readouterr().out)
        assert printed["findings"][0]["what"] == "source_unreadable"


async def test_the_table_tells_the_requests_and_the_findings_in_80_columns(house: Planted) -> None:
    clean = _printed(await house.check())
    house.traces.ledger.append({**house.ledger_of(house.ids["approved"]), "id": "cn_again"})
    faulty = _printed(await house.check())

    assert "4,200.00 USD" in clean
    assert "Nothing found" in clean
    assert "double effect" in faulty
    assert "1 finding." in faulty
    assert max(len(line) for line in f"{clean}\n{faulty}".splitlines()) <= 80


def test_the_checker_imports_nothing_of_the_product() -> None:
    loaded = "import demo.check, sys; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True)

    assert "demo" in done.stdout.split()
    assert not PRODUCT & set(done.stdout.split())


def test_the_checkers_files_name_nothing_of_the_product() -> None:
    files = sorted((ROOT / "demo").glob("check*.py"))

    imported = {name for file in files for name in _imports(file)}

    assert len(files) > 5
    assert not {name for name in imported if name.split(".")[0] in PRODUCT}
    assert {name for name in imported if name.startswith("demo")} <= {f"demo.{file.stem}" for file in files}


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield node.module or "."
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _printed(report: Report) -> str:
    console = Console(width=80, record=True, file=None, quiet=False)
    with console.capture() as captured:
        console.print(table(report))
    return captured.get()


def _header(house: Planted, kind: str) -> dict[str, Any]:
    (key,) = json.loads(house.settings.public_keys.read_text())["keys"]
    return {"alg": "Ed25519", "kid": key["kid"], "typ": f"plixo-{kind}+jws"}


def _our_key(house: Planted) -> Ed25519PrivateKey:
    plain = json.loads(house.settings.signing_key.read_text())["d"]
    return Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(plain + "=" * (-len(plain) % 4)))


def _raw_token(header: dict[str, Any], said: dict[str, Any], key: Ed25519PrivateKey) -> str:
    """A token put together by hand: whatever the header says, it is really signed with Ed25519."""
    parts = [_text(json.dumps(header).encode()), _text(json.dumps(said).encode())]
    return ".".join([*parts, _text(key.sign(".".join(parts).encode()))])


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _speaks_of_a_decision(event: dict[str, Any]) -> bool:
    return event["eventType"] in {"EVENT_TYPE_MARKER_RECORDED", "EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED"}


def _lenient(desk: Desk) -> Desk:
    """The staff side with a policy engine gone wrong: nobody is ever asked."""
    return replace(desk, policy=_Lenient(**vars(desk.policy)))


class _Lenient(PublishedPolicy):
    def path(self, *_: object) -> ApprovalPath:
        return ApprovalPath("within-authority", "")
