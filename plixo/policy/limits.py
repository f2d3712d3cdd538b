"""The published limits: `limits.toml`, read strictly.

An unknown key is refused like a missing one: a limit that nobody reads would protect nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from plixo.domain.business_time import CalendarInvalid, parse_office
from plixo.domain.money import CURRENCIES, decimals
from plixo.domain.path import DELEGATE, OFFICE_HOURS, Clock, Escalation
from plixo.domain.people import APPROVERS, Group
from plixo.domain.planning import StagePlan
from plixo.policy.invalid import PolicyInvalid
from plixo.policy.stages import LIMITS_FILE, parse_fallbacks, parse_stages

__all__ = ["LIMITS_FILE", "Limits", "parse_limits"]

KINDS: Final = frozenset({"credit"})
"""Kinds of request that a policy may set limits for."""

_SUMS: Final = ("requester_automatic", "customer_automatic", "customer_all")
_CEILINGS: Final = ("company_day", "requester_day")
_APPROVE: Final = ("controller", "legal")
_CLOCK: Final = ("due_hours", "remind_hours", "expire_hours")
_CLOCK_MORE: Final = ("remind_every", "escalation")
"""What a clock may do without: policies that were published before it could say so are read for good."""

_ESCALATION: Final = ("after_hours", "to")
_RULES: Final = ("rate_days", "fresh_sign_in_above", "fresh_sign_in_minutes")

TABLE_LIMITS: Final = frozenset({*_APPROVE, *_SUMS, *_CEILINGS})
"""What a decision table may name as `limits.…`."""


@dataclass(frozen=True)
class Limits:
    """The limits as numbers; amounts in minor units of the base currency.

    Attributes:
        base_currency: ISO code in capitals.
        authority: Per kind and group, what the group may do alone.
        approve: Per kind, what `controller` and `legal` may each approve alone.
        sums: Per sum, its limit over `sum_days`, and each day's ceiling.
        sum_days: Over how many days the sums run.
        clocks: Per approving group.
        rate_days: An exchange rate that is more days old is stale.
        fresh_sign_in_above: Decisions on more than this ask for a fresh sign-in.
        fresh_sign_in_minutes: How fresh.
        fallbacks: Per group, who decides in its place should nobody of it be able to.
        stages: By name, how the people of a route are asked.
    """

    base_currency: str
    authority: dict[str, dict[Group, int]]
    approve: dict[str, dict[str, int]]
    sums: dict[str, int]
    sum_days: int
    clocks: dict[Group, Clock]
    rate_days: int
    fresh_sign_in_above: int
    fresh_sign_in_minutes: int
    fallbacks: dict[Group, Group]
    stages: dict[str, tuple[StagePlan, ...]]


def parse_limits(plain: Mapping[str, Any]) -> Limits:
    """The limits that a parsed `limits.toml` holds.

    Raises:
        PolicyInvalid: Something is missing, unknown, negative or not a whole number.
    """
    names = ("base_currency", "authority", "approve", "sums", "ceilings", "clocks", "rules")
    top = _table(plain, "", names, ("office", "fallback", "stages"))
    base = top["base_currency"]
    if not isinstance(base, str) or base not in CURRENCIES:
        raise PolicyInvalid(LIMITS_FILE, "base_currency", "must be a currency in capitals, such as USD")
    scale = 10 ** decimals(base)
    sums = _table(top["sums"], "sums", ("days", *_SUMS))
    ceilings = _table(top["ceilings"], "ceilings", _CEILINGS)
    rules = _table(top["rules"], "rules", _RULES)
    return Limits(
        base_currency=base,
        authority=_authority(top["authority"], scale),
        approve=_approve(top["approve"], scale),
        sums=_amounts(sums, "sums", _SUMS, scale) | _amounts(ceilings, "ceilings", _CEILINGS, scale),
        sum_days=_whole(sums["days"], "sums.days", least=1),
        clocks=_clocks(top["clocks"], _office(top.get("office", OFFICE_HOURS))),
        rate_days=_whole(rules["rate_days"], "rules.rate_days", least=1),
        fresh_sign_in_above=_whole(rules["fresh_sign_in_above"], "rules.fresh_sign_in_above") * scale,
        fresh_sign_in_minutes=_whole(rules["fresh_sign_in_minutes"], "rules.fresh_sign_in_minutes", least=1),
        fallbacks=parse_fallbacks(top.get("fallback", {})),
        stages=parse_stages(top.get("stages", {})),
    )


def _authority(value: object, scale: int) -> dict[str, dict[Group, int]]:
    found: dict[str, dict[Group, int]] = {}
    for name, row in _some(value, "authority").items():
        group = _group(name, f"authority.{name}")
        for kind, amount in _some(row, f"authority.{name}").items():
            field = f"authority.{name}.{kind}"
            found.setdefault(_kind(kind, field), {})[group] = _whole(amount, field) * scale
    return found


def _approve(value: object, scale: int) -> dict[str, dict[str, int]]:
    return {
        _kind(kind, f"approve.{kind}"): _amounts(
            _table(row, f"approve.{kind}", _APPROVE), f"approve.{kind}", _APPROVE, scale
        )
        for kind, row in _some(value, "approve").items()
    }


def _office(value: object) -> str:
    if not isinstance(value, str):
        raise PolicyInvalid(LIMITS_FILE, "office", f"must be hours of an office, such as {OFFICE_HOURS}")
    try:
        parse_office(value)
    except CalendarInvalid as invalid:
        raise PolicyInvalid(LIMITS_FILE, "office", str(invalid)) from invalid
    return value


def _clocks(value: object, office: str) -> dict[Group, Clock]:
    plain = _some(value, "clocks")
    for name in plain:
        if _group(name, f"clocks.{name}") not in APPROVERS:
            raise PolicyInvalid(LIMITS_FILE, f"clocks.{name}", "is no group that approves")
    table = _table(plain, "clocks", tuple(group.value for group in Group if group in APPROVERS))
    return {Group(name): _clock(row, Group(name), office) for name, row in table.items()}


def _clock(value: object, group: Group, office: str) -> Clock:
    field = f"clocks.{group.value}"
    row = _table(value, field, _CLOCK, _CLOCK_MORE)
    clock = Clock(
        due_hours=_whole(row["due_hours"], f"{field}.due_hours", least=1),
        remind_hours=_reminders(row["remind_hours"], f"{field}.remind_hours"),
        expire_hours=_whole(row["expire_hours"], f"{field}.expire_hours"),
        remind_every=_whole(row.get("remind_every", 0), f"{field}.remind_every"),
        escalations=_escalations(row.get("escalation", []), f"{field}.escalation", group),
        office=office,
    )
    ends = clock.expire_hours or _LONGEST
    if not clock.remind_hours[0] <= clock.due_hours <= ends <= _LONGEST:
        raise PolicyInvalid(LIMITS_FILE, field, "must remind no later than it is due, and expire no earlier")
    if max(clock.remind_hours[-1], *(one.hours for one in clock.escalations), 0) > ends:
        raise PolicyInvalid(LIMITS_FILE, field, "must remind and escalate before it expires")
    return clock


_LONGEST: Final = 10_000
"""Business hours: about five years."""


def _reminders(value: object, field: str) -> tuple[int, ...]:
    hours = tuple(_whole(one, field, least=1) for one in (value if isinstance(value, list) else [value]))
    if not hours or list(hours) != sorted(set(hours)):
        raise PolicyInvalid(LIMITS_FILE, field, "must be hours in their order, such as [4, 7]")
    return hours


def _escalations(value: object, field: str, group: Group) -> tuple[Escalation, ...]:
    if not isinstance(value, list):
        raise PolicyInvalid(LIMITS_FILE, field, 'must be a list, such as [{ after_hours = 8, to = "delegate" }]')
    found = []
    for one in value:
        row = _table(one, field, _ESCALATION)
        if row["to"] not in {DELEGATE, *APPROVERS} - {group}:
            others = ", ".join(sorted({DELEGATE, *APPROVERS} - {group}))
            raise PolicyInvalid(LIMITS_FILE, f"{field}.to", f"must be one of {others}")
        found.append(Escalation(_whole(row["after_hours"], f"{field}.after_hours", least=1), str(row["to"])))
    if [one.hours for one in found] != sorted({one.hours for one in found}) or len({one.to for one in found}) < len(
        found
    ):
        raise PolicyInvalid(LIMITS_FILE, field, "must be in the order of its hours, and go to nobody twice")
    return tuple(found)


def _amounts(table: Mapping[str, Any], field: str, names: tuple[str, ...], scale: int) -> dict[str, int]:
    return {name: _whole(table[name], f"{field}.{name}") * scale for name in names}


def _some(value: object, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PolicyInvalid(LIMITS_FILE, field, "must be a table")
    return value


def _table(value: object, field: str, names: tuple[str, ...], more: tuple[str, ...] = ()) -> dict[str, Any]:
    table = _some(value, field)
    for name in (*names, *table):
        where = f"{field}.{name}" if field else name
        if name not in table:
            raise PolicyInvalid(LIMITS_FILE, where, "is missing")
        if name not in (*names, *more):
            raise PolicyInvalid(LIMITS_FILE, where, f"is unknown; here stand {', '.join((*names, *more))}")
    return table


def _whole(value: object, field: str, *, least: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise PolicyInvalid(LIMITS_FILE, field, f"must be a whole number, {least} or more")
    return value


def _group(name: str, field: str) -> Group:
    try:
        return Group(name)
    except ValueError:
        raise PolicyInvalid(LIMITS_FILE, field, f"is no group; groups are {', '.join(Group)}") from None


def _kind(name: str, field: str) -> str:
    if name not in KINDS:
        raise PolicyInvalid(LIMITS_FILE, field, f"is no kind of request; kinds are {', '.join(sorted(KINDS))}")
    return name
