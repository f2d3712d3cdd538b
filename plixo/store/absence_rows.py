"""The tables of who is away; kept as those of `plixo.store.models` are."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from plixo.store.base import Base


class AbsenceRow(Base):
    """Somebody is away, and who decides in their place, signed: immutable."""

    __tablename__ = "absences"
    __table_args__ = (
        CheckConstraint("until > since and person_id <> delegate_id", name="absences_sound"),
        Index("absences_until", "until"),
    )

    absence_id: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.person_id"))
    delegate_id: Mapped[str] = mapped_column(ForeignKey("people.person_id"))
    since: Mapped[datetime]
    until: Mapped[datetime]
    entered_by: Mapped[str] = mapped_column(ForeignKey("people.person_id"))
    entered_at: Mapped[datetime]
    signed: Mapped[str]


class ReturnRow(Base):
    """Somebody is back earlier than they said, signed: immutable."""

    __tablename__ = "absence_returns"

    absence_id: Mapped[str] = mapped_column(ForeignKey("absences.absence_id"), primary_key=True)
    ended_at: Mapped[datetime]
    ended_by: Mapped[str] = mapped_column(ForeignKey("people.person_id"))
    signed: Mapped[str]
