"""What is unusual about a seat of a request, and what one more decision would do, in words."""

from plixo.domain.approval import Approval
from plixo.domain.path import Seat, Stage


def seat_remark(approval: Approval, stage: Stage, seat: Seat) -> str:
    """In whose place who decides a waiting seat, how many have yet to agree, and how a rejection counts."""
    fallen = [one.label for one in approval.escalated if one.fallback and one.seat is seat.group]
    said = [f"Nobody of {seat.group.label} could when it was asked, so {to} decides in its place." for to in fallen]
    if seat.quorum > 1:
        said.append(f"{approval.missing(seat)} of {seat.quorum} have yet to agree.")
    if not stage.one_rejection_ends:
        could = dict(approval.could).get(seat.group, 0)
        rejected = sum(one.group is seat.group for one in approval.rejections(approval.stage))
        said.append(f"{could} could decide, {rejected} of them rejected it; it ends once too few are left to agree.")
    return " ".join(said)


def deciding_does(approval: Approval, what: str) -> str:
    """What one more approval and one more rejection would do.

    Args:
        approval: What is asked.
        what: What Stripe is sent in the end, in words.
    """
    stage = approval.current_stage
    if stage is None:
        return ""
    missing = sum(approval.missing(seat) for seat in stage.seats)
    last = missing == 1 and approval.stage + 1 == len(approval.path.stages)
    approving = f"Approving applies it in Stripe at once: {what[0].lower()}{what[1:]}."
    if not last:
        approving = "Approving counts for your group; others are asked as well."
    rejecting = "Rejecting ends the request."
    if not stage.one_rejection_ends:
        rejecting = "Rejecting counts against it; it ends once too few are left to agree."
    return f"{approving} {rejecting}"
