"""A console with a signing key of its own comes up while everything runs."""

from dataclasses import replace
from pathlib import Path

from plixo.messages.approvals import Step
from plixo.signing.keys import load_or_create_signing_key
from plixo.signing.tokens import StaffSigner
from starters.credits import request_credit
from tests.support.house import House, credit_form


async def test_what_another_console_signs_is_opened_by_workers_that_ran_before(
    idle_house: House, tmp_path: Path
) -> None:
    house = idle_house
    key = load_or_create_signing_key(tmp_path / "another" / "private.json", house.settings.public_keys)
    console = replace(house.staff.desk, signer=StaffSigner(key))
    asked = await request_credit(console, house.people["billing_admin"], credit_form(amount="4200.00"))
    standing = await house.workshop.approvals.open(Step(asked.record.approval.approval_id))
    assert standing.state == "waiting"
    for verifier in (house.workshop.effects.verifier, house.staff.verifier):
        assert verifier.verify(asked.record.signed, "request", now=None)
