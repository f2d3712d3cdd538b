"""The idempotency layer, by the rules of API v1.

An answer is saved once the handler began: its 500s, declined cards and refusals by the state of the books too. What is
found wrong before (parameters, key, rights, limits) is not saved. The handler's changes and the saved answer are
committed together, so that a stand-in killed in between does neither.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable

from standin.call import Answer, Call
from standin.clock import Clock
from standin.database import Database
from standin.errors import ApiError, bad_param

KEPT_SECONDS = 24 * 3600
LONGEST_KEY = 255

Execute = Callable[[Call], Answer]
"""Runs the call in a transaction of its own and raises `ApiError` for refusals."""


class IdempotencyLayer:
    """Executes a keyed write once and repeats its answer afterwards."""

    def __init__(self, database: Database, clock: Clock, inner: Execute) -> None:
        self._database = database
        self._clock = clock
        self._inner = inner
        self._in_flight: set[str] = set()

    async def __call__(self, call: Call) -> Answer:
        """Executes or repeats.

        Raises:
            ApiError: A key that is too long or in flight, or was used with other parameters; or a refusal that is not
                saved.
        """
        key = call.idempotency_key
        if key is None:
            await asyncio.sleep(call.slow_seconds)
            return self._inner(call)
        if not 1 <= len(key) <= LONGEST_KEY:
            raise bad_param("Idempotency-Key", f"Idempotency keys have 1 to {LONGEST_KEY} characters.")
        if key in self._in_flight:
            raise ApiError(409, _IN_FLIGHT.format(key), kind="idempotency_error", code="idempotency_key_in_use")
        self._in_flight.add(key)
        try:
            await asyncio.sleep(call.slow_seconds)
            return self._once(call, key)
        finally:
            self._in_flight.discard(key)

    def _once(self, call: Call, key: str) -> Answer:
        with self._database.transaction():
            self._prune()
            fingerprint = _fingerprint(call)
            saved = self._saved(key, fingerprint)
            if saved:
                return saved
            answer = self._run(call)
            self._save(key, fingerprint, call, answer)
        return answer

    def _run(self, call: Call) -> Answer:
        try:
            return self._inner(call)
        except ApiError as error:
            if not error.remembered:
                raise
            return error.answer()

    def _saved(self, key: str, fingerprint: str) -> Answer | None:
        sql = "SELECT fingerprint, request_id, status, body FROM keys WHERE key = ?"
        row = self._database.connection.execute(sql, (key,)).fetchone()
        if row is None:
            return None
        if row["fingerprint"] != fingerprint:
            raise ApiError(400, _OTHER_PARAMETERS.format(key), kind="idempotency_error")
        headers = {"Idempotent-Replayed": "true", "Original-Request": row["request_id"]}
        return Answer(row["status"], json.loads(row["body"]), headers)

    def _save(self, key: str, fingerprint: str, call: Call, answer: Answer) -> None:
        self._database.connection.execute(
            "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?)",
            (key, self._clock.now(), fingerprint, call.request_id, answer.status, json.dumps(answer.body)),
        )

    def _prune(self) -> None:
        oldest = self._clock.now() - KEPT_SECONDS
        self._database.connection.execute("DELETE FROM keys WHERE at < ?", (oldest,))


_IN_FLIGHT = "There is currently another in-progress request using this idempotency key ({0}). Try again later."
_OTHER_PARAMETERS = (
    "Keys for idempotent requests can only be used with the parameters they were first used with. The key {0} was used "
    "with others."
)


def _fingerprint(call: Call) -> str:
    asked = json.dumps([call.method, call.path, call.params], sort_keys=True)
    return hashlib.sha256(asked.encode()).hexdigest()
