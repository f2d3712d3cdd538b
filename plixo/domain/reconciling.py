"""The close: what Stripe holds of ours, against what was approved. It only compares, and never repeats a write."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from plixo.domain.approval import State
from plixo.domain.effects import EffectKind
from plixo.domain.money import Money


class Where(StrEnum):
    """On which side something was found."""

    HERE_ONLY = "here_only"
    THERE_ONLY = "there_only"
    DIFFERENT = "different"

    @property
    def label(self) -> str:
        """In words."""
        return {"here_only": "found here only", "there_only": "found in Stripe only"}.get(self.value, self.value)


@dataclass(frozen=True)
class Holding:
    """An object in Stripe that carries an effect's id.

    Attributes:
        effect_id: As its metadata has it.
        object_id: Stripe's own.
        kind: What it is.
        customer_id: Whose.
        amount: Gross.
        stands: Whether it was not voided since.
        made_at: When Stripe made it; None where nobody looked.
    """

    effect_id: str
    object_id: str
    kind: EffectKind
    customer_id: str
    amount: Money
    stands: bool = True
    made_at: datetime | None = None


@dataclass(frozen=True)
class Granted:
    """A request as our side has it.

    Attributes:
        approval_id: The request.
        effect_id: What its effect is called.
        state: Where it stands.
        kind: What it makes in Stripe.
        customer_id: Whose.
        amount: What its signed decisions allow.
        object_id: What was made in Stripe; empty where nothing was.
    """

    approval_id: str
    effect_id: str
    state: State
    kind: EffectKind
    customer_id: str
    amount: Money
    object_id: str = ""


@dataclass(frozen=True)
class Difference:
    """Something that does not tie.

    Attributes:
        where: On which side it was found.
        effect_id: Which effect.
        approval_id: Whose; empty where there is no such request here.
        object_id: Stripe's id; empty where Stripe has nothing.
        why: In words.
    """

    where: Where
    effect_id: str
    approval_id: str
    object_id: str
    why: str


@dataclass(frozen=True)
class Sum:
    """What one currency comes to, in minor units.

    Attributes:
        currency: ISO 4217 code.
        approved_minor: Of the requests that were applied.
        held_minor: Of what stands in Stripe.
        objects: How many stand in Stripe.
    """

    currency: str
    approved_minor: int
    held_minor: int
    objects: int

    @property
    def difference(self) -> Money:
        """What Stripe holds beyond what was approved."""
        return Money(self.held_minor - self.approved_minor, self.currency)


@dataclass(frozen=True)
class Close:
    """What a comparison found.

    Attributes:
        sums: By currency.
        differences: What does not tie.
        under_way: Requests whose write is being tried this moment; neither they nor what they made is counted.
    """

    sums: tuple[Sum, ...]
    differences: tuple[Difference, ...]
    under_way: tuple[str, ...]

    @property
    def ties(self) -> bool:
        """Whether nothing is left to explain."""
        return not self.differences and not any(one.difference.minor for one in self.sums)


def compare(granted: Iterable[Granted], holdings: Iterable[Holding]) -> Close:
    """Compare both ways.

    Args:
        granted: Every request of ours, whatever became of it.
        holdings: Everything in Stripe that carries an effect's id.
    """
    ours = {one.effect_id: one for one in granted}
    theirs: dict[str, list[Holding]] = defaultdict(list)
    for holding in holdings:
        theirs[holding.effect_id].append(holding)
    moving = {one.effect_id for one in ours.values() if one.state is State.EXECUTING}
    differences = [found for one in ours.values() for found in _differences(one, theirs.get(one.effect_id, []))]
    differences += [_unknown(held) for name, found in theirs.items() if name not in ours for held in found]
    sums = _sums(ours, {name: found for name, found in theirs.items() if name not in moving})
    return Close(sums, tuple(differences), tuple(sorted(ours[name].approval_id for name in moving)))


def _differences(ours: Granted, theirs: Sequence[Holding]) -> Iterator[Difference]:
    if ours.state is State.EXECUTING:
        yield from (_different(ours, held, "a second object of the same effect") for held in theirs[1:])
        return
    if ours.state is not State.EXECUTED:
        words = f"here it is {ours.state.label.lower()}, and Stripe holds"
        yield from (_different(ours, held, f"{words} {held.amount}") for held in theirs)
        return
    if not theirs:
        words = f"applied here with {ours.amount}, and Stripe shows no such object"
        yield Difference(Where.HERE_ONLY, ours.effect_id, ours.approval_id, ours.object_id, words)
    first = next((held for held in theirs if held.object_id == ours.object_id), theirs[0] if theirs else None)
    for held in theirs:
        why = _unlike(ours, held) if held is first else "a second object of the same effect"
        if why:
            yield _different(ours, held, why)


def _unlike(ours: Granted, held: Holding) -> str:
    """How an object differs from what was approved, in words; empty when it does not."""
    found = []
    if held.object_id != ours.object_id:
        found.append(f"here it is {ours.object_id or 'without an id'}")
    if held.amount != ours.amount:
        found.append(f"{held.amount} in Stripe, {ours.amount} approved")
    if (held.kind, held.customer_id) != (ours.kind, ours.customer_id):
        found.append(f"a {held.kind.value.replace('_', ' ')} of {held.customer_id}, approved for {ours.customer_id}")
    if not held.stands:
        found.append("voided in Stripe since")
    return "; ".join(found)


def _different(ours: Granted, held: Holding, why: str) -> Difference:
    return Difference(Where.DIFFERENT, ours.effect_id, ours.approval_id, held.object_id, why)


def _unknown(held: Holding) -> Difference:
    words = f"{held.amount} for {held.customer_id}, and no request here has this effect"
    return Difference(Where.THERE_ONLY, held.effect_id, "", held.object_id, words)


def _sums(ours: Mapping[str, Granted], theirs: Mapping[str, Sequence[Holding]]) -> tuple[Sum, ...]:
    approved, held, objects = Counter[str](), Counter[str](), Counter[str]()
    for one in ours.values():
        if one.state is State.EXECUTED:
            approved[one.amount.currency] += one.amount.minor
    for holding in (each for found in theirs.values() for each in found if each.stands):
        held[holding.amount.currency] += holding.amount.minor
        objects[holding.amount.currency] += 1
    currencies = sorted({*approved, *held})
    return tuple(Sum(name, approved[name], held[name], objects[name]) for name in currencies)
