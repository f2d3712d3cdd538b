"""The decision table: `approvals.jdm.json`, checked before it is believed.

The engine passes over what it cannot evaluate: a misspelt limit is a condition that never holds. So every cell is
compiled and every name in it looked up when the table is read; and the table's automatic rule states all of its
conditions itself, so that whatever goes wrong above it ends in no answer rather than in money.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import zen

from plixo.domain.facts import Facts, RateState, Sums
from plixo.policy.cells import TABLE_FILE, check_answer, check_condition, first_line
from plixo.policy.invalid import PolicyInvalid
from plixo.policy.limits import TABLE_LIMITS
from plixo.policy.rules import Rule
from plixo.policy.stages import NamedStages

MOST_ROWS: Final = 1000
"""Rows that all tables of a policy may have together."""

_NODES: Final = frozenset({"inputNode", "decisionTableNode", "outputNode"})
"""What a decision may be made of: tables that can be read as rules. Other nodes run whatever somebody wrote."""

_AS_READ: Final = {
    "hitPolicy": ("first",),
    "executionMode": ("single", None),
    "inputField": (None, ""),
    "outputPath": (None, ""),
}
"""How the engine goes through a table: row by row to the first that fits, as the rows are shown."""

_FACTS: Final = frozenset(Facts("", "", 0, 0, related=False, rate=RateState.SAME, sums=Sums()).to_context({}))
_NAMES: Final = (_FACTS - {"limits"}) | {f"limits.{name}" for name in TABLE_LIMITS}
_COLUMNS: Final = {
    "kind": "Kind",
    "reason": "Reason",
    "amount": "Amount",
    "authority": "Own authority",
    "rate": "Exchange rate",
    "related": "Related",
    "customer_all": "Customer, 30 days, all",
    "requester_automatic": "Requester, 30 days, automatic",
    "customer_automatic": "Customer, 30 days, automatic",
    "company_day": "Company, today",
    "requester_day": "Requester, today",
}
"""What a column is called, by its field: people read the name, the engine the field."""

_ANSWERS: Final = {"route": "Route", "rule": "Rule", "why": "Why", "ceiling": "Ceiling", "stages": "Stages"}
_STAGES: Final = "stages"
_WORDS: Final = frozenset({"and", "or", "not", "in", "true", "false", "null"})
_QUOTES: Final = "\"'"
_NAME: Final = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*", re.ASCII)


def check_table(plain: object) -> dict[str, Any]:
    """The parsed decision table, if the engine can rely on it.

    Raises:
        PolicyInvalid: It is no decision, or a cell of it cannot be evaluated or names what no request has.
    """
    if not isinstance(plain, dict) or not isinstance(plain.get("nodes"), list):
        raise PolicyInvalid(TABLE_FILE, "nodes", "must be the list of nodes of a JDM decision")
    _refuse_fractions(plain, "")
    try:
        _check_nodes(plain["nodes"])
        seen: set[str] = set()
        for number, (where, row, content) in enumerate(_rows(plain)):
            if row["_id"] in seen:
                raise PolicyInvalid(TABLE_FILE, where, "is there twice; every rule has an id of its own")
            seen.add(row["_id"])
            if number == MOST_ROWS:
                raise PolicyInvalid(TABLE_FILE, where, f"is one row too many; {MOST_ROWS} at most")
            _check_row(where, row, content)
    except (KeyError, TypeError, AttributeError) as broken:
        raise PolicyInvalid(TABLE_FILE, "nodes", f"a decision table lacks what the engine needs: {broken}") from broken
    return plain


def compile_table(table: Mapping[str, Any]) -> zen.ZenEngine:
    """The table in an engine of its own; never inside a Temporal workflow.

    An engine that is given its tables at the start compiles their cells once. A decision that is made from text, as the
    check here is, compiles them anew for each answer, which takes eight times as long.

    Raises:
        PolicyInvalid: The engine refuses it.
    """
    try:
        zen.ZenEngine().create_decision(json.dumps(table))
    except RuntimeError as refused:
        raise PolicyInvalid(TABLE_FILE, "", first_line(refused)) from refused
    return zen.ZenEngine({"loader": {"type": "static", "content": {TABLE_FILE: dict(table)}}})


def ask(engine: zen.ZenEngine, context: dict[str, Any]) -> dict[str, Any]:
    """The table's answer.

    Raises:
        PolicyInvalid: The engine fails on it.
    """
    try:
        answer: dict[str, Any] = engine.evaluate(TABLE_FILE, context)["result"]
    except RuntimeError as failed:
        raise PolicyInvalid(TABLE_FILE, "", first_line(failed)) from failed
    return answer


def rules_of(table: Mapping[str, Any]) -> list[Rule]:
    """Every row of every decision table, in their order."""
    return [
        Rule(row["_id"], row.get("_description", ""), _conditions(row, content), _answers(row, content))
        for _, row, content in _rows(table)
    ]


def named_stages(table: Mapping[str, Any]) -> list[NamedStages]:
    """Every row that names the stages it asks for."""
    found = []
    for where, row, content in _rows(table):
        said = {column["field"]: _plain(row.get(column["id"], "")) for column in content["outputs"]}
        if said.get(_STAGES):
            found.append(NamedStages(f"{where}: {_ANSWERS[_STAGES]}", said[_STAGES], said.get("route", "")))
    return found


def _rows(table: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    for node in table["nodes"]:
        if node["type"] == "decisionTableNode":
            for row in node["content"]["rules"]:
                yield f"{node['id']}.{row['_id']}", row, node["content"]


def _check_nodes(nodes: list[dict[str, Any]]) -> None:
    for node in nodes:
        if node["type"] not in _NODES:
            known = ", ".join(sorted(_NODES))
            raise PolicyInvalid(TABLE_FILE, "nodes", f"a node is of type {node['type']!r}; here stand {known}")
        if node["type"] == "decisionTableNode":
            _check_reading(f"{node['id']}", node["content"])


def _check_reading(where: str, content: Mapping[str, Any]) -> None:
    for name, allowed in _AS_READ.items():
        if content.get(name, allowed[-1]) not in allowed:
            raise PolicyInvalid(TABLE_FILE, f"{where}.{name}", f"must be {allowed[0] or 'empty'}")


def _check_row(where: str, row: Mapping[str, str], content: Mapping[str, Any]) -> None:
    for column in content["inputs"]:
        if column["field"] not in _NAMES:
            raise PolicyInvalid(TABLE_FILE, f"{where}: {column['name']}", f"{column['field']} is nothing a request has")
        _check_name(where, column, _COLUMNS)
        _check_cell(f"{where}: {column['name']}", row.get(column["id"], ""))
    for column in content["outputs"]:
        _check_name(where, column, _ANSWERS)
        if column["field"] != _STAGES or row.get(column["id"], "").strip():  # no stages named: those of the route
            check_answer(f"{where}: {column['name']}", row[column["id"]])


def _check_name(where: str, column: Mapping[str, str], known: Mapping[str, str]) -> None:
    wanted = known.get(column["field"])
    if column["name"] != wanted:
        words = f"a column over {column['field']} is called {wanted}" if wanted else f"{column['field']} is no answer"
        raise PolicyInvalid(TABLE_FILE, f"{where}: {column['name']}", words)


def _check_cell(where: str, cell: str) -> None:
    if not cell.strip():
        return
    unknown = set(_NAME.findall(check_condition(where, cell))) - _NAMES - _WORDS
    if unknown:
        raise PolicyInvalid(TABLE_FILE, where, f"{', '.join(sorted(unknown))} is nothing a request or a limit has")


def _conditions(row: Mapping[str, str], content: Mapping[str, Any]) -> str:
    cells = ((column["name"], row.get(column["id"], "").strip()) for column in content["inputs"])
    return "; ".join(f"{name} {_condition(cell)}" for name, cell in cells if cell) or "always"


def _answers(row: Mapping[str, str], content: Mapping[str, Any]) -> str:
    told = ((column["name"], _plain(row.get(column["id"], ""))) for column in content["outputs"])
    return "; ".join(f"{name} {said or 'none'}" for name, said in told)


def _plain(cell: str) -> str:
    """An answer without its quotes; empty for none."""
    return "" if cell.strip() == "null" else cell.strip().strip(_QUOTES)


def _condition(cell: str) -> str:
    if cell[0] in "<>=!":
        return cell
    if cell[0] == "[":
        return "one of " + cell.strip("[]").replace('"', "")
    return "is " + cell.strip('"')


def _refuse_fractions(value: object, where: str) -> None:
    if isinstance(value, float):
        raise PolicyInvalid(TABLE_FILE, where, "must be a whole number: a fraction has no one spelling to hash")
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        _refuse_fractions(item, f"{where}.{key}" if where else str(key))
