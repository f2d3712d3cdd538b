"""The innermost layer: the handler, its events and its ledger row, in one transaction."""

import logging
from copy import deepcopy

from standin.books import Books, close_outbox, open_books
from standin.call import Answer, Call, Doc
from standin.clock import Clock
from standin.database import Database
from standin.errors import ApiError, internal
from standin.expand import expanded
from standin.handlers.registry import OPERATIONS
from standin.ids import Ids
from standin.ledger import Ledger

logger = logging.getLogger(__name__)


class Execution:
    """Runs operations on the books."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._ledger = Ledger(database)
        self._ids = Ids()

    def __call__(self, call: Call) -> Answer:
        """Does what the call asks, wholly or not at all.

        Raises:
            ApiError: A refusal, or 500 for a mistake of the stand-in's own.
        """
        try:
            return self._run(call)
        except ApiError:
            raise
        except Exception as mistake:
            logger.exception("%s %s", call.method, call.path)
            raise internal("An unknown error occurred in the stand-in; its log says which.") from mistake

    def _run(self, call: Call) -> Answer:
        kept: ApiError | None = None
        with self._database.transaction():
            books = open_books(self._database, self._clock, self._ids)
            try:
                done = OPERATIONS[call.operation](books, call)
                body = expanded(deepcopy(done), call.params.get("expand", []), books.objects)
            except ApiError as refusal:
                if not refusal.keeps_changes:
                    raise
                kept, done = refusal, refusal.extra["payment_intent"]
            self._note(books, call, kept.status if kept else 200, done)
        if kept:
            raise kept
        return Answer(200, body)

    def _note(self, books: Books, call: Call, status: int, done: Doc) -> None:
        close_outbox(books, call)
        if call.writes:
            self._ledger.enter(call, books.now, status, done)
