"""A refusal says which field is wrong, what is wrong with it, and what would be right."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing wrong with what was asked.

    Attributes:
        field: The form field, CLI option or JSON key it concerns; empty when it concerns the whole request.
        code: A stable word for programs, such as `amount_too_precise`.
        message: One sentence for people that says what would be right.
    """

    field: str
    code: str
    message: str


class Refused(Exception):
    """What was asked is refused; nothing has changed.

    Attributes:
        problems: Everything wrong, in the order of the form.
    """

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems

    @classmethod
    def one(cls, field: str, code: str, message: str) -> "Refused":
        """A refusal for a single reason."""
        return cls(Problem(field, code, message))

    @property
    def code(self) -> str:
        """The first problem's code: what a program branches on."""
        return self.problems[0].code


class NotAllowed(Refused):
    """The person may not do this, whatever they type."""


class Conflict(Refused):
    """What was asked no longer fits what stands; the message names what stands."""


class NotFound(Refused):
    """There is no such thing, or this person may not know of it."""
