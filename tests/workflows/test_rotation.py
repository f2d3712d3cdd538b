"""Keys change while requests wait."""

from base64 import b64encode
from dataclasses import replace

import pytest
from temporalio.client import Client

from plixo.bootstrap import now
from plixo.domain.approval import State
from plixo.temporal.codec import Codec
from plixo.temporal.converter import data_converter
from plixo.temporal.payload_keys import load_payload_keys, rotate_payload_keys
from tests.support.house import House


async def key_ids(house: House, name: str) -> set[str]:
    """The keys that a workflow's history is encrypted with."""
    client = await Client.connect(house.stack.settings.temporal_address)
    history = (await client.get_workflow_handle(name).fetch_history()).to_json()
    known = load_payload_keys(house.settings.payload_keys).keys
    return {key_id for key_id in known if b64encode(key_id.encode()).decode() in history}


@pytest.mark.asvs("11.3.2")
async def test_a_request_that_waits_while_the_key_is_rotated_is_decided_under_the_new_one(house: House) -> None:
    asked = await house.ask()
    await house.until_waiting(asked)
    name = house.workflow(asked).id
    old = await key_ids(house, name)

    new = rotate_payload_keys(house.settings.payload_keys, now()).current_id
    assert (await house.decide(asked, "controller")).answer == "accepted"

    assert (await house.until_ended(asked)).approval.state is State.EXECUTED
    assert await key_ids(house, name) == old | {new}
    assert len(old) == 1


async def test_a_console_that_lacks_the_new_key_reads_the_answer_from_the_rows(house: House) -> None:
    stale = load_payload_keys(house.settings.payload_keys)
    behind = await Client.connect(house.stack.settings.temporal_address, data_converter=data_converter(Codec(stale)))
    console = replace(house, staff=replace(house.staff, desk=replace(house.desk, temporal=behind)))
    asked = await console.ask()
    await house.until_waiting(asked)

    rotate_payload_keys(house.settings.payload_keys, now())
    said = await console.decide(asked, "controller")

    assert said.answer == "accepted"
    assert (await house.until_ended(asked)).approval.state is State.EXECUTED
