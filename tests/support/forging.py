"""Decisions as somebody forges them who can write to Temporal, to the database, or to both, but cannot sign."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from plixo.domain.decision import Decision, Verdict
from plixo.domain.mandate import decision_claims
from plixo.domain.people import Group
from plixo.ports import Record
from plixo.signing.tokens import LIFETIME, StaffSigner
from plixo.store import decisions
from starters.desk import Desk
from tests.support.rows import FOREIGN_KEY


@dataclass(frozen=True)
class Forger:
    """Who has the database, Temporal, and everything that was ever signed.

    Attributes:
        desk: The house that is attacked; only what it would really sign is signed with its key.
        mine: The request that is to be approved.
        other: Another request, which really was approved.
    """

    desk: Desk
    mine: Record
    other: Record

    def genuine(self, record: Record | None = None, **changed: Any) -> Decision:
        """What the Controller would have said."""
        approval = (record or self.mine).approval
        usual = Decision(
            decision_id="",
            approval_id=approval.approval_id,
            round=0,
            stage=0,
            person_id="p-controller",
            group=Group.CONTROLLER,
            verdict=Verdict.APPROVE,
            digest=approval.digest,
            amount_minor=approval.amount_minor,
            comment="because",
        )
        return replace(usual, **changed)

    def signed(self, decision: Decision, *, key: StaffSigner | None = None, days_ago: int = 0) -> str:
        signer, when = key or self.desk.signer, self.desk.clock() - timedelta(days=days_ago)
        return signer.sign("decision", decision_claims(decision), now=when)


Made = tuple[Decision, str]
Kind = Callable[[Forger, str], Made | None]


def _altered(**row: Any) -> Kind:
    """The signature is real, and the row says something else."""

    def make(forger: Forger, decision_id: str) -> Made:
        real = forger.genuine(decision_id=decision_id)
        return replace(real, **row), forger.signed(real)

    return make


def _signed(**changed: Any) -> Kind:
    """Row and signature agree, and were made for something else than what waits."""

    def make(forger: Forger, decision_id: str) -> Made:
        decision = forger.genuine(decision_id=decision_id, **changed)
        return decision, forger.signed(decision)

    return make


def _token(token: Callable[[Forger, Decision], str]) -> Kind:
    """The row is right, and its signature is not."""

    def make(forger: Forger, decision_id: str) -> Made:
        decision = forger.genuine(decision_id=decision_id)
        return decision, token(forger, decision)

    return make


def _of_another(forger: Forger, decision_id: str) -> Made:
    """What was signed for another request, copied under this one."""
    real = forger.genuine(forger.other, decision_id=decision_id)
    return forger.genuine(decision_id=decision_id), forger.signed(real)


def _bent(forger: Forger, decision: Decision) -> str:
    """A real signature over other words."""
    head, body, signature = forger.signed(replace(decision, amount_minor=1)).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["body"]["amount_minor"] = decision.amount_minor
    bent = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"{head}.{bent}.{signature}"


def _without_algorithm(forger: Forger, decision: Decision) -> str:
    head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"plixo-decision+jws"}').decode().rstrip("=")
    return f"{head}.{forger.signed(decision).split('.')[1]}."


def _nothing(_forger: Forger, _decision_id: str) -> None:
    """An id, and no row."""


KINDS: Final[dict[str, tuple[Kind, str]]] = {
    "nobody-signed-it": (_nothing, "decision_unknown"),
    "without-signature": (_token(lambda _forger, _decision: ""), "signature_invalid"),
    "foreign-key": (_token(lambda f, d: f.signed(d, key=StaffSigner(FOREIGN_KEY))), "signature_invalid"),
    "other-words-under-a-signature": (_token(_bent), "signature_invalid"),
    "no-algorithm": (_token(_without_algorithm), "signature_invalid"),
    "the-requests-signature": (_token(lambda f, _: f.mine.signed), "signature_for_something_else"),
    "expired": (_token(lambda f, d: f.signed(d, days_ago=LIFETIME.days)), "signature_expired"),
    "altered-amount": (_altered(amount_minor=1), "row_altered"),
    "altered-verdict": (_altered(verdict=Verdict.REJECT), "row_altered"),
    "altered-person": (_altered(person_id="p-cfo"), "row_altered"),
    "altered-digest": (_altered(digest="0" * 64), "row_altered"),
    "altered-group": (_altered(group=Group.LEGAL), "row_altered"),
    "altered-round": (_altered(round=1), "row_altered"),
    "copied-from-another-request": (_of_another, "row_altered"),
    "another-fingerprint": (_signed(digest="0" * 64), "decision_for_something_else"),
    "another-stage": (_signed(stage=1), "stage_already_decided"),
    "another-round": (_signed(round=1), "decision_out_of_date"),
}
"""How it is forged, and the code that its trace has."""


async def plant(forger: Forger, kind: str, decision_id: str) -> None:
    """Write the forged row past the staff side."""
    made = KINDS[kind][0](forger, decision_id)
    if made:
        async with forger.desk.ledger.begin() as tx:
            await decisions.insert(tx.session, made[0], made[1], forger.desk.clock())
