"""Connecting to Temporal."""

from collections.abc import Sequence

from temporalio.client import Client, Interceptor
from temporalio.envconfig import ClientConfig

from plixo.config import Settings
from plixo.temporal.codec import Codec
from plixo.temporal.converter import data_converter
from plixo.temporal.fairness import WithoutFairnessKeys
from plixo.temporal.intake import Intake
from plixo.temporal.payload_keys import PayloadKeys


def payload_codec(settings: Settings) -> Codec:
    """Encrypts and decrypts payloads with the keys of the configured file, which is read when the first one comes."""
    return Codec(PayloadKeys(settings.payload_keys))


async def connect(settings: Settings, *, lazy: bool = False) -> Client:
    """A client for the configured cluster.

    `PLIXO_TEMPORAL_ADDRESS` wins; without it the profile of `temporalio.envconfig` holds (address, TLS, API key).
    Payloads are always encrypted.

    Args:
        settings: This process's settings.
        lazy: Connect at the first call, so that a page can be served while Temporal is away.

    Raises:
        LookupError: Neither names a cluster.
    """
    converter, interceptors = data_converter(payload_codec(settings)), _interceptors(settings)
    if settings.temporal_address:
        return await Client.connect(
            settings.temporal_address,
            namespace=settings.temporal_namespace,
            data_converter=converter,
            interceptors=interceptors,
            lazy=lazy,
        )
    profile = ClientConfig.load_client_connect_config()
    if not profile.get("target_host"):
        raise LookupError("No Temporal is named; set PLIXO_TEMPORAL_ADDRESS, or a profile in Temporal's own settings.")
    return await Client.connect(**profile, data_converter=converter, interceptors=interceptors, lazy=lazy)


def _interceptors(settings: Settings) -> Sequence[Interceptor]:
    return (Intake(),) if settings.fairness_keys else (Intake(), WithoutFairnessKeys())
