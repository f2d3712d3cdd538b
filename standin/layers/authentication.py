"""The authentication layer: a secret key, or a restricted key that reads."""

import secrets

from standin.call import Answer, Call, Layer
from standin.errors import ApiError
from standin.settings import StandinSettings


class AuthenticationLayer:
    """Lets the write key through, the read key for GET, and nobody else."""

    def __init__(self, settings: StandinSettings, inner: Layer) -> None:
        self._settings = settings
        self._inner = inner

    async def __call__(self, call: Call) -> Answer:
        """Passes a permitted call on.

        Raises:
            ApiError: 401 without a known key, 403 for a write with the read key.
        """
        key = _key_of(call)
        if _same(key, self._settings.write_key):
            return await self._inner(call)
        if not _same(key, self._settings.read_key):
            raise ApiError(401, f"Invalid API Key provided: {_masked(key)}" if key else _NO_KEY)
        if call.writes:
            raise ApiError(403, _READS_ONLY, code="more_permissions_required_for_application")
        return await self._inner(call)


_NO_KEY = "You did not provide an API key. Send it as 'Authorization: Bearer YOUR_SECRET_KEY'."
_READS_ONLY = "The provided key does not have the required permissions for this endpoint: it may read, not write."


def _key_of(call: Call) -> str:
    scheme, _, key = call.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _same(given: str, wanted: str) -> bool:
    return secrets.compare_digest(given.encode(), wanted.encode())


def _masked(key: str) -> str:
    return key[:8] + "*" * 8 + key[-4:] if len(key) > 16 else "*" * len(key)  # noqa: PLR2004 - shorter shows too much
