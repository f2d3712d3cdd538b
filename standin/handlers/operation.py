"""How a handler is declared, and the small readers that handlers share."""

from collections.abc import Callable
from dataclasses import dataclass

from standin.books import Books
from standin.call import Call, Doc
from standin.errors import bad_param

Run = Callable[[Books, Call], Doc]

LISTED = "limit starting_after ending_before created"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API.

    Attributes:
        run: Does it and returns the object or list to answer with.
        honoured: The parameters it acts upon. Stripe knows more; those are refused, never silently ignored.
    """

    run: Run
    honoured: frozenset[str]

    def __call__(self, books: Books, call: Call) -> Doc:
        """Runs it.

        Raises:
            ApiError: A parameter that the stand-in does not act upon, or any refusal of the operation.
        """
        for name in sorted(set(call.params) - self.honoured):
            raise bad_param(name, f"The stand-in does not support the parameter '{name}' of {call.operation}.")
        return self.run(books, call)


def operation(run: Run, honoured: str = "") -> Operation:
    """Declares an operation; `expand` is honoured by all."""
    return Operation(run, frozenset(honoured.split()) | {"expand"})


def text(params: Doc, name: str, otherwise: str | None = None) -> str | None:
    """A text parameter; an empty one unsets the field."""
    value = params.get(name, otherwise)
    return None if value == "" else value


def changed(doc: Doc, fields: Doc) -> Doc:
    """What these fields were before, for an event's `previous_attributes`."""
    return {name: doc.get(name) for name, value in fields.items() if doc.get(name) != value}
