"""What the parts need before they can start: keys, tables, and a Temporal server that answers.

Loading what this needs takes a second, so it is imported only when the slow parts are on their way already.
"""

import asyncio

from sqlalchemy.exc import SQLAlchemyError
from temporalio.client import Client
from temporalio.service import RPCError

from demo.parts import READY_SECONDS, Part
from demo.places import CannotStart
from plixo.bootstrap import now, prepare_database
from plixo.config import Settings
from plixo.policy.invalid import PolicyInvalid
from plixo.signing.keys import KeyFileError, load_or_create_signing_key
from plixo.temporal.client import connect
from plixo.temporal.payload_keys import PayloadKeyError, ensure_payload_keys
from plixo.temporal.setup import RETENTION, set_retention
from starters.schedules import reconcile
from workflows.schedules import schedules


async def prepare(settings: Settings) -> None:
    """Make the keys and the tables where there are none.

    Raises:
        CannotStart: What the data folder holds cannot be used.
    """
    try:
        load_or_create_signing_key(settings.signing_key, settings.public_keys)
        ensure_payload_keys(settings.payload_keys, now())
        await prepare_database(settings)
    except (KeyFileError, PayloadKeyError, PolicyInvalid, SQLAlchemyError, OSError) as problem:
        why = str(problem).partition("\n")[0]
        raise CannotStart(f"{settings.data} cannot be used: {why}; choose another folder with --data.") from problem


async def make_schedules(settings: Settings) -> None:
    """Have Temporal start by the clock what the product declares; the payload keys are there by now."""
    await reconcile(await connect(settings), schedules(checkpoint_hours=settings.checkpoint_hours))


async def wait_for_temporal(server: Part, address: str) -> None:
    """Wait for the server, then have it keep what has ended for a year; its own default is a day.

    Raises:
        CannotStart: It ended, or is not ready in time.
    """
    try:
        async with asyncio.timeout(READY_SECONDS):
            while True:
                server.check_alive()
                try:
                    await set_retention(await Client.connect(address), RETENTION)
                except (RPCError, RuntimeError):
                    await asyncio.sleep(0.1)
                else:
                    return
    except TimeoutError as error:
        raise CannotStart(f"The Temporal server is not ready; see {server.log}.") from error
