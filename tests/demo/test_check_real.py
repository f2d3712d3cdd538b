"""The checker on a house that really runs: its own Temporal server, stand-in, workers and mails."""

from dataclasses import replace

import pytest
from temporalio.client import WorkflowFailureError

from demo.check import Report, Sources, check
from plixo.domain.decision import Verdict
from plixo.messages.approvals import APPROVALS_QUEUE, ApprovalRequest, Decide
from tests.support.house import House
from workflows.approval import ApprovalWorkflow


async def test_a_house_that_ran_is_clean_and_what_is_done_behind_its_back_is_found(house: House) -> None:
    approved = await house.ask()
    automatic = await house.ask(amount="180.00", customer="cus_ExampleClinics", reason="duplicate_charge")
    await house.until_waiting(approved)
    await _forge(house, approved.record.approval.approval_id)
    await house.decide(approved, "controller")
    await house.until_ended(automatic)
    approval_id = (await house.until_ended(approved)).approval.approval_id

    clean = await _check(house)
    assert clean.findings == []
    assert clean.counts["workflows of nobody"] == 1
    facts = {one["id"]: one for one in clean.approvals}
    assert facts[automatic.record.approval.approval_id]["billable_actions"] == 3
    assert facts[approval_id]["decided_by"] == ["p-controller"]
    assert len(await house.events(approved)) == facts[approval_id]["history_events"]

    await house.stripe(
        "POST",
        "/v1/customers/cus_ExampleLogistics/balance_transactions",
        **{"amount": "-420000", "currency": "usd", "metadata[plixo_approval]": approval_id},
        **{"metadata[plixo_effect]": f"EF-{approval_id}"},
    )

    assert {(one.what, one.approval_id) for one in (await _check(house)).findings} == {
        ("double_effect", approval_id),
        ("effect_differs", approval_id),
    }


async def test_a_server_that_does_not_answer_is_a_finding(house: House) -> None:
    sources = replace(_sources(house), temporal_address="127.0.0.1:1")

    report = await check(sources)

    assert [one.what for one in report.findings] == ["source_unreadable"]


async def _forge(house: House, approval_id: str) -> None:
    """Writes to Temporal alone: a signal that names a decision nobody signed, and a start that names no request."""
    temporal = house.workshop.temporal
    handle = temporal.get_workflow_handle(f"credit/{approval_id}")
    await handle.signal(ApprovalWorkflow.submit_decision, Decide(approval_id, f"DE-{Verdict.APPROVE}"))
    with pytest.raises(WorkflowFailureError):
        await temporal.execute_workflow(
            ApprovalWorkflow.run, ApprovalRequest("CR-NONE"), id="credit/CR-NONE", task_queue=APPROVALS_QUEUE
        )


async def _check(house: House) -> Report:
    return await check(_sources(house))


def _sources(house: House) -> Sources:
    return Sources(
        database_url=house.settings.database,
        ledger_url=house.stack.standin_url,
        temporal_address=house.stack.settings.temporal_address,
        namespace="default",
        mailbox=house.stack.data / "mailbox",
        public_keys=house.settings.public_keys,
    )
