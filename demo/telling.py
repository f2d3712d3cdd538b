"""How the story is told: a title for each scene, a line for each thing that really happened."""

from dataclasses import dataclass, field

from rich.console import Console


@dataclass
class Teller:
    """Prints the story as it goes, and remembers which request belongs to which scene.

    Attributes:
        console: Where it is printed; a quiet one for `--json`.
        scenes: Scene number of each approval id, in the order they were asked for.
    """

    console: Console
    scenes: dict[str, int] = field(default_factory=dict)
    _scene: int = 0

    def scene(self, title: str) -> None:
        """Begin the next scene."""
        self._scene += 1
        self.console.print(f"\n[bold]{self._scene}. {title}[/bold]")

    def say(self, words: str) -> None:
        """One thing that happened."""
        self.console.print(f"   {words}", highlight=False)

    def asked(self, approval_id: str) -> None:
        """A request was made in this scene."""
        self.scenes[approval_id] = self._scene
