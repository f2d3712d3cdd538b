"""Which calls a planted fault strikes. Rules live in memory: a restarted stand-in is a healthy one."""

import random
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any, get_args, get_type_hints

KINDS = frozenset(
    """429 lock_timeout 409 500 502_html 503 delay slow reset_before reset_after done_500 done_late cut_body""".split()
)


class BadRuleError(ValueError):
    """A rule that cannot be planted; the message says what is wrong with it."""


@dataclass(slots=True)
class Rule:
    """One planted fault.

    Attributes:
        kind: What happens: one of `KINDS`. `reset_after`, `done_500`, `done_late` and `cut_body` execute the call
            first; `delay` waits in front of the API, `slow` inside it, with the idempotency key in flight, and
            `done_late` behind it, with everything done.
        method: `POST`, `GET`, `DELETE`, or `*`.
        path: A glob such as `/v1/credit_notes*`.
        nth: Strikes from the nth matching call on (the first is 1).
        probability: Strikes each matching call with this probability, by a generator of its own seeded with `seed`.
        times: How many calls it strikes at most; None is no limit. With `nth` and no `times`, one.
        retry_after: Seconds for a `Retry-After` header; None sends none.
        seconds: How long `delay`, `slow` and `done_late` take.
        headers: More headers of a refusal, such as `Stripe-Should-Retry`.
    """

    kind: str
    method: str = "*"
    path: str = "*"
    nth: int | None = None
    probability: float | None = None
    seed: int = 0
    times: int | None = None
    retry_after: int | None = None
    seconds: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    id: int = 0
    calls: int = 0
    hits: int = 0
    _random: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        """Seeds the generator, so that the same calls are struck again in another run."""
        self._random.seed(self.seed)
        if self.nth is not None and self.times is None:
            self.times = 1

    def strikes(self, method: str, path: str) -> bool:
        """Counts the call if it matches, and says whether the fault happens to it."""
        if self.method not in {"*", method} or not fnmatchcase(path, self.path):
            return False
        self.calls += 1
        due = self.nth is None or self.calls >= self.nth
        lucky = self.probability is not None and self._random.random() >= self.probability
        spent = self.times is not None and self.hits >= self.times
        return due and not lucky and not spent

    def shown(self) -> dict[str, Any]:
        """The rule with its counts, as JSON."""
        return {name: value for name, value in asdict(self).items() if not name.startswith("_")}


class Rules:
    """The planted faults, in the order in which they were planted."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._next_id = 1

    def plant(self, given: dict[str, Any]) -> Rule:
        """Plants a rule.

        Raises:
            BadRuleError: An unknown field or kind, or a value of the wrong type.
        """
        _check(given)
        rule = Rule(**given)
        rule.id, self._next_id = self._next_id, self._next_id + 1
        self._rules.append(rule)
        return rule

    def strike(self, method: str, path: str) -> Rule | None:
        """The first rule that strikes this call; every matching rule counts it."""
        striking = [rule for rule in self._rules if rule.strikes(method, path)]
        if not striking:
            return None
        striking[0].hits += 1
        return striking[0]

    def shown(self) -> list[dict[str, Any]]:
        """All rules with their counts."""
        return [rule.shown() for rule in self._rules]

    def clear(self, rule_id: int | None = None) -> int:
        """Removes one rule, or all; returns how many went."""
        before = len(self._rules)
        self._rules = [rule for rule in self._rules if rule_id is not None and rule.id != rule_id]
        return before - len(self._rules)


def _check(given: dict[str, Any]) -> None:
    types = get_type_hints(Rule)
    settable = set(types) - {"id", "calls", "hits", "_random"}
    unknown = sorted(set(given) - settable)
    if unknown:
        raise BadRuleError(f"unknown field '{unknown[0]}'; a rule has {', '.join(sorted(settable))}")
    if given.get("kind") not in KINDS:
        raise BadRuleError(f"'kind' must be one of {', '.join(sorted(KINDS))}")
    _check_types(given, types)
    if not 0 <= (given.get("probability") or 0) <= 1:
        raise BadRuleError("'probability' must be from 0 to 1")
    if any(given.get(name) is not None and given[name] < 1 for name in ("nth", "times")):
        raise BadRuleError("'nth' and 'times' must be 1 or more")
    if not all(isinstance(value, str) for value in given.get("headers", {}).values()):
        raise BadRuleError("'headers' must be text by name")


def _check_types(given: dict[str, Any], types: dict[str, Any]) -> None:
    for name, value in given.items():
        if not isinstance(value, _accepted(types[name])) or isinstance(value, bool):
            raise BadRuleError(f"'{name}' has the wrong type")


def _accepted(hint: Any) -> tuple[type, ...]:  # noqa: ANN401 - type hints have no common type
    if hint == dict[str, str]:
        return (dict,)
    accepted = get_args(hint) or (hint,)
    return (*accepted, int) if float in accepted else accepted
