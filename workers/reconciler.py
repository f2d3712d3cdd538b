"""The reconciler: finds where Temporal and the rows disagree, and takes such requests up again.

A workflow that an operator terminated, cancelled or deleted leaves its request as it stands, with nobody to carry it
on. And a decision that was recorded in the instant in which server, worker and console died is known to the rows alone.
"""

import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Final

from temporalio.client import Client, WorkflowExecution

from plixo.domain.ids import WORKFLOWS, approval_of_workflow, workflow_of
from plixo.ports import Clock
from plixo.store import approvals, decisions
from plixo.store.ledger import SqlLedger
from starters.decisions import signal
from starters.revival import MISSING, RUNNING, Run, latest_run, status_in_words, take_up_again
from starters.workflows import TemporalAway, reaching
from workers.patience import Patience

PAUSE_SECONDS: Final = 10.0
"""How long to rest between two looks."""

LAG: Final = timedelta(minutes=5)
"""How far Temporal's list of workflows may be behind; a look reaches back as far as the last one and this."""

GRACE: Final = timedelta(seconds=10)
"""How long a workflow may take to act upon what people settled."""

AT_ONCE: Final = 100
"""How many requests are asked after one by one in each look."""

PAGE: Final = 500
PAGE_SECONDS: Final = 20.0
_OURS: Final = "(" + " OR ".join(f"WorkflowId STARTS_WITH '{begins}'" for begins in WORKFLOWS) + ")"
_RUNNING: Final = f"{_OURS} AND ExecutionStatus = 'Running'"
_CLOSED_EARLY: Final = f"{_OURS} AND ExecutionStatus IN ('Terminated', 'Canceled', 'Failed', 'TimedOut')"

log = logging.getLogger(__name__)


@dataclass
class Reconciler:
    """Looks again and again; the first look of a process goes back as far as Temporal remembers.

    Attributes:
        ledger: The database.
        temporal: Where workflows run.
        clock: What time it is.
        since: Runs that closed before were settled.
        settled: Runs after it that were settled.
        patience: Requests that were asked after one by one.
    """

    ledger: SqlLedger
    temporal: Client
    clock: Clock
    since: datetime | None = None
    settled: set[str] = field(default_factory=set)
    patience: dict[str, Patience] = field(default_factory=lambda: defaultdict(Patience))

    async def look(self) -> int:
        """Take up again what was interrupted, forgotten or lost; how many requests that were.

        Nothing is missed where Temporal cannot be reached: the next look begins where this one did.
        """
        try:
            return await self._interrupted() + await self._forgotten() + await self._lost()
        except TemporalAway as away:
            log.warning("Temporal is away; the reconciler looks again later: %s", away)
            return 0

    async def _interrupted(self) -> int:
        """Requests that have not ended, and whose latest run has without completing."""
        since = f" AND CloseTime >= '{self.since.isoformat()}'" if self.since else ""
        seen, closed, found = set[str](), dict[str, datetime](), dict[str, WorkflowExecution]()
        async for page in self._listed(_CLOSED_EARLY + since):
            closed |= {run.run_id: run.close_time for run in page if run.close_time}
            latest = {run.id: run for run in reversed(page) if run.id not in seen}
            seen |= set(latest)
            found |= {run.run_id: run for run in await self._open(latest.values())}
        taken = await self._one_by_one("ended", found, lambda run_id: self._take_up(found[run_id]))
        self.settled &= set(closed)
        unsettled = [closed[run_id] for run_id in found if run_id in closed and run_id not in self.settled]
        if closed:  # by Temporal's clock alone: a worker's that is ahead would pass over what closes next
            self.since = min(unsettled or [max(closed.values())]) - LAG
        return taken

    async def _open(self, runs: Collection[WorkflowExecution]) -> list[WorkflowExecution]:
        """Those of requests that have not ended, and that were not settled by an earlier look."""
        async with self.ledger.read() as session:
            ids = await approvals.unended(session, [_whose(run) for run in runs])
        return [run for run in runs if _whose(run) in ids and run.run_id not in self.settled]

    async def _take_up(self, run: WorkflowExecution) -> bool:
        interrupted = Run(_whose(run), run.run_id, status_in_words(run))
        settled = await take_up_again(self.ledger, self.temporal, interrupted, self.clock)
        if settled:
            self.settled.add(run.run_id)
        return settled

    async def _forgotten(self) -> int:
        """Requests that people settled, while the workflow that was to go on from there does not know."""
        async with self.ledger.read() as session:
            settled = dict(await decisions.settling(session, self.clock() - GRACE))
        return await self._one_by_one("told", settled, lambda found: self._tell(found, settled[found]))

    async def _tell(self, approval_id: str, decision_id: str) -> bool:
        """Tell a workflow once more of a decision that stands, unless it is applying it; or start a lost one."""
        run = await latest_run(self.temporal, approval_id)
        if run.how == MISSING:
            return await take_up_again(self.ledger, self.temporal, run, self.clock)
        if run.how != RUNNING or run.busy:
            return False
        async with self.ledger.read() as session:
            stored = await decisions.load(session, decision_id)
        return stored is not None and await signal(self.temporal, stored.decision)

    async def _lost(self) -> int:
        """Requests under way of which Temporal knows nothing; counted first, since there is hardly ever one.

        Only runs as old as the requests count, or each that is younger would hide one that is lost. A run that took
        up an old request just now is left out with them, which costs no more than reading the list.
        """
        before = self.clock() - LAG
        async with self.ledger.read() as session:
            ids = await approvals.under_way(session, before)
        async with reaching(PAGE_SECONDS):
            running = (await self.temporal.count_workflows(f"{_RUNNING} AND StartTime < '{before.isoformat()}'")).count
        if running >= len(ids):
            return 0
        known = {_whose(run) async for page in self._listed(_RUNNING) for run in page}
        return await self._one_by_one("found", [found for found in ids if found not in known], self._find)

    async def _find(self, approval_id: str) -> bool:
        run = await latest_run(self.temporal, approval_id)
        return run.how != RUNNING and await take_up_again(self.ledger, self.temporal, run, self.clock)

    async def _one_by_one(self, name: str, ids: Collection[str], do: Callable[[str], Awaitable[bool]]) -> int:
        """Some of them in each look, and each of them less and less often; for how many something was done."""
        now, patience, done = self.clock(), self.patience[name], 0
        for approval_id in islice(patience.due(ids, now), AT_ONCE):
            done += await _alone(partial(do, approval_id))
            patience.sent(approval_id, now)
        return done

    async def _listed(self, query: str) -> AsyncIterator[list[WorkflowExecution]]:
        """Pages of runs, those that closed last first."""
        found = self.temporal.list_workflows(query, page_size=PAGE)
        while True:
            async with reaching(PAGE_SECONDS):
                await found.fetch_next_page()
            yield list(found.current_page or ())
            if not found.next_page_token:
                return


def _whose(run: WorkflowExecution) -> str:
    """The request that the run carries; empty where it only has its name from one."""
    found = approval_of_workflow(run.id)
    return found if workflow_of(found) == run.id else ""


async def _alone(one: Callable[[], Awaitable[bool]]) -> bool:
    """What fails stops itself alone.

    Returns:
        Whether it was done.

    Raises:
        TemporalAway: It cannot be reached, and the others need not try.
    """
    try:
        return await one()
    except TemporalAway:
        raise
    except Exception:  # whatever it is, a later look tries again
        log.exception("one request could not be taken up again; the others go on")
        return False
