"""What the API takes and gives. Money goes in as text in major units and comes out as text and as minor units."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

RequestId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$")]


class Given(BaseModel):
    """A body: fields that nobody knows are refused, so that a misspelt one is not passed over in silence."""

    model_config = ConfigDict(extra="forbid")


class CreditIn(Given):
    """What is asked for, field by field as it was typed; each is checked on its own and named when it is wrong."""

    customer: str = Field(default="", description="Stripe's `cus_…`.", examples=["cus_ExampleLogistics"])
    amount: str = Field(default="", description="In major units, gross.", examples=["4200.00"])
    currency: str = Field(default="", description="ISO 4217, three letters.", examples=["USD"])
    reason: str = Field(default="", description="A reason code.", examples=["service_outage"])
    request_id: str = Field(
        default="",
        description="Your own id: asked again with it, it is the same request.",
        examples=["outage-2026-07-14"],
    )
    invoice: str = Field(default="", description="Stripe's `in_…`; empty for the customer's balance.")
    note: str = Field(default="", description="For colleagues; never shown to the customer.")
    memo: str = Field(default="", description="For the customer: Stripe prints it on the credit note.")
    bulk: bool = Field(default=False, description="One of many: other people's requests and mails go first.")
    previewed: str = Field(default="", description="What a preview gave: the answer says where the path differs.")


class KnownIn(Given):
    """Request ids to look up."""

    request_ids: Annotated[list[RequestId], Field(max_length=500, description="Your own ids, of requests you made.")]


class DecisionIn(Given):
    """What somebody says about a request."""

    verdict: Literal["approve", "reject", "ask", "return", "answer"] = Field(
        description="Whoever is asked approves, rejects, asks for information or returns it for changes; who asked for "
        "it answers."
    )
    comment: str = Field(default="", description="For colleagues; all but an approval need one.")
    amount: str = Field(
        default="",
        description="How much is approved, in major units, where it is less than what is asked; empty for all of it.",
    )
    round: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        default=None, description="The round you have read: another one is refused. Left out, whatever stands."
    )


class WithdrawalIn(Given):
    """Taking one's own request back."""

    comment: str = ""


class DeviceIn(Given):
    """Asks whether a login was confirmed."""

    device_code: str


class RoleIn(Given):
    """Whom to be, in dev."""

    role: str = Field(description="A group's code.", examples=["controller"])


class FieldProblem(BaseModel):
    """One thing wrong with what was sent."""

    field: str = Field(description="Which field; empty when it concerns the whole.")
    code: str = Field(description="A stable word for programs.")
    message: str = Field(description="One sentence for people that says what would be right.")


class Error(BaseModel):
    """What went wrong."""

    code: str
    message: str
    fields: list[FieldProblem]
    request_id: str = Field(description="To name when you ask somebody about it.")


class Failure(BaseModel):
    """Every answer that is not what was asked for."""

    error: Error


class Who(BaseModel):
    """A person, as colleagues see them."""

    person_id: str
    name: str


class PersonOut(Who):
    """Somebody of the directory."""

    email: str
    role: str = Field(description="Their groups in words.")
    groups: list[str]
    limits: dict[str, int] = Field(description="Own limits per kind, in minor units of the policy's base currency.")
    time_zone: str
    calendar: str = Field(description="When they work, in words; it says so where their public holidays are not known.")
    active: bool


class People(BaseModel):
    """The directory."""

    people: list[PersonOut]


class CustomerOut(BaseModel):
    """A customer, as Stripe has it."""

    customer_id: str
    name: str
    email: str
    currency: str | None


class Customers(BaseModel):
    """The newest customers."""

    customers: list[CustomerOut]


class InvoiceOut(BaseModel):
    """An invoice, as Stripe has it."""

    invoice_id: str
    number: str
    customer_id: str
    status: str
    currency: str
    total: str = Field(description="Gross, in major units.")
    total_minor: int
    tax_minor: int
    remaining: str = Field(description="What is still owed on it, in major units.")
    remaining_minor: int
    creditable: str = Field(description="What credit notes can still take off it, in major units.")
    creditable_minor: int
    created: datetime


class Invoices(BaseModel):
    """The newest invoices."""

    invoices: list[InvoiceOut]


class AmountsOut(BaseModel):
    """A credit as an accountant reads it, in minor units."""

    net_minor: int
    tax_minor: int
    gross_minor: int
    currency: str


class TargetOut(BaseModel):
    """What in Stripe a credit lands on."""

    kind: Literal["invoice", "customer_balance"]
    target_id: str
    number: str


class ApprovalOut(BaseModel):
    """A request as it stands."""

    approval_id: str
    kind: str
    request_id: str
    state: str
    state_text: str = Field(description="The state in words, such as `Waiting on Controller`.")
    waits_for: list[str] = Field(description="Codes of the groups that are asked now.")
    waits_for_text: str = Field(description="Who holds it now, in words; empty when nobody does.")
    customer_id: str
    customer_name: str
    amount: str = Field(description="Gross, in major units.")
    amount_minor: int
    agreed_minor: int = Field(description="What is left of it: the least that anybody approved.")
    currency: str
    amounts: AmountsOut
    reason: str
    reason_text: str
    note: str
    memo: str
    target: TargetOut
    requester: Who
    path: list[str] = Field(description="Each stage in words; `automatic` when nobody is asked.")
    rule: str
    why: str = Field(description="The rule in words.")
    notes: list[str]
    policy: str
    base_minor: int = Field(description="What it counts as for the limits, in the policy's base currency.")
    base_currency: str
    rate: str | None = Field(description="At which exchange rate; empty where none was needed, or there was none.")
    rate_as_of: datetime | None
    digest: str
    created_at: datetime
    due_at: datetime | None
    ended_at: datetime | None
    round: int = Field(description="Counts what its requester made of it; the first is 0.")
    stripe_object: str
    explanation: str = Field(description="Why it was returned, or needs attention.")
    workflow_id: str
    page: str = Field(description="Where people read it.")


class Approvals(BaseModel):
    """A page of requests."""

    approvals: list[ApprovalOut]
    total: int
    page: int
    pages: int


class DecisionOut(BaseModel):
    """A decision that was recorded."""

    decision_id: str
    person: Who
    group: str | None
    verdict: str
    comment: str
    amount_minor: int


class EventOut(BaseModel):
    """One step of a request's history."""

    at: datetime
    event: str
    actor: str
    text: str


class ApprovalDetail(ApprovalOut):
    """A request with all that is known of it."""

    decisions: list[DecisionOut]
    timeline: list[EventOut]
    may_decide: bool = Field(description="Whether you may decide on it now.")
    why_not: str = Field(description="Why you may not.")


class AskedOut(ApprovalOut):
    """A request after asking."""

    created: bool = Field(description="False when it was there already under the same request id.")
    started: bool = Field(description="False while Temporal cannot be reached; it starts by itself once it can.")
    changed: str = Field(description="What differs from the path that was previewed; empty where nothing does.")


class KnownRequest(BaseModel):
    """A request id that was used, in short."""

    request_id: str
    approval_id: str
    state: str
    state_text: str = Field(description="The state in words, such as `Waiting on Controller`.")
    path: list[str] = Field(description="Each stage in words; `automatic` when nobody is asked.")


class KnownOut(BaseModel):
    """Those of the request ids that were used; the others were not."""

    known: list[KnownRequest]


class CouldNot(Who):
    """Somebody of a group that is asked, who could not decide."""

    why: str


class SeatOut(BaseModel):
    """One group's part in a stage."""

    group: str
    text: str
    quorum: int = Field(description="How many people must agree.")
    fallback: str | None = Field(description="The group that decides in its place should nobody of it be able to.")
    in_place: bool = Field(description="Whether that is so now.")
    deciders: list[Who]
    could_not: list[CouldNot]


class StageOut(BaseModel):
    """Groups that decide side by side."""

    groups: list[str]
    text: str
    seats: list[SeatOut]
    one_rejection_ends: bool = Field(description="Otherwise it ends once a quorum cannot be reached.")
    due_hours: int = Field(description="Business hours of whoever is asked.")
    expire_hours: int = Field(description="Business hours until it goes back; 0 for never.")
    deciders: list[Who]


class PreviewOut(BaseModel):
    """What asking would mean; nothing was kept."""

    customer: CustomerOut
    amount: str
    amount_minor: int
    currency: str
    amounts: AmountsOut
    base_minor: int
    base_currency: str
    target: TargetOut
    automatic: bool
    path: list[str]
    rule: str
    why: str
    notes: list[str]
    stages: list[StageOut]
    nobody: list[str] = Field(description="Groups in which nobody could decide, nor anybody in their place.")
    too_few: list[str] = Field(description="Seats in words for which somebody could decide, but too few.")
    remarks: list[str] = Field(description="In whose place who decides, who could not, and what a rejection does.")
    duplicates: list[ApprovalOut] = Field(description="Requests of the last 30 days for the same.")
    previewed: str = Field(description="To send with the credit: the answer then says where the path differs.")


class AnswerOut(BaseModel):
    """What became of a decision."""

    decision_id: str
    answer: Literal["accepted", "already_received", "kept"]
    why: str
    approval: ApprovalOut


class StatusOut(BaseModel):
    """Whether Plixo can do its work."""

    ok: bool
    env: str
    parts: dict[str, str]
    policy: str
    unsent_mails: int


class LoginOut(BaseModel):
    """A login that waits for somebody to confirm its code in the console."""

    device_code: str = Field(description="A secret: it fetches the token.")
    user_code: str = Field(description="For people to compare.")
    verify_url: str
    expires_in: Annotated[int, Field(description="Seconds.")]
    interval: Annotated[int, Field(description="Seconds to wait between two questions.")]


class TokenOut(BaseModel):
    """A sign-in for the command line."""

    token: str
    person: PersonOut


class AuditFile(BaseModel):
    """One request's audit log, sealed; `plixo audit verify` checks it."""

    format: str
    exported_at: str
    requests: list[dict[str, Any]]
    public_keys: dict[str, Any]
    seal: str
