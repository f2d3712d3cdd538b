"""The contract layer: every request and response against Stripe's published schema."""

import logging
from typing import Any, Protocol

from standin.call import Answer, Call, Layer
from standin.contract.check import CheckedRequest, ContractError, ContractViolation
from standin.errors import ApiError, internal

logger = logging.getLogger(__name__)


class Checks(Protocol):
    """What the layer asks of a contract."""

    def decode(self, body: bytes) -> dict[str, Any]:
        """Stripe's form encoding as a tree of text."""
        ...

    def check_request(self, method: str, path: str, params: dict[str, Any]) -> CheckedRequest:
        """The operation and its typed parameters, or a `ContractError`."""
        ...

    def check_response(self, operation: str, status: int, body: dict[str, Any]) -> None:
        """Nothing, or a `ContractViolation`."""
        ...


class ContractLayer:
    """Refuses requests that the schema does not know, and answers of ours that it does not know either."""

    def __init__(self, contract: Checks, inner: Layer) -> None:
        self._contract = contract
        self._inner = inner

    async def __call__(self, call: Call) -> Answer:
        """Passes a request that conforms on; an answer that does not becomes a 500 of its own type."""
        try:
            self._read(call)
            answer = await self._inner(call)
        except ContractError as error:
            kind = error.type
            return ApiError(error.status, error.message, kind=kind, code=error.code, param=error.param).answer()
        except ApiError as error:
            answer = error.answer()
        return self._checked(call, answer)

    def _read(self, call: Call) -> None:
        given = self._contract.decode(call.query if call.method in {"GET", "DELETE"} else call.body)
        checked = self._contract.check_request(call.method, call.path, given)
        call.operation, call.path_params, call.params = checked.operation, checked.path_params, checked.params

    def _checked(self, call: Call, answer: Answer) -> Answer:
        try:
            self._contract.check_response(call.operation, answer.status, answer.body)
        except ContractViolation as violation:
            logger.exception("%s %s: the answer does not conform", call.method, call.path)
            return internal(str(violation), kind="standin_contract_violation").answer()
        return answer
