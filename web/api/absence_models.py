"""What the API takes and gives where a decision is handed on, and of who is away."""

from datetime import datetime

from pydantic import BaseModel, Field

from web.api.models import Given, Who


class DelegationIn(Given):
    """To whom somebody hands their part."""

    to: str = Field(description="A colleague's id or address.", examples=["finance@plixo.example"])
    comment: str = Field(default="", description="For colleagues.")


class ReassignmentIn(Given):
    """To whom an administrator gives a part."""

    to: str = Field(description="Somebody's id or address.", examples=["cfo@plixo.example"])
    group: str = Field(default="", description="Whose part; may be left out where one group alone is waited for.")
    comment: str = Field(default="", description="Why those who are asked cannot decide; needed.")


class NudgeIn(Given):
    """Asking whoever decides to do so."""

    comment: str = Field(default="", description="For colleagues.")


class AbsenceIn(Given):
    """Somebody is away."""

    first: str = Field(default="", description="The first day; today where it is left out.", examples=["2026-11-23"])
    last: str = Field(default="", description="The last day.", examples=["2026-11-27"])
    delegate: str = Field(default="", description="Who decides in that place: an id or an address.")
    person: str = Field(default="", description="Who is away, for administrators; you where it is left out.")


class ReturnIn(Given):
    """Somebody is back."""

    person: str = Field(default="", description="Who is back, for administrators; you where it is left out.")


class AbsenceOut(BaseModel):
    """Somebody is away, or will be, or was."""

    absence_id: str
    person: Who
    delegate: Who = Field(
        description="Whom they named; where that one is away too, whoever stands in for them decides."
    )
    since: datetime
    until: datetime = Field(description="When it is over, or was.")
    time_zone: str = Field(description="Of whoever is away.")
    away: bool = Field(description="Whether they are away right now.")


class Absences(BaseModel):
    """Who is away or will be."""

    absences: list[AbsenceOut]
