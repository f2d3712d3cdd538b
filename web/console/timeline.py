"""A request's history in words, from its audit log."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime
from typing import Any, Final

from plixo.domain.decision import Verdict
from plixo.domain.documents import DocumentKind, size_text
from plixo.domain.effects import EffectKind
from plixo.domain.escalation import basis_in_words
from plixo.domain.path import DELEGATE
from plixo.domain.people import Group, Person
from plixo.store.audit import AuditLine
from web.console.words import SAID

Detail = Mapping[str, Any]

NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for a moment that cannot be read."""


@dataclass(frozen=True)
class Step:
    """One line of the timeline.

    Attributes:
        at: When.
        who: A name, or `Plixo`.
        text: What they did.
        quote: Their own words.
        code: An id to copy.
        bad: Whether something was refused or failed, or the entry cannot be read.
        unreadable: Whether the entry cannot be read: nothing of ours wrote it like this.
    """

    at: datetime
    who: str
    text: str
    quote: str = ""
    code: str = ""
    bad: bool = False
    unreadable: bool = False


def timeline(lines: Sequence[AuditLine], people: Mapping[str, Person]) -> list[Step]:
    """Every entry that tells a reader something, oldest first.

    A decision has two entries, when it was signed and when it was taken up; a reader wants one.
    """
    taken = {_decision_id(line) for line in lines if line.event in _SETTLED}
    kept = [line for line in lines if line.event != "decision_signed" or _decision_id(line) not in taken]
    return [step(line, people) for line in kept]


def last_change(lines: Sequence[AuditLine]) -> str:
    """What its requester made another last, in words; empty where they did not."""
    found = [line.detail for line in lines if line.event == "decision_recorded" and isinstance(line.detail, dict)]
    said = [one.get("changes") for one in found if one.get("verdict") == Verdict.AMEND]
    last = said[-1] if said else ()
    return "; ".join(str(one) for one in last) if isinstance(last, list) else ""


def tell(line: AuditLine) -> str:
    """What happened, in words without who did it, or that the entry cannot be read."""
    read = _read(line)
    return read[0] if read else _cannot_be_read(line)


def moment(line: AuditLine) -> datetime:
    """When it happened; the start of 1970 where the entry names no moment that can be shown."""
    return _moment(line) or NEVER


def step(line: AuditLine, people: Mapping[str, Person]) -> Step:
    """One entry in words, with who did it."""
    actor = people.get(line.actor)
    who = actor.name if actor else "Plixo" if line.actor == "system" else line.actor
    read = _read(line)
    if read is None:
        return Step(moment(line), who, _cannot_be_read(line), bad=True, unreadable=True)
    text, quote, code = read
    return Step(moment(line), who, text, quote, code, bad=line.event in _BAD)


def _read(line: AuditLine) -> tuple[str, str, str] | None:
    """Words, comment and id; None where whoever can write to the database left something else than an entry."""
    try:
        found = _words(line), str(line.detail.get("comment", "")), str(line.detail.get("stripe_object", ""))
        "".join(found).encode()  # half a character would break the page
    except (AttributeError, LookupError, TypeError, ValueError):
        return None
    return found if _moment(line) else None


def _moment(line: AuditLine) -> datetime | None:
    try:
        found = datetime.fromisoformat(line.at)
    except (TypeError, ValueError):
        return None
    # At the ends of the calendar there are time zones that have no word for it.
    return found if found.tzinfo and NEVER.year <= found.year < MAXYEAR else None


def _cannot_be_read(line: AuditLine) -> str:
    return f"{line.event.replace('_', ' ')}: this entry cannot be read"


def _decision_id(line: AuditLine) -> str:
    detail: object = line.detail  # whatever somebody left in the database
    return str(detail.get("decision_id")) if isinstance(detail, dict) else ""


def _words(line: AuditLine) -> str:
    if line.event == "decision_refused" and line.actor == "system":
        return f"refused a decision: {line.detail['why']}"
    return _TELLERS.get(line.event, _unknown(line.event))(line.detail)


def _requested(detail: Detail) -> str:
    rate = f" at an exchange rate of {detail['rate']}" if detail.get("rate") else ""
    changed = f". {detail['changed_since_preview']}" if detail.get("changed_since_preview") else ""
    return f"asked for {detail['amount']}{rate}{changed}"


def _published(detail: Detail) -> str:
    return f"published policy version {detail['version']}"


def _rates_published(detail: Detail) -> str:
    return f"published exchange rates for {', '.join(rate['currency'] for rate in detail['rates'])}"


def _opened(detail: Detail) -> str:
    path = ", then ".join(detail["path"])
    return "found that policy allows it by itself" if path == "automatic" else f"asked {path}"


def _recorded(detail: Detail) -> str:
    verdict = Verdict(detail["verdict"])
    said = SAID[verdict]
    if verdict is Verdict.AMEND:
        return _amended(detail)
    if verdict.by_requester:
        return said
    if verdict is Verdict.APPROVE and detail.get("less"):
        said = f"approved {detail['less']} of it"
    basis = basis_in_words(str(detail.get("basis", "")), {})
    return f"{said} for {Group(detail['group']).label}{f', {basis}' if basis else ''}"


def _amended(detail: Detail) -> str:
    said = f"changed it: {'; '.join(detail['changes'])}" if detail.get("changes") else "asked for it again as it was"
    if detail.get("keeps"):
        return f"{said}. What was decided before is kept"
    path = ", then ".join(detail["path"])
    return f"{said}. Policy allows it by itself" if path == "automatic" else f"{said}. {path} is asked anew"


def _signed(detail: Detail) -> str:
    if detail["verdict"] == Verdict.AMEND:
        return f"signed that they {_amended(detail)}"
    return f"signed that they {SAID[Verdict(detail['verdict'])]}"


def _reminded(detail: Detail) -> str:
    return f"reminded {' and '.join(Group(group).label for group in detail['groups'])}"


def _escalated(detail: Detail) -> str:
    to = "their delegate" if detail["to"] == DELEGATE else Group(detail["to"]).label
    nobody = "" if detail["people"] else "; there is nobody who may"
    return f"let {to} decide as well, in place of {Group(detail['group']).label}{nobody}"


def _group_empty(detail: Detail) -> str:
    group, to = Group(detail["group"]).label, Group(detail["to"]).label if detail["to"] else ""
    found = f"found nobody of {group} who could decide"
    if not to:
        return f"{found}; it waits"
    return f"{found}; {to} decides in its place" if detail["people"] else f"{found}, nor of {to}; it waits"


def _interrupted(detail: Detail) -> str:
    words = {"timed_out": "timed out", "missing": "was deleted", "completed": "was not its own"}
    how = detail["how"]
    return f"went on: its workflow {words.get(how, f'was {how}')}"


def _document_added(detail: Detail) -> str:
    kind, size = DocumentKind(detail["kind"]), size_text(int(detail["size"]))
    return f"added the document {detail['name']} ({kind.label}, {size})"


def _done(detail: Detail) -> str:
    words = {EffectKind.CREDIT_NOTE: "made the credit note", EffectKind.BALANCE_TRANSACTION: "credited the balance"}
    return f"{words[EffectKind(detail['kind'])]} in Stripe"


def _operated(detail: Detail) -> str:
    return f"asked Temporal by hand for {detail['asked']}"


def _absent(detail: Detail) -> str:
    until = datetime.fromtimestamp(detail["until"], UTC)
    return f"said that somebody is away until {until:%-d %b %Y}, and who decides in their place"


def _not_operated(detail: Detail) -> str:
    return f"asked Temporal by hand for {detail['asked']}, and may not"


def _refused(what: str) -> Callable[[Detail], str]:
    return lambda detail: f"{what}: {detail['why']}"


def _plain(text: str) -> Callable[[Detail], str]:
    return lambda _detail: text


def _unknown(event: str) -> Callable[[Detail], str]:
    return _plain(event.replace("_", " "))


_TELLERS: Final[dict[str, Callable[[Detail], str]]] = {
    "requested": _requested,
    "opened": _opened,
    "open_refused": _refused("would not open it"),
    "decision_signed": _signed,
    "decision_recorded": _recorded,
    "decision_refused": _refused("was refused"),
    "decision_conflict": _refused("came too late"),
    "reminded": _reminded,
    "escalated": _escalated,
    "group_empty": _group_empty,
    "workflow_interrupted": _interrupted,
    "expired": _plain("gave it back: time was up"),
    "lapsed": _plain("withdrew it: it had stayed returned for too long"),
    "returned": _refused("gave it back"),
    "effect_intended": _plain("wrote down exactly what Stripe is sent"),
    "effect_done": _done,
    "effect_refused": _refused("stopped before Stripe"),
    "effect_failed": _refused("could not apply it"),
    "effect_done_after_refusal": _plain("found that an earlier try was carried out in Stripe all the same"),
    "document_added": _document_added,
    "document_refused": _refused("was not let add a document"),
    "operated": _operated,
    "policy_drafted": lambda detail: f"drafted a policy after version {detail['base_version']}",
    "policy_published": _published,
    "policy_draft_refused": _refused("was not let draft a policy"),
    "policy_publish_refused": _refused("was not let publish a policy"),
    "rates_drafted": _plain("drafted exchange rates"),
    "rates_published": _rates_published,
    "rates_draft_refused": _refused("was not let draft exchange rates"),
    "rates_publish_refused": _refused("was not let publish exchange rates"),
    "operation_refused": _not_operated,
    "absence_entered": _absent,
    "absence_ended": _plain("said that somebody is back"),
    "absence_refused": _refused("was not let say who is away"),
}
_SETTLED: Final = frozenset({"decision_recorded", "decision_conflict", "decision_refused"})
_BAD: Final = frozenset(
    {
        "open_refused",
        "decision_refused",
        "decision_conflict",
        "document_refused",
        "effect_refused",
        "effect_failed",
        "policy_draft_refused",
        "policy_publish_refused",
        "rates_draft_refused",
        "rates_publish_refused",
        "effect_done_after_refusal",
        "operation_refused",
        "absence_refused",
    }
)
