"""The search attributes, all of them: SQL visibility allows 10 keywords, 3 times and 3 keyword lists in all."""

from typing import Final

from temporalio.common import SearchAttributeKey

KIND: Final = SearchAttributeKey.for_keyword("PlixoKind")
"""`credit`."""

WAITS_FOR: Final = SearchAttributeKey.for_keyword_list("PlixoWaitsFor")
"""Groups that are asked now; `requester` where it lies with them; `needs_attention` where a person must look. A closed
workflow keeps its last ones: ask with `ExecutionStatus='Running'`."""

DUE: Final = SearchAttributeKey.for_datetime("PlixoDue")
"""When the answer is due."""

SCHEDULED: Final = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")
"""Temporal's own: when a schedule wanted this run, however late it was started."""

LANE: Final = SearchAttributeKey.for_keyword("PlixoLane")
"""`import` for one of many; nothing for what comes alone. Given at the start, where it costs nothing."""

ALL: Final = (KIND, WAITS_FOR, DUE, LANE)
