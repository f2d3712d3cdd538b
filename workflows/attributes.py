"""The search attributes, all of them: SQL visibility allows 10 keywords, 3 times and 3 keyword lists in all."""

from typing import Final

from temporalio.common import SearchAttributeKey

KIND: Final = SearchAttributeKey.for_keyword("PlixoKind")
"""`credit`."""

WAITS_FOR: Final = SearchAttributeKey.for_keyword_list("PlixoWaitsFor")
"""Groups that are asked now. A closed workflow keeps its last ones: ask with `ExecutionStatus='Running'`."""

DUE: Final = SearchAttributeKey.for_datetime("PlixoDue")
"""When the answer is due."""

SCHEDULED: Final = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")
"""Temporal's own: when a schedule wanted this run, however late it was started."""

ALL: Final = (KIND, WAITS_FOR, DUE)
