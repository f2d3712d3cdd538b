"""What travels through the layers: a call inwards, an answer outwards."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Doc = dict[str, Any]
"""A Stripe object as it appears in JSON."""


@dataclass(slots=True)
class Call:
    """One API call; layers fill in what they find out.

    Attributes:
        headers: Names in lower case.
        operation: The schema's operation id, filled in by the contract layer.
        params: Typed parameters, filled in by the contract layer.
        slow_seconds: How long a planted fault keeps the call inside, its idempotency key in flight.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    query: bytes
    body: bytes
    request_id: str
    operation: str = ""
    path_params: dict[str, str] = field(default_factory=dict)
    params: Doc = field(default_factory=dict)
    slow_seconds: float = 0.0

    @property
    def writes(self) -> bool:
        """Whether the call may change anything."""
        return self.method in {"POST", "DELETE"}

    @property
    def idempotency_key(self) -> str | None:
        """The key of a POST; on other methods Stripe ignores it."""
        return self.headers.get("idempotency-key") if self.method == "POST" else None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call is answered with."""

    status: int
    body: Doc
    headers: dict[str, str] = field(default_factory=dict)


Layer = Callable[[Call], Awaitable[Answer]]
