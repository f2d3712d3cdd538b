"""Whoever can write to the namespace can send anything; a request neither stops at it nor fails."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue
from temporalio.api.common.v1 import Payload
from temporalio.api.sdk.v1 import ExternalStorageReference
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.common import RawValue
from temporalio.converter import PayloadConverter
from temporalio.worker import Replayer

from demo.preparing import wait_for_temporal
from demo.waiting import until
from plixo.bootstrap import now
from plixo.domain.approval import State
from plixo.messages.approvals import APPROVALS_QUEUE, Decide
from plixo.temporal.client import payload_codec
from plixo.temporal.codec import Codec
from plixo.temporal.converter import data_converter
from plixo.temporal.intake import Intake
from plixo.temporal.payload_keys import PayloadKey, PayloadKeys
from tests.support.house import House
from workers.main import working
from workers.sandbox import SANDBOX
from workflows.approval import ApprovalWorkflow

FOREIGN = PayloadKey(bytes(range(32)), now())


def payload(data: bytes, **metadata: bytes) -> RawValue:
    return RawValue(Payload(metadata=metadata, data=data))


def sealed(key: PayloadKey, value: Any) -> Payload:
    (plain,) = PayloadConverter.default.to_payloads([value])
    about = b"plixo payload 1/binary/encrypted/" + key.key_id.encode()
    metadata = {"encoding": b"binary/encrypted", "encryption-key-id": key.key_id.encode()}
    return Payload(metadata=metadata, data=key.seal(plain.SerializeToString(), about))


def cut(found: Payload) -> RawValue:
    short = Payload()
    short.CopyFrom(found)
    short.data = found.data[:-1]
    return RawValue(short)


@dataclass(frozen=True)
class Junk:
    """Arguments that somebody sends."""

    name: str
    args: Sequence[Any]


def junk(codec: Codec) -> list[Junk]:
    ours = codec.seal(PayloadConverter.default.to_payloads([Decide("x", "y")])[0])
    (claim,) = PayloadConverter.default.to_payloads([ExternalStorageReference(driver_name="elsewhere")])
    claimed = Payload(metadata={**claim.metadata, "__temporal_external_storage_reference": b"true"}, data=claim.data)
    return [
        Junk("nothing", []),
        Junk("null", [None]),
        Junk("a text", ["approve it"]),
        Junk("a number", [42]),
        Junk("bytes", [b"\xff\x00"]),
        Junk("another message", [StringValue(value="approve it")]),
        Junk("no fields", [{}]),
        Junk("fields of other types", [{"approval_id": 1, "decision_id": []}]),
        Junk("two arguments", [{"approval_id": "x"}, {"decision_id": "y"}]),
        Junk("three that are nothing", [None, None, None]),
        Junk("JSON that is none", [payload(b"{", encoding=b"json/plain")]),
        Junk("JSON so deep", [payload(b"[" * 100_000, encoding=b"json/plain")]),
        Junk("no encoding", [payload(b"{}")]),
        Junk("an unknown encoding", [payload(b"{}", encoding=b"binary/\xff")]),
        Junk("a foreign key", [RawValue(sealed(FOREIGN, Decide("x", "y")))]),
        Junk(
            "a key id that is no text", [payload(b"", encoding=b"binary/encrypted", **{"encryption-key-id": b"\xff"})]
        ),
        Junk("no key id", [payload(b"", encoding=b"binary/encrypted")]),
        Junk("altered", [cut(ours)]),
        Junk("kept elsewhere", [payload(b"{}", encoding=b"json/external-storage-reference")]),
        Junk("kept elsewhere by name", [RawValue(claim)]),
        Junk("kept elsewhere and marked", [RawValue(claimed)]),
    ]


@pytest.mark.asvs("16.3.2")
async def test_no_garbage_blocks_or_fails_a_request_and_each_signal_leaves_its_trace(house: House) -> None:
    asked = await house.ask()
    await house.until_waiting(asked)
    approval_id = asked.record.approval.approval_id
    stranger = await Client.connect(house.stack.settings.temporal_address)
    handle = stranger.get_workflow_handle(f"credit/{approval_id}")
    thrown = junk(payload_codec(house.settings))

    for one in thrown:
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update("decide", args=one.args, id=f"junk {one.name}")
        await handle.signal("submit_decision", args=one.args)
    for one in thrown:
        await handle.signal("submit_withdrawal", args=one.args)
    await handle.signal("unheard_of", args=["x"])

    async def all_traced() -> bool:
        return [line.event for line in await house.trail(approval_id)].count("decision_refused") == 2 * len(thrown)

    await until("each signal's trace", all_traced)
    assert await house.ledger(asked) == []
    assert "WORKFLOW_TASK_FAILED" not in await house.events(asked)
    assert (await house.decide(asked, "controller")).answer == "accepted"
    assert (await house.until_ended(asked)).approval.state is State.EXECUTED
    await _replays(house, handle.id, payload_codec(house.settings))


async def test_a_signal_that_a_missing_key_made_unreadable_replays_once_the_key_is_there(house: House) -> None:
    """It is refused as it came; the sweeper sends what was signed again, so nothing is lost by that."""
    asked = await house.ask()
    await house.until_waiting(asked)
    approval_id = asked.record.approval.approval_id
    stranger = await Client.connect(house.stack.settings.temporal_address)
    message = RawValue(sealed(FOREIGN, Decide(approval_id, "DE-signed-later")))
    await stranger.get_workflow_handle(f"credit/{approval_id}").signal("submit_decision", message)

    async def refused() -> bool:
        return [line.event for line in await house.trail(approval_id)].count("decision_refused") == 1

    await until("the trace", refused)
    await house.decide(asked, "controller")
    await house.until_ended(asked)

    await _replays(house, f"credit/{approval_id}", payload_codec(house.settings))
    await _replays(house, f"credit/{approval_id}", BothKeys(PayloadKeys(house.settings.payload_keys)))


class BothKeys(Codec):
    """Knows the foreign key besides."""

    def open(self, payload: Payload) -> Payload:
        if payload.metadata.get("encryption-key-id") != FOREIGN.key_id.encode():
            return super().open(payload)
        about = b"plixo payload 1/binary/encrypted/" + FOREIGN.key_id.encode()
        return Payload.FromString(FOREIGN.open(payload.data, about))


async def test_a_start_that_cannot_be_read_ends_and_leaves_its_trace(house: House) -> None:
    stranger = await Client.connect(house.stack.settings.temporal_address)
    broken = payload(b"{", encoding=b"json/plain")
    for number, args in enumerate(
        ([], ["junk"], [None], [{"approval_id": 5}], [{"approval_id": "x"}, 2], [None, broken])
    ):
        nobody = f"CR-{'A' * 25}{'ABCDEF'[number]}"
        handle = await stranger.start_workflow(
            "ApprovalWorkflow", args=args, id=f"credit/{nobody}", task_queue=APPROVALS_QUEUE
        )
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert (await handle.describe()).status is WorkflowExecutionStatus.FAILED
        assert [line.event for line in await house.trail(nobody)] == ["open_refused"]


@pytest.mark.parametrize("args", [["junk"], ["junk", {"approval_id": "CR-1"}]], ids=["one", "two"])
async def test_a_start_that_somebody_else_was_quicker_with_is_the_requests_own(
    idle_house: House, args: Sequence[Any]
) -> None:
    """Its id says which request it is about; there is nothing else in it that could be forged."""
    house = idle_house
    await house.stack.temporal.kill()
    asked = await house.ask()
    await house.stack.temporal.start()
    await wait_for_temporal(house.stack.temporal, house.stack.settings.temporal_address)
    stranger = await Client.connect(house.stack.settings.temporal_address)
    await stranger.start_workflow(
        "ApprovalWorkflow", args=args, id=house.workflow(asked).id, task_queue=APPROVALS_QUEUE
    )
    async with working(house.workshop):
        await house.until_waiting(asked)
        assert (await house.decide(asked, "controller")).answer == "accepted"
        assert (await house.until_ended(asked)).approval.state is State.EXECUTED
    await _replays(house, house.workflow(asked).id, payload_codec(house.settings))


async def _replays(house: House, name: str, codec: Codec) -> None:
    history = await house.workshop.temporal.get_workflow_handle(name).fetch_history()
    replayer = Replayer(
        workflows=[ApprovalWorkflow],
        data_converter=data_converter(codec),
        interceptors=[Intake()],
        workflow_runner=SANDBOX,
    )
    await replayer.replay_workflow(history)
