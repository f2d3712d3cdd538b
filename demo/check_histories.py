"""The checker's own reader of Temporal histories: what was decided in them, how they ended, what they cost.

Heartbeats and queries leave no event, so the cost counts neither.
"""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from demo.check_model import ENDED, Finding, Row, Run, Scene, workflow_id
from demo.check_payloads import PayloadKeys, is_sealed, open_events

STANDING: Final = frozenset({"accepted", "already_received"})
"""Answers that say that a decision stands."""

OURS: Final = frozenset({"ApprovalWorkflow", "CreditApprovalWorkflow"})
"""The types that may move money."""

MONEY: Final = "execute_approval"
"""The activity that moves money."""

_PREFIX: Final = "EVENT_TYPE_"
_CLOSING: Final = "WORKFLOW_EXECUTION_"
_CLOSED: Final = frozenset({"COMPLETED", "FAILED", "TIMED_OUT", "CANCELED", "TERMINATED"})
_ONE_ACTION: Final = frozenset(
    {
        "WORKFLOW_EXECUTION_SIGNALED",
        "WORKFLOW_EXECUTION_UPDATE_ACCEPTED",
        "WORKFLOW_EXECUTION_CONTINUED_AS_NEW",
        "TIMER_STARTED",
        "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES",
    },
)


def read_run(written: Sequence[Row], payload_keys: PayloadKeys) -> Run:
    """One run, from its history's events in Temporal's own JSON."""
    events, leaks = open_events(written, payload_keys)
    kinds = [_kind(event) for event in events]
    last = kinds[-1].removeprefix(_CLOSING) if kinds else ""
    closed = last.lower() if last in _CLOSED else ""
    return Run(
        kind=_attributes(events[0])["workflowType"]["name"],
        events=len(events),
        actions=_actions(events),
        closed=closed,
        outcome=_first(_attributes(events[-1]).get("result")) if closed == "completed" else None,
        answers=tuple(_answers(events)),
        done=tuple(_done(events)),
        messages=tuple(_messages(written, events)),
        leaks=tuple(leaks),
    )


def _actions(events: Sequence[Row]) -> int:
    """Every try of an activity is one, the local activities of one workflow task are one together."""
    total, local = 0, set()
    for event in events:
        kind, about = _kind(event), _attributes(event)
        if kind == "WORKFLOW_EXECUTION_STARTED":
            total += 0 if about.get("continuedExecutionRunId") else 1
        elif kind == "ACTIVITY_TASK_STARTED":
            total += int(about.get("attempt", 1))
        elif kind == "MARKER_RECORDED" and about.get("markerName") == "core_local_activity":
            local.add(about.get("workflowTaskCompletedEventId"))
        else:
            total += kind in _ONE_ACTION
    return total + len(local)


def _answers(events: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """What became of each decision: of a recording that was noted, or told to whoever sent an update."""
    for event in events:
        kind, about = _kind(event), _attributes(event)
        said = None
        if kind == "MARKER_RECORDED" and about.get("markerName") == "core_local_activity":
            details = about.get("details", {})
            noted = _first(details.get("data"))
            if noted and noted.get("activity_type") == "record_decision":
                said = _first(details.get("result"))
        elif kind == "WORKFLOW_EXECUTION_UPDATE_COMPLETED":
            said = _first(about.get("outcome", {}).get("success"))
        if said and "decision_id" in said:
            yield str(said["decision_id"]), str(said.get("answer"))
            yield from _noted_late(said)


def _noted_late(said: Row) -> Iterator[tuple[str, str]]:
    """Decisions that an answer to a later one names: their own note was lost with the server that was to keep it."""
    about = said.get("standing")
    for decision in about.get("recorded") or () if isinstance(about, dict) else ():
        yield str(decision), "already_received"


def _messages(written: Sequence[Row], events: Sequence[Row]) -> Iterator[tuple[str, bool]]:
    """Which decision each message named, whoever sent it, and whether it was encrypted."""
    for event, opened in zip(written, events, strict=True):
        kind, about = _kind(opened), _attributes(opened)
        said = None
        if kind == "WORKFLOW_EXECUTION_SIGNALED":
            said = _first(about.get("input"))
        elif kind == "WORKFLOW_EXECUTION_UPDATE_ACCEPTED":
            said = _first(about.get("acceptedRequest", {}).get("input", {}).get("args"))
        if said and "decision_id" in said:
            yield str(said["decision_id"]), is_sealed(event)


def _done(events: Sequence[Row]) -> Iterator[str]:
    names: dict[str, str] = {}
    for event in events:
        kind, about = _kind(event), _attributes(event)
        if kind == "ACTIVITY_TASK_SCHEDULED":
            names[str(event["eventId"])] = about["activityType"]["name"]
        elif kind == "ACTIVITY_TASK_COMPLETED":
            yield names.get(str(about["scheduledEventId"]), "")


def _kind(event: Row) -> str:
    return str(event["eventType"]).removeprefix(_PREFIX)


def _attributes(event: Row) -> Row:
    """Each kind of event keeps what it says under a name of its own."""
    found: Row = next((value for name, value in event.items() if name.endswith("EventAttributes")), {})
    return found


def _first(payloads: Any) -> Row | None:  # noqa: ANN401 - parsed JSON
    """The first payload as an object; None where there is none that can be read."""
    try:
        value = json.loads(base64.b64decode(payloads["payloads"][0]["data"]))
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def check_histories(scene: Scene) -> Iterator[Finding]:
    """Holds the histories against the rows."""
    for approval_id, approval in scene.house.approvals.items():
        runs = scene.histories.get(workflow_id(approval_id), ())
        if not runs:
            yield Finding("workflow_missing", approval_id, f"There is no workflow {workflow_id(approval_id)}.")
            continue
        yield from _ending(approval, runs[-1])
        yield from _decisions(scene, approval_id, runs)
    for name in strangers(scene):
        yield from _forged(name, scene.histories[name])


def strangers(scene: Scene) -> list[str]:
    """Workflows that could move money, or did, and belong to no request."""
    ours = {workflow_id(approval_id) for approval_id in scene.house.approvals}
    return [
        name
        for name, runs in scene.histories.items()
        if name not in ours and any(run.kind in OURS or MONEY in run.done for run in runs)
    ]


def cost(scene: Scene, approval_id: str) -> tuple[int, int]:
    """Events and billable actions of a request's workflow."""
    runs = scene.histories.get(workflow_id(approval_id), ())
    return sum(run.events for run in runs), sum(run.actions for run in runs)


def _ending(approval: Row, run: Run) -> Iterator[Finding]:
    approval_id, state = approval["approval_id"], approval["state"]
    if state not in ENDED:
        if run.closed:
            yield Finding("request_stranded", approval_id, f"It is {state}, and its workflow has {run.closed}.")
        return
    if not run.closed:
        yield Finding("workflow_open", approval_id, f"It is {state}, and its workflow still runs.")
    elif run.outcome is None:
        yield Finding("workflow_broke", approval_id, f"It is {state}, and its workflow has {run.closed}.")
    else:
        yield from _outcome(approval, run.outcome)


def _outcome(approval: Row, outcome: Row) -> Iterator[Finding]:
    said = (outcome.get("approval_id"), outcome.get("state"), outcome.get("stripe_object") or approval["stripe_object"])
    stands = (approval["approval_id"], approval["state"], approval["stripe_object"])
    if said != stands:
        detail = f"Its workflow ended with {said}, the database says {stands}."
        yield Finding("outcome_differs", approval["approval_id"], detail)


def _decisions(scene: Scene, approval_id: str, runs: Sequence[Run]) -> Iterator[Finding]:
    in_history = {decision for run in runs for decision, answer in run.answers if answer in STANDING}
    in_database = {row["decision_id"] for row in scene.house.recorded(approval_id)}
    for decision in sorted(in_history - in_database):
        detail = f"Its history took up decision {decision}, which the database has not recorded."
        yield Finding("decision_only_in_history", approval_id, detail)
    for decision in sorted(in_database - in_history):
        detail = f"The database recorded decision {decision}, which its history never took up."
        yield Finding("decision_only_in_database", approval_id, detail)


def _forged(name: str, runs: Sequence[Run]) -> Iterator[Finding]:
    """Whoever writes to Temporal alone can start something; it must have failed and moved nothing."""
    for run in runs:
        if run.closed != "failed":
            detail = f"The workflow {name} belongs to no request and has {run.closed or 'not ended'}."
            yield Finding("workflow_of_nobody", "", detail)
        if MONEY in run.done:
            yield Finding("workflow_of_nobody", "", f"The workflow {name} belongs to no request and came to {MONEY}.")


def group_runs(histories: Mapping[str, Sequence[Sequence[Row]]], payload_keys: PayloadKeys) -> dict[str, list[Run]]:
    """Runs by workflow, oldest first."""
    oldest_first = partial(sorted, key=lambda events: str(events[0].get("eventTime", "")))
    return {name: [read_run(each, payload_keys) for each in oldest_first(runs)] for name, runs in histories.items()}
