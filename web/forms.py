"""What a page's form sent."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import Depends, Request

from web.middleware import MAX_BODY


async def fields(request: Request) -> Mapping[str, str]:
    """Every field's first value as text; a field may be as long as the whole body, to be refused by its own name."""
    sent = await request.form(max_part_size=MAX_BODY)
    return {name: value for name, value in reversed(sent.multi_items()) if isinstance(value, str)}


async def rows(request: Request) -> Sequence[str]:
    """Every value that a form's fields named `row` have."""
    sent = await request.form(max_part_size=MAX_BODY)
    return [value for value in sent.getlist("row") if isinstance(value, str)]


Rows = Annotated[Sequence[str], Depends(rows)]
Fields = Annotated[Mapping[str, str], Depends(fields)]
