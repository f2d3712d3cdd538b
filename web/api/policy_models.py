"""What the API takes and gives about policies, exchange rates and simulations."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from web.api.models import Given, Who

MOST_RATES = 500


class RuleOut(BaseModel):
    """One row of the decision table."""

    rule: str
    words: str
    conditions: str
    answers: str = Field(description="What it answers, such as `Route both`.")


class PolicyOut(BaseModel):
    """The policy that routes new requests."""

    version: int
    hash: str
    reference: str
    base_currency: str
    limits: dict[str, Any] = Field(description="As published; amounts in whole major units of the base currency.")
    rules: list[RuleOut]
    published_at: datetime | None = Field(default=None, description="When; empty where it was not asked for.")
    published_by: Who | None = Field(default=None, description="Who; empty where it came with a release.")


class DifferenceOut(BaseModel):
    """One thing that differs between two policies, in words."""

    what: str
    before: str
    after: str


class VersionOut(BaseModel):
    """A published version."""

    version: int
    hash: str
    reference: str
    published_at: datetime
    published_by: Who | None = Field(description="Empty where it came with a release.")
    draft_id: str | None


class Versions(BaseModel):
    """Every published version, newest first."""

    versions: list[VersionOut]


class VersionDetail(VersionOut):
    """A published version with all that it says."""

    base_currency: str
    limits: dict[str, Any]
    table: dict[str, Any] = Field(description="The decision table, as a JDM editor takes it.")
    rules: list[RuleOut]
    against: int | None = Field(description="The version that it is held against.")
    differences: list[DifferenceOut]


class PolicyIn(Given):
    """A policy that is to be drafted: what `limits.toml` and the decision table say, or an earlier version again."""

    limits: dict[str, Any] | None = Field(default=None, description="As in `limits.toml`.")
    table: dict[str, Any] | None = Field(default=None, description="A JDM decision.")
    again: int | None = Field(default=None, ge=1, le=2**31, description="An earlier version, instead of the two.")
    note: str = Field(default="", description="Why, for whoever publishes it.")


class RateIn(Given):
    """An exchange rate."""

    currency: str = Field(examples=["EUR"])
    rate: str = Field(description="What one unit is worth in the base currency.", examples=["1.0842"])
    as_of: str = Field(description="The day of the rate, or a moment with its zone.", examples=["2026-07-14"])


class RatesIn(Given):
    """Exchange rates that are to be drafted."""

    rates: Annotated[list[RateIn], Field(max_length=MOST_RATES)]
    note: str = Field(default="", description="Where they come from.")


class RateOut(BaseModel):
    """An exchange rate."""

    currency: str
    rate: str
    as_of: datetime
    stale: bool = Field(description="Whether it is too old for an automatic credit.")


class Rates(BaseModel):
    """The rates that hold."""

    base_currency: str
    days: int = Field(description="A rate that is more days old is stale.")
    rates: list[RateOut]


class DraftOut(BaseModel):
    """A draft of a policy or of exchange rates."""

    draft_id: str
    kind: Literal["policy", "rates"]
    author: Who
    created_at: datetime
    hash: str
    base_version: int
    note: str
    outdated: bool = Field(description="Whether another version was published since: it must be drafted anew.")
    published_by: Who | None
    published_at: datetime | None
    version: int | None = Field(description="The policy version it became.")


class Drafts(BaseModel):
    """The newest drafts, published or not."""

    drafts: list[DraftOut]


class DraftDetail(DraftOut):
    """A draft with what it would change."""

    differences: list[DifferenceOut]
    rates: list[RateIn]
    may_publish: bool = Field(description="Whether you may publish it.")
    why_not: str = Field(description="Why you may not.")


class SimulationIn(Given):
    """A policy to be tried on open and recent requests: a draft, or what `limits.toml` and the table say."""

    draft: str = Field(default="", max_length=100)
    limits: dict[str, Any] | None = None
    table: dict[str, Any] | None = None
    days: int = Field(default=30, ge=1, le=366, description="How far back requests that have ended are looked at.")


class ChangedOut(BaseModel):
    """A request that would go another way."""

    approval_id: str
    customer_name: str
    amount: str
    amount_minor: int
    currency: str
    state: str
    open: bool
    created_at: datetime
    kind: str
    kind_text: str
    before: list[str]
    after: list[str]
    rule_before: str
    rule: str
    why: str
    certain: bool = Field(description="False where its own policy would not give its path today either.")


class SimulationOut(BaseModel):
    """What a policy would change."""

    days: int
    looked: int
    open: int
    open_changed: int
    counts: dict[str, int] = Field(description="How many would change, per kind.")
    changed: list[ChangedOut]
