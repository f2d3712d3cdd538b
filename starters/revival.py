"""Taking a request up again whose workflow was ended from outside, so that no operator's hand makes a dead end.

An operator may terminate or cancel a workflow, or delete it. Where the request stands is in its rows, so a new run goes
on from there: its first step says what stands, and nothing that was done is done again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from plixo.domain.approval import ENDED, State
from plixo.domain.ids import workflow_of
from plixo.ports import AuditEntry, Clock
from plixo.store import audit
from plixo.store.ledger import SqlLedger, SqlTransaction
from starters.workflows import START_SECONDS, reaching, start

EVENT: Final = "workflow_interrupted"
"""The entry in the request's history."""

MISSING: Final = "missing"
"""How a run stands of which Temporal knows nothing: it was deleted, or was never started."""

RUNNING: Final = "running"

FIRST_PAUSE: Final = timedelta(seconds=10)
LONGEST_PAUSE: Final = timedelta(hours=1)
"""A request whose workflow is ended again and again waits longer each time: each new run costs, and leaves a trace."""


@dataclass(frozen=True)
class Run:
    """A request's latest run: it closed before the request came to its end, unless it is running.

    Attributes:
        approval_id: Whose.
        run_id: Which run; empty where there is none left.
        how: `running`, `terminated`, `canceled`, `failed`, `timed_out`, `missing`, or `completed` where something else
            ran under its name.
        busy: An activity of it is under way.
    """

    approval_id: str
    run_id: str
    how: str
    busy: bool = False


async def latest_run(temporal: Client, approval_id: str) -> Run:
    """How the request's latest run stands.

    Raises:
        TemporalAway: It cannot be reached.
    """
    try:
        async with reaching(START_SECONDS):
            found = await temporal.get_workflow_handle(workflow_of(approval_id)).describe()
    except RPCError as failure:
        if failure.status is not RPCStatusCode.NOT_FOUND:
            raise
        return Run(approval_id, "", MISSING)
    busy = bool(found.raw_description.pending_activities)
    return Run(approval_id, found.run_id, status_in_words(found), busy)


def status_in_words(found: WorkflowExecution) -> str:
    """The run's status, such as `terminated`."""
    return found.status.name.lower() if found.status else ""


async def take_up_again(ledger: SqlLedger, temporal: Client, run: Run, clock: Clock) -> bool:
    """Leave a trace of the run, once, and start a new one unless one is under way or the request has ended.

    Whoever says that a run was interrupted proves nothing: what a new run does is decided by the signed rows alone.

    Returns:
        Whether that is settled; False when it is too soon after the last time, and has to be tried again.

    Raises:
        TemporalAway: It cannot be reached.
    """
    if run.how == RUNNING:
        return True
    async with ledger.begin() as tx:
        record = await tx.approval(run.approval_id)
        if record is None or record.approval.state in ENDED:
            return True
        if record.approval.state is State.ROUTING and run.how == MISSING:
            return True  # it was never started, and the sweeper will start it
        if not await _traced(tx, run, clock()):
            return False
    async with reaching(START_SECONDS):
        await start(temporal, record, again=True)
    return True


async def _traced(tx: SqlTransaction, run: Run, now: datetime) -> bool:
    """Whether the request's history tells of the run now; False while it is too soon to go on."""
    chain = await audit.lines(tx.session, run.approval_id)
    earlier = [(line.detail["run_id"], at) for line in chain if (at := _told_at(line))]
    if run.run_id and any(run_id == run.run_id for run_id, _ in earlier):
        return True
    if earlier and timedelta() <= now - earlier[-1][1] < _pause(len(earlier)):
        return False  # an entry of the future was written by a clock that was ahead, and holds up nothing
    detail = {"run_id": run.run_id, "how": run.how}
    await tx.audit(AuditEntry(run.approval_id, EVENT, "system", detail), now)
    return True


def _told_at(line: audit.AuditLine) -> datetime | None:
    """When the entry tells that a run was interrupted; None where it does not, or as none of ours would.

    Whoever may write to the database may add an entry, and what it lacks must not keep the request from going on.
    """
    if line.event != EVENT or "run_id" not in line.detail:
        return None
    try:
        at = datetime.fromisoformat(line.at)
    except ValueError:
        return None
    return at if at.tzinfo else None


def _pause(times: int) -> timedelta:
    doubled: timedelta = FIRST_PAUSE * 2 ** min(times - 1, 10)
    return min(doubled, LONGEST_PAUSE)
