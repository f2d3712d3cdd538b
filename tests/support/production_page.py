"""docs/production.md as somebody reads it who types what it shows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "production.md"


@dataclass(frozen=True)
class Page:
    """The page.

    Attributes:
        text: All of it, perhaps with names and addresses of a test's own.
    """

    text: str

    @classmethod
    def read(cls) -> "Page":
        return cls(PAGE.read_text())

    def with_own(self, names: Mapping[str, str]) -> "Page":
        """The page with other names and addresses in it, each by a pattern."""
        text = self.text
        for pattern, own in names.items():
            text, found = re.subn(pattern, own, text)
            assert found, f"the page does not name {pattern}"
        return Page(text)

    def blocks(self, kind: str) -> list[str]:
        return re.findall(rf"^```{kind}\n(.*?)^```", self.text, re.MULTILINE | re.DOTALL)

    @property
    def commands(self) -> list[str]:
        """What is typed, in its order."""
        lines = [line for block in self.blocks("console") for line in block.splitlines()]
        assert all(line.startswith("$ ") for line in lines), "a command is one line, and its answer is not shown"
        return [line.removeprefix("$ ") for line in lines]

    @property
    def files(self) -> dict[str, str]:
        """The settings' files by their places."""
        found = {}
        for block in self.blocks("ini"):
            first, _, content = block.partition("\n")
            found[first.removeprefix("# ")] = content
        return found

    @property
    def variables(self) -> dict[str, dict[str, str]]:
        """What each of the files sets."""
        return {
            place: dict(line.split("=", 1) for line in content.splitlines()) for place, content in self.files.items()
        }

    @property
    def settings(self) -> list[str]:
        """The first column of the table of settings."""
        table = self.text.partition("### Every setting")[2].partition("\n\n## ")[0]
        return re.findall(r"^\| `([A-Z_]+)` \|", table, re.MULTILINE)

    @property
    def spoken(self) -> list[str]:
        """What stands in backticks in the running text."""
        return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", self.text, flags=re.MULTILINE | re.DOTALL))
