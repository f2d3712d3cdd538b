"""The house's objects as the API gives them."""

from collections.abc import Mapping

from plixo.directory.calendars import calendar_in_words
from plixo.domain.change import Target
from plixo.domain.decision import Decision
from plixo.domain.effects import Amounts
from plixo.domain.ids import workflow_of
from plixo.domain.money import Money
from plixo.domain.people import Group, Person
from plixo.domain.seating import Seating
from plixo.ports import Customer, Invoice, Record
from starters.amending import Amending
from starters.credits import Preview
from web.api import models
from web.api.amending_models import AmendmentPreviewOut
from web.console.words import WITH_REQUESTER, standing, waiting_on


class Shower:
    """Shows requests with their people's names and with links to this console.

    Args:
        names: By person id.
        base_url: Where the console is.
    """

    def __init__(self, names: Mapping[str, str], base_url: str) -> None:
        self._names = names
        self._base_url = base_url.rstrip("/")

    def who(self, person_id: str) -> models.Who:
        """A person by id; somebody who left the directory keeps the id."""
        return models.Who(person_id=person_id, name=self._names.get(person_id, person_id))

    def approval(self, record: Record) -> models.ApprovalOut:
        """A request as it stands."""
        approval, change = record.approval, record.change
        waits = [group.value for group in approval.waiting_groups()]
        return models.ApprovalOut(
            approval_id=approval.approval_id,
            kind=change.kind,
            request_id=record.request_id,
            state=approval.state.value,
            state_text=standing(record).label,
            waits_for=waits,
            waits_for_text=waiting_on(record) if waits or approval.state in WITH_REQUESTER else "",
            customer_id=change.customer_id,
            customer_name=record.customer_name,
            amount=major(change.amount),
            amount_minor=change.amount.minor,
            agreed_minor=approval.agreed_minor,
            currency=change.amount.currency,
            amounts=amounts(record.amounts),
            reason=change.reason.value,
            reason_text=change.reason.label,
            note=change.note,
            memo=change.memo,
            target=target(change.target),
            requester=self.who(approval.requester_id),
            path=list(approval.path.describe()),
            rule=approval.path.rule,
            why=approval.path.why,
            notes=list(approval.path.notes),
            policy=record.policy,
            base_minor=record.base_minor,
            base_currency=record.base_currency,
            rate=record.rate,
            rate_as_of=record.rate_as_of,
            digest=approval.digest,
            created_at=record.created_at,
            due_at=record.due_at,
            ended_at=record.ended_at,
            round=approval.round,
            stripe_object=record.stripe_object,
            explanation=record.why,
            workflow_id=workflow_of(approval.approval_id),
            page=f"{self._base_url}/approvals/{approval.approval_id}",
        )

    def decision(self, decision: Decision) -> models.DecisionOut:
        """A decision that was recorded."""
        return models.DecisionOut(
            decision_id=decision.decision_id,
            person=self.who(decision.person_id),
            group=decision.group.value if decision.group else None,
            verdict=decision.verdict.value,
            comment=decision.comment,
            amount_minor=decision.amount_minor,
        )

    def preview(self, seen: Preview) -> models.PreviewOut:
        """What asking would mean."""
        change, path = seen.proposal.change, seen.path
        return models.PreviewOut(
            customer=customer(seen.proposal.customer),
            amount=major(change.amount),
            amount_minor=change.amount.minor,
            currency=change.amount.currency,
            amounts=amounts(seen.proposal.amounts),
            base_minor=seen.base.minor,
            base_currency=seen.base.currency,
            target=target(change.target),
            automatic=path.automatic,
            path=list(path.describe()),
            rule=path.rule,
            why=path.why,
            notes=list(path.notes),
            stages=self._stages(seen),
            nobody=[group.value for group in seen.nobody],
            too_few=[seat.describe() for seat in seen.too_few],
            remarks=list(seen.remarks),
            duplicates=[self.approval(twin) for twin in seen.duplicates],
            previewed=seen.token,
        )

    def amendment(self, seen: Amending) -> AmendmentPreviewOut:
        """What amending would mean."""
        preview = self.preview(seen.preview).model_dump()
        return AmendmentPreviewOut(**preview, keeps=seen.keeps, changes=list(seen.changes))

    def _stages(self, seen: Preview) -> list[models.StageOut]:
        words = () if seen.path.automatic else seen.path.describe()
        return [
            models.StageOut(
                groups=[group.value for group in stage.groups],
                text=text,
                seats=[_seat(one) for one in seats],
                one_rejection_ends=stage.one_rejection_ends,
                due_hours=stage.clock.due_hours,
                expire_hours=stage.clock.expire_hours,
                deciders=[_who(person) for person in able],
            )
            for stage, text, able, seats in zip(seen.path.stages, words, seen.deciders, seen.seatings, strict=True)
        ]


def _seat(one: Seating) -> models.SeatOut:
    seat = one.seat
    return models.SeatOut(
        group=seat.group.value,
        text=seat.describe(),
        quorum=seat.quorum,
        fallback=seat.fallback.value if seat.fallback else None,
        in_place=one.fallback is not None,
        deciders=[_who(person) for person in one.able],
        could_not=[models.CouldNot(**dict(_who(person)), why=why) for person, why in one.unable],
    )


def _who(person: Person) -> models.Who:
    return models.Who(person_id=person.person_id, name=person.name)


def person(one: Person) -> models.PersonOut:
    """Somebody of the directory."""
    return models.PersonOut(
        person_id=one.person_id,
        name=one.name,
        email=one.email,
        role=one.role,
        groups=[group.value for group in Group if group in one.groups],
        limits=one.limits,
        time_zone=one.time_zone,
        calendar=calendar_in_words(one),
        active=one.active,
    )


def customer(one: Customer) -> models.CustomerOut:
    """A customer."""
    return models.CustomerOut(customer_id=one.customer_id, name=one.name, email=one.email, currency=one.currency)


def invoice(one: Invoice) -> models.InvoiceOut:
    """An invoice."""
    return models.InvoiceOut(
        invoice_id=one.invoice_id,
        number=one.number,
        customer_id=one.customer_id,
        status=one.status,
        currency=one.currency,
        total=major(one.total),
        total_minor=one.total_minor,
        tax_minor=one.tax_minor,
        remaining=major(Money(one.remaining_minor, one.currency)),
        remaining_minor=one.remaining_minor,
        creditable=major(one.creditable),
        creditable_minor=one.creditable_minor,
        created=one.created,
    )


def amounts(one: Amounts) -> models.AmountsOut:
    """Net, tax and gross."""
    return models.AmountsOut(
        net_minor=one.net_minor, tax_minor=one.tax_minor, gross_minor=one.gross_minor, currency=one.currency
    )


def target(one: Target) -> models.TargetOut:
    """What a credit lands on."""
    return models.TargetOut(kind=one.kind.value, target_id=one.target_id, number=one.number)


def major(money: Money) -> str:
    """An amount as it would be typed, such as `4200.00`."""
    return str(money.major)
