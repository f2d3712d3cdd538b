"""`make sbom`: what the product is installed from, as a CycloneDX document made of its lock alone.

The same lock gives the same document. The checksums of files stay in the lock, whose own checksum is named here.
"""

import hashlib
import json
import re
import sys
import tomllib
import uuid
from pathlib import Path
from typing import Any

PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==(\S+?)(?: ; (.*?))? \\$", re.MULTILINE)
PROJECT = Path("pyproject.toml")


def document(lock: bytes, project: dict[str, Any]) -> dict[str, Any]:
    """The document of a lock."""
    digest = hashlib.sha256(lock).hexdigest()
    found = [_component(*pin) for pin in PINNED.findall(lock.decode())]
    own = {"type": "application", "name": project["name"], "version": project["version"]}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, digest)}",
        "version": 1,
        "metadata": {"component": own, "properties": [{"name": "lock:sha256", "value": digest}]},
        "components": found,
    }


def _component(name: str, version: str, marker: str) -> dict[str, Any]:
    purl = f"pkg:pypi/{name.lower()}@{version}"
    about: dict[str, Any] = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    return {**about, "properties": [{"name": "python:marker", "value": marker}]} if marker else about


if __name__ == "__main__":
    made = document(Path(sys.argv[1]).read_bytes(), tomllib.loads(PROJECT.read_text())["project"])
    print(json.dumps(made, indent=2))
