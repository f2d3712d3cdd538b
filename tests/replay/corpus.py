"""The recorded histories: how they are kept, read, and told in a few lines each.

A file is what `WorkflowHistory.to_json` writes, encrypted as histories are, with a key that was made for nothing else
and lies beside them; only what names the machine it was recorded on, and what differs with each recording for no
reason, is evened out.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from google.protobuf.json_format import MessageToDict, ParseDict
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory
from temporalio.converter import PayloadConverter

from plixo.temporal.codec import Codec
from plixo.temporal.payload_keys import KeyRing

HERE: Final = Path(__file__).parent
HISTORIES: Final = HERE / "histories"
BEFORE: Final = "before/"
"""Histories of what nothing starts any more, and which may still wait somewhere: they are kept as they are."""

FINGERPRINTS: Final = HERE / "fingerprints.json"
"""Per path what its workflow asked for and was told, in order."""

KEYS: Final = HERE / "payload-keys.json"
CODEC: Final = Codec(KeyRing.parse(KEYS.read_text()))

_UUID: Final = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_EVENED: Final = {"identity": "recorder", "buildId": "recorded", "binaryChecksum": "recorded"}
_DROPPED: Final = frozenset({"taskId", "stackTrace"})


def recorded() -> list[str]:
    """The names of all histories."""
    return sorted(str(path.relative_to(HISTORIES).with_suffix("")) for path in HISTORIES.rglob("*.json"))


def played() -> list[str]:
    """The names of those that a path leaves today."""
    return [name for name in recorded() if not name.startswith(BEFORE)]


def forget() -> None:
    """Remove what is about to be recorded anew."""
    for name in played():
        (HISTORIES / f"{name}.json").unlink()
    _tell({name: told for name, told in fingerprints().items() if name.startswith(BEFORE)})


def text(name: str) -> str:
    return (HISTORIES / f"{name}.json").read_text()


def history(name: str) -> WorkflowHistory:
    """A history, ready for a replayer; its path's name stands in for the workflow id."""
    return WorkflowHistory.from_json(name, text(name))


def keep(name: str, history: WorkflowHistory) -> None:
    """Write a history down, and its fingerprint with it."""
    HISTORIES.mkdir(exist_ok=True)
    (HISTORIES / f"{name}.json").write_text(normalised(history))
    _tell(fingerprints() | {name: fingerprint(history)})


def _tell(told: dict[str, list[str]]) -> None:
    FINGERPRINTS.write_text(json.dumps(told, indent=2, sort_keys=True) + "\n")


def fingerprints() -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads(FINGERPRINTS.read_text()) if FINGERPRINTS.exists() else {}
    return found


def normalised(history: WorkflowHistory) -> str:
    """The history as text in which two recordings of a path differ in times, sizes and Stripe's ids alone."""
    plain = json.dumps(_even(json.loads(history.to_json())), indent=2, sort_keys=True) + "\n"
    met: dict[str, str] = {}
    return _UUID.sub(lambda found: met.setdefault(found[0], f"00000000-0000-4000-8000-{len(met) + 1:012d}"), plain)


def payloads(text: str) -> Iterator[str]:
    """What a history carries, in the clear, wherever in it."""
    for payload in _payloads(json.loads(text)):
        yield CODEC.open(ParseDict(payload, Payload())).data.decode()


def around(text: str) -> str:
    """A history without what it carries."""
    return re.sub(r'"data": "[^"]*"', '"data": ""', text)


def encodings(text: str) -> Iterator[str]:
    """How each payload of a history is encoded."""
    for payload in _payloads(json.loads(text)):
        yield ParseDict(payload, Payload()).metadata["encoding"].decode()


def fingerprint(history: WorkflowHistory) -> list[str]:
    """What the workflow asked for and what it was told, a line each.

    Workflow tasks are left out: how many there are is the server's and the moment's business.
    """
    clear = WorkflowHistory.from_json(history.workflow_id, _opened(json.loads(history.to_json())))
    by_id = {event.event_id: event for event in clear.events}
    lines = (_LINES[kind](event, by_id) for event in clear.events if (kind := _kind(event)) in _LINES)
    strange = {_kind(event) for event in clear.events} - set(_LINES) - _PASSED_OVER
    if strange:
        raise ValueError(f"a fingerprint cannot tell of {', '.join(sorted(strange))} yet")
    return list(lines)


def _is_payload(found: Any) -> bool:
    return isinstance(found, dict) and "encoding" in found.get("metadata", {})


def _payloads(found: Any) -> Iterator[Any]:
    if _is_payload(found):
        yield found
    elif isinstance(found, dict | list):
        for one in found.values() if isinstance(found, dict) else found:
            yield from _payloads(one)


def _opened(found: Any) -> Any:
    if _is_payload(found):
        return MessageToDict(CODEC.open(ParseDict(found, Payload())))
    if isinstance(found, list):
        return [_opened(one) for one in found]
    return {key: _opened(value) for key, value in found.items()} if isinstance(found, dict) else found


def _without_stack(found: Any) -> Any:
    """A failure's words, without the places in our files that they came from."""
    (said,) = PayloadConverter.default.from_payloads([CODEC.open(ParseDict(found, Payload()))])
    if not said["stack_trace"]:
        return found
    (evened,) = PayloadConverter.default.to_payloads([said | {"stack_trace": ""}])
    return MessageToDict(CODEC.seal(evened))


def _even(found: Any) -> Any:
    if isinstance(found, list):
        evened = [_even(one) for one in found]
        return sorted(evened) if all(isinstance(one, int) for one in evened) else evened  # flags come in any order
    if not isinstance(found, dict):
        return found
    if "encodedAttributes" in found:
        found = found | {"encodedAttributes": _without_stack(found["encodedAttributes"])}
    if found.get("kind") == "TASK_QUEUE_KIND_STICKY":
        found = found | {"name": "sticky"}
    return {key: _EVENED.get(key, _even(value)) for key, value in found.items() if key not in _DROPPED}


def _kind(event: HistoryEvent) -> str:
    return str(event.WhichOneof("attributes")).removesuffix("_event_attributes")


Events = dict[int, HistoryEvent]
Line = Callable[[HistoryEvent, Events], str]


def _summary(event: HistoryEvent) -> str:
    return str(json.loads(event.user_metadata.summary.data))


def _scheduled(event: HistoryEvent, _: Events) -> str:
    asked = event.activity_task_scheduled_event_attributes
    return f"activity {asked.activity_type.name} on {asked.task_queue.name}"


def _activity_done(event: HistoryEvent, by_id: Events) -> str:
    done = event.activity_task_completed_event_attributes
    tries = by_id[done.started_event_id].activity_task_started_event_attributes.attempt
    again = f" at try {tries}" if tries > 1 else ""
    return f"activity {_activity(by_id[done.scheduled_event_id])} completed{again}"


def _activity_failed(event: HistoryEvent, by_id: Events) -> str:
    failed = event.activity_task_failed_event_attributes
    why = failed.failure.application_failure_info.type
    return f"activity {_activity(by_id[failed.scheduled_event_id])} failed: {why}"


def _activity(scheduled: HistoryEvent) -> str:
    return scheduled.activity_task_scheduled_event_attributes.activity_type.name


def _timer_over(event: HistoryEvent, by_id: Events) -> str:
    fired = event.HasField("timer_fired_event_attributes")
    attributes = event.timer_fired_event_attributes if fired else event.timer_canceled_event_attributes
    return f"timer {'fired' if fired else 'canceled'}: {_summary(by_id[attributes.started_event_id])}"


def _attributes(event: HistoryEvent, _: Events) -> str:
    upserted = event.upsert_workflow_search_attributes_event_attributes.search_attributes
    return f"attributes {', '.join(sorted(upserted.indexed_fields))}"


def _local_activity(event: HistoryEvent, _: Events) -> str:
    marker = event.marker_recorded_event_attributes
    about = json.loads(marker.details["data"].payloads[0].data)
    return f"local activity {about['activity_type']} {'failed' if marker.HasField('failure') else 'completed'}"


def _accepted(event: HistoryEvent, _: Events) -> str:
    asked = event.workflow_execution_update_accepted_event_attributes.accepted_request
    return f"update {asked.input.name or 'handed over before'} accepted"


def _updated(event: HistoryEvent, _: Events) -> str:
    outcome = event.workflow_execution_update_completed_event_attributes.outcome
    return f"update answered: {'failure' if outcome.HasField('failure') else _answer(outcome.success.payloads[0])}"


def _answer(payload: Payload) -> str:
    return str(json.loads(payload.data)["answer"])


def _reset(event: HistoryEvent, _: Events) -> str:
    cause = event.workflow_task_failed_event_attributes.cause
    return WorkflowTaskFailedCause.Name(cause).removeprefix("WORKFLOW_TASK_FAILED_CAUSE_").lower().replace("_", " ")


def _completed(event: HistoryEvent, _: Events) -> str:
    outcome = event.workflow_execution_completed_event_attributes.result.payloads[0]
    return f"completed: {json.loads(outcome.data)['state']}"


def _continued(event: HistoryEvent, _: Events) -> str:
    return f"continued as {event.workflow_execution_continued_as_new_event_attributes.workflow_type.name}"


def _failed(event: HistoryEvent, _: Events) -> str:
    cause = event.workflow_execution_failed_event_attributes.failure
    while cause.HasField("cause"):
        cause = cause.cause
    return f"failed: {cause.application_failure_info.type}"


_LINES: Final[dict[str, Line]] = {
    "workflow_execution_started": lambda event, _: (
        f"started {event.workflow_execution_started_event_attributes.workflow_type.name}"
    ),
    "workflow_execution_signaled": lambda event, _: (
        f"signal {event.workflow_execution_signaled_event_attributes.signal_name}"
    ),
    "workflow_execution_update_accepted": _accepted,
    "workflow_execution_update_completed": _updated,
    "workflow_execution_update_admitted": lambda event, _: (
        f"update {event.workflow_execution_update_admitted_event_attributes.request.input.name} handed over"
    ),
    "workflow_task_failed": _reset,
    "activity_task_scheduled": _scheduled,
    "activity_task_completed": _activity_done,
    "activity_task_failed": _activity_failed,
    "timer_started": lambda event, _: f"timer started: {_summary(event)}",
    "timer_fired": _timer_over,
    "timer_canceled": _timer_over,
    "upsert_workflow_search_attributes": _attributes,
    "marker_recorded": _local_activity,
    "workflow_execution_completed": _completed,
    "workflow_execution_failed": _failed,
    "workflow_execution_continued_as_new": _continued,
}
_PASSED_OVER: Final = frozenset(
    {
        "workflow_task_scheduled",
        "workflow_task_started",
        "workflow_task_completed",
        "workflow_task_timed_out",
        "activity_task_started",
    },
)
