"""A row of a decision table, as it is shown."""

from typing import NamedTuple


class Rule(NamedTuple):
    """One row of a decision table, to be shown.

    Attributes:
        rule: Its id.
        words: What it says, in words.
        conditions: What must hold, such as `Amount > limits.controller; Rate is "stale"`; `always` without any.
        answers: What it answers, such as `Route both`, without the words for people.
    """

    rule: str
    words: str
    conditions: str
    answers: str = ""
