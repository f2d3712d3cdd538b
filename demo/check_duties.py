"""Did the people who decided have the right to, and do their decisions carry what was done?"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from demo.check_instead import Away, Instead, read_absences
from demo.check_model import Finding, Row, Scene, Signed
from demo.check_rounds import since_round
from demo.check_signed import digest


@dataclass(frozen=True)
class Allowed:
    """The most that a request's signed rows allow to be moved, in minor units of its currency; None for nothing."""

    amount_minor: int | None


def check_duties(scene: Scene, signed: Signed, moved: frozenset[str]) -> tuple[dict[str, Allowed], list[Finding]]:
    """What each request allows, and who decided without the right to.

    Args:
        scene: What was read.
        signed: What was verified.
        moved: Requests that moved money, or say so.
    """
    absences, findings = read_absences(scene)
    allowed: dict[str, Allowed] = {}
    for approval_id in scene.house.approvals:
        request = signed.requests.get(approval_id)
        decisions, found = _able(scene, signed, approval_id, absences)
        findings += found
        if request is None:
            allowed[approval_id] = Allowed(None)
            continue
        amount, lacks = _mandate(request, decisions, {one["round"]: one for one in signed.rounds[approval_id]})
        allowed[approval_id] = Allowed(None if lacks else amount)
        if approval_id in moved:
            findings += [Finding(what, approval_id, detail) for what, detail in lacks]
    return allowed, findings


def _able(scene: Scene, signed: Signed, approval_id: str, absences: list[Away]) -> tuple[list[Row], list[Finding]]:
    """The recorded decisions of people who may decide, and a finding for each of the others."""
    request = signed.requests.get(approval_id)
    able: list[Row] = []
    findings: list[Finding] = []
    ids = [row["decision_id"] for row in scene.house.recorded(approval_id)]
    bodies = [signed.decisions[one] for one in ids if one in signed.decisions]  # others are found: they are not signed
    if request is None:
        return able, findings
    for body in bodies:
        then = next((one for one in signed.rounds[approval_id] if one["round"] == body["round"]), request)
        instead = Instead(scene, then, bodies, absences, dict(signed.signed_at))
        against = list(_against(scene, then, body, instead))
        findings += [Finding("decision_not_allowed", approval_id, f"{body['decision_id']}: {why}.") for why in against]
        if not against:
            able.append(body)
    return able, findings


def _against(scene: Scene, request: Row, body: Row, instead: Instead) -> Iterator[str]:
    """Everything that speaks against a recorded decision, in words."""
    who = body["person_id"]
    if (body["approval_id"], body["round"]) != (request["approval_id"], request["round"]):
        yield "it is for another request or another round"
    if body["digest"] != digest(request["change"]):
        yield "it is bound to another fingerprint"
    if body["verdict"] in {"withdraw", "answer", "amend", "nudge"}:
        if who != request["requester_id"]:
            yield f"{who} said {body['verdict']} of what somebody else asked for"
        return
    person = scene.house.people.get(who)
    if person is None or not person["active"]:
        yield f"{who} does not work here"
        return
    if who == request["requester_id"]:
        yield f"{who} decided on their own request"
    if request["change"]["customer_id"] in person["related_customers"]:
        yield f"{who} is related to the customer"
    if body["verdict"] in {"delegate", "reassign"}:
        yield from instead.against(body)
        return
    yield from _against_seat(scene, request, body, person, instead)


def _against_seat(scene: Scene, request: Row, body: Row, person: Row, instead: Instead) -> Iterator[str]:
    stages, index = request["path"]["stages"], body["stage"]
    seats = stages[index]["seats"] if 0 <= index < len(stages) else []
    seat = next((seat for seat in seats if seat["group"] == body["group"]), None)
    if seat is None:
        yield f"{body['group']} was not asked in stage {index}"
        return
    may = body["group"] in person["groups"] or _stands_in(scene, request, body, person)
    if not may and not (set(person["groups"]) - {"support"} and instead.carries(body)):
        yield f"{person['person_id']} is not in the group {body['group']}"
    if seat["limit_minor"] is None:
        return
    most = min(seat["limit_minor"], person["limits"].get(request["change"]["kind"], seat["limit_minor"]))
    asked = request["change"]["amount"]["minor"]
    base = -(-request["base_minor"] * body["amount_minor"] // asked) if body["verdict"] == "approve" else 0
    if base > most:
        yield f"{base} is above the limit of {most}"


def _stands_in(scene: Scene, request: Row, body: Row, person: Row) -> bool:
    """Whether the signed path names them among those who may decide in the group's place.

    That others have had their time is the house's own word; here counts that nobody else than those was ever let in.
    """
    stage = request["path"]["stages"][body["stage"]]
    if body.get("basis", "").startswith("fallback:"):
        return _falls_back(scene, body, person, stage)
    index = next(number for number, seat in enumerate(stage["seats"]) if seat["group"] == body["group"])
    clock = stage["clocks"][index] if stage.get("clocks") else stage["clock"]
    named = {step["to"] for step in clock.get("escalations", [])}
    kind, _, who = body.get("basis", "").partition(":")
    if kind == "group":
        return who in named and who in person["groups"]
    asked = scene.house.people.get(who)
    if kind != "delegate" or "delegate" not in named or asked is None or who == request["requester_id"]:
        return False
    if not set(person["groups"]) - {"support"} or request["change"]["customer_id"] in asked["related_customers"]:
        return False
    return asked["active"] and body["group"] in asked["groups"] and asked["delegate_id"] == person["person_id"]


def _falls_back(scene: Scene, body: Row, person: Row, stage: Row) -> bool:
    """Whether the signed seat names their group, and the audit log says that nobody of the seat's own could decide."""
    group = body["basis"].partition(":")[2]
    seat = next(seat for seat in stage["seats"] if seat["group"] == body["group"])
    told = [line["detail"] for line in scene.house.chain(body["approval_id"]) if line["event"] == "group_empty"]
    said = any(
        (detail.get("group"), detail.get("to")) == (body["group"], group) and body["person_id"] in detail["people"]
        for detail in told
        if isinstance(detail, dict)
    )
    return said and seat.get("fallback") == group and group in person["groups"]


def _mandate(request: Row, decisions: list[Row], rounds: Mapping[int, Row]) -> tuple[int, list[tuple[str, str]]]:
    """The most that may be moved, and what is lacking before anything may."""
    lacks = [
        ("effect_despite_refusal", f"{body['person_id']} said {body['verdict']}.")
        for body in decisions
        if _refuses(rounds[body["round"]], request, body)
    ]
    ceiling = request["change"]["amount"]["minor"]
    approvals = [
        body | {"amount_minor": min(body["amount_minor"], ceiling)}  # who agreed to more agrees to the less asked since
        for body in decisions
        if body["verdict"] == "approve" and body["round"] >= since_round(request)
    ]
    counted: list[Row] = []
    for index, stage in enumerate(request["path"]["stages"]):
        for seat in stage["seats"]:
            least = min((body["amount_minor"] for body in approvals if body["stage"] == index), default=0)
            about = (index, seat["group"], least)
            found = [body for body in approvals if (body["stage"], body["group"], body["amount_minor"]) == about]
            once = _heard_once(found)
            found = once if len(once) >= seat["quorum"] else found
            counted += found[: seat["quorum"]]
            if len(found) < seat["quorum"]:
                detail = f"Stage {index} lacks a signed approval of {seat['group']} by somebody who may decide."
                lacks.append(("approval_missing", detail))
    lacks += _twice([*counted, *(body for body in decisions if body["verdict"] == "reject")])
    return min([request["change"]["amount"]["minor"], *(body["amount_minor"] for body in counted)]), lacks


def _refuses(then: Row, now: Row, body: Row) -> bool:
    """Whether nothing may be done after it: after a rejection it may where its stage goes on for as long as it can."""
    if body["verdict"] == "reject":
        return bool(then["path"]["stages"][body["stage"]].get("one_rejection_ends", True))
    return body["verdict"] == "withdraw" or bool(body["verdict"] == "return" and body["round"] == now["round"])


def _heard_once(decisions: Iterable[Row]) -> list[Row]:
    """In their order, without those of somebody who was heard before."""
    found: list[Row] = []
    for body in decisions:
        if not _twice([*found, body]):
            found.append(body)
    return found


def _twice(counted: list[Row]) -> list[tuple[str, str]]:
    people = [body["person_id"] for body in counted]
    bases = [body.get("basis", "").partition(":") for body in counted]
    people += [who for kind, _, who in bases if kind == "delegate"]
    return [
        ("one_person_twice", f"{person} fills {people.count(person)} seats; two different people were asked.")
        for person in sorted(set(people))
        if people.count(person) > 1
    ]


def path_in_words(path: object) -> list[str]:
    """Each stage's groups in words, such as `Controller and Legal`; `automatic` where nobody is asked."""
    stages = path.get("stages", []) if isinstance(path, dict) else []
    return [" and ".join(_seat_in_words(seat) for seat in stage["seats"]) for stage in stages] or ["automatic"]


def _seat_in_words(seat: Row) -> str:
    label = "CFO" if seat["group"] == "cfo" else seat["group"].replace("_", " ").capitalize()
    return label if seat["quorum"] == 1 else f"{seat['quorum']} of {label}"
