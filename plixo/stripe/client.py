"""The SDK's client, set up to do nothing by itself: no retries, no telemetry, no settings of its own."""

import re
import sys
from importlib.util import find_spec

import httpx
import stripe


def open_client(
    *, api_key: str, base_url: str | None, timeout: float
) -> tuple[stripe.StripeClient, stripe.HTTPXClient]:
    """A client and the HTTP client below it, which is to be closed in the end.

    Args:
        api_key: Secret or restricted key.
        base_url: Where the API is; None for Stripe itself.
        timeout: Seconds until an answer must have begun. A connection gets a quarter of it, so that never having
            been connected is told apart from never having been answered.

    Raises:
        ValueError: The key is empty, or has white space or worse in it.
    """
    if not re.fullmatch(r"[!-~]+", api_key):
        raise ValueError("The Stripe key is empty, or has characters in it that no key has.")
    stripe.enable_telemetry = False
    if "sniffio" not in sys.modules and find_spec("sniffio") is None:
        # The HTTP client tries to import it several times a call, for another event loop than ours, and Python looks
        # through every folder each time, unless it is told that there is no such thing.
        sys.modules["sniffio"] = None  # type: ignore[assignment]
    below = stripe.HTTPXClient(timeout=httpx.Timeout(timeout, connect=timeout / 4, pool=timeout / 4))
    client = stripe.StripeClient(
        api_key,
        base_addresses={"api": base_url.rstrip("/")} if base_url else None,
        max_network_retries=0,
        http_client=below,
    )
    return client, below
