"""Turns what a validator found in a request into the one error that Stripe would answer with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from jsonschema_rs import ValidationError, ValidationErrorKind

Step = str | int


@dataclass(eq=False)
class ContractError(Exception):
    """A request that the API refuses, in the fields of Stripe's `error` object.

    `param` is written as Stripe does (`lines[0][amount]`); `code` and `param` are `None` where Stripe sends none.
    """

    message: str
    code: str | None = None
    param: str | None = None
    status: int = 400
    type: str = "invalid_request_error"

    def __str__(self) -> str:
        """The message alone, as a person would read it."""
        return self.message


def refusal(errors: Iterable[ValidationError]) -> ContractError:
    """The error to answer with: an unknown parameter comes before a missing one, and that before a wrong value."""
    found = [deepest(error) for error in errors]
    return _worded(min(found, key=_rank))


def written(path: Sequence[Step]) -> str:
    """A path into the parameters as Stripe writes it."""
    first, *rest = path or ("",)
    return str(first) + "".join(f"[{step}]" for step in rest)


def _rank(error: ValidationError) -> int:
    match error.kind:
        case ValidationErrorKind.AdditionalProperties():
            return 0
        case ValidationErrorKind.Required():
            return 1
        case _:
            return 2


def deepest(error: ValidationError) -> ValidationError:
    """Of an `anyOf`, the mistake within the branch whose shape was meant; of anything else, the error itself."""
    if not isinstance(error.kind, ValidationErrorKind.AnyOf):
        return error
    branches = error.kind.context
    meant = [branch for branch in branches if not any(_is_of_shape(found, error) for found in branch)]
    if meant:
        return min((deepest(found) for found in meant[0]), key=_rank)
    shapes = [found for branch in branches for found in branch if isinstance(found.kind, ValidationErrorKind.Type)]
    return shapes[0] if shapes else branches[0][0]


def _is_of_shape(found: ValidationError, around: ValidationError) -> bool:
    shape = isinstance(found.kind, ValidationErrorKind.Type | ValidationErrorKind.Enum)
    return shape and len(found.instance_path) == len(around.instance_path)


def _worded(error: ValidationError) -> ContractError:
    path = list(error.instance_path)
    match error.kind:
        case ValidationErrorKind.AdditionalProperties(unexpected=names):
            return _unknown([written([*path, name]) for name in names])
        case ValidationErrorKind.Required(property=name):
            param = written([*path, name])
            return ContractError(f"Missing required param: {param}.", "parameter_missing", param)
        case ValidationErrorKind.Enum(options=options):
            choices = ", ".join(str(option) for option in options)
            return ContractError(f"Invalid {path[-1]}: must be one of {choices}", None, written(path))
        case ValidationErrorKind.MaxLength(limit=limit):
            return ContractError(f"Invalid string: must be at most {limit} characters", None, written(path))
        case ValidationErrorKind.Type(types=types):
            return _mistyped(written(path), types[0], error.instance)
        case _:
            return _unfit(error, written(path))


def _unknown(params: list[str]) -> ContractError:
    several = "s" if len(params) > 1 else ""
    return ContractError(f"Received unknown parameter{several}: {', '.join(params)}", "parameter_unknown", params[0])


def _mistyped(param: str, wanted: str, value: Any) -> ContractError:  # noqa: ANN401 (whatever was sent)
    if value == "":
        return _emptied(param)
    code = "parameter_invalid_integer" if wanted == "integer" else None
    shown = value if isinstance(value, str) and len(value) <= 100 else param  # noqa: PLR2004 (one line of a log)
    return ContractError(f"Invalid {wanted}: {shown}", code, param)


def _unfit(error: ValidationError, param: str) -> ContractError:
    if isinstance(error.kind, ValidationErrorKind.MinLength):
        return _emptied(param)
    return ContractError(f"Invalid {param}: {error.message}", None, param)


def _emptied(param: str) -> ContractError:
    message = f"You passed an empty string for '{param}', which cannot be unset. Leave it out or give it a value."
    return ContractError(message, "parameter_invalid_empty", param)
