"""Requests wait for weeks: whatever the workflow becomes, the histories of every path must replay through it."""

import inspect
import json
import re
import socket

import pytest
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from activities.approvals import ApprovalActivities
from activities.audit import AuditActivities
from activities.digests import DigestActivities
from activities.effects import EffectActivities
from plixo.domain.approval import ENDED
from plixo.temporal.converter import data_converter
from plixo.temporal.intake import Intake
from tests.replay import corpus
from tests.replay.paths import PATHS
from tests.replay.planted import PLANTED, Planted, Unchanged
from workflows.approval import ApprovalWorkflow
from workflows.checkpoint import CheckpointWorkflow
from workflows.credit_approval import CreditApprovalWorkflow
from workflows.digest import DigestWorkflow
from workflows.schedules import CHECKPOINT

PEOPLE = re.compile(r"[\w.+-]+@[\w-]+\.\w+|\bp-[a-z]+", re.IGNORECASE)
CREDIT = "started ApprovalWorkflow"
MACHINE = re.compile(r"\.py\b|\b\d+@|127\.0\.0\.1|/(home|tmp|usr|opt|Users)/")


def replaying(workflow: type) -> Replayer:
    converter = data_converter(corpus.CODEC)
    return Replayer(
        workflows=[workflow, CreditApprovalWorkflow, CheckpointWorkflow, DigestWorkflow],
        data_converter=converter,
        interceptors=[Intake()],
    )


async def failures(workflow: type) -> dict[str, Exception]:
    """Which histories of what is played do not replay, and why."""
    replayer = replaying(workflow)
    found = {}
    for name in corpus.played():
        result = await replayer.replay_workflow(corpus.history(name), raise_on_replay_failure=False)
        if result.replay_failure:
            found[name] = result.replay_failure
    return found


@pytest.mark.parametrize("name", corpus.recorded())
async def test_a_recorded_history_replays(name: str) -> None:
    await replaying(ApprovalWorkflow).replay_workflow(corpus.history(name))


async def test_a_copy_of_the_workflow_without_a_change_replays_everything() -> None:
    assert await failures(Unchanged) == {}


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.changed.__name__)
async def test_an_inserted_removed_or_altered_command_is_caught_on_every_path_it_is_on(planted: Planted) -> None:
    found = await failures(planted.changed)
    told = corpus.fingerprints()
    on_it = {
        name
        for name, lines in told.items()
        if lines[0] == CREDIT
        and any(line.startswith(planted.breaks) for line in lines)
        and lines[-1] not in planted.unless
    }
    assert on_it
    assert set(found) == on_it
    assert all(isinstance(why, NondeterminismError) for why in found.values())


def test_every_path_has_a_history_and_a_fingerprint_and_there_are_no_others() -> None:
    assert corpus.played() == sorted(PATHS)
    assert sorted(corpus.fingerprints()) == corpus.recorded()


@pytest.mark.parametrize("name", corpus.recorded())
def test_a_history_holds_what_its_fingerprint_says(name: str) -> None:
    assert corpus.fingerprint(corpus.history(name)) == corpus.fingerprints()[name]


@pytest.mark.parametrize("name", corpus.recorded())
def test_a_history_is_kept_as_the_recorder_writes_it(name: str) -> None:
    assert corpus.normalised(corpus.history(name)) == corpus.text(name)


def test_every_message_every_activity_and_every_end_is_on_a_path() -> None:
    lines = {line for told in corpus.fingerprints().values() for line in told}
    messages = {f"signal {name}" for name in _handlers("__temporal_signal_definition")}
    messages |= {f"update {name} accepted" for name in _handlers("_defn")}
    assert len(messages) == 4
    reached = {found[1] for line in lines if (found := re.match(r"(?:local )?activity (\w+)", line))}
    wanted = {
        member.__temporal_activity_definition.name
        for owner in (ApprovalActivities, EffectActivities, AuditActivities, DigestActivities)
        for _, member in inspect.getmembers(owner)
        if hasattr(member, "__temporal_activity_definition")
    }
    assert messages <= lines
    assert "continued as ApprovalWorkflow" in lines
    assert reached == wanted
    assert {f"completed: {state.value}" for state in ENDED} <= lines


@pytest.mark.parametrize("name", corpus.recorded())
def test_a_history_names_no_person_and_no_machine(name: str) -> None:
    seen = [corpus.around(corpus.text(name)), *corpus.payloads(corpus.text(name))]
    assert len(seen) > 3
    assert any(name in text for text in seen[1:] for name in ("CR-", CHECKPOINT, "-W")), "they can be read"
    for text in seen:
        assert PEOPLE.search(text) is None
        assert MACHINE.search(text) is None
        assert socket.gethostname() not in text
    assert set(re.findall(r'"identity": "(.*)"', seen[0])) == {"recorder"}


@pytest.mark.parametrize("name", corpus.recorded())
def test_a_history_is_encrypted_but_for_what_the_sdk_itself_notes(name: str) -> None:
    """Search attributes are for searching; of a local activity the SDK's core notes its type, its try and its time.

    And one path is about somebody who sends signals in plain.
    """
    events = json.loads(corpus.text(name))["events"]
    for event in events:
        attributes = next(value for key, value in event.items() if key.endswith("EventAttributes"))
        attributes.pop("searchAttributes", None)
        attributes.get("details", {}).pop("data", None)
        if name.endswith("unreadable_in_between") and "signalName" in attributes:
            attributes.pop("input")
    assert set(corpus.encodings(json.dumps(events))) == {"binary/encrypted"}


def _handlers(mark: str) -> set[str]:
    return {name for name, member in inspect.getmembers(ApprovalWorkflow) if hasattr(member, mark)}
