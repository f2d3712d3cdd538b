"""Commands on the Temporal cluster."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter, validators

from starters.cli.cluster import check_temporal, temporal_reached
from starters.cli.example import example
from starters.cli.failures import CommandFailed
from starters.cli.output import facts, heading, show
from starters.cli.reach import Json
from starters.cli.settings import load_settings

if TYPE_CHECKING:
    from temporalio.service import RPCError

    from plixo.config import Settings
    from plixo.temporal.setup import SetUp
    from starters.schedules import Reconciled

Days = Annotated[int | None, Parameter(validator=validators.Number(gte=1, lte=36_500))]

app = App(name="temporal", help="The Temporal cluster.", help_epilogue=example("plixo temporal setup"))


@app.command(name="setup", help_epilogue=example("PLIXO_TEMPORAL_ADDRESS=temporal.internal:7233 plixo temporal setup"))
def setup(*, retention_days: Days = None, as_json: Json = False) -> None:
    """Make the namespace, its retention, search attributes and schedules what Plixo needs; may be run again any time.

    Args:
        retention_days: How many days Temporal keeps requests that have ended. 365 unless given; then a longer time that
            is set already stays.
        as_json: Print one JSON document.
    """
    from temporalio.service import RPCError  # noqa: PLC0415 - `plixo --help` stays quick

    from plixo.temporal.setup import CannotSetUp  # noqa: PLC0415 - the same

    settings = load_settings()
    check_temporal(settings)
    retention = None if retention_days is None else timedelta(days=retention_days)
    try:
        with temporal_reached(settings):
            done, scheduled = asyncio.run(_set_up(settings, retention))
    except CannotSetUp as known:
        raise CommandFailed(str(known)) from known
    except RPCError as refused:
        raise CommandFailed(f"Temporal answers {refused.status.name}: {refused.message}{_advice(refused)}") from refused
    document = {**_document(done), "schedules": [vars(one) for one in scheduled]}
    page = facts([*_facts(done), ("schedules", ", ".join(_scheduled(one) for one in scheduled))])
    show(document, page, as_json=as_json, following="plixo worker")


async def _set_up(settings: "Settings", retention: timedelta | None) -> tuple["SetUp", tuple["Reconciled", ...]]:
    from plixo.temporal.client import connect  # noqa: PLC0415 - `plixo --help` stays quick
    from plixo.temporal.setup import set_up  # noqa: PLC0415 - the same
    from starters.schedules import reconcile  # noqa: PLC0415 - the same
    from workflows.attributes import ALL  # noqa: PLC0415 - the same
    from workflows.schedules import schedules  # noqa: PLC0415 - the same

    client = await connect(settings)
    done = await set_up(client, ALL, retention)
    return done, await reconcile(client, schedules(checkpoint_hours=settings.checkpoint_hours))


def _scheduled(one: "Reconciled") -> str:
    said = {"made": "made now", "changed": "changed now"}.get(one.done, "there")
    return f"{one.schedule_id}, {said}{', paused' if one.paused else ''}"


def _advice(refused: "RPCError") -> str:
    elsewhere = refused.status.name in {"PERMISSION_DENIED", "UNIMPLEMENTED"}
    return "; where namespaces are made elsewhere, as in Temporal Cloud, make this one there" if elsewhere else ""


def _document(done: "SetUp") -> dict[str, object]:
    return {
        "namespace": done.namespace,
        "made": done.made,
        "retention_days": done.retention.days,
        "retention_changed": done.retention_changed,
        "search_attributes": list(done.attributes),
        "added": list(done.added),
    }


def _facts(done: "SetUp") -> list[tuple[str, str]]:
    return [
        ("namespace", f"{done.namespace}, {'made now' if done.made else 'there'}"),
        ("retention", f"{done.retention.days} days" + (", changed now" if done.retention_changed else "")),
        ("search attributes", ", ".join(done.attributes)),
        ("added now", ", ".join(done.added) or "none"),
    ]


@app.command(help_epilogue=example("plixo temporal resume"))
def resume(*, as_json: Json = False) -> None:
    """Give every open request a workflow again, after Temporal or the database was restored.

    Args:
        as_json: Print one JSON document.
    """
    from temporalio.service import RPCError  # noqa: PLC0415 - `plixo --help` stays quick

    from starters.cli.database import failures_named  # noqa: PLC0415 - the same
    from starters.workflows import TemporalAway  # noqa: PLC0415 - the same

    settings = load_settings()
    check_temporal(settings)
    try:
        with temporal_reached(settings), failures_named(settings):
            number = asyncio.run(_resume(settings))
    except TemporalAway as away:
        raise CommandFailed(f"Temporal is away ({away}); what was started stays. Run this again.") from away
    except RPCError as refused:
        raise CommandFailed(f"Temporal answers {refused.status.name}: {refused.message}{_advice(refused)}") from refused
    words = f"{number} open requests, each with its workflow." if number else "No request is open."
    show({"open": number}, heading(words), as_json=as_json, following="plixo worker")


async def _resume(settings: "Settings") -> int:
    from plixo.store.engine import open_engine  # noqa: PLC0415 - `plixo --help` stays quick
    from plixo.store.ledger import SqlLedger  # noqa: PLC0415 - the same
    from plixo.temporal.client import connect  # noqa: PLC0415 - the same
    from starters.resuming import resume as resume_all  # noqa: PLC0415 - the same

    engine = open_engine(settings.database)
    try:
        return await resume_all(SqlLedger(engine), await connect(settings))
    finally:
        await engine.dispose()
