"""The worker, and which build of it gets the work."""

import asyncio
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter, validators

from starters.cli.cluster import check_temporal, temporal_reached
from starters.cli.example import example
from starters.cli.failures import USAGE, CommandFailed
from starters.cli.machines import run_process
from starters.cli.output import facts, show
from starters.cli.reach import Json
from starters.cli.settings import load_settings

if TYPE_CHECKING:
    from plixo.config import Settings
    from plixo.temporal.versions import Promoted

Seconds = Annotated[float, Parameter(validator=validators.Number(gte=0, lte=3600))]

app_worker = App(name="worker", help_epilogue=example("PLIXO_TEMPORAL_ADDRESS=127.0.0.1:7233 plixo worker"))


@app_worker.default
def worker() -> None:
    """Run the worker: workflows, activities and the outbox."""
    from workers.main import run_worker  # noqa: PLC0415 - `plixo --help` stays quick

    run_process(run_worker)


@app_worker.command(help_epilogue=example("plixo worker promote 2026-11-22.1 --wait 60"))
def promote(build: str = "", /, *, wait: Seconds = 0, as_json: Json = False) -> None:
    """Give all work to a build of the workers, once they poll every queue; requests that wait go on with it.

    Args:
        build: As PLIXO_BUILD_ID names it to its workers; that of this machine's settings when left out.
        wait: How many seconds to wait for its workers to come up.
        as_json: Print one JSON document.
    """
    from temporalio.service import RPCError  # noqa: PLC0415 - `plixo --help` stays quick

    from plixo.temporal.versions import CannotPromote  # noqa: PLC0415 - the same

    settings = load_settings()
    wanted = build or settings.build_id
    if not wanted:
        raise CommandFailed("Which build? Name it, or set PLIXO_BUILD_ID as its workers have it.", USAGE)
    check_temporal(settings)
    try:
        with temporal_reached(settings):
            done = asyncio.run(_promote(settings, wanted, wait))
    except CannotPromote as known:
        raise CommandFailed(str(known)) from known
    except RPCError as refused:
        raise CommandFailed(f"Temporal answers {refused.status.name}: {refused.message}") from refused
    page = facts([("current", done.build), ("before", done.before or "none")])
    show({"current": done.build, "before": done.before or None}, page, as_json=as_json)


async def _promote(settings: "Settings", build: str, wait_seconds: float) -> "Promoted":
    from plixo.temporal.client import connect  # noqa: PLC0415 - `plixo --help` stays quick
    from plixo.temporal.versions import promote as make_current  # noqa: PLC0415 - the same

    return await make_current(await connect(settings), build, wait_seconds=wait_seconds)
