import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

STATIC = Path(__file__).parents[2] / "web" / "static"
SHIPPED, TESTING = STATIC / "vendor", Path(__file__).parent / "vendor"
LICENCES = {SHIPPED: {"MIT", "0BSD"}, TESTING: {"MPL-2.0"}}
"""What ships with the product, and what its tests alone use, as it came."""


def packages(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "VENDORED.json").read_text())
    return found


@pytest.mark.parametrize("folder", LICENCES, ids=["shipped", "for tests"])
def test_what_is_vendored_is_what_was_written_down(folder: Path) -> None:
    told = {name: digest for package in packages(folder) for name, digest in package["files"].items()}
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}
    del found["VENDORED.json"]
    assert found == told


@pytest.mark.parametrize(
    ("folder", "package"),
    [(folder, package) for folder in LICENCES for package in packages(folder)],
    ids=lambda given: given["name"] if isinstance(given, dict) else given.parts[-2],
)
def test_what_is_vendored_says_whose_it_is(folder: Path, package: dict[str, Any]) -> None:
    assert package["version"]
    assert package["licence"] in LICENCES[folder]
    assert any("LICENSE" in name for name in package["files"])


def test_our_own_styles_ask_nobody_else_for_anything() -> None:
    for name in ("tokens.css", "plixo.css"):
        assert "//" not in re.sub(r"/\*.*?\*/", "", (STATIC / name).read_text(), flags=re.DOTALL)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


PAIRS = [("ink", "ground"), ("ink", "sheet"), ("ink-soft", "ground"), ("ink-soft", "sheet"), ("accent", "sheet")]
PAIRS += [("accent", "ground"), ("on-accent", "accent"), ("accent", "accent-wash"), ("bad", "sheet")]
PAIRS += [(tone, f"{tone}-wash") for tone in ("wait", "busy", "good", "bad", "quiet")]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_colour_can_be_read_on_its_ground(scheme: int) -> None:
    blocks = re.findall(r"--ground:.*?\}", (STATIC / "tokens.css").read_text(), flags=re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", blocks[scheme]))
    worst = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in PAIRS}
    assert {pair: ratio for pair, ratio in worst.items() if ratio < 4.5} == {}
