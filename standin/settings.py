"""What a stand-in is started with."""

from dataclasses import dataclass
from pathlib import Path

API_VERSION = "2026-10-28.endive"


@dataclass(frozen=True, slots=True)
class StandinSettings:
    """Settings of one stand-in.

    Attributes:
        database: SQLite file that holds everything; it survives restarts. Its folder must be writable.
        seed: Name of the seed to plant when the books are empty (`demo`), or None for empty books.
        write_key: The key that may read and write.
        read_key: The restricted key; any write with it answers 403.
    """

    database: Path
    seed: str | None = None
    write_key: str = "sk_test_plixo_standin"
    read_key: str = "rk_test_plixo_standin"
