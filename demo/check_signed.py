"""Were requests and decisions signed, and do the rows say what was signed?"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from demo.check_model import Finding, Row, Scene, Signed, moment_text
from demo.check_rounds import check_rounds, since_round
from demo.check_signatures import BadSignatureError, fingerprint, verify

SKEW_SECONDS: Final = 300
"""How far the signer's clock may have run ahead."""

_IDS: Final = {"request": "approval", "decision": "decision"}


def check_signed(scene: Scene, moved: frozenset[str]) -> tuple[Signed, list[Finding]]:
    """What was signed, and what is wrong with it.

    Args:
        scene: What was read.
        moved: Requests that moved money, or say so.
    """
    findings: list[Finding] = []
    requests: dict[str, Row] = {}
    for approval_id, row in scene.house.approvals.items():
        claims = _claims(scene, row, "request", findings)
        if claims:
            requests |= {approval_id: claims["body"]} if claims["body"]["approval_id"] == approval_id else {}
            findings += _compare_request(row, claims["body"])
            if not row["amended_by"]:  # of what it is amended to, the decision that says so is in time
                findings += _in_time(claims, _opened_at(scene, approval_id), approval_id, "The request")
    decisions = _decisions(scene, findings)
    findings += _unsettled(scene)
    bodies = {decision_id: claims["body"] for decision_id, claims in decisions.items()}
    signed_at = {decision_id: int(claims["iat"]) for decision_id, claims in decisions.items()}
    rounds, found = check_rounds(scene, requests, moved)
    return Signed(requests, bodies, rounds=rounds, signed_at=signed_at), findings + found


def _decisions(scene: Scene, findings: list[Finding]) -> dict[str, Row]:
    """What was signed of each recorded decision, with when."""
    found: dict[str, Row] = {}
    for row in scene.house.decisions:
        if row["status"] != "recorded":
            continue
        approval_id, name = row["approval_id"], f"Decision {row['decision_id']}"
        claims = _claims(scene, row, "decision", findings)
        if claims is None:
            continue
        differences = _differences(row, _decision_row(claims["body"]))
        late = list(_in_time(claims, row["settled_at"], approval_id, name))
        findings += [Finding("decision_altered", approval_id, f"{name}: {words}.") for words in differences]
        findings += late
        if not differences and not late:
            found[row["decision_id"]] = claims
    return found


def digest(change: Row) -> str:
    """The fingerprint that decisions are bound to: everything that matters of a change, except the amount."""
    target = change["target"]
    return fingerprint(
        {
            "kind": change["kind"],
            "customer": change["customer_id"],
            "reason": change["reason"],
            "note": change["note"],
            "memo": change["memo"],
            "target": {name: target[name] for name in ("kind", "status", "currency")} | {"id": target["target_id"]},
        },
    )


def _claims(scene: Scene, row: Row, kind: str, findings: list[Finding]) -> Row | None:
    try:
        return verify(row["signed"], kind, scene.keys)
    except BadSignatureError as bad:
        detail = f"The {kind} {row[f'{_IDS[kind]}_id']} does not hold: {bad}."
        findings.append(Finding(f"{kind}_unsigned", row["approval_id"], detail))
        return None


def _compare_request(row: Row, body: Row) -> Iterator[Finding]:
    approval_id = row["approval_id"]
    if body["digest"] != digest(body["change"]):
        yield Finding("digest_mismatch", approval_id, "The signed fingerprint is not that of the signed change.")
    for words in _differences(row, _request_row(body)):
        yield Finding("request_altered", approval_id, f"The request: {words}.")


def _request_row(body: Row) -> Row:
    """What the row must say, in the row's own names."""
    change = body["change"]
    plain = {name: body[name] for name in ("approval_id", "requester_id", "path", "base_minor", "policy", "round")}
    return plain | {
        "since_round": since_round(body),
        "amended_by": body.get("amended_by", ""),
        "change": change,
        "digest": body["digest"],
        "kind": change["kind"],
        "customer_id": change["customer_id"],
        "target_id": change["target"]["target_id"],
        "amount_minor": change["amount"]["minor"],
        "currency": change["amount"]["currency"],
        "automatic": not body["path"]["stages"],
    }


def _decision_row(body: Row) -> Row:
    """What the row must say; what was not signed of it, it does not say either."""
    said = {"basis": "", "subject": "", **body}
    return {"group_name" if name == "group" else name: value for name, value in said.items()}


def _differences(row: Row, wanted: Row) -> list[str]:
    return [
        f"the row says {name} {_short(row.get(name))}, signed was {_short(value)}"
        for name, value in wanted.items()
        if row.get(name) != value
    ]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - a line's worth


def _in_time(claims: Row, taken_at: datetime | None, approval_id: str, name: str) -> Iterator[Finding]:
    """A statement may wait to be recorded for as long as it says; once recorded it holds."""
    if taken_at is None:
        return
    seconds = taken_at.timestamp()
    if seconds >= claims["exp"] or seconds < claims["iat"] - SKEW_SECONDS:
        detail = f"{name} was taken up at {moment_text(taken_at)}, outside the time it was signed for."
        yield Finding("signature_out_of_time", approval_id, detail)


def _opened_at(scene: Scene, approval_id: str) -> datetime | None:
    """When the request was set on its path; one that came too late is returned or withdrawn instead, and may be."""
    for line in scene.house.chain(approval_id):
        if line["event"] == "opened" and isinstance(line["detail"], dict):
            return None if line["detail"].get("state") == "returned" else _moment(line["at"])
    return None


def _moment(text: str) -> datetime | None:
    """What was tampered with is found in the audit chain; here it is no moment."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _unsettled(scene: Scene) -> Iterator[Finding]:
    """A decision that came too late is told so; none is left lying."""
    for row in scene.house.decisions:
        approval = scene.house.approvals.get(row["approval_id"])
        if approval and approval["ended_at"] and row["status"] == "submitted":
            detail = f"Decision {row['decision_id']} was never answered, and the request is {approval['state']}."
            yield Finding("decision_left", row["approval_id"], detail)
