"""Was everything that was approved done once, and nothing else?"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import httpx

from demo.check_duties import Allowed
from demo.check_model import ENDED, Finding, House, Row, Scene, Signed, UnreadableError

KINDS: Final = {"invoice": "credit_note", "customer_balance": "customer_balance_transaction"}
"""Which object a credit to this target makes."""

SENT: Final = {
    "credit_note": {
        "same": {"invoice"},
        "all": {"invoice", "amount", "credit_amount", "reason", "memo", "metadata"},
    },
    "customer_balance_transaction": {
        "same": {"currency"},
        "all": {"amount", "currency", "description", "metadata"},
    },
}
"""Per kind of effect: what a credit may send beside its amount; what of it the ledger repeats."""

_CREATES: Final = re.compile(r"/v1/(credit_notes|refunds|customers/[^/]+/balance_transactions)")
_MONEY: Final = frozenset({*KINDS.values(), "refund"})


async def read_ledger(url: str) -> list[Row]:
    """Every write that the stand-in executed.

    Raises:
        UnreadableError: It does not answer with its ledger.
    """
    try:
        async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:
            answer = await client.get("/_ledger")
            answer.raise_for_status()
            rows: list[Row] = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as broken:
        raise UnreadableError(f"The ledger cannot be read: {broken!r}") from broken
    return rows


def moves(ledger: Sequence[Row]) -> list[Row]:
    """The writes that moved money. What Stripe itself enters for a credit note's remainder belongs to the note."""
    return [
        row
        for row in ledger
        if row["object"] in _MONEY and _CREATES.fullmatch(row["path"]) and row.get("type") != "credit_note"
    ]


def moved(scene: Scene) -> frozenset[str]:
    """Requests that moved money, or say that they did or were about to."""
    in_ledger = {_owner(row) for row in moves(scene.ledger)}
    says_so = {key for key, row in scene.house.approvals.items() if row["state"] in {"executing", "executed"}}
    intended = {key for key, row in scene.house.effects.items() if row["state"] != "refused"}
    return frozenset((in_ledger | says_so | intended) & set(scene.house.approvals))


def check_effects(scene: Scene, signed: Signed, allowed: Mapping[str, Allowed]) -> Iterator[Finding]:
    """Holds the ledger against what was signed, and the rows against the ledger."""
    by_approval: dict[str, list[Row]] = defaultdict(list)
    for row in moves(scene.ledger):
        owner = _owner(row)
        if owner in scene.house.approvals:
            by_approval[owner].append(row)
        else:
            yield Finding("effect_nobody_asked", owner, f"The ledger holds {_named(row)}; there is no such request.")
    for approval_id, approval in scene.house.approvals.items():
        made, effect = by_approval[approval_id], scene.house.effects.get(approval_id)
        yield from _count(approval, effect, made)
        for row in made:
            request = signed.requests.get(approval_id)
            yield from _compare(row, request, allowed[approval_id]) if request else ()
        yield from _rows_agree(approval, effect, made)
        yield from _kept(effect, made) if effect else ()
    yield from _touched(scene.ledger)
    yield from _over_invoice(scene.ledger)
    yield from _strays(scene.house)


def _owner(row: Row) -> str:
    """The request that a write says it is for; empty where it says none, or two."""
    about = row.get("metadata") or {}
    owner = str(about.get("plixo_approval", ""))
    return owner if about.get("plixo_effect") == f"EF-{owner}" else ""


def _named(row: Row) -> str:
    return f"{row['object']} {row['id']} of {row['amount']} {row['currency']} to {row['customer']}"


def _count(approval: Row, effect: Row | None, made: Sequence[Row]) -> Iterator[Finding]:
    approval_id, state = approval["approval_id"], approval["state"]
    objects = ", ".join(str(row["id"]) for row in made)
    if len(made) > 1:
        yield Finding("double_effect", approval_id, f"The ledger holds {len(made)} effects of it: {objects}.")
    if not made and (state == "executed" or (effect and effect["state"] == "done")):
        yield Finding("effect_missing", approval_id, f"It is {state}, and the ledger holds nothing of it.")
    if made and state not in {"executing", "executed"}:
        yield Finding("effect_not_approved", approval_id, f"It is {state}, and the ledger holds {objects}.")
    if made and effect is None:
        yield Finding("effect_not_intended", approval_id, f"{objects} was made and never intended.")


def _compare(row: Row, request: Row, allowed: Allowed) -> Iterator[Finding]:
    """What the ledger must say of an effect, as it was signed."""
    change = request["change"]
    target = change["target"]
    on_invoice = target["kind"] == "invoice"
    wanted = {
        "object": KINDS.get(target["kind"]),
        "currency": change["amount"]["currency"].lower(),
        "customer": change["customer_id"],
        "idempotency_key": f"plixo-{request['approval_id']}-r{request['round']}",
    }
    if on_invoice:
        wanted["invoice"] = target["target_id"]
    for name, value in wanted.items():
        if row.get(name) != value:
            detail = f"{row['id']} has {name} {row.get(name)!r}, signed was {value!r}."
            yield Finding("effect_differs", request["approval_id"], detail)
    given = row["amount"] if on_invoice else -row["amount"]
    if allowed.amount_minor is not None and given != allowed.amount_minor:
        detail = f"{row['id']} gives {given}, what was signed allows {allowed.amount_minor}."
        yield Finding("effect_differs", request["approval_id"], detail)


def _rows_agree(approval: Row, effect: Row | None, made: Sequence[Row]) -> Iterator[Finding]:
    """Request, effect and ledger name the same object and the same sum."""
    approval_id, state = approval["approval_id"], approval["state"]
    known = effect["stripe_object"] if effect else ""
    if state in ENDED and effect and effect["state"] == "intended":
        yield Finding("effect_unsettled", approval_id, f"It is {state}, and its effect is still only intended.")
    if approval["stripe_object"] != known or (known and made and known not in {row["id"] for row in made}):
        names = f"{approval['stripe_object'] or 'nothing'}, its effect {known or 'nothing'}"
        in_ledger = ", ".join(str(row["id"]) for row in made) or "nothing"
        yield Finding("object_differs", approval_id, f"The request names {names}, the ledger {in_ledger}.")
    parts = approval["net_minor"] + approval["tax_minor"]
    if state == "executed" and effect and (parts, approval["gross_minor"]) != (effect["amount_minor"],) * 2:
        detail = f"Net {approval['net_minor']} and tax {approval['tax_minor']} are not its {effect['amount_minor']}."
        yield Finding("amounts_do_not_tie", approval_id, detail)


def _kept(effect: Row, made: Sequence[Row]) -> Iterator[Finding]:
    """The write that was kept before it was tried is the one that the ledger holds, and none that gives cash."""
    params = effect["params"] if isinstance(effect["params"], dict) else {}
    sent = {name: params.get(name) for name in ("amount", "metadata", *SENT[effect["kind"]]["same"])}
    wanted = sent | {
        "object": effect["kind"],
        "customer": effect["customer_id"],
        "currency": effect["currency"].lower(),
        "idempotency_key": effect["key"],
    }
    for row in made:
        for name, value in wanted.items():
            if row.get(name) != value and effect["stripe_object"] in {"", row["id"]}:
                detail = f"What was kept to be sent has {name} {value!r}, {row['id']} has {row.get(name)!r}."
                yield Finding("effect_row_differs", effect["approval_id"], detail)
    if abs(params.get("amount", 0)) != effect["amount_minor"]:
        detail = f"It was to send {params.get('amount')}, its effect says {effect['amount_minor']}."
        yield Finding("effect_row_differs", effect["approval_id"], detail)
    for name in sorted(set(params) - SENT[effect["kind"]]["all"]):
        yield Finding("effect_row_differs", effect["approval_id"], f"It was to send {name}, which no credit does.")


def _touched(ledger: Sequence[Row]) -> Iterator[Finding]:
    """What was given is not taken back or rewritten behind the requests' backs."""
    for row in ledger:
        if row["object"] in _MONEY and not _CREATES.fullmatch(row["path"]):
            detail = f"{row['id']} was changed by {row['method']} {row['path']}; nobody asked for that."
            yield Finding("effect_changed", _owner(row), detail)


def _over_invoice(ledger: Sequence[Row]) -> Iterator[Finding]:
    """Where the ledger tells an invoice's total, its credit notes stay within it."""
    totals = {row["id"]: row["amount"] for row in ledger if row["object"] == "invoice"}
    credited: dict[str, int] = defaultdict(int)
    for row in moves(ledger):
        if row["object"] == "credit_note" and row["invoice"]:
            credited[row["invoice"]] += row["amount"]
    for invoice, total in credited.items():
        if invoice in totals and total > totals[invoice]:
            yield Finding("over_credited", "", f"Credit notes on {invoice} come to {total} of {totals[invoice]}.")


def _strays(house: House) -> Iterator[Finding]:
    for approval_id, effect in house.effects.items():
        if approval_id not in house.approvals:
            yield Finding("effect_row_stray", approval_id, f"{effect['effect_id']} belongs to no request.")
