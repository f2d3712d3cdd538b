"""The unit of work: repositories write, the boundary commits."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from plixo.domain.absence import StoredAbsence
from plixo.domain.amending import Amendment
from plixo.domain.effects import Effect
from plixo.domain.people import Group, Person
from plixo.ports import AuditEntry, Letter, Record, StoredDecision, StripeObject
from plixo.store import absences, amendments, applied, approvals, audit, checkpoints, decisions, effects, outbox, people
from plixo.store.statements import hold_connection


@dataclass(frozen=True)
class SqlTransaction:
    """One database transaction, as `plixo.ports.Transaction`."""

    session: AsyncSession

    async def approval(self, approval_id: str) -> Record | None:
        """The request, locked until the transaction ends."""
        return await approvals.load(self.session, approval_id, lock=True)

    async def save(self, record: Record) -> None:
        """Write back what may change of a request."""
        await approvals.save(self.session, record)

    async def applied_automatically(self, since: datetime, until: datetime) -> Sequence[Record]:
        """What was applied in Stripe in that time without anybody being asked, oldest first."""
        return await applied.automatically(self.session, since, until)

    async def decisions(self, approval_id: str) -> Sequence[StoredDecision]:
        """All decisions on a request, in the order they were signed."""
        return await decisions.of_approval(self.session, approval_id)

    async def decision(self, decision_id: str) -> StoredDecision | None:
        """One decision."""
        return await decisions.load(self.session, decision_id)

    async def amendments(self, approval_id: str) -> Sequence[Amendment]:
        """Everything that its requester made of a request, in the order of signing."""
        return await amendments.of_approval(self.session, approval_id)

    async def settle_decision(self, decision_id: str, status: str, why: str, now: datetime) -> None:
        """Say what became of a decision."""
        await decisions.settle(self.session, decision_id, status, why, now)

    async def effect(self, approval_id: str) -> tuple[Effect, datetime] | None:
        """The request's effect and when it was intended."""
        return await effects.load(self.session, approval_id)

    async def intend(self, effect: Effect, now: datetime) -> None:
        """Keep the effect before it is tried."""
        await effects.insert(self.session, effect, now)

    async def settle_effect(self, effect: Effect, made: StripeObject | None, why: str, now: datetime) -> None:
        """Say what became of the effect."""
        await effects.settle(self.session, effect, made, why, now)

    async def people(self, ids: Collection[str]) -> Mapping[str, Person]:
        """People by id."""
        return await people.by_ids(self.session, ids)

    async def members(self, groups: Collection[Group]) -> Sequence[Person]:
        """Active people of any of the groups."""
        return await people.members(self.session, groups)

    async def absences(self, since: datetime) -> Sequence[StoredAbsence]:
        """Absences that were to last until after that moment."""
        return await absences.lasting(self.session, since)

    async def audit(self, entry: AuditEntry, now: datetime) -> None:
        """Append to the request's hash-chained history."""
        await audit.append(self.session, entry, now)

    async def post(self, letter: Letter, now: datetime) -> bool:
        """Put a mail into the outbox; whether it is new."""
        return await outbox.post(self.session, letter, now)

    async def ask_for_checkpoint(self, request_id: str, now: datetime) -> str:
        """Wish for a checkpoint over the audit log."""
        return await checkpoints.ask(self.session, request_id, now)


@dataclass(frozen=True)
class SqlLedger:
    """The database, as `plixo.ports.Ledger`."""

    engine: AsyncEngine

    def begin(self) -> AbstractAsyncContextManager[SqlTransaction]:
        """A transaction that writes: commits at the end of the block, rolls back when it raises."""
        return self._writing()

    def read(self) -> AbstractAsyncContextManager[AsyncSession]:
        """A session for reading: takes no write lock, and what it changes is dropped."""
        return self._reading()

    @cached_property
    def _reading_engine(self) -> AsyncEngine:
        """The same engine and connections, whose transactions take no write lock."""
        return self.engine.execution_options(plixo_read_only=True)

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[SqlTransaction]:
        async with AsyncSession(self.engine, expire_on_commit=False) as session, session.begin():
            await hold_connection(session)
            yield SqlTransaction(session)

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncSession]:
        async with AsyncSession(self._reading_engine, expire_on_commit=False) as session:
            yield session
