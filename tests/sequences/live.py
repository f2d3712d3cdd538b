"""The rules on the real workflow: a server that skips time, real activities on real rows, a Stripe that is played.

What was done is taped, and played once more in memory: both must come to the same.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.approvals import ApprovalActivities
from activities.effects import EffectActivities
from demo.check_audit import check_audit
from demo.check_database import read_house
from demo.check_duties import check_duties
from demo.check_effects import check_effects, moved
from demo.check_model import Scene
from demo.check_signatures import load_keys
from demo.check_signed import check_signed
from plixo.directory.calendars import PeoplesCalendars
from plixo.domain.approval import ENDED, State
from plixo.domain.decision import Decision
from plixo.domain.effects import Effect, EffectKind
from plixo.domain.people import Person
from plixo.messages.approvals import APPROVALS_QUEUE, STRIPE_QUEUE, Decide, Recorded, Standing, Step
from plixo.ports import AuditEntry, Record, StoredDecision, StripeObject
from plixo.signing.tokens import StaffSigner, StaffVerifier
from plixo.store import approvals, decisions, people
from plixo.store.engine import open_engine
from plixo.store.ledger import SqlLedger
from plixo.store.models import OutboxRow
from starters.decisions import send
from tests.sequences.books import Crash, Watch, Written
from tests.sequences.house import AWAY, TO_BE_DONE, Engine, House, Played, Stuck, is_due, poke
from tests.sequences.machine import Sequences
from tests.sequences.world import PEOPLE
from tests.support.rows import KEY, fresh_sqlite, public
from tests.support.workers import start
from workflows import attributes
from workflows.approval import ApprovalWorkflow

SERVER: Final = str(Path(sys.executable).parent / "temporal-test-server")
VERIFIER: Final = StaffVerifier(public(KEY))
LOOKS: Final = 600
PAUSE_SECONDS: Final = 0.02
_ANSWERS: Final = {"recorded": "already_received", "conflict": "conflict", "refused": "refused"}


@dataclass
class Live(Played):
    """The house on a Temporal server of its own; it outlasts many sequences."""

    env: Any = None
    ledger: Any = None
    url: str = ""
    keys: Any = None
    signer: StaffSigner = field(default_factory=lambda: StaffSigner(KEY))
    handles: dict[str, WorkflowHandle[Any, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.watch = Watch(self.ledger, self.clock, lambda: (self.people, self.stripe.says))
        self.approvals = ApprovalActivities(self.watch, VERIFIER, self.clock, PeoplesCalendars())
        self.effects = EffectActivities(self.watch, self.stripe, VERIFIER, self.clock)

    @property
    def journal(self) -> list[Written]:
        return self.watch.journal

    async def fresh(self) -> None:
        """Another sequence begins: nobody but its own people, and nothing of earlier ones."""
        for handle in self.handles.values():
            await _terminated(handle)
        self.handles, self.watch.journal, self.watch.crash = {}, [], None
        self.stripe.answers, self.stripe.made = [], []
        self.stripe.keys.clear()
        await self.stripe_says(Played().stripe.says)
        self.clock.at = (await self.env.get_current_time()).replace(microsecond=0) + timedelta(seconds=1)
        self.people = dict(PEOPLE)
        async with self.ledger.begin() as tx:
            await people.add(tx.session, PEOPLE.values())

    async def begin(self, record: Record) -> None:
        name = record.approval.approval_id
        async with self.ledger.begin() as tx:
            await approvals.insert(tx.session, record)
            asked = {"digest": record.approval.digest}
            await tx.audit(AuditEntry(name, "requested", record.approval.requester_id, asked), self.clock())
        self.handles[name] = await start(self.env.client, name)
        await self._until(lambda: self._has_left(name, State.ROUTING))

    async def record(self, approval_id: str) -> Record:
        async with self.ledger.read() as session:
            found = await approvals.load(session, approval_id, lock=False)
        assert found is not None
        return found

    async def stored(self, decision_id: str) -> StoredDecision:
        async with self.ledger.read() as session:
            found = await decisions.load(session, decision_id)
        assert found is not None
        return found

    async def keep(self, decision: Decision, signed: str) -> None:
        async with self.ledger.begin() as tx:
            await decisions.insert(tx.session, decision, signed, self.clock())

    async def tell(self, approval_id: str, decision_id: str) -> Recorded:
        """By an update, or as the sweeper does: by a signal; where its request has ended, by the rows alone."""
        async with self.ledger.read() as session:
            before = await decisions.load(session, decision_id)
        ended = (await self.record(approval_id)).approval.state in ENDED
        if before is None:
            _told = ended or await self._updated(approval_id, decision_id)
            return Recorded(decision_id, "refused", "", Standing(""))
        by_signal = ended or int(decision_id.rpartition("-")[2]) % 2 == 1
        if by_signal or not await self._updated(approval_id, decision_id):
            await self._sent(before.decision)

        async def settled() -> bool:
            return (await self.stored(decision_id)).status != "submitted"

        await self._until(settled)
        after = await self.stored(decision_id)
        new = before.status == "submitted" and after.status == "recorded"
        return Recorded(decision_id, "accepted" if new else _ANSWERS[after.status], after.why, Standing(""))

    async def change(self, person: Person) -> None:
        self.people = {**self.people, person.person_id: person}
        async with self.ledger.begin() as tx:
            await people.add(tx.session, [person])

    async def poke(self, name: str, step: Step) -> None:
        await poke(self.approvals, name, step)

    async def behind(self) -> float:
        return float((await self.env.get_current_time() - self.clock.at).total_seconds())

    async def move(self, at: datetime) -> None:
        """The activities' clock first, then the server's in one leap: it fires what is due on the way."""
        self.clock.at = at
        left = at - await self.env.get_current_time()
        if left > timedelta():
            await self.env.sleep(left + timedelta(milliseconds=50))

    async def settle(self) -> None:
        for name in list(self.handles):
            await self._until(lambda name=name: self._is_settled(name))

    async def crash(self, after: int, *, kept: bool) -> None:
        self.watch.crash = (after, kept)

    async def _sent(self, decision: Decision) -> None:
        try:
            await send(self.watch, self.env.client, decision, self.clock)  # type: ignore[arg-type]
        except Crash:
            await send(self.watch, self.env.client, decision, self.clock)  # type: ignore[arg-type]

    async def _updated(self, approval_id: str, decision_id: str) -> bool:
        """Whether the request's workflow runs and was told."""
        try:
            await self.handles[approval_id].execute_update(
                ApprovalWorkflow.decide, Decide(approval_id, decision_id), id=decision_id
            )
        except WorkflowUpdateFailedError:
            return False
        except RPCError as failure:
            if failure.status is not RPCStatusCode.NOT_FOUND:
                raise
            return False
        return True

    async def _has_left(self, name: str, state: State) -> bool:
        return (await self.record(name)).approval.state is not state

    async def _is_settled(self, name: str) -> bool:
        record = await self.record(name)
        state = record.approval.state
        if state in TO_BE_DONE:
            return self.stripe.says is AWAY
        returned = state is State.RETURNED and record.moments is None
        return not returned and not is_due(record, self.clock())

    async def _until(self, there: Callable[[], Any]) -> None:
        """Looks again; after a while the server's time moves on, so that what is to be tried again is."""
        for look in range(1, LOOKS):
            if await there():
                return
            await asyncio.sleep(PAUSE_SECONDS)
            if look % 20 == 0:
                await self.env.sleep(timedelta(seconds=4))
        raise Stuck("what is due does not happen on the real workflow")

    async def findings(self) -> list[str]:
        """What the independent checker finds in the rows, and a mail that the journal does not know."""
        found = await asyncio.to_thread(self._checked)
        async with self.ledger.read() as session:
            letters = [row.key for row in await session.scalars(select(OutboxRow))]
        posted = [line.given[0].key for line in self.journal if line.what == "post" and line.gave]
        mine = [key for key in letters if key.partition("/")[0] in self.handles]
        return found + ([f"mails differ: {set(mine) ^ set(posted)}"] if sorted(mine) != sorted(posted) else [])

    def _checked(self) -> list[str]:
        """Signatures, chains and effects; who might decide when is the judge's, since people change meanwhile."""
        house = read_house(self.url)
        mine = {name: row for name, row in house.approvals.items() if name in self.handles}
        about = {
            "approvals": mine,
            "decisions": [row for row in house.decisions if row["approval_id"] in mine],
            "effects": {name: row for name, row in house.effects.items() if name in mine},
            "audit": [row for row in house.audit if row["approval_id"] in mine],
        }
        ledger = [_entry(effect, made) for effect, made in self.stripe.made]
        scene = Scene(replace(house, **about), ledger, {}, None, self.keys)  # type: ignore[arg-type]
        signed, findings = check_signed(scene, moved(scene))
        allowed, _unfit = check_duties(scene, signed, frozenset())
        findings += [*check_effects(scene, signed, allowed), *check_audit(scene.house)]
        return [f"{one.what} of {one.approval_id}: {one.detail}" for one in findings]


def _entry(effect: Effect, made: StripeObject) -> dict[str, Any]:
    """A write as the stand-in's ledger has it."""
    on_invoice = effect.kind is EffectKind.CREDIT_NOTE
    path = "credit_notes" if on_invoice else f"customers/{effect.customer_id}/balance_transactions"
    return {
        "object": effect.kind.value,
        "method": "POST",
        "path": f"/v1/{path}",
        "id": made.object_id,
        "amount": effect.params["amount"],
        "currency": effect.amount.currency.lower(),
        "customer": effect.customer_id,
        "invoice": effect.params.get("invoice"),
        "metadata": effect.params["metadata"],
        "idempotency_key": effect.key,
    }


@dataclass
class Tape:
    """Hands everything on to a house, and remembers what was done at which moment."""

    house: Live
    taken: list[tuple[str, tuple[Any, ...], dict[str, Any], datetime]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.house, name)
        if name not in _TAPED:
            return found

        async def taped(*given: Any, **named: Any) -> Any:
            self.taken.append((name, given, named, self.house.clock()))
            return await found(*given, **named)

        return taped


_TAPED: Final = frozenset(
    {"begin", "keep", "tell", "change", "poke", "move", "settle", "crash", "stripe_says", "stripe_fails"}
)


async def replayed(tape: Tape) -> Engine:
    """The same once more, in memory."""
    engine = Engine(signer=tape.house.signer, verifier=VERIFIER)
    for name, given, named, at in tape.taken:
        engine.clock.at = at
        await getattr(engine, name)(*given, **named)
    return engine


async def outcome(house: Live | Engine, approval_id: str) -> dict[str, Any]:
    """What became of a request, as far as two houses must agree."""
    record = await house.record(approval_id)
    mine = [line for line in house.journal if line.what in {"audit", "post"}]
    events = [line.given[0].event for line in mine if line.what == "audit" and line.given[0].approval_id == approval_id]
    letters = {line.given[0].key for line in mine if line.what == "post" and line.gave}
    return {
        "stands": (record.approval.state, record.approval.round, record.approval.stage),
        "decisions": record.approval.decisions,
        "stand-ins": record.approval.escalated if record.approval.state is State.WAITING else (),
        "moments": record.moments,
        "ended": bool(record.ended_at),
        "events": events,
        "mails": sorted(key for key in letters if key.startswith(approval_id)),
        "applied": [effect.amount for effect, _made in house.stripe.made if effect.approval_id == approval_id],
    }


class Places:
    """Where sequences are played: one server for some of them, since each lets a year go by."""

    loop: asyncio.AbstractEventLoop | None = None
    stack: AsyncExitStack | None = None
    live: Live | None = None
    used = 0

    @classmethod
    def get(cls) -> tuple[asyncio.AbstractEventLoop, Live]:
        cls.loop = cls.loop or asyncio.new_event_loop()
        cls.used += 1
        if cls.live is None or cls.used % 20 == 0:
            cls.close()
            cls.stack = AsyncExitStack()
            cls.live = cls.loop.run_until_complete(_opened(cls.stack))
        cls.loop.run_until_complete(cls.live.fresh())
        return cls.loop, cls.live

    @classmethod
    def close(cls) -> None:
        if cls.stack and cls.loop:
            cls.loop.run_until_complete(cls.stack.aclose())
        cls.stack = cls.live = None


async def _opened(stack: AsyncExitStack) -> Live:
    env = await stack.enter_async_context(
        await WorkflowEnvironment.start_time_skipping(test_server_existing_path=SERVER)
    )
    stack.enter_context(env.auto_time_skipping_disabled())
    await env.client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(
            namespace="default",
            search_attributes={
                key.name: IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{key.indexed_value_type.name}")
                for key in attributes.ALL
            },
        ),
    )
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="plixo-sequences-"))
    url = await fresh_sqlite(Path(folder))
    engine = open_engine(url)
    stack.push_async_callback(engine.dispose)
    keys = Path(folder) / "keys.json"
    keys.write_text(json.dumps(public(KEY).as_dict(private=False)))
    live = Live(env=env, ledger=SqlLedger(engine), url=url, keys=load_keys(keys))
    acts = live.approvals
    for queue, workflows, activities in (
        (APPROVALS_QUEUE, [ApprovalWorkflow], [acts.open, acts.record, acts.remind, acts.escalate, acts.expire]),
        (STRIPE_QUEUE, [], [live.effects.execute]),
    ):
        await stack.enter_async_context(
            Worker(env.client, task_queue=queue, workflows=workflows, activities=activities)  # type: ignore[arg-type]
        )
    return live


async def _terminated(handle: WorkflowHandle[Any, Any]) -> None:
    try:
        await handle.terminate("the next sequence begins")
    except RPCError as failure:
        if failure.status is not RPCStatusCode.NOT_FOUND:
            raise


class LiveSequences(Sequences):
    """The same rules, half as many steps on the real thing; then the model must agree."""

    nothing = 1

    def open(self) -> tuple[asyncio.AbstractEventLoop, House]:
        loop, live = Places.get()
        self.prefix = f"live-{Places.used}"
        self.tape = Tape(live)
        return loop, self.tape  # type: ignore[return-value]

    async def _wind_up(self) -> None:
        await super()._wind_up()
        live = self.tape.house
        findings = await live.findings()
        assert not findings, findings
        tape = Tape(live, copy(self.tape.taken))
        engine = await replayed(tape)
        for name in self.ids:
            real, model = await outcome(live, name), await outcome(engine, name)
            differs = {key: (real[key], model[key]) for key in real if real[key] != model[key]}
            assert not differs, f"the model comes to something else: {differs}"
