"""The audit log as a file that can be proved without the database: by its hash chains, its signatures and its seal.

A chain shows an entry that was changed, removed or moved. A signature shows a request or a decision that nobody made.
The seal, signed when the file is written, shows what was cut off a chain's end, and a request that was left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, Final

from plixo.domain.amending import check_rounds
from plixo.domain.approval import State
from plixo.domain.canonical import canonical_json, sha256_hex
from plixo.domain.ids import ABSENCE_CHAIN, POLICY_CHAIN
from plixo.domain.mandate import SignedRequest
from plixo.domain.refusals import NotAllowed
from plixo.ports import Signer, Verifier
from plixo.store.audit import AuditLine, first_break
from plixo.store.checkpoint_check import Against
from plixo.store.checkpoint_file import Held

FORMAT: Final = "plixo-audit/1"
SEAL_KIND: Final = "audit"
"""What the seal is signed as: no request and no decision can be taken for it."""

Block = Mapping[str, Any]
"""One request in the file: its chain, its signed request, its signed decisions, and the rows beside them."""

UNREADABLE: Final = "unreadable"
"""The state of a request whose rows were changed until they are no request any more."""

_FIELDS: Final = frozenset(field.name for field in fields(AuditLine))
_ENDS_IN: Final = {
    "requested": State.ROUTING,
    "expired": State.RETURNED,
    "returned": State.RETURNED,
    "lapsed": State.WITHDRAWN,
    "effect_intended": State.EXECUTING,
    "effect_done": State.EXECUTED,
    "effect_refused": State.NEEDS_ATTENTION,
    "effect_failed": State.NEEDS_ATTENTION,
}
"""The state after an event; events that say a state of their own have it in their detail, the others change none."""


@dataclass(frozen=True)
class Checked:
    """What a check of the audit log found.

    Attributes:
        requests: How many were read.
        entries: How many entries their chains have.
        signatures: How many signed requests and decisions were read.
        findings: The first thing wrong with each bad request, in words that name the row; empty when all is whole.
    """

    requests: int = 0
    entries: int = 0
    signatures: int = 0
    findings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def plus(self, block: Block, finding: str | None) -> "Checked":
        """With one more request."""
        found = (*self.findings, finding) if finding else self.findings
        entries, decisions = _list(block, "chain"), _list(block, "decisions")
        signed = block.get("approval_id") not in {POLICY_CHAIN, ABSENCE_CHAIN}
        signatures = self.signatures + int(signed) + len(decisions)
        return Checked(self.requests + 1, self.entries + len(entries), signatures, found)

    def also(self, findings: Sequence[str]) -> "Checked":
        """With what was found about the whole."""
        return replace(self, findings=(*self.findings, *findings))


class NotAnAuditFile(ValueError):
    """The file holds something else; the message says what is missing."""


class CheckpointTooNew(ValueError):
    """The checkpoint was made after the file was written; the message says when each was."""


def to_document(
    blocks: Sequence[Block], public_keys: Mapping[str, Any], signer: Signer, now: datetime, *, whole: bool = False
) -> dict[str, Any]:
    """The file's content, sealed.

    Args:
        blocks: The requests.
        public_keys: The JWK set that verifies them.
        signer: The staff side's.
        now: When the first of them was read.
        whole: Whether it holds every request there was.
    """
    at = now.astimezone(UTC).isoformat(timespec="milliseconds")
    seals = {block["approval_id"]: _seal(block) for block in blocks}
    return {
        "format": FORMAT,
        "exported_at": at,
        "requests": list(blocks),
        "public_keys": dict(public_keys),
        "seal": signer.sign(SEAL_KIND, {"requests": seals, "exported_at": at, "whole": whole}, now=now),
    }


def verify_document(document: object, verifier: Verifier, held: Held | None = None) -> Checked:
    """Check a whole file.

    Args:
        document: The file's content.
        verifier: Holds the staff side's public keys.
        held: A checkpoint to hold it against.

    Raises:
        NotAnAuditFile: It is not one.
        CheckpointTooNew: The checkpoint was made after the file, and may hold what the file could not.
    """
    blocks = _blocks(document)
    checked = Checked()
    for block in blocks:
        checked = checked.plus(block, check_block(block, verifier))
    sealed, broken = _opened_seal(document, verifier)
    broken += _broken_seal(sealed, blocks) if sealed else []
    return checked.also(broken + (_denials(blocks, sealed or {}, held) if held else []))


def _blocks(document: object) -> list[Block]:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise NotAnAuditFile(f"it does not say that its format is {FORMAT}")
    blocks = document.get("requests")
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise NotAnAuditFile("it has no list of requests")
    return blocks


def _denials(blocks: Sequence[Block], sealed: Mapping[str, Any], held: Held) -> list[str]:
    """What the checkpoint holds and the file does not; one that was written for some requests may lack the others."""
    if sealed.get("exported_at", held.checkpoint.at) < held.checkpoint.at:
        raise CheckpointTooNew(f"{held.name} is of {held.checkpoint.at}, the file of {sealed['exported_at']}")
    against = Against([held])
    for block in blocks:
        against.take(str(block.get("approval_id")), hashes_of(block))
    if not sealed or sealed.get("whole"):
        against.finish()
    return against.findings


def hashes_of(block: Block) -> list[str]:
    """The hashes of a request's entries, in the order they stand in; an entry without one counts all the same."""
    return [str(line.get("hash", "")) if isinstance(line, dict) else "" for line in _list(block, "chain")]


def check_block(block: Block, verifier: Verifier) -> str | None:
    """What is wrong with the first bad row of one request, in words; None when it is whole."""
    name = str(block.get("approval_id"))
    try:
        return next(_problems(name, block, verifier), None)
    except ValueError as broken:
        return str(broken)
    except RecursionError:
        return f"{name}: it is nested too deep to be read"
    except (KeyError, TypeError, AttributeError) as broken:
        return f"{name}: it lacks what an audit file has ({broken})"


def _problems(name: str, block: Block, verifier: Verifier) -> Iterator[str]:
    chain = [_line(name, place, plain) for place, plain in enumerate(block["chain"], start=1)]
    yield from _chain_problems(name, chain)
    if block["state"] == UNREADABLE:
        yield f"{name}: its rows were changed until they cannot be read"
    if block["request"] is None:
        yield from _orphan_problems(name, chain)
        yield from _absence_problems(chain, verifier) if name == ABSENCE_CHAIN else ()
        return
    if not chain or chain[0].event != "requested":
        yield f"{name}: entry 1, the request itself, is missing"
    yield from _signature_problems(name, block, verifier)
    yield from (f"{name}: {problem}" for problem in _round_problems(block, verifier))
    yield from (f"{name}: {problem}" for problem in _trace_problems(chain, block))


def _line(name: str, place: int, plain: object) -> AuditLine:
    if not isinstance(plain, dict) or set(plain) != _FIELDS:
        raise ValueError(f"{name}: entry {place} does not have the fields of an entry: {', '.join(sorted(_FIELDS))}")
    return AuditLine(**plain)


def _chain_problems(name: str, chain: Sequence[AuditLine]) -> Iterator[str]:
    stranger = next((line for line in chain if line.approval_id != name), None)
    if stranger:
        yield f"{name}: entry {stranger.seq} belongs to {stranger.approval_id}"
    broken = first_break(chain)
    if broken:
        yield broken


def _orphan_problems(name: str, chain: Sequence[AuditLine]) -> Iterator[str]:
    """A forged start leaves refusals under an id that nobody asked under; anything else there has lost its request.

    What people do to the policy, and who is away, has a chain of its own, which is no request's.
    """
    if name in {POLICY_CHAIN, ABSENCE_CHAIN}:
        return
    other = next((line for line in chain if not line.event.endswith("_refused")), None)
    if other:
        yield f"{name}: entry {other.seq} ({other.event}) tells of a request that is missing"


def _absence_problems(chain: Sequence[AuditLine], verifier: Verifier) -> Iterator[str]:
    """Who is away was signed by the staff side, word for word as the entry says."""
    kinds = {"absence_entered": ("absence", frozenset({"signed"}))}
    kinds["absence_ended"] = ("return", frozenset({"signed", "person_id"}))
    for line in chain:
        if line.event in kinds:
            kind, beside = kinds[line.event]
            said = {name: value for name, value in line.detail.items() if name not in beside}
            problem = unsigned(verifier, kind, str(line.detail.get("signed", "")), said)
            if problem:
                yield f"{line.approval_id}: entry {line.seq}: {problem}"


def _signature_problems(name: str, block: Block, verifier: Verifier) -> Iterator[str]:
    problem = unsigned(verifier, "request", block["signed"], block["request"])
    if problem:
        yield f"{name}: the request: {problem}"
    if block["request"]["approval_id"] != name:
        yield f"{name}: the request that was signed is {block['request']['approval_id']}"
    for row in block["decisions"]:
        problem = unsigned(verifier, "decision", row["signed"], row["decision"])
        if problem:
            yield f"{name}: decision {row['decision']['decision_id']}: {problem}"
        if row["decision"]["approval_id"] != name:
            yield f"{name}: decision {row['decision']['decision_id']} is about another request"


def _round_problems(block: Block, verifier: Verifier) -> Iterator[str]:
    """Every round was signed, and leads from the first one to what is asked for now."""
    signed = {row["decision"]["decision_id"] for row in block["decisions"]}
    for row in _list(block, "amendments"):
        decision_id = row["request"]["amended_by"]
        problem = unsigned(verifier, "request", row["signed"], row["request"])
        if problem:
            yield f"what decision {decision_id} changed it to: {problem}"
        if decision_id not in signed:
            yield f"decision {decision_id}, which changed it, is missing"
    try:
        check_rounds(rounds_of(block, verifier))
    except NotAllowed as refusal:
        yield str(refusal)


def rounds_of(block: Block, verifier: Verifier) -> list[SignedRequest]:
    """A request as it was signed for each of its rounds, the first one first.

    Raises:
        NotAllowed: One of them is not the staff side's.
    """
    replaced = {row["signed"]: row["replaced"] for row in _list(block, "amendments")}
    rounds, last = [SignedRequest.from_claims(block["request"])], block["signed"]
    while last in replaced:
        last = replaced.pop(last)
        rounds.insert(0, SignedRequest.from_claims(verifier.verify(last, "request", now=None)))
    return rounds


def unsigned(verifier: Verifier, kind: str, token: str, row: object) -> str | None:
    """What is wrong with a signature, in words; None when the staff side signed exactly what stands beside it."""
    try:
        body = verifier.verify(token, kind, now=None)
    except NotAllowed as refusal:
        return str(refusal)
    same = canonical_json(dict(body)) == canonical_json(row)
    return None if same else "what stands beside the signature is not what was signed"


def _trace_problems(chain: Sequence[AuditLine], block: Block) -> Iterator[str]:
    """The chain and the rows beside it tell the same story."""
    rows = {row["decision"]["decision_id"]: row for row in block["decisions"]}
    signed = {line.detail["decision_id"] for line in chain if line.event == "decision_signed"}
    recorded = {line.detail["decision_id"] for line in chain if line.event == "decision_recorded"}
    for line in chain:
        if line.event in {"decision_signed", "decision_recorded"} and line.detail["decision_id"] not in rows:
            yield f"entry {line.seq} tells of decision {line.detail['decision_id']}, which is missing"
    for decision_id, row in rows.items():
        if decision_id not in signed or (row["status"] == "recorded" and decision_id not in recorded):
            yield f"decision {decision_id} is {row['status']}, but no entry tells of it"
    if _state(chain) != block["state"]:
        yield f"it is {block['state']}, but its last entry ({chain[-1].seq}) leaves it {_state(chain)}"
    if any(line.event == "effect_intended" for line in chain):
        yield from _empty_seats(block)
    yield from _effect_problems(chain, block)
    yield from _document_problems(chain, block)


def _document_problems(chain: Sequence[AuditLine], block: Block) -> Iterator[str]:
    """What was added is what the chain says was added; a file of before there were documents names none."""
    told = {line.detail["document_id"]: line for line in chain if line.event == "document_added"}
    rows = {row["document_id"]: row for row in _list(block, "documents")}
    for document_id, line in told.items():
        if document_id not in rows:
            yield f"entry {line.seq} tells of document {document_id}, which is missing"
    for document_id, row in rows.items():
        if document_id not in told:
            yield f"document {document_id} is there, but no entry tells of it"
        elif any(told[document_id].detail.get(name) != row[name] for name in ("name", "kind", "size", "sha256")):
            yield f"document {document_id} is not what entry {told[document_id].seq} tells of"
        elif told[document_id].actor != row["person_id"]:
            yield f"document {document_id} was added by somebody else than entry {told[document_id].seq} says"


def _effect_problems(chain: Sequence[AuditLine], block: Block) -> Iterator[str]:
    """What Stripe was sent is what the chain says of it."""
    effect = block.get("effect")
    told = {line.event: line for line in chain if line.event in {"effect_intended", "effect_done"}}
    if effect is None:
        if told and "effect" in block:
            yield f"entry {min(line.seq for line in told.values())} tells of an effect, which is missing"
        return
    about = {name: effect[name] for name in ("effect_id", "kind", "key", "amount_minor", "currency")}
    made = {"effect_done": {"stripe_object": effect["stripe_object"]}} if effect["state"] == "done" else {}
    for event, more in {"effect_intended": {}, **made}.items():
        said = told[event].detail if event in told else {}
        if any(said.get(name) != value for name, value in {**about, **more}.items()):
            yield f"its effect {effect['effect_id']} is not what the {event} entry tells of"


def _state(chain: Sequence[AuditLine]) -> str:
    state: str = State.ROUTING
    for line in chain:
        state = _ENDS_IN.get(line.event) or line.detail.get("state") or state
    return str(state)


def _empty_seats(block: Block) -> Iterator[str]:
    """Money moved: every seat of the signed path has its signed approvals."""
    recorded = [row["decision"] for row in block["decisions"] if row["status"] == "recorded"]
    since = block["request"].get("since_round", block["request"]["round"])
    approvals = [one for one in recorded if one["verdict"] == "approve" and one["round"] >= since]
    for index, stage in enumerate(block["request"]["path"]["stages"]):
        for seat in stage["seats"]:
            agreed = [one for one in approvals if (one["stage"], one["group"]) == (index, seat["group"])]
            if len(agreed) < seat["quorum"]:
                yield f"money moved without a signed approval of {seat['group']}"


def _seal(block: Block) -> dict[str, Any]:
    chain = block["chain"]
    return {"entries": len(chain), "head": chain[-1]["hash"] if chain else "", "hash": sha256_hex(dict(block))}


def _opened_seal(document: object, verifier: Verifier) -> tuple[Mapping[str, Any] | None, list[str]]:
    """What was sealed, or what is wrong with the seal."""
    token = document.get("seal") if isinstance(document, dict) else None
    if not isinstance(token, str):
        return None, ["the seal is missing: what was cut off or left out would not show"]
    try:
        return verifier.verify(token, SEAL_KIND, now=None), []
    except NotAllowed as refusal:
        return None, [f"the seal is not to be trusted: {refusal}"]


def _broken_seal(seal: Mapping[str, Any], blocks: Sequence[Block]) -> list[str]:
    sealed = seal["requests"]
    found = {str(block.get("approval_id")): block for block in blocks}
    missing = [f"{name}: the whole request is missing" for name in sealed if name not in found]
    if len(found) != len(blocks):
        missing.append("a request stands in the file twice")
    return missing + [problem for name, block in found.items() if (problem := _unsealed(name, block, sealed.get(name)))]


def _unsealed(name: str, block: Block, sealed: Mapping[str, Any] | None) -> str | None:
    if sealed is None:
        return f"{name}: it was added after the file was sealed"
    entries = len(_list(block, "chain"))
    if entries < sealed["entries"]:
        return f"{name}: entry {entries + 1} is missing: the chain was cut off ({sealed['entries']} were sealed)"
    try:
        same = _seal(block) == sealed
    except (KeyError, TypeError, RecursionError):
        same = False
    return None if same else f"{name}: it was changed after the file was sealed"


def _list(block: Block, field: str) -> list[Any]:
    value = block.get(field)
    return value if isinstance(value, list) else []
