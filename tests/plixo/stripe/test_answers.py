"""What a call costs beside Stripe's own time: nothing is looked for that is not there."""

import sys
from importlib.util import find_spec

import pytest


@pytest.mark.usefixtures("gateway")
@pytest.mark.skipif(
    sys.modules.get("sniffio") is not None or ("sniffio" not in sys.modules and find_spec("sniffio") is not None),
    reason="sniffio is installed",
)
def test_what_is_not_installed_is_not_looked_for_at_each_call() -> None:
    assert "sniffio" in sys.modules
    with pytest.raises(ImportError, match="sniffio"):
        __import__("sniffio")
