"""Was a request approved by policy alone within the published limits? Worked out anew from the signed figures."""

import json
from bisect import bisect_left
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Final

from demo.check_model import Finding, House, Row, Signed
from demo.check_money import converted, decimals
from demo.check_plan import check_plan
from demo.check_signatures import fingerprint

NEVER_AUTOMATIC: Final = frozenset({"legal_claim", "settlement", "insolvency", "fraud", "other"})
"""Reasons that a person always decides on, whatever the amount (docs: the table of reason codes)."""

COUNTED: Final = frozenset({"routing", "waiting", "approved", "executing", "executed", "needs_attention"})
"""States whose amounts count in a sum. A request leaves them only by ending, so sums as of now are never too high."""


def check_policy(house: House, signed: Signed) -> Iterator[Finding]:
    """A finding for whatever was not automatic and went through as if it were, and for big ones that one decided."""
    before = _Before(house)
    for approval_id, request in signed.requests.items():
        limits = _limits(house, request["policy"])
        if limits is None:
            detail = f"No policy {request['policy']} is published that its hash fits."
            yield Finding("policy_unknown", approval_id, detail)
            continue
        against = _Automatic(house, before, request, limits).against() if not request["path"]["stages"] else ()
        for why in against:
            yield Finding("automatic_not_allowed", approval_id, f"Nobody was asked, although {why}.")
        for why in _against_base(house, request, limits["base_currency"]):
            yield Finding("base_amount_wrong", approval_id, why)
        yield from _too_few(request, limits)
        yield from check_plan(request, limits)


def asked_at(row: Row) -> datetime:
    """When it was asked for, or amended to what needed a new path."""
    found: datetime = row["routed_at"] or row["created_at"]
    return found


class _Automatic:
    """One request that nobody was asked about."""

    def __init__(self, house: House, before: "_Before", request: Row, limits: Row) -> None:
        self._house = house
        self._before = before
        self._request = request
        self._limits = limits
        self._scale = 10 ** decimals(limits["base_currency"])
        self._row = house.approvals[request["approval_id"]]

    def against(self) -> Iterator[str]:
        """Everything that speaks against it, in words."""
        change, amount = self._request["change"], self._request["base_minor"]
        person = self._house.people.get(self._request["requester_id"])
        if person is None:
            yield "its requester is not in the directory"
            return
        authority = self._authority(person, change["kind"])
        if amount > authority:
            yield f"{amount} is above the requester's authority of {authority}"
        if change["reason"] in NEVER_AUTOMATIC:
            yield f"{change['reason']} is never automatic"
        if change["customer_id"] in person["related_customers"]:
            yield "the requester is related to the customer"
        yield from self._against_rate()
        yield from self._against_sums()

    def _authority(self, person: Row, kind: str) -> int:
        by_group = self._limits["authority"]
        most = max((by_group.get(group, {}).get(kind, 0) for group in person["groups"]), default=0) * self._scale
        return int(min(most, person["limits"].get(kind, most)))

    def _against_rate(self) -> Iterator[str]:
        currency, base = self._request["change"]["amount"]["currency"], self._limits["base_currency"]
        if currency == base:
            return
        rate, as_of = _rate(self._house, self._row, currency, base)
        oldest = asked_at(self._row) - timedelta(days=self._limits["rules"]["rate_days"])
        if rate is None or as_of is None:
            yield f"there is no exchange rate for {currency}"
        elif as_of < oldest:
            yield f"the exchange rate for {currency} was too old"

    def _against_sums(self) -> Iterator[str]:
        sums, ceilings = self._limits["sums"], self._limits["ceilings"]
        created = asked_at(self._row)
        since = created - timedelta(days=sums["days"])
        midnight = created.replace(hour=0, minute=0, second=0, microsecond=0)
        for limit, begin, same in (
            (sums["requester_automatic"], since, ("requester_id", "automatic")),
            (sums["customer_automatic"], since, ("customer_id", "automatic")),
            (sums["customer_all"], since, ("customer_id",)),
            (ceilings["company_day"], midnight, ()),
            (ceilings["requester_day"], midnight, ("requester_id",)),
        ):
            total = self._request["base_minor"] + self._before.total(self._row, same, begin)
            if total > limit * self._scale:
                yield f"with the same {' and '.join(same) or 'company'} it comes to {total} since {begin:%Y-%m-%d}"


class _Before:
    """What was granted before a request, in minor units of the base currency."""

    def __init__(self, house: House) -> None:
        counted = [row for row in house.approvals.values() if row["state"] in COUNTED]
        self._rows = [row for row in counted if not row["amended_by"]]
        last = {row["decision_id"]: row["created_at"] for row in house.amendments}
        # When they were returned is not looked at: they count from their last amendment on, which is never too much.
        self._amended = [(row, last.get(row["amended_by"])) for row in counted if row["amended_by"]]
        self._series: dict[tuple[object, ...], tuple[list[datetime], list[int]]] = {}

    def total(self, row: Row, same: tuple[str, ...], begin: datetime) -> int:
        """The sum of earlier requests since a moment that agree with this one in these columns."""
        until, values = asked_at(row), tuple(row[name] for name in same)
        moments, sums = self._of(same, values)
        amended: int = sum(
            other["base_minor"]
            for other, at in self._amended
            if at and at < until and asked_at(other) >= begin and tuple(other[name] for name in same) == values
        )
        return sums[bisect_left(moments, until)] - sums[bisect_left(moments, begin)] + amended

    def _of(self, same: tuple[str, ...], values: tuple[object, ...]) -> tuple[list[datetime], list[int]]:
        """When such requests were made, and what they came to before each."""
        if (same, values) not in self._series:
            rows = [row for row in self._rows if tuple(row[name] for name in same) == values]
            amounts = accumulate((row["base_minor"] for row in rows), initial=0)
            self._series[same, values] = [row["created_at"] for row in rows], list(amounts)
        return self._series[same, values]


def _limits(house: House, reference: str) -> Row | None:
    """The limits of the policy that a request was routed on: what is in the table must have the hash it is known by."""
    for row in house.policies:
        content = _content(row)
        if content and reference == f"{row['version']}@{row['hash'][:12]}" and fingerprint(content) == row["hash"]:
            limits: Row = content["limits"]
            return limits
    return None


def _content(row: Row) -> Row | None:
    try:
        content = json.loads(row["content"])
        fingerprint(content)
    except (ValueError, TypeError):
        return None
    return content if isinstance(content, dict) else None


def _rate(house: House, row: Row, currency: str, base: str) -> tuple[str | None, datetime | None]:
    """The rate kept on the request; on one that was made before rates were kept, the one in the table."""
    if row["rate"] is not None:
        return row["rate"], row["rate_as_of"]
    found = house.rates.get((currency, base))
    return (found["rate"], found["as_of"]) if found else (None, None)


def _against_base(house: House, request: Row, base: str) -> Iterator[str]:
    """Limits hold for the amount in the base currency, at the rate kept on the request."""
    amount, row = request["change"]["amount"], house.approvals[request["approval_id"]]
    if row["base_currency"] != base:
        yield f"Its base currency is {row['base_currency']}, the policy's is {base}."
    if amount["currency"] == base:
        wanted = amount["minor"]
    else:
        rate, as_of = _rate(house, row, amount["currency"], base)
        if rate is None or as_of is None or as_of > asked_at(row):
            return
        yield from _against_table(house, row, amount["currency"], base)
        # Since rates are kept on requests, they are rounded up.
        wanted = converted(amount["minor"], amount["currency"], rate, base, up=row["rate"] is not None)
    if wanted != request["base_minor"]:
        yield f"It was routed as {request['base_minor']} {base}; it comes to {wanted}."


def _against_table(house: House, row: Row, currency: str, base: str) -> Iterator[str]:
    """The table's rate may have moved on since; one of the same moment must be the same."""
    found = house.rates.get((currency, base))
    told = [
        line["detail"] for line in house.chain(row["approval_id"]) if line["event"] in {"requested", "decision_signed"}
    ]
    if row["rate"] is not None and not any(one.get("rate") == row["rate"] for one in told if isinstance(one, dict)):
        yield f"It was routed at a rate of {row['rate']}, which its audit log does not tell."
    if row["rate"] is not None and found and found["as_of"] == row["rate_as_of"] and found["rate"] != row["rate"]:
        yield f"It was routed at a rate of {row['rate']}; the table says {found['rate']} of the same moment."


def _too_few(request: Row, limits: Row) -> Iterator[Finding]:
    """Above what a Controller approves alone, two are asked."""
    kind, amount = request["change"]["kind"], request["base_minor"]
    alone = limits["approve"][kind]["controller"] * 10 ** decimals(limits["base_currency"])
    asked = sum(seat["quorum"] for stage in request["path"]["stages"] for seat in stage["seats"])
    if request["path"]["stages"] and asked == 1 and amount > alone:
        detail = f"One person was asked about {amount}; above {alone} two must agree."
        yield Finding("too_few_asked", request["approval_id"], detail)
