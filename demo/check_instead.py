"""Did whoever decided in somebody's place have it signed: handed on, given to them, or because that one was away?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from demo.check_model import Finding, Row, Scene
from demo.check_signatures import BadSignatureError, verify

LONGEST_CHAIN: Final = 5
"""How many stand in one after another."""

APPROVERS: Final = frozenset({"controller", "legal", "cfo"})
"""Groups to whose people an administrator may give a part."""


@dataclass(frozen=True)
class Away:
    """A signed absence, in seconds since 1970 in UTC."""

    person_id: str
    delegate_id: str
    since: int
    over: int


def read_absences(scene: Scene) -> tuple[list[Away], list[Finding]]:
    """Who is or was away as it was signed, and a finding for each row that says something else."""
    found: list[Away] = []
    findings: list[Finding] = []
    for row in scene.house.absences:
        try:
            found.append(_away(scene, row))
        except (BadSignatureError, KeyError, TypeError, ValueError) as bad:
            detail = f"The absence {row['absence_id']} does not hold: {bad}."
            findings.append(Finding("absence_unsigned", "", detail))
    return found, findings


def _away(scene: Scene, row: Row) -> Away:
    body = verify(row["signed"], "absence", scene.keys)["body"]
    seen = {name: row[name] for name in ("absence_id", "person_id", "delegate_id", "entered_by")}
    seen |= {name: int(row[name].timestamp()) for name in ("since", "until")}
    if body != seen:
        raise BadSignatureError("the row says something else than what was signed")
    return Away(body["person_id"], body["delegate_id"], body["since"], min(body["until"], _returned(scene, row)))


def _returned(scene: Scene, row: Row) -> int:
    back = scene.house.returns.get(row["absence_id"])
    if back is None:
        return int(row["until"].timestamp())
    body = verify(back["signed"], "return", scene.keys)["body"]
    seen = {name: back[name] for name in ("absence_id", "ended_by")} | {"ended_at": int(back["ended_at"].timestamp())}
    if body != seen:
        raise BadSignatureError("the row says something else about coming back than what was signed")
    return int(body["ended_at"])


@dataclass(frozen=True)
class Instead:
    """What was signed about who decides in whose place, for one request.

    Attributes:
        scene: What was read.
        request: The signed request.
        bodies: Its signed decisions, in the order they were recorded.
        absences: Signed.
        signed_at: When each decision was signed, by its id.
    """

    scene: Scene
    request: Row
    bodies: Sequence[Row]
    absences: Sequence[Away]
    signed_at: dict[str, int]

    def carries(self, body: Row) -> bool:
        """Whether signed words lead from who was asked to who decided."""
        kind, _, who = body.get("basis", "").partition(":")
        before = self._before(body)
        if kind == "reassigned":
            return any(one["person_id"] == who and one["subject"] == body["person_id"] for one in self._given(before))
        if kind != "delegate" or not self._asked(who, body, before):
            return False
        return body["person_id"] in self._reached(who, body, before)

    def against(self, body: Row) -> Iterator[str]:
        """Everything that speaks against handing a part on, in words."""
        giver, to = self._person(body["person_id"]), self._person(body.get("subject", ""))
        if to is None or not self._independent(body.get("subject", "")) or to is giver:
            yield f"it was handed to {body.get('subject')}, who may not decide on it"
            return
        if body["verdict"] == "reassign":
            if giver is None or "administrator" not in giver["groups"]:
                yield f"{body['person_id']} gave it to somebody, and is no administrator"
            if APPROVERS.isdisjoint(to["groups"]):
                yield f"it was given to {body['subject']}, who approves nothing"
        elif not self._asked(body["person_id"], body, self._before(body)):
            yield f"{body['person_id']} handed on what they were not asked for"
        if not set(to["groups"]) - {"support"}:
            yield f"it was handed to {body['subject']}, who may not see it"

    def _before(self, body: Row) -> list[Row]:
        """What handed a part of the same seat on, before that was recorded."""
        ids = [one["decision_id"] for one in self.bodies]
        earlier = self.bodies[: ids.index(body["decision_id"])]
        same = ("stage", "group", "round")
        return [
            one
            for one in earlier
            if one["verdict"] in {"delegate", "reassign"} and all(one[name] == body[name] for name in same)
        ]

    def _given(self, before: Sequence[Row]) -> list[Row]:
        return [one for one in before if one["verdict"] == "reassign" and not list(self.against(one))]

    def _asked(self, who: str, body: Row, before: Sequence[Row]) -> bool:
        person = self._person(who)
        if person is None or not self._independent(who):
            return False
        return body["group"] in person["groups"] or who in {one["subject"] for one in self._given(before)}

    def _reached(self, who: str, body: Row, before: Sequence[Row]) -> set[str]:
        reached, newest = {who}, {who}
        moment = self.signed_at[body["decision_id"]]
        for _ in range(LONGEST_CHAIN + 1):
            able = {one for one in newest if self._independent(one)}
            handed = {one["subject"] for one in before if one["verdict"] == "delegate" and one["person_id"] in able}
            away = {
                one.delegate_id for one in self.absences if one.person_id in able and one.since <= moment < one.over
            }
            newest = (handed | away) - reached
            reached |= newest
        return reached

    def _person(self, who: str) -> Row | None:
        return self.scene.house.people.get(who)

    def _independent(self, who: str) -> bool:
        person = self._person(who)
        if person is None or not person["active"] or who == self.request["requester_id"]:
            return False
        return self.request["change"]["customer_id"] not in person["related_customers"]
