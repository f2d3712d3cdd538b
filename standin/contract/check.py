"""Checks every request and response of the stand-in against Stripe's published description.

What passes here conforms to the published schema. It says nothing of rules that Stripe states in prose only, such as
the range of `limit`.
"""

import json
from dataclasses import dataclass
from typing import Any, Self

from jsonschema_rs import Draft202012Validator

from standin.contract import data, form
from standin.contract.coerce import coerce
from standin.contract.dialect import REFERENCE, Schema
from standin.contract.refusals import ContractError, deepest, refusal, written
from standin.contract.routes import Routes
from standin.contract.schemas import for_request, for_response

__all__ = ["CheckedRequest", "Contract", "ContractError", "ContractViolation"]

_OK = 200
_ERRORS_FROM = 400
_ERROR_SCHEMA = {"$ref": f"{REFERENCE}error"}


class ContractViolation(Exception):
    """An answer that does not conform to the published schema: a mistake of the stand-in, not of its caller."""


@dataclass(frozen=True)
class CheckedRequest:
    """A request that the description allows.

    `operation` is the published operation id. `params` holds body and query with the schema's types; text that is empty
    unsets what it names.
    """

    operation: str
    path_params: dict[str, str]
    params: dict[str, Any]


class Contract:
    """The description, compiled. Make it with `load`, once a process: it takes some tenths of a second."""

    def __init__(self, description: data.Description) -> None:
        self._routes = Routes(description.operations)
        self._requests = {each.id: Draft202012Validator(for_request(each.params)) for each in description.operations}
        answers = _Answers(description.schemas)
        self._errors = answers.validator(_ERROR_SCHEMA)
        self._responses = {each.id: answers.validator(each.response) for each in description.operations}

    @classmethod
    def load(cls) -> Self:
        """The contract as committed beside this file."""
        return cls(data.load())

    def decode(self, body: bytes) -> dict[str, Any]:
        """Read a form body or a query string into a tree whose leaves are text.

        Raises:
            ContractError: it is no form.
        """
        try:
            return form.decode(body)
        except form.MalformedFormError as broken:
            raise ContractError("Invalid request: the form cannot be read", param=broken.key or None) from broken

    def check_request(self, method: str, path: str, params: dict[str, Any]) -> CheckedRequest:
        """Find the operation, and give the decoded `params` the schema's types.

        Raises:
            ContractError: the route (status 404) or the parameters (status 400) are not described.
        """
        found = self._routes.find(method, path)
        if found is None:
            raise ContractError(f"Unrecognized request URL ({method}: {path}).", status=404)
        operation, path_params = found
        read = coerce(params, operation.params)
        validator = self._requests[operation.id]
        if not validator.is_valid(read):
            raise refusal(validator.iter_errors(read))
        return CheckedRequest(operation=operation.id, path_params=path_params, params=read)

    def check_response(self, operation: str, status: int, body: dict[str, Any]) -> None:
        """Check an answer to `operation`, an operation id.

        Raises:
            ContractViolation: the answer does not conform to the schema of its status, or has keys unknown to it.
        """
        if status != _OK and status < _ERRORS_FROM:
            raise ContractViolation(f"{operation}: status {status} is not described")
        validator = self._responses[operation] if status == _OK else self._errors
        if not validator.is_valid(body):
            found = [deepest(error) for error in validator.iter_errors(body)]
            listed = [f"{written(error.instance_path) or 'body'}: {error.message}" for error in found]
            raise ContractViolation(f"{operation} {status}: " + "; ".join(listed))


class _Answers:
    """Compiles the schemas of answers; many operations share one, and each is compiled once."""

    def __init__(self, schemas: dict[str, Schema]) -> None:
        self._definitions = {name: for_response(schema) for name, schema in schemas.items()}
        self._compiled: dict[str, Draft202012Validator] = {}

    def validator(self, schema: Schema) -> Draft202012Validator:
        key = json.dumps(schema, sort_keys=True)
        if key not in self._compiled:
            self._compiled[key] = Draft202012Validator(for_response(schema) | {"$defs": self._definitions})
        return self._compiled[key]
