"""What the API takes and gives where a request is amended."""

from typing import Annotated

from pydantic import Field

from web.api.models import Given, PreviewOut


class AmendmentIn(Given):
    """What its requester asks for instead; what is left out stays as it is."""

    amount: str | None = Field(default=None, description="In major units, gross, in the request's currency.")
    reason: str | None = Field(default=None, description="A reason code.")
    note: str | None = Field(default=None, description="For colleagues; empty for none.")
    memo: str | None = Field(default=None, description="For the customer; empty for none.")
    comment: str = Field(default="", description="Words to colleagues about the change.")
    round: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        default=None, description="The round you have read: another one is refused. Left out, whatever stands."
    )
    previewed: str = Field(default="", description="What a preview gave: the history says where the path differs.")


class AmendmentPreviewOut(PreviewOut):
    """What amending would mean; nothing was kept."""

    keeps: bool = Field(description="What was decided before counts: nothing but a smaller amount is asked for.")
    changes: list[str] = Field(description="What is another, in words.")
