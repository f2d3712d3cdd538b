"""The audit log as one page that needs nothing else: every request's whole story, to be read or printed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from markupsafe import Markup

from plixo.config import ROOT
from plixo.domain.approval import State
from plixo.domain.canonical import canonical_json
from plixo.domain.documents import DocumentKind, size_text
from plixo.domain.effects import EffectKind
from plixo.domain.ids import ABSENCE_CHAIN, POLICY_CHAIN
from plixo.domain.mandate import SignedRequest, decision_from_claims
from plixo.domain.money import Money
from plixo.domain.people import Person
from plixo.domain.refusals import NotAllowed
from plixo.ports import Verifier
from plixo.store.audit import AuditLine
from plixo.store.audit_file import UNREADABLE, Block, Checked, check_block, rounds_of, unsigned
from web.console.timeline import Step, step
from web.console.words import SAID, Standing, look, on_target
from web.rendering import rendered

SHEETS: Final = (ROOT / "web" / "static" / "tokens.css", ROOT / "templates" / "audit" / "story.css")
KINDS: Final[Mapping[str, str]] = {
    EffectKind.CREDIT_NOTE: "a credit note",
    EffectKind.BALANCE_TRANSACTION: "a credit to the customer's balance",
}


@dataclass(frozen=True)
class Said:
    """A decision as a reader wants it.

    Attributes:
        who: A name.
        group: For whom they decided; empty for a withdrawal.
        verdict: What they said, in words.
        amount: How much they allowed.
        comment: Their words.
        at: When they signed it.
        status: What became of it.
        problem: What is wrong with the signature; empty when it holds.
    """

    who: str
    group: str
    verdict: str
    amount: Money
    comment: str
    at: datetime
    status: str
    problem: str


@dataclass(frozen=True)
class Entry:
    """An entry of the chain, in words and with its hashes."""

    seq: int
    step: Step
    prev: str
    hash: str


@dataclass(frozen=True)
class Asked:
    """What was signed when it was asked for; missing where somebody forged a start."""

    request: SignedRequest
    who: str
    customer: str
    lands: str
    path: tuple[str, ...]
    problem: str


@dataclass(frozen=True)
class Story:
    """One request.

    Attributes:
        approval_id: Its id.
        standing: Where it stands.
        asked: What was asked for last; None where nobody did, or the row says nothing that could have been signed.
        before: What was asked for before it was changed, the first first: how much, and for what reason.
        said: The decisions.
        effect: What Stripe was sent and made of it; None where nothing was.
        documents: What was added to it.
        entries: The chain.
        finding: What is wrong with it; empty when chain and signatures hold.
    """

    approval_id: str
    standing: Standing
    asked: Asked | None
    before: Sequence[str]
    said: Sequence[Said]
    effect: Mapping[str, Any] | None
    documents: Sequence[Mapping[str, Any]]
    entries: Sequence[Entry]
    finding: str


def story_html(
    blocks: Sequence[Block],
    people: Mapping[str, Person],
    verifier: Verifier,
    now: datetime,
    *,
    scope: str,
) -> str:
    """The page.

    Args:
        blocks: The requests, as `plixo.store.audit_export` reads them.
        people: Everybody by id.
        verifier: Holds the staff side's public keys.
        now: When it is written.
        scope: Which requests these are, in words.
    """
    blocks = sorted(blocks, key=lambda block: [line["at"] for line in block["chain"][:1]])
    stories = [_story(block, people, verifier) for block in blocks]
    checked = Checked()
    for block, told in zip(blocks, stories, strict=True):
        checked = checked.plus(block, told.finding or None)
    # Our own two files, which hold no text from outside.
    sheet = Markup("\n".join(path.read_text(encoding="utf-8") for path in SHEETS))  # noqa: S704
    context = {"stories": stories, "checked": checked, "now": now, "zone": "UTC", "scope": scope, "sheet": sheet}
    return rendered("audit/story.html", context)


def _story(block: Block, people: Mapping[str, Person], verifier: Verifier) -> Story:
    lines = [AuditLine(**line) for line in block["chain"]]
    asked = _asked(block, people, verifier) if block["request"] else None
    return Story(
        approval_id=block["approval_id"],
        standing=look(State(block["state"])) if block["request"] else _without(block["state"]),
        asked=asked,
        before=_before(block, verifier) if asked else [],
        said=[_said(row, asked, people, verifier) for row in block["decisions"]] if asked else [],
        effect=_effect(block["effect"]) if block["effect"] else None,
        documents=[_document(row, people) for row in block["documents"]],
        entries=[Entry(line.seq, step(line, people), line.prev, line.hash) for line in lines],
        finding=check_block(block, verifier) or "",
    )


def _without(state: str) -> Standing:
    if state == POLICY_CHAIN:
        return Standing("The policy", "·", "quiet")
    if state == ABSENCE_CHAIN:
        return Standing("Who is away", "·", "quiet")
    return Standing("Cannot be read" if state == UNREADABLE else "Nobody asked for it", "▲", "bad")


def _asked(block: Block, people: Mapping[str, Person], verifier: Verifier) -> Asked | None:
    """None where the row was changed until it is no request any more; the finding says so."""
    try:
        request = SignedRequest.from_claims(block["request"])
    except (NotAllowed, LookupError, TypeError, ValueError):
        return None
    return Asked(
        request=request,
        who=_name(people, request.requester_id),
        customer=block["customer_name"] or request.change.customer_id,
        lands=on_target(request.change),
        path=request.path.describe(),
        problem=unsigned(verifier, "request", block["signed"], block["request"]) or "",
    )


def _before(block: Block, verifier: Verifier) -> list[str]:
    """What cannot be read of it, the finding tells."""
    try:
        earlier = rounds_of(block, verifier)[:-1]
    except (NotAllowed, LookupError, TypeError, ValueError):
        return []
    return [f"{one.change.amount}, {one.change.reason.label}" for one in earlier]


def _said(row: Mapping[str, Any], asked: Asked, people: Mapping[str, Person], verifier: Verifier) -> Said:
    decision = decision_from_claims(row["decision"])
    return Said(
        who=_name(people, decision.person_id),
        group=decision.group.label if decision.group else "",
        verdict=SAID[decision.verdict],
        amount=Money(decision.amount_minor, asked.request.change.amount.currency),
        comment=decision.comment,
        at=datetime.fromisoformat(row["submitted_at"]),
        status=row["status"],
        problem=unsigned(verifier, "decision", row["signed"], row["decision"]) or "",
    )


def _effect(effect: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        **effect,
        "what": KINDS.get(effect["kind"], "something of a kind that cannot be read"),
        "amount": Money(effect["amount_minor"], effect["currency"]),
        "sent": _sent(effect["params"]),
    }


def _document(row: Mapping[str, Any], people: Mapping[str, Person]) -> Mapping[str, Any]:
    kind, added_at = DocumentKind(row["kind"]), datetime.fromisoformat(row["added_at"])
    looks = f"{kind.label}, {size_text(row['size'])}"
    return {**row, "who": _name(people, row["person_id"]), "looks": looks, "at": added_at}


def _sent(params: object) -> str:
    try:
        return canonical_json(params).decode()
    except TypeError:
        return "It cannot be read."


def _name(people: Mapping[str, Person], person_id: str) -> str:
    return people[person_id].name if person_id in people else person_id
