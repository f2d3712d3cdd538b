"""Is every request's audit chain unbroken, and does it tell what the rows tell?"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from demo.check_model import Finding, House, Row
from demo.check_signatures import fingerprint

GENESIS: Final = "0" * 64

ENDINGS: Final = {
    "executed": {"effect_done"},
    "rejected": {"decision_recorded"},
    "withdrawn": {"decision_recorded", "lapsed", "open_refused"},
    "returned": {"expired", "returned", "opened", "decision_recorded"},
    "needs_attention": {"effect_refused", "effect_failed"},
}
"""Which entries can tell of a request's end."""


def check_audit(house: House) -> Iterator[Finding]:
    """A finding for every broken chain, and for every step that its chain does not tell of."""
    for approval_id, chain in house.chains.items():
        broken = _first_break(chain)
        if broken:
            yield Finding("audit_broken", approval_id, broken)
        if approval_id not in house.approvals and any(line["event"].startswith("effect") for line in chain):
            yield Finding("audit_of_nobody", approval_id, "Its chain tells of an effect, and there is no such request.")
    for approval_id, approval in house.approvals.items():
        yield from _steps(house, approval, _Told(house.chain(approval_id)))


class _Told:
    """What one chain tells."""

    def __init__(self, chain: Sequence[Row]) -> None:
        self._chain = [line for line in chain if isinstance(line["detail"], dict)]
        self.events = {line["event"] for line in chain}

    def has(self, event: str, actor: str | None = None, **detail: Any) -> bool:  # noqa: ANN401 - plain values
        """Whether it tells of such a step."""
        return any(
            line["event"] == event
            and actor in (None, line["actor"])
            and all(line["detail"].get(name) == value for name, value in detail.items())
            for line in self._chain
        )

    def named(self, event: str, name: str) -> set[str]:
        """What the entries of that kind name."""
        return {str(line["detail"].get(name, "")) for line in self._chain if line["event"] == event}


def _first_break(chain: Sequence[Row]) -> str | None:
    prev = GENESIS
    for seq, line in enumerate(chain, start=1):
        if line["seq"] != seq:
            return f"Entry {seq} is missing; the next one is {line['seq']}."
        if line["prev"] != prev:
            return f"Entry {seq} does not follow the one before it."
        if line["hash"] != _hash(line):
            return f"Entry {seq} ({line['event']}) was changed."
        prev = line["hash"]
    return None


def _hash(line: Row) -> str:
    names = ("approval_id", "seq", "at", "event", "actor", "detail", "prev")
    try:
        return fingerprint({name: line[name] for name in names})
    except ValueError:
        return ""


def _steps(house: House, approval: Row, told: _Told) -> Iterator[Finding]:
    approval_id = approval["approval_id"]

    def lacking(what: str) -> Finding:
        return Finding("audit_lacks", approval_id, f"The audit log does not tell {what}.")

    first = {} if approval["amended_by"] else {"digest": approval["digest"]}
    if not told.has("requested", approval["requester_id"], **first):
        yield lacking("who asked for what")
    for row in house.amended(approval_id):
        what = {"decision_id": row["decision_id"], "digest": row["digest"], "round": row["round"]}
        if not told.has("decision_signed", approval["requester_id"], **what):
            yield lacking(f"of what decision {row['decision_id']} changed it to")
    decisions = house.recorded(approval_id)
    for row in decisions:
        detail = {name: row[name] for name in ("decision_id", "verdict", "amount_minor", "comment")}
        if not told.has("decision_recorded", row["person_id"], **detail):
            yield lacking(f"of decision {row['decision_id']} by {row['person_id']}")
    for decision_id in told.named("decision_recorded", "decision_id") - {row["decision_id"] for row in decisions}:
        words = f"The audit log tells of decision {decision_id}, which is not recorded."
        yield Finding("decision_row_missing", approval_id, words)
    yield from _effect_steps(approval_id, house.effects.get(approval_id), told)
    endings = ENDINGS.get(approval["state"])
    if endings and not endings & told.events:
        yield lacking(f"how it came to be {approval['state']}")


def _effect_steps(approval_id: str, effect: Row | None, told: _Told) -> Iterator[Finding]:
    if effect is None:
        if {"effect_intended", "effect_done"} & told.events:
            yield Finding("effect_row_missing", approval_id, "The audit log tells of an effect, which has no row.")
        return
    about = {name: effect[name] for name in ("effect_id", "kind", "key", "amount_minor", "currency")}
    if not told.has("effect_intended", **about):
        yield Finding("audit_lacks", approval_id, "The audit log does not tell that this effect was intended.")
    if effect["state"] == "done" and not told.has("effect_done", **about, stripe_object=effect["stripe_object"]):
        yield Finding("audit_lacks", approval_id, "The audit log does not tell that this effect was done.")
