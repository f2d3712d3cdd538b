"""Asking for a credit: what it would need, and making it so."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain

from sqlalchemy.ext.asyncio import AsyncSession

from plixo.domain import ids
from plixo.domain.approval import Approval
from plixo.domain.change import ProposedChange
from plixo.domain.credit import CreditForm, TypedCredit, parse_credit
from plixo.domain.effects import Amounts, TargetFacts, check_target
from plixo.domain.facts import Facts, RateState
from plixo.domain.mandate import SignedRequest
from plixo.domain.money import Money, convert
from plixo.domain.path import ApprovalPath, Seat
from plixo.domain.people import REQUESTERS, Group, Person
from plixo.domain.previewed import Previewed, previewed
from plixo.domain.refusals import Conflict, NotAllowed, Problem, Refused
from plixo.domain.seating import Seatings, path_seatings, remarks, short
from plixo.ports import AuditEntry, Customer, Record
from plixo.store import approvals, people, policies, sums
from plixo.store.ledger import SqlTransaction
from starters.desk import Desk
from starters.workflows import ensure_started

KIND = "credit"
DUPLICATE_DAYS = 30


@dataclass(frozen=True)
class Proposal:
    """A credit whose customer and target were found in Stripe.

    Attributes:
        change: The exact thing to be done.
        customer: Who gets it.
        facts: What Stripe says of the target now.
        amounts: Net, tax and gross, as Stripe works them out.
        request_id: The caller's own id.
    """

    change: ProposedChange
    customer: Customer
    facts: TargetFacts
    amounts: Amounts
    request_id: str


@dataclass(frozen=True)
class Preview:
    """What asking for a credit would mean; nothing was kept.

    Attributes:
        proposal: What would be asked.
        path: Who would decide, and why.
        seatings: Per stage and seat, who could decide, and who could not.
        base: The amount in the policy's base currency.
        duplicates: Requests of the last 30 days for the same invoice or balance.
        token: What goes with the form: asking with it, one is told where the path has become another.
    """

    proposal: Proposal
    path: ApprovalPath
    seatings: Seatings
    base: Money
    duplicates: tuple[Record, ...]
    token: str

    @property
    def deciders(self) -> tuple[tuple[Person, ...], ...]:
        """Per stage, the people who could decide."""
        return tuple(
            tuple({person.person_id: person for one in stage for person in one.able}.values())
            for stage in self.seatings
        )

    @property
    def nobody(self) -> tuple[Group, ...]:
        """Groups of the path in which nobody could decide, nor anybody in their place."""
        return tuple(one.seat.group for one in chain.from_iterable(self.seatings) if not one.able)

    @property
    def too_few(self) -> tuple[Seat, ...]:
        """Seats for which somebody could decide, but too few, since nobody decides twice."""
        return tuple(one.seat for one in short(tuple(chain.from_iterable(self.seatings))) if one.able)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Who decides in whose place, who could not, and what a rejection would do."""
        return remarks(self.path, self.seatings)


@dataclass(frozen=True)
class Asked:
    """A request as it stands after asking.

    Attributes:
        record: The request.
        created: False when it was there already under the same request id.
        started: False when Temporal could not be reached: the workers start it as soon as they can.
        changed: What differs from the path that was previewed, in words; empty where nothing does.
    """

    record: Record
    created: bool
    started: bool
    changed: str = ""


@dataclass(frozen=True)
class Routed:
    """Who decides, and what the amount counts as for the limits, at which rate."""

    path: ApprovalPath
    base: Money
    rate: tuple[str, datetime] | None


async def preview_credit(desk: Desk, person: Person, form: CreditForm) -> Preview:
    """Who would have to approve this credit, why, and what Stripe would be sent.

    Raises:
        Refused: As `request_credit` would refuse it.
    """
    check_asks(person)
    return await preview_proposal(desk, person, await propose(desk, parse_credit(form)))


async def preview_proposal(desk: Desk, person: Person, proposal: Proposal, *, but: str = "") -> Preview:
    """What asking for it would mean.

    Args:
        desk: What the staff side works with.
        person: Who asks.
        proposal: Found in Stripe.
        but: The request that it would amend, left out of every sum; none, where it is empty.

    Raises:
        Refused: Others ask for what is left of the invoice already.
    """
    async with desk.ledger.read() as session:
        await check_pending(session, proposal, but=but)
        desk = await desk.up_to_date(session)
        routed = await route(desk, session, person, proposal, but=but)
    return await preview_path(desk, person, proposal, routed, desk.policy.reference, but=but)


async def preview_path(
    desk: Desk, person: Person, proposal: Proposal, routed: Routed, policy: str, *, but: str = ""
) -> Preview:
    """What asking for it would mean on a path.

    Args:
        desk: What the staff side works with.
        person: Who asks.
        proposal: Found in Stripe.
        routed: The path.
        policy: The one that made it, such as `3@9f2c01ab34cd`.
        but: A request that is no duplicate; none, where it is empty.
    """
    change = proposal.change
    since = desk.clock() - timedelta(days=DUPLICATE_DAYS)
    async with desk.ledger.read() as session:
        everybody = await people.everybody(session)
        likely = await approvals.likely_duplicates(session, change.target.target_id, change.customer_id, since)
    twins = [one for one in likely if one.approval.approval_id != but]
    asked = Approval("", person.person_id, change.digest, change.amount.minor, routed.path, kind=KIND)
    found = path_seatings(asked, everybody, change.customer_id, routed.base.minor)
    return Preview(proposal, routed.path, found, routed.base, tuple(twins), previewed(routed.path, policy))


async def request_credit(desk: Desk, person: Person, form: CreditForm, *, bulk: bool = False, seen: str = "") -> Asked:
    """Ask for a credit: keep it signed, then start its workflow. Asked again with the same id, it is the same one.

    Args:
        desk: What the staff side works with.
        person: Who asks.
        form: What was typed.
        bulk: It is one of many, so that others go first.
        seen: The token of the preview they were shown, if they were.

    Raises:
        Refused: A field is wrong, or Stripe could not take it; nothing was kept.
        NotAllowed: The person may not ask for credits.
        Conflict: The request id was used for something else.
    """
    check_asks(person)
    typed, shown = parse_credit(form), Previewed.parse(seen)
    async with desk.ledger.read() as session:
        known = await approvals.by_request_id(session, person.person_id, typed.request_id)
    if known:
        return await _again(desk, known, typed)
    proposal = await propose(desk, typed)
    async with desk.ledger.begin() as tx:
        change = proposal.change
        await sums.lock(tx.session, "company", change.customer_id, person.person_id)
        known = await approvals.by_request_id(tx.session, person.person_id, typed.request_id)
        record, changed = (known, "") if known else await _keep(desk, tx, person, proposal, shown, bulk=bulk)
    if known:
        return await _again(desk, known, typed)
    return Asked(record, created=True, started=await ensure_started(desk.temporal, record), changed=changed)


async def _again(desk: Desk, known: Record, typed: TypedCredit) -> Asked:
    change = known.change
    target = typed.invoice_id or typed.customer_id
    before = (change.customer_id, change.amount, change.reason, change.target.target_id, change.note, change.memo)
    if before != (typed.customer_id, typed.amount, typed.reason, target, typed.note, typed.memo):
        raise Conflict.one(
            "request_id",
            "request_id_reused",
            f"This request id belongs to {known.approval.approval_id}, which asks for something else; use a new one.",
        )
    return Asked(known, created=False, started=await ensure_started(desk.temporal, known))


async def _keep(
    desk: Desk, tx: SqlTransaction, person: Person, proposal: Proposal, shown: Previewed | None, *, bulk: bool
) -> tuple[Record, str]:
    """The request as it was kept, and what differs from what was shown."""
    await check_pending(tx.session, proposal)
    desk = await desk.up_to_date(tx.session)
    routed = await route(desk, tx.session, person, proposal)
    record = replace(_record(desk, person, proposal, routed), bulk=bulk)
    await approvals.insert(tx.session, record)
    changed = shown.difference(routed.path, desk.policy.reference) if shown else ""
    detail = {
        "amount": str(proposal.change.amount),
        "customer": proposal.change.customer_id,
        "reason": proposal.change.reason.value,
        "digest": proposal.change.digest,
        "policy": desk.policy.reference,
        "rule": routed.path.rule,
        "path": list(routed.path.describe()),
        **({"rate": routed.rate[0], "rate_as_of": routed.rate[1].isoformat()} if routed.rate else {}),
        **({"changed_since_preview": changed} if changed else {}),
    }
    await tx.audit(AuditEntry(record.approval.approval_id, "requested", person.person_id, detail), record.created_at)
    return record, changed


def _record(desk: Desk, person: Person, proposal: Proposal, routed: Routed) -> Record:
    now = desk.clock()
    change = proposal.change
    approval_id = ids.approval_id(ids.CREDIT_PREFIX, person.person_id, proposal.request_id)
    request = SignedRequest(
        approval_id,
        person.person_id,
        change,
        routed.path,
        routed.base.minor,
        desk.policy.reference,
    )
    return Record(
        approval=Approval(approval_id, person.person_id, change.digest, change.amount.minor, routed.path, kind=KIND),
        change=change,
        request_id=proposal.request_id,
        customer_name=proposal.customer.name,
        base_minor=routed.base.minor,
        base_currency=routed.base.currency,
        policy=desk.policy.reference,
        signed=desk.signer.sign("request", request.to_claims(), now=now),
        amounts=proposal.amounts,
        created_at=now,
        rate=routed.rate[0] if routed.rate else None,
        rate_as_of=routed.rate[1] if routed.rate else None,
    )


async def propose(desk: Desk, typed: TypedCredit) -> Proposal:
    """Find customer and target in Stripe, each read once.

    Raises:
        Refused: Stripe could not take it.
    """
    customer, facts = await (_of_invoice(desk, typed) if typed.invoice_id else _of_balance(desk, typed))
    change = ProposedChange(KIND, typed.customer_id, typed.amount, facts.target, typed.reason, typed.note, typed.memo)
    check_target(change, facts)
    amounts = await desk.payments.preview(change, facts)
    return Proposal(change, customer, facts, amounts, typed.request_id)


async def _of_balance(desk: Desk, typed: TypedCredit) -> tuple[Customer, TargetFacts]:
    customer = await _customer(desk, typed)
    return customer, customer.balance(typed.amount.currency)


async def _of_invoice(desk: Desk, typed: TypedCredit) -> tuple[Customer, TargetFacts]:
    """By one call where they belong together; otherwise what is wrong is said of the customer first."""
    found = await desk.payments.billed(typed.invoice_id)
    invoice, customer = found or (None, None)
    if customer is None or customer.customer_id != typed.customer_id:
        customer = await _customer(desk, typed)
    if invoice is None:
        raise Refused.one("invoice", "invoice_unknown", f"Stripe has no invoice {typed.invoice_id}.")
    if invoice.customer_id != customer.customer_id:
        raise Refused.one("invoice", "invoice_of_another", f"That invoice is not one of {customer.name}'s.")
    return customer, invoice.facts


async def _customer(desk: Desk, typed: TypedCredit) -> Customer:
    customer = await desk.payments.customer(typed.customer_id)
    if customer is None:
        raise Refused.one("customer", "customer_unknown", f"Stripe has no customer {typed.customer_id}.")
    return customer


async def check_pending(session: AsyncSession, proposal: Proposal, *, but: str = "") -> None:
    """What others already ask of the same invoice is spoken for.

    Raises:
        Refused: Too little is left of it.
    """
    change, creditable = proposal.change, proposal.facts.creditable_minor
    if creditable is None:
        return
    waiting = await approvals.pending_on(session, change.target.target_id, change.amount.currency, but=but)
    left = creditable - waiting
    if change.amount.minor > left:
        currency = change.amount.currency
        wanted = (
            f"Other requests on this invoice already ask for {Money(waiting, currency)}: "
            f"at most {Money(max(left, 0), currency)} is left."
        )
        raise Refused(Problem("amount", "amount_above_creditable", wanted))


async def route(desk: Desk, session: AsyncSession, person: Person, proposal: Proposal, *, but: str = "") -> Routed:
    """The path of what is asked for, by the policy of the desk.

    Raises:
        Conflict: The policy, or the exchange rate, cannot be used.
    """
    change = proposal.change
    desk.check_routing()
    now = desk.clock()
    rate, base, found = await _in_base(desk, session, change.amount)
    before = await sums.read(session, person.person_id, change.customer_id, now, desk.policy.sum_days, but=but)
    facts = Facts(
        kind=KIND,
        reason=change.reason.value,
        amount_minor=base.minor,
        authority_minor=desk.policy.authority(person, KIND),
        related=change.customer_id in person.related_customers,
        rate=rate,
        sums=before,
    )
    return Routed(desk.policy.path(facts, person.groups), base, found)


async def _in_base(
    desk: Desk, session: AsyncSession, amount: Money
) -> tuple[RateState, Money, tuple[str, datetime] | None]:
    """The amount in the base currency, at which rate; without one it counts as one to one, and two people decide."""
    base = desk.policy.base_currency
    if amount.currency == base:
        return RateState.SAME, amount, None
    found = await policies.rate(session, amount.currency, base)
    if found is None:
        return RateState.MISSING, convert(amount, Decimal(1), base), None
    desk.trust.rate(amount.currency, base, found)
    rate, as_of, _ = found
    stale = desk.clock() - as_of > timedelta(days=desk.policy.rate_days)
    return (RateState.STALE if stale else RateState.FRESH), convert(amount, Decimal(rate), base), (rate, as_of)


def check_asks(person: Person) -> None:
    """Refuse who may not ask for credits.

    Raises:
        NotAllowed: They are in none of the groups that do.
    """
    if not person.belongs_to(*REQUESTERS):
        raise NotAllowed.one("person", "not_requester", f"Credits are asked for by billing; you are {person.role}.")
