"""`python -m benchmarks [PART …] [--json]`: measure the product on this machine."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Final

from benchmarks.credits import Sizes, measure_credits
from benchmarks.figures import Figure, document, machine, show
from benchmarks.house import CUSTOMERS, folder, open_house
from benchmarks.importing import ROWS_AN_INVOICE, measure_import
from benchmarks.inbox import measure_inbox
from benchmarks.sides import Failed
from benchmarks.standing import measure_standing
from benchmarks.starting import measure_help, measure_ready
from demo.places import CannotStart
from demo.waiting import NeverHappened

PARTS: Final = ("help", "ready", "credit", "open", "import", "inbox")
USUAL: Final = ("help", "ready", "credit")
"""`open` and `import` take many minutes for their ten thousand requests; `inbox` fills a table of a hundred thousand,
twice."""


def main(given: Sequence[str]) -> int:
    """Measure and print; 1 when something kept it from measuring."""
    asked = _parsed(given)
    about = machine()
    try:
        found = asyncio.run(_measured(asked))
    except (CannotStart, Failed, NeverHappened, TimeoutError) as problem:
        sys.stderr.write(f"bench: {str(problem) or 'an answer took too long; is the machine busy?'}\n")
        return 1
    if asked.json:
        sys.stdout.write(json.dumps(document(found, about), indent=2) + "\n")
    else:
        show(found, about)
    return 0


async def _measured(asked: argparse.Namespace) -> list[Figure]:
    parts = asked.parts or USUAL
    found: list[Figure] = []
    if "help" in parts:
        found += await measure_help()
    if "ready" in parts:
        found += await measure_ready()
    sizes = Sizes(asked.ones, asked.block, asked.rounds, asked.wave, asked.at_once)
    if "credit" in parts:
        with folder() as data:
            async with open_house(data, sizes.invoices) as house:
                found += await measure_credits(house, sizes)
    if "open" in parts:
        with folder() as data:
            async with open_house(data, asked.open // 20 + 1) as house:
                found += await measure_standing(house, asked.open)
    if "import" in parts:
        invoices = max(asked.rows // ROWS_AN_INVOICE, CUSTOMERS)
        with folder() as data:
            async with open_house(data, invoices, invoices) as house:
                found += await measure_import(house, asked.rows, sizes)
    if "inbox" in parts:
        found += await measure_inbox(asked.inbox)
    return found


def _parsed(given: Sequence[str]) -> argparse.Namespace:
    usual = Sizes()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Plixo on this machine.")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--ones", type=int, default=usual.ones, help="rounds of single requests")
    parser.add_argument("--block", type=int, default=usual.block, help="single requests a round")
    parser.add_argument("--rounds", type=int, default=usual.rounds, help="waves of each side")
    parser.add_argument("--wave", type=int, default=usual.wave, help="requests a wave")
    parser.add_argument("--at-once", type=int, default=usual.at_once, help="how many of a wave at a time")
    parser.add_argument("--open", type=int, default=10_000, help="requests that the part `open` leaves waiting")
    rows = "rows of the file that the part `import` imports"
    parser.add_argument("--import", dest="rows", type=int, default=10_000, help=rows)
    parser.add_argument("--inbox", type=int, default=100_000, help="requests in the table of the part `inbox`")
    return parser.parse_args(given)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
