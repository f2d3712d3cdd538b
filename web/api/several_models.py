"""What the API takes and gives where several requests are decided at once."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from plixo.domain.several import MOST
from web.api.models import ApprovalOut, Given

VerdictIn = Literal["approve", "reject"]


class ShownIn(Given):
    """A request as it was shown: this is what is signed. One that has changed since is not decided."""

    approval_id: Annotated[str, Field(pattern=r"^[A-Z]{2}-[A-Z2-7]{26}$")]
    round: Annotated[int, Field(ge=0, le=999_999_999)]
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    amount_minor: Annotated[int, Field(ge=0, le=999_999_999_999, description="What was left of its amount.")]


class CheckSeveralIn(Given):
    """Requests that somebody wants to say the same about."""

    verdict: VerdictIn
    approval_ids: Annotated[list[str], Field(min_length=1, max_length=MOST)]


class DecideSeveralIn(Given):
    """What somebody says about each of these requests."""

    verdict: VerdictIn
    comment: str = Field(default="", description="For colleagues, on each of them; a rejection needs one.")
    rows: Annotated[list[ShownIn], Field(min_length=1, max_length=MOST, description="As the check showed them.")]


class DecidableOut(BaseModel):
    """A request that can be decided."""

    approval: ApprovalOut
    then: str = Field(description="What follows, in words.")
    shown: ShownIn = Field(description="To send when you decide.")


class LeftOutOut(BaseModel):
    """A request that you cannot decide on like this."""

    approval_id: str
    approval: ApprovalOut | None = Field(description="Empty where there is none that you may know of.")
    why: str
    fresh_sign_in_needed: bool


class SumOut(BaseModel):
    """What is decided on in one currency."""

    amount: str = Field(description="In major units.")
    amount_minor: int
    currency: str


class CheckedSeveralOut(BaseModel):
    """What the verdict would do; nothing was kept."""

    verdict: VerdictIn
    decidable: list[DecidableOut]
    left_out: list[LeftOutOut]
    sums: list[SumOut]


class OutcomeOut(BaseModel):
    """What became of one decision."""

    approval_id: str
    answer: Literal["accepted", "already_received", "kept", "conflict", "refused", "failed"]
    code: str = Field(description="A stable word for programs; empty where it went through.")
    why: str
    approval: ApprovalOut | None = Field(description="The request as it stands; empty where it did not go through.")


class DecidedSeveralOut(BaseModel):
    """What became of each, in the order they were sent."""

    outcomes: list[OutcomeOut]
    all_decided: bool = Field(description="Whether every decision is signed and stands.")
