"""`python -m standin --port 12111 --db data/standin.sqlite --seed demo` runs the stand-in on loopback."""

import argparse
import sqlite3
import sys
from pathlib import Path

from standin.server import PortError, serve
from standin.settings import StandinSettings


def main() -> int:
    """Runs until SIGTERM or SIGINT; 1 and one line on standard error when it cannot start."""
    given = _parsed()
    settings = StandinSettings(database=given.db, seed=given.seed)
    try:
        serve(settings, given.port)
    except PortError as problem:
        return _failed(f"{problem}; choose another with --port, or 0 for a free one")
    except (OSError, sqlite3.Error) as problem:
        return _failed(f"{given.db} cannot be written ({problem}); choose another file with --db")
    except ValueError as problem:
        return _failed(str(problem))
    return 0


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m standin", description="A local stand-in for Stripe.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--db", type=Path, required=True, help="SQLite file that holds everything")
    parser.add_argument("--seed", default=None, help="what to plant when the books are empty: demo")
    return parser.parse_args()


def _failed(message: str) -> int:
    sys.stderr.write(f"standin: {message}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
