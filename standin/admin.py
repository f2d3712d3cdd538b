"""The stand-in's own pages, which Stripe does not have: health, ledger, clock, faults."""

from collections.abc import Awaitable, Callable
from json import JSONDecodeError
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from standin.clock import Clock
from standin.fault_rules import BadRuleError, Rules
from standin.ledger import Ledger

FARTHEST_SECONDS = 100 * 366 * 86_400


class Admin:
    """Endpoints for tests, the demo and its checker; open to whoever reaches the loopback address."""

    def __init__(self, rules: Rules, ledger: Ledger, clock: Clock) -> None:
        self._rules = rules
        self._ledger = ledger
        self._clock = clock

    def routes(self) -> list[Route]:
        """The routes, to stand before the API's."""
        return [
            Route("/_health", self.health, methods=["GET"]),
            Route("/_ledger", self.ledger, methods=["GET"]),
            Route("/_clock", self.clock, methods=["GET"]),
            Route("/_clock", _refusing(self.advance), methods=["POST"]),
            Route("/_faults", self.faults, methods=["GET"]),
            Route("/_faults", _refusing(self.plant), methods=["POST"]),
            Route("/_faults", self.clear, methods=["DELETE"]),
            Route("/_faults/{rule_id:int}", self.clear, methods=["DELETE"]),
        ]

    async def health(self, _request: Request) -> Response:
        """Answers once everything is open."""
        return JSONResponse({"status": "ok", "now": self._clock.now()})

    async def ledger(self, request: Request) -> Response:
        """Every executed write, or those after `?after=SEQ`."""
        after = request.query_params.get("after", "0")
        if not after.isdecimal():
            return _refusal("'after' must be a whole number")
        return JSONResponse(self._ledger.rows(int(after)))

    async def clock(self, _request: Request) -> Response:
        """The stand-in's time."""
        return JSONResponse({"now": self._clock.now()})

    async def advance(self, given: dict[str, Any]) -> Response:
        """Moves the clock forward by `advance_seconds`."""
        seconds = given.get("advance_seconds")
        if type(seconds) is not int or not 0 <= seconds <= FARTHEST_SECONDS:
            raise BadRuleError(f"'advance_seconds' must be a whole number from 0 to {FARTHEST_SECONDS}")
        return JSONResponse({"now": self._clock.advance(seconds)})

    async def faults(self, _request: Request) -> Response:
        """The planted rules with the calls they saw and struck."""
        return JSONResponse(self._rules.shown())

    async def plant(self, given: dict[str, Any]) -> Response:
        """Plants a rule."""
        return JSONResponse(self._rules.plant(given).shown(), 201)

    async def clear(self, request: Request) -> Response:
        """Removes one rule, or all of them."""
        rule_id = request.path_params.get("rule_id")
        cleared = self._rules.clear(rule_id)
        if rule_id is not None and not cleared:
            return _refusal(f"there is no rule {rule_id}", 404)
        return JSONResponse({"cleared": cleared})


def _refusing(
    handle: Callable[[dict[str, Any]], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    async def handled(request: Request) -> Response:
        try:
            given = await request.json()
            if not isinstance(given, dict):
                return _refusal("send one JSON object")
            return await handle(given)
        except (JSONDecodeError, UnicodeDecodeError):
            return _refusal("the body is not JSON")
        except BadRuleError as bad:
            return _refusal(str(bad))

    return handled


def _refusal(message: str, status: int = 400) -> Response:
    return JSONResponse({"error": message}, status)
