"""Refusals in Stripe's shape."""

from standin.call import Answer, Doc


class ApiError(Exception):
    """A refusal that the caller sees.

    Attributes:
        remembered: Whether the idempotency layer saves the answer. What Stripe finds before it begins executing
            (bad parameters, missing rights, conflicts) is not saved and may be asked again with other parameters.
        keeps_changes: Whether what was written before the refusal stays, as the failed charge of a declined card does.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        remembered: bool = False,
        keeps_changes: bool = False,
        extra: Doc | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.param = param
        self.remembered = remembered
        self.keeps_changes = keeps_changes
        self.extra = extra or {}

    def answer(self) -> Answer:
        """The refusal as Stripe writes it; absent parts are left out, not null."""
        parts = {"code": self.code, "message": self.message, "param": self.param, "type": self.kind, **self.extra}
        return Answer(self.status, {"error": {name: part for name, part in parts.items() if part is not None}})


def bad_param(param: str, message: str, code: str | None = None) -> ApiError:
    """A parameter that cannot be right whatever the books hold; not remembered under the key."""
    return ApiError(400, message, code=code, param=param)


def refused(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """A refusal that comes from the state of the books; remembered under the key."""
    return ApiError(400, message, param=param, code=code, remembered=True)


def missing(kind: str, object_id: str, *, param: str, in_path: bool) -> ApiError:
    """An id that names nothing: 404 where it is part of the path, 400 where it is a parameter."""
    message = f"No such {kind}: '{object_id}'"
    return ApiError(404 if in_path else 400, message, code="resource_missing", param=param)


def internal(message: str, *, kind: str = "api_error") -> ApiError:
    """A failure of the stand-in's own; remembered under the key, as Stripe remembers its 500s."""
    return ApiError(500, message, kind=kind, remembered=True)
