"""Sending the rows of a file to the API, some at a time: each ends by itself, and the import only with its reason."""

import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from plixo.domain.credit_sheet import SheetRow
from plixo.domain.refusals import Problem
from starters.cli.import_courier import Courier, Given, Halt

AT_A_TIME: Final = 500
"""Request ids that are looked up with one question."""

FAILED_IN_A_ROW: Final = 20
"""After so many failures of the server and nothing else, there is no use in going on."""


class Status(StrEnum):
    """What became of a row."""

    CREATED = "created"
    ALREADY_THERE = "already_there"
    SOUND = "sound"
    REFUSED = "refused"
    FAILED = "failed"
    LEFT = "left"


WELL: Final = frozenset({Status.CREATED, Status.ALREADY_THERE, Status.SOUND})


@dataclass(frozen=True)
class Outcome:
    """A row, and what became of it.

    Attributes:
        row: Which one.
        status: What became of it.
        approval_id: The request, where there is one.
        state: Its state.
        path: Who decides, stage by stage; `automatic` where nobody does.
        problem: Why it was not taken.
        duplicates: Requests that ask for the same already, as a dry run finds them.
    """

    row: SheetRow
    status: Status
    approval_id: str = ""
    state: str = ""
    path: tuple[str, ...] = ()
    problem: Problem | None = None
    duplicates: tuple[str, ...] = ()


@dataclass
class Import:
    """One run over a file.

    Attributes:
        courier: Brings a body to the API and an answer back.
        rows: All of the file's.
        at_once: How many are under way at a time.
        dry_run: Check each by preview and keep nothing.
        stopped: Why it ended before its end; empty when it did not.
    """

    courier: Courier
    rows: Sequence[SheetRow]
    at_once: int
    dry_run: bool = False
    stopped: str = ""
    _known: dict[str, Outcome] = field(default_factory=dict)
    _failed_in_a_row: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)  # a signal may stop it while it stops

    def outcomes(self) -> Iterator[Outcome]:
        """Every row's, as they come; those that were not tried come last."""
        seen: set[int] = set()
        for outcome in self._tried():
            if outcome.status is not Status.LEFT:
                seen.add(outcome.row.line)
                yield outcome
        yield from (Outcome(row, Status.LEFT) for row in self.rows if row.line not in seen)

    def stop(self, why: str) -> None:
        """End it: what is under way still comes to its end, nothing more is begun."""
        with self._lock:
            self.stopped = self.stopped or why
        self.courier.stop()

    def _tried(self) -> Iterator[Outcome]:
        todo = []
        for row in self.rows:
            if row.problem:
                yield Outcome(row, Status.REFUSED, problem=row.problem)
            else:
                todo.append(row)
        try:
            known = self._look_up(todo)
        except Halt as halt:
            self.stop(str(halt))
            return
        yield from known.values()
        yield from self._side_by_side([row for row in todo if row.line not in known])

    def _look_up(self, rows: Sequence[SheetRow]) -> dict[int, Outcome]:
        """What is there already: a made-up id says all that its row says, so the id alone tells."""
        asked = {row.request_id: row for row in rows if row.made_up}
        found: dict[int, Outcome] = {}
        ids = list(asked)
        for start in range(0, len(ids), AT_A_TIME):
            for one in self.courier.known(ids[start : start + AT_A_TIME]):
                row = asked[one["request_id"]]
                found[row.line] = _there(row, one, Status.ALREADY_THERE)
        return found

    def _side_by_side(self, rows: Sequence[SheetRow]) -> Iterator[Outcome]:
        todo, done = iter(rows), queue.SimpleQueue[Outcome | None]()
        for _ in range(self.at_once):
            # A daemon, so that a second Ctrl-C ends the program whatever is under way.
            threading.Thread(target=self._work, args=(todo, done), daemon=True).start()
        working = self.at_once
        while working:
            outcome = done.get()
            if outcome is None:
                working -= 1
            else:
                yield outcome

    def _work(self, todo: Iterator[SheetRow], done: "queue.SimpleQueue[Outcome | None]") -> None:
        try:
            while not self.courier.stopping:
                with self._lock:
                    row = next(todo, None)
                if row is None:
                    return
                done.put(self._one(row))
        except Exception as broken:  # noqa: BLE001 - a thread that dies in silence would leave the others waiting
            self.stop(f"Something went wrong here: {type(broken).__name__}: {broken}.")
        finally:
            done.put(None)

    def _one(self, row: SheetRow) -> Outcome:
        try:
            given = self.courier.ask({**row.cells, "request_id": row.request_id}, dry_run=self.dry_run)
        except Halt as halt:
            self.stop(str(halt))
            return Outcome(row, Status.LEFT)
        outcome = _outcome(row, given, dry_run=self.dry_run)
        self._count(outcome)
        return outcome

    def _count(self, outcome: Outcome) -> None:
        with self._lock:
            self._failed_in_a_row = self._failed_in_a_row + 1 if outcome.status is Status.FAILED else 0
            many = self._failed_in_a_row >= FAILED_IN_A_ROW
        if many and outcome.problem:
            self.stop(f"{FAILED_IN_A_ROW} rows in a row failed: {outcome.problem.message}")


def _outcome(row: SheetRow, given: Given, *, dry_run: bool) -> Outcome:
    if given.problem:
        return Outcome(row, Status.REFUSED if given.refused else Status.FAILED, problem=given.problem)
    if dry_run:
        twins = tuple(one["approval_id"] for one in given.answer["duplicates"])
        return Outcome(row, Status.SOUND, path=tuple(given.answer["path"]), duplicates=twins)
    return _there(row, given.answer, Status.CREATED if given.answer["created"] else Status.ALREADY_THERE)


def _there(row: SheetRow, answer: Mapping[str, Any], status: Status) -> Outcome:
    return Outcome(row, status, answer["approval_id"], answer["state"], tuple(answer["path"]))
