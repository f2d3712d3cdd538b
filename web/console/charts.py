"""Bars beside their words: inline SVG with a title and a text alternative, and the figures apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 200
"""Of the longest bar, in the drawing's own units."""

ROW: Final = 22
"""How much lower the next bar is."""


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        label: What it stands for.
        value: How much; never negative.
        text: The same in words.
        tone: Names its colour: `first` or `second`.
    """

    label: str
    value: float
    text: str
    tone: str = "first"


@dataclass(frozen=True)
class Chart:
    """Bars under each other.

    Attributes:
        key: Its name on the page, for what refers to it.
        title: What it shows.
        words: The same for who cannot see it.
        bars: From top to bottom.
    """

    key: str
    title: str
    words: str
    bars: tuple[Bar, ...]

    @property
    def height(self) -> int:
        """Of the drawing."""
        return ROW * len(self.bars)

    def width(self, bar: Bar) -> int:
        """Of a bar; above 0 wherever there is something to see."""
        most = max(one.value for one in self.bars)
        return -int(-bar.value * WIDTH // most) if most else 0


def chart(key: str, title: str, bars: Sequence[Bar], nothing: str) -> Chart:
    """A chart whose words say every bar.

    Args:
        key: Its name on the page.
        title: What it shows.
        bars: From top to bottom.
        nothing: What to say when there are none.
    """
    words = "; ".join(f"{bar.label}: {bar.text}" for bar in bars)
    return Chart(key, title, f"{words}." if words else nothing, tuple(bars))
