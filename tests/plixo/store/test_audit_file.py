"""`plixo audit verify`: what was done to a file shows, and the first bad row is named."""

import copy
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc.jwk import KeySet, OKPKey

from plixo.domain.change import ProposedChange, Target, TargetKind
from plixo.domain.checkpoint import Checkpoint, Head, merkle_root
from plixo.domain.decision import Decision, Verdict
from plixo.domain.mandate import SignedRequest, decision_claims
from plixo.domain.money import Money
from plixo.domain.path import ApprovalPath, Clock, Seat, Stage
from plixo.domain.people import Group
from plixo.domain.reasons import Reason
from plixo.signing.keys import key_id
from plixo.signing.tokens import StaffSigner, StaffVerifier
from plixo.store.audit import GENESIS, AuditLine
from plixo.store.audit_file import CheckpointTooNew, NotAnAuditFile, check_block, to_document, verify_document
from plixo.store.checkpoint_file import Held

NOW = datetime(2026, 8, 3, 14, 0, tzinfo=UTC)
FIRST, SECOND = "CR-" + "A" * 26, "CR-" + "B" * 26
DECISION = "DE-" + "A" * 26

Document = dict[str, Any]
Tamper = Callable[[Document], object]


def signer_of(key: OKPKey) -> StaffSigner:
    return StaffSigner(key)


def public(key: OKPKey) -> dict[str, Any]:
    return {"keys": [{**key.as_dict(private=False), "kid": key_id(key), "alg": "Ed25519", "use": "sig"}]}


@pytest.fixture
def key() -> OKPKey:
    return OKPKey.generate_key("Ed25519", private=True)


@pytest.fixture
def verifier(key: OKPKey) -> StaffVerifier:
    return StaffVerifier(KeySet.import_key_set(public(key)))


@pytest.fixture
def document(key: OKPKey) -> Document:
    """Two requests: one carried out on the Controller's word, one still waiting."""
    made = to_document([executed(key), waiting(key)], public(key), signer_of(key), NOW)
    return json.loads(json.dumps(made))


def request(approval_id: str) -> SignedRequest:
    target = Target(TargetKind.INVOICE, "in_1", "open", "USD", "INV-0042")
    change = ProposedChange("credit", "cus_1", Money(420_000, "USD"), target, Reason.GOODWILL, "Two days down", "Sorry")
    path = ApprovalPath("over", "Above authority", (Stage((Seat(Group.CONTROLLER, 2_500_000),), Clock(8, (4,), 40)),))
    return SignedRequest(approval_id, "p-ada", change, path, 420_000, "1@9f2c")


def decision(approval_id: str) -> Decision:
    digest = request(approval_id).change.digest
    controller = Group.CONTROLLER
    return Decision(DECISION, approval_id, 0, 0, "p-carl", controller, Verdict.APPROVE, digest, 420_000, "Fine")


def chained(approval_id: str, *events: tuple[str, str, dict[str, Any]]) -> list[dict[str, Any]]:
    chain: list[dict[str, Any]] = []
    prev = GENESIS
    for seq, (event, actor, detail) in enumerate(events, start=1):
        line = AuditLine(approval_id, seq, NOW.isoformat(), event, actor, detail, prev, hash="")
        prev = line.expected_hash()
        chain.append({**asdict(line), "hash": prev})
    return chain


def block(key: OKPKey, approval_id: str, state: str, chain: list[dict[str, Any]], *decisions: Decision) -> Document:
    claims = request(approval_id).to_claims()
    rows = [
        {
            "decision": decision_claims(one),
            "signed": signer_of(key).sign("decision", decision_claims(one), now=NOW),
            "status": "recorded",
            "submitted_at": NOW.isoformat(),
            "why": "",
        }
        for one in decisions
    ]
    signed = signer_of(key).sign("request", claims, now=NOW)
    return {
        "approval_id": approval_id,
        "state": state,
        "request": claims,
        "signed": signed,
        "decisions": rows,
        "chain": chain,
    }


def executed(key: OKPKey) -> Document:
    chain = chained(
        FIRST,
        ("requested", "p-ada", {}),
        ("opened", "system", {"state": "waiting"}),
        ("decision_signed", "p-carl", {"decision_id": DECISION, "verdict": "approve"}),
        ("decision_recorded", "p-carl", {"decision_id": DECISION, "state": "approved"}),
        ("effect_intended", "system", {"decided_by": ["p-carl"]}),
        ("effect_done", "system", {"stripe_object": "cn_1"}),
    )
    return block(key, FIRST, "executed", chain, decision(FIRST))


def waiting(key: OKPKey) -> Document:
    chain = chained(SECOND, ("requested", "p-ada", {}), ("opened", "system", {"state": "waiting"}))
    return block(key, SECOND, "waiting", chain)


def test_an_untouched_file_is_whole(document: Document, verifier: StaffVerifier) -> None:
    checked = verify_document(document, verifier)
    assert checked.ok
    assert (checked.requests, checked.entries, checked.signatures) == (2, 8, 3)


def first(document: Document) -> Document:
    return document["requests"][0]  # type: ignore[no-any-return]


def flip_a_bit(document: Document) -> None:
    detail = first(document)["chain"][5]["detail"]
    detail["stripe_object"] = chr(ord(detail["stripe_object"][0]) ^ 1) + detail["stripe_object"][1:]


def cut_the_tail(document: Document) -> None:
    del first(document)["chain"][4:]


def cut_the_tail_and_set_the_state(document: Document) -> None:
    cut_the_tail(document)
    first(document)["state"] = "approved"


def move_two(document: Document) -> None:
    chain = first(document)["chain"]
    chain[1], chain[2] = chain[2], chain[1]


def rehash(document: Document) -> None:
    """Whoever changes an entry and makes its chain anew."""
    chain = first(document)["chain"]
    events = [(line["event"], line["actor"], line["detail"]) for line in chain]
    events[0] = ("requested", "p-eve", {})
    first(document)["chain"] = chained(FIRST, *events)


def forge_a_decision(document: Document) -> None:
    row = first(document)["decisions"][0]
    stranger = OKPKey.generate_key("Ed25519", private=True)
    row["signed"] = signer_of(stranger).sign("decision", row["decision"], now=NOW)


def forge_the_request(document: Document) -> None:
    stranger = OKPKey.generate_key("Ed25519", private=True)
    first(document)["signed"] = signer_of(stranger).sign("request", first(document)["request"], now=NOW)


def flip_a_signature(document: Document) -> None:
    head, _, tail = first(document)["decisions"][0]["signed"].rpartition(".")
    first(document)["decisions"][0]["signed"] = f"{head}.{'A' if tail[0] != 'A' else 'B'}{tail[1:]}"


def reword_the_comment(document: Document) -> None:
    first(document)["decisions"][0]["decision"]["comment"] = "Never"


def swap_in_another_signed_request(document: Document) -> None:
    other = document["requests"][1]
    first(document)["request"], first(document)["signed"] = other["request"], other["signed"]


def take_the_request_for_a_decision(document: Document) -> None:
    first(document)["decisions"][0]["signed"] = first(document)["signed"]


def nested(times: int = 2_000) -> Document:
    found: Document = {}
    for _ in range(times):
        found = {"a": found}
    return found


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (flip_a_bit, f"{FIRST}: entry 6 was changed"),
        (cut_the_tail, f"{FIRST}: it is executed, but its last entry (4) leaves it approved"),
        (cut_the_tail_and_set_the_state, f"{FIRST}: entry 5 is missing: the chain was cut off (6 were sealed)"),
        (lambda it: first(it)["chain"].pop(2), f"{FIRST}: entry 3 is missing or out of place (found 4)"),
        (lambda it: first(it)["chain"].clear(), f"{FIRST}: entry 1, the request itself, is missing"),
        (move_two, f"{FIRST}: entry 2 is missing or out of place (found 3)"),
        (rehash, f"{FIRST}: it was changed after the file was sealed"),
        (lambda it: it["requests"].pop(0), f"{FIRST}: the whole request is missing"),
        (lambda it: it["requests"].append(it["requests"][1]), "a request stands in the file twice"),
        (forge_a_decision, f"{FIRST}: decision {DECISION}: The signature is not the staff side's."),
        (flip_a_signature, f"{FIRST}: decision {DECISION}: The signature is not the staff side's."),
        (reword_the_comment, f"{FIRST}: decision {DECISION}: what stands beside the signature is not what was signed"),
        (forge_the_request, f"{FIRST}: the request: The signature is not the staff side's."),
        (swap_in_another_signed_request, f"{FIRST}: the request that was signed is {SECOND}"),
        (take_the_request_for_a_decision, f"{FIRST}: decision {DECISION}: This was not signed as a decision."),
        (lambda it: first(it)["decisions"].clear(), f"{FIRST}: entry 3 tells of decision {DECISION}, which is missing"),
        (lambda it: it.pop("seal"), "the seal is missing: what was cut off or left out would not show"),
        (lambda it: it.update(seal=first(it)["signed"]), "the seal is not to be trusted: This was not signed as"),
        (lambda it: first(it)["chain"][2].pop("prev"), f"{FIRST}: entry 3 does not have the fields of an entry"),
        (lambda it: first(it).pop("signed"), f"{FIRST}: it lacks what an audit file has ('signed')"),
        (lambda it: first(it).update(decisions=7), f"{FIRST}: it lacks what an audit file has"),
        (lambda it: first(it)["chain"][1].update(detail=nested()), f"{FIRST}: it is nested too deep to be read"),
        (lambda it: first(it).update(request=nested()), f"{FIRST}: it is nested too deep to be read"),
    ],
)
@pytest.mark.asvs("16.4.2")
def test_what_was_done_to_the_file_is_named(
    document: Document,
    verifier: StaffVerifier,
    tamper: Tamper,
    named: str,
) -> None:
    tamper(document)
    checked = verify_document(document, verifier)
    assert not checked.ok
    assert checked.findings[0].startswith(named)


def held_of(document: Document, at: datetime = NOW) -> Held:
    """A checkpoint over what the file holds."""
    heads = {
        found["approval_id"]: Head(found["approval_id"], len(found["chain"]), found["chain"][-1]["hash"])
        for found in document["requests"]
    }
    made = Checkpoint(7, at.isoformat(timespec="milliseconds"), merkle_root([*heads.values()]), len(heads), 8)
    return Held(made, "signed", heads)


def reseal(document: Document, key: OKPKey, *, whole: bool = True) -> Document:
    """As somebody who holds even the staff side's key, but not what was kept elsewhere."""
    blocks = document["requests"]
    return json.loads(json.dumps(to_document(blocks, public(key), signer_of(key), NOW, whole=whole)))


def cut_and_tell_no_more_of_it(document: Document) -> None:
    first(document)["state"], first(document)["chain"] = "executing", first(document)["chain"][:5]


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (cut_and_tell_no_more_of_it, f"{FIRST}: entry 6 is missing: the chain was cut off (checkpoint 7 holds 6"),
        (rehash, f"{FIRST}: entry 6 is not the one that checkpoint 7 holds: the chain was made anew up to there"),
        (lambda it: it["requests"].pop(0), f"{FIRST}: the whole request is missing (checkpoint 7 holds it with 6"),
    ],
)
@pytest.mark.asvs("16.4.3")
def test_what_not_even_the_seal_shows_the_checkpoint_does(
    document: Document, key: OKPKey, verifier: StaffVerifier, tamper: Tamper, named: str
) -> None:
    held = held_of(document)
    assert verify_document(reseal(document, key), verifier, held).ok
    tamper(document)
    sealed_again = reseal(document, key)
    assert verify_document(sealed_again, verifier).ok, "the seal is the forger's own"
    (finding,) = verify_document(sealed_again, verifier, held).findings
    assert finding.startswith(named)


def test_a_file_of_some_requests_may_lack_the_others_and_only_the_seal_can_say_so(
    document: Document, key: OKPKey, verifier: StaffVerifier
) -> None:
    held = held_of(document)
    document["requests"].pop(0)
    some = reseal(document, key, whole=False)
    assert verify_document(some, verifier, held).ok
    del some["seal"]
    assert f"{FIRST}: the whole request is missing" in verify_document(some, verifier, held).findings[1]


def test_a_checkpoint_that_was_made_after_the_file_proves_nothing_of_it(
    document: Document, verifier: StaffVerifier
) -> None:
    with pytest.raises(CheckpointTooNew, match="checkpoint 7 is of 2026-08-03T14:00:01"):
        verify_document(document, verifier, held_of(document, NOW + timedelta(seconds=1)))


EFFECT = {"effect_id": "EF-1", "kind": "credit_note", "key": "k", "amount_minor": 420_000, "currency": "USD"}


def with_effect(key: OKPKey) -> Document:
    found = executed(key)
    events = [(line["event"], line["actor"], line["detail"]) for line in found["chain"]]
    events[4] = ("effect_intended", "system", EFFECT)
    events[5] = ("effect_done", "system", {**EFFECT, "stripe_object": "cn_1"})
    effect = {**EFFECT, "params": {"amount": 420_000}, "state": "done", "stripe_object": "cn_1", "why": ""}
    return {**found, "chain": chained(FIRST, *events), "effect": effect}


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({}, None),
        ({"amount_minor": 1}, "its effect EF-1 is not what the effect_intended entry tells of"),
        ({"key": "another"}, "its effect EF-1 is not what the effect_intended entry tells of"),
        ({"stripe_object": "cn_2"}, "its effect EF-1 is not what the effect_done entry tells of"),
    ],
)
def test_what_stripe_was_sent_is_held_against_the_chain(
    key: OKPKey, verifier: StaffVerifier, changed: dict[str, Any], named: str | None
) -> None:
    found = with_effect(key)
    found["effect"].update(changed)
    assert check_block(found, verifier) == (f"{FIRST}: {named}" if named else None)


def test_an_effect_that_the_chain_tells_of_and_that_is_missing_is_named(key: OKPKey, verifier: StaffVerifier) -> None:
    found = {**with_effect(key), "effect": None}
    assert check_block(found, verifier) == f"{FIRST}: entry 5 tells of an effect, which is missing"


def test_a_request_added_after_the_sealing_is_named(document: Document, key: OKPKey, verifier: StaffVerifier) -> None:
    third = "CR-" + "C" * 26
    chain = chained(third, ("requested", "p-eve", {}), ("opened", "system", {"state": "waiting"}))
    document["requests"].append(block(key, third, "waiting", chain))
    assert verify_document(document, verifier).findings == (f"{third}: it was added after the file was sealed",)


def test_a_file_of_somebody_elses_making_is_refused_by_our_keys(verifier: StaffVerifier) -> None:
    stranger = OKPKey.generate_key("Ed25519", private=True)
    theirs = to_document([executed(stranger)], public(stranger), signer_of(stranger), NOW)
    assert verify_document(theirs, verifier).findings == (
        f"{FIRST}: the request: The signature is not the staff side's.",
        "the seal is not to be trusted: The signature is not the staff side's.",
    )


def test_every_single_changed_character_of_a_chain_shows(document: Document, verifier: StaffVerifier) -> None:
    """Each text field of each entry, changed in its first character."""
    for request_place, found in enumerate(document["requests"]):
        for place, entry in enumerate(found["chain"]):
            for field in ("approval_id", "at", "event", "actor", "prev", "hash"):
                changed = copy.deepcopy(document)
                changed["requests"][request_place]["chain"][place][field] = "~" + entry[field][1:]
                assert not verify_document(changed, verifier).ok, (place, field)


def test_money_that_moved_without_a_signed_approval_is_named(key: OKPKey, verifier: StaffVerifier) -> None:
    """A chain that is whole in itself, written by somebody with the database's password."""
    chain = chained(
        FIRST,
        ("requested", "p-ada", {}),
        ("opened", "system", {"state": "waiting"}),
        ("effect_intended", "system", {"decided_by": []}),
        ("effect_done", "system", {}),
    )
    found = check_block(block(key, FIRST, "executed", chain), verifier)
    assert found == f"{FIRST}: money moved without a signed approval of controller"


def test_a_decision_that_no_entry_tells_of_is_named(key: OKPKey, verifier: StaffVerifier) -> None:
    chain = chained(FIRST, ("requested", "p-ada", {}), ("opened", "system", {"state": "waiting"}))
    found = check_block(block(key, FIRST, "waiting", chain, decision(FIRST)), verifier)
    assert found == f"{FIRST}: decision {DECISION} is recorded, but no entry tells of it"


def test_an_entry_of_another_request_is_named(key: OKPKey, verifier: StaffVerifier) -> None:
    """The other request's chain, whole in itself, in place of this one's."""
    mixed = block(key, FIRST, "waiting", waiting(key)["chain"])
    assert check_block(mixed, verifier) == f"{FIRST}: entry 1 belongs to {SECOND}"


def test_a_decision_on_another_request_is_named(key: OKPKey, verifier: StaffVerifier) -> None:
    mixed = executed(key)
    mixed["decisions"] = block(key, SECOND, "", [], decision(SECOND))["decisions"]
    assert check_block(mixed, verifier) == f"{FIRST}: decision {DECISION} is about another request"


def orphan(*events: tuple[str, str, dict[str, Any]]) -> Document:
    lost = {"state": "missing", "request": None, "signed": "", "decisions": []}
    return {"approval_id": FIRST, **lost, "chain": chained(FIRST, *events)}


def test_a_forged_start_leaves_a_refusal_that_is_no_finding(verifier: StaffVerifier) -> None:
    assert check_block(orphan(("open_refused", "system", {"code": "approval_unknown"})), verifier) is None


def test_a_chain_whose_request_was_removed_is_named(verifier: StaffVerifier) -> None:
    found = check_block(orphan(("open_refused", "system", {}), ("requested", "p-ada", {})), verifier)
    assert found == f"{FIRST}: entry 2 (requested) tells of a request that is missing"


@pytest.mark.parametrize("other", [None, [], {}, {"format": "plixo-audit/2"}, {"format": "plixo-audit/1"}])
def test_another_file_is_refused_as_such(other: object, verifier: StaffVerifier) -> None:
    with pytest.raises(NotAnAuditFile):
        verify_document(other, verifier)


DOCUMENT = {"document_id": "DO-1", "name": "mail.pdf", "kind": "pdf", "size": 5, "sha256": "ab"}


def with_a_document(key: OKPKey, row: Document | None, *, told: bool = True, **changed: Any) -> Document:
    """A request that waits, with a document in its row, in its chain, or in both."""
    events = [("requested", "p-ada", {}), ("opened", "system", {"state": "waiting"})]
    events += [("document_added", "p-ada", {**DOCUMENT, **changed})] if told else []
    made = block(key, SECOND, "waiting", chained(SECOND, *events))
    return {**made, "documents": [{"person_id": "p-ada", **row}] if row else []}


def test_a_document_is_what_its_entry_tells_of(key: OKPKey, verifier: StaffVerifier) -> None:
    assert check_block(with_a_document(key, DOCUMENT), verifier) is None


@pytest.mark.parametrize(
    ("row", "how", "said"),
    [
        (None, {}, "entry 3 tells of document DO-1, which is missing"),
        (DOCUMENT, {"told": False}, "document DO-1 is there, but no entry tells of it"),
        ({**DOCUMENT, "name": "other.pdf"}, {}, "document DO-1 is not what entry 3 tells of"),
        ({**DOCUMENT, "kind": "text"}, {}, "document DO-1 is not what entry 3 tells of"),
        ({**DOCUMENT, "size": 6}, {}, "document DO-1 is not what entry 3 tells of"),
        ({**DOCUMENT, "sha256": "cd"}, {}, "document DO-1 is not what entry 3 tells of"),
        ({**DOCUMENT, "person_id": "p-carl"}, {}, "document DO-1 was added by somebody else than entry 3 says"),
    ],
    ids=["gone", "never told of", "renamed", "another kind", "another size", "other bytes", "another person"],
)
def test_a_document_that_is_not_what_was_added_is_named(
    key: OKPKey, verifier: StaffVerifier, row: Document | None, how: dict[str, Any], said: str
) -> None:
    assert check_block(with_a_document(key, row, **how), verifier) == f"{SECOND}: {said}"
