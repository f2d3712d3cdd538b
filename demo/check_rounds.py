"""Does each round of an amended request follow the one before it, and was the last one that was signed the one done?"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from demo.check_model import Finding, Row, Scene
from demo.check_signatures import BadSignatureError, fingerprint, verify

Rounds = Mapping[str, Sequence[Row]]
"""By approval, the signed bodies of its rounds, the first one first."""

_LASTING = ("requester_id", "approval_id")
_COPIED = (
    *("change", "digest", "amount_minor", "base_minor", "base_currency", "rate", "rate_as_of", "policy", "path"),
    *("automatic", "signed", "since_round"),
)
"""What a request's row takes over from the amendment that it names."""


def since_round(body: Row) -> int:
    """The first round whose decisions count for this one; left out where it is its own."""
    found: int = body["since_round"] if "since_round" in body else body["round"]
    return found


def check_rounds(scene: Scene, newest: Mapping[str, Row], moved: frozenset[str]) -> tuple[Rounds, list[Finding]]:
    """Each request as it was signed for each of its rounds, and what is wrong with them.

    Args:
        scene: What was read.
        newest: What was signed of each request's last round, verified.
        moved: Requests that moved money, or say so.
    """
    rounds: dict[str, list[Row]] = {}
    findings: list[Finding] = []
    for approval_id, body in newest.items():
        row, amended = scene.house.approvals[approval_id], scene.house.amended(approval_id)
        rounds[approval_id], found = _rounds(scene, row, body, amended)
        found += [*_rows(scene, row, amended), *_passed_over(row, amended, moved)]
        findings += [Finding(what, approval_id, words) for what, words in found]
    return rounds, findings


def _rounds(scene: Scene, row: Row, body: Row, amended: Sequence[Row]) -> tuple[list[Row], list[tuple[str, str]]]:
    replaced, signed, found = {one["signed"]: one["replaced"] for one in amended}, row["signed"], [body]
    problems = []
    while signed in replaced:
        signed = replaced.pop(signed)
        try:
            found.insert(0, verify(signed, "request", scene.keys)["body"])
        except BadSignatureError as bad:
            problems.append(("round_unsigned", f"The round before {found[0]['round']} does not hold: {bad}."))
            break
    if [one["round"] for one in found] != list(range(len(found))):
        problems.append(("round_missing", f"Its rounds are {[one['round'] for one in found]}."))
    for before, after in pairwise(found):
        problems += [
            ("round_does_not_follow", f"Round {after['round']}: {words}.") for words in _against(before, after)
        ]
    return found, problems


def _against(before: Row, after: Row) -> Iterator[str]:
    """What speaks against a round that follows another one, in words."""
    was, now = before["change"], after["change"]
    same = [(before[name], after[name]) for name in _LASTING]
    same += [(was[name], now[name]) for name in ("kind", "customer_id")]
    same += [(was["target"][name], now["target"][name]) for name in ("kind", "target_id", "currency")]
    same.append((was["amount"]["currency"], now["amount"]["currency"]))
    if any(one != other for one, other in same):
        yield "it is another request, customer or target"
    if since_round(after) == after["round"]:
        return
    kept = all(before[name] == after[name] for name in ("path", "policy", "digest"))
    if not kept or since_round(after) != since_round(before) or now["amount"]["minor"] >= was["amount"]["minor"]:
        yield "it keeps decisions although it asks for more than a smaller amount"


def _rows(scene: Scene, row: Row, amended: Sequence[Row]) -> Iterator[tuple[str, str]]:
    decisions = {one["decision_id"]: one for one in scene.house.decisions if one["approval_id"] == row["approval_id"]}
    for one in amended:
        name, said = f"Amendment {one['decision_id']}", decisions.get(one["decision_id"])
        try:
            body = verify(one["signed"], "request", scene.keys)["body"]
        except BadSignatureError as bad:
            yield "amendment_unsigned", f"{name} does not hold: {bad}."
            continue
        signed = (
            body["amended_by"],
            body["round"],
            since_round(body),
            body["change"],
            body["path"],
            body["base_minor"],
        )
        kept = (one["decision_id"], one["round"], one["since_round"], one["change"], one["path"], one["base_minor"])
        if signed != kept or one["amount_minor"] != body["change"]["amount"]["minor"]:
            yield "amendment_altered", f"{name} is not what was signed."
        if said is None or (said["verdict"], said["round"] + 1) != ("amend", one["round"]):
            yield "amendment_of_nobody", f"{name} has no decision that says so."
        if one["decision_id"] == row["amended_by"]:
            if said and said["status"] != "recorded":
                yield "amendment_not_recorded", f"{name} is taken over, and its decision is {said['status']}."
            for column in _COPIED:
                if fingerprint(_plain(row[column])) != fingerprint(_plain(one[column])):
                    yield "amendment_altered", f"The request says another {column} than {name}."


def _plain(value: object) -> object:
    return value if isinstance(value, (dict, list)) else str(value)


def _passed_over(row: Row, amended: Sequence[Row], moved: frozenset[str]) -> Iterator[tuple[str, str]]:
    """What a requester asked for last is all that may be done for them, whether or not it was taken up."""
    if row["approval_id"] in moved and amended and amended[-1]["decision_id"] != row["amended_by"]:
        yield "amendment_passed_over", f"Money moved, and {amended[-1]['decision_id']} had asked for something else."
