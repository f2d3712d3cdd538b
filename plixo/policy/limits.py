"""The published limits: `limits.toml`, read strictly.

An unknown key is refused like a missing one: a limit that nobody reads would protect nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from plixo.domain.money import CURRENCIES, decimals
from plixo.domain.path import Clock
from plixo.domain.people import APPROVERS, Group
from plixo.policy.invalid import PolicyInvalid

LIMITS_FILE: Final = "limits.toml"
KINDS: Final = frozenset({"credit"})
"""Kinds of request that a policy may set limits for."""

_SUMS: Final = ("requester_automatic", "customer_automatic", "customer_all")
_CEILINGS: Final = ("company_day", "requester_day")
_APPROVE: Final = ("controller", "legal")
_CLOCK: Final = ("due_hours", "remind_hours", "expire_hours")
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


def parse_limits(plain: Mapping[str, Any]) -> Limits:
    """The limits that a parsed `limits.toml` holds.

    Raises:
        PolicyInvalid: Something is missing, unknown, negative or not a whole number.
    """
    top = _table(plain, "", ("base_currency", "authority", "approve", "sums", "ceilings", "clocks", "rules"))
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
        clocks=_clocks(top["clocks"]),
        rate_days=_whole(rules["rate_days"], "rules.rate_days", least=1),
        fresh_sign_in_above=_whole(rules["fresh_sign_in_above"], "rules.fresh_sign_in_above") * scale,
        fresh_sign_in_minutes=_whole(rules["fresh_sign_in_minutes"], "rules.fresh_sign_in_minutes", least=1),
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


def _clocks(value: object) -> dict[Group, Clock]:
    plain = _some(value, "clocks")
    for name in plain:
        if _group(name, f"clocks.{name}") not in APPROVERS:
            raise PolicyInvalid(LIMITS_FILE, f"clocks.{name}", "is no group that approves")
    table = _table(plain, "clocks", tuple(group.value for group in Group if group in APPROVERS))
    return {Group(name): _clock(row, f"clocks.{name}") for name, row in table.items()}


def _clock(value: object, field: str) -> Clock:
    row = _table(value, field, _CLOCK)
    hours = {name: _whole(row[name], f"{field}.{name}", least=1) for name in _CLOCK}
    clock = Clock(**hours)
    if not clock.remind_hours <= clock.due_hours <= clock.expire_hours:
        raise PolicyInvalid(LIMITS_FILE, field, "must remind no later than it is due, and expire no earlier")
    return clock


def _amounts(table: Mapping[str, Any], field: str, names: tuple[str, ...], scale: int) -> dict[str, int]:
    return {name: _whole(table[name], f"{field}.{name}") * scale for name in names}


def _some(value: object, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PolicyInvalid(LIMITS_FILE, field, "must be a table")
    return value


def _table(value: object, field: str, names: tuple[str, ...]) -> dict[str, Any]:
    table = _some(value, field)
    for name in (*names, *table):
        where = f"{field}.{name}" if field else name
        if name not in table:
            raise PolicyInvalid(LIMITS_FILE, where, "is missing")
        if name not in names:
            raise PolicyInvalid(LIMITS_FILE, where, f"is unknown; here stand {', '.join(names)}")
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
