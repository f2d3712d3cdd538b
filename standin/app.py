"""Puts the layers together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import Mount

from standin.admin import Admin
from standin.api import Api
from standin.clock import Clock
from standin.contract.check import Contract
from standin.database import Database
from standin.fault_rules import Rules
from standin.layers.authentication import AuthenticationLayer
from standin.layers.contract import Checks, ContractLayer
from standin.layers.execution import Execution
from standin.layers.faults import FaultLayer
from standin.layers.idempotency import IdempotencyLayer
from standin.ledger import Ledger
from standin.seed import plant
from standin.settings import StandinSettings


def create_app(settings: StandinSettings, contract: Checks | None = None) -> Starlette:
    """The stand-in as an ASGI application; the books are open from here on and close with its lifespan.

    Args:
        settings: File, seed and keys.
        contract: What checks requests and answers; the published schema unless a test gives another.

    Raises:
        OSError: The folder of the file cannot be made.
        sqlite3.OperationalError: The file cannot be written.
        ValueError: There is no seed of that name.
    """
    database = Database(settings.database)
    clock, rules = Clock(database), Rules()
    plant(settings.seed, database, clock)
    idempotency = IdempotencyLayer(database, clock, Execution(database, clock))
    layers = ContractLayer(contract or Contract.load(), AuthenticationLayer(settings, idempotency))
    faulty = FaultLayer(rules, Api(layers))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        database.close()

    routes = [*Admin(rules, Ledger(database), clock).routes(), Mount("/", faulty)]
    return Starlette(routes=routes, lifespan=lifespan)
