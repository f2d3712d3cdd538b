"""Settings: typed, read once, from the environment alone."""

from ipaddress import ip_network
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
"""The checkout: templates and policies are loaded from it by path."""


class Settings(BaseSettings):
    """What one process of Plixo needs to know.

    Every field is an environment variable: `PLIXO_` and the field's name in capitals, or the alias given.
    """

    model_config = SettingsConfigDict(env_prefix="PLIXO_", extra="ignore", hide_input_in_errors=True)

    env: Literal["dev", "production"] = "production"
    data: Path = Path("data")
    public_keys_file: str = Field(default="", validation_alias="PLIXO_PUBLIC_KEYS")
    payload_keys_file: str = Field(default="", validation_alias="PLIXO_PAYLOAD_KEYS")
    base_url: str = "http://127.0.0.1:8321"
    trusted_proxies: str = "127.0.0.1"
    database_url: str = Field(default="", validation_alias="DATABASE_URL")
    stripe_api_key: SecretStr = Field(default=SecretStr(""), validation_alias="STRIPE_API_KEY")
    stripe_read_key: SecretStr = SecretStr("")
    stripe_base_url: str = ""
    stripe_calls_per_second: float | None = None
    temporal_address: str = ""
    temporal_namespace: str = "default"
    temporal_ui_url: str = ""
    fairness_keys: bool = True
    smtp_url: str = "smtp://127.0.0.1:1025"
    mail_from: str = "Plixo <plixo@localhost>"
    policies: Path = ROOT / "policies"
    people_seed: Path = ROOT / "plixo" / "directory" / "seed.toml"
    build_id: str = Field(default="", pattern=r"^[A-Za-z0-9._+-]{0,100}$")
    first_administrator: str = ""
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    checkpoints: str = ""
    checkpoint_hours: int = Field(default=24, ge=1, le=8760)
    max_cached_workflows: int = 2000
    bulk_at_once: int | None = Field(default=None, ge=1)
    grace_seconds: float = 10.0

    @model_validator(mode="after")
    def _live_keys_stay_out_of_dev(self) -> Self:
        keys = (self.stripe_api_key, self.stripe_read_key)
        if self.env == "dev" and any(key.get_secret_value().startswith(("sk_live", "rk_live")) for key in keys):
            raise ValueError("PLIXO_ENV=dev refuses live Stripe keys: use a test key, or leave STRIPE_API_KEY unset")
        return self

    @model_validator(mode="after")
    def _temporal_ui_is_an_address_without_a_path(self) -> Self:
        named = urlsplit(self.temporal_ui_url)
        whole = named.scheme in {"http", "https"} and named.hostname and not named.path.strip("/")
        if self.temporal_ui_url and (not whole or named.query or named.fragment or named.username is not None):
            raise ValueError("PLIXO_TEMPORAL_UI_URL must be an http:// or https:// address without a path")
        return self

    @model_validator(mode="after")
    def _the_identity_provider_is_named_in_full(self) -> Self:
        named = (self.oidc_issuer, self.oidc_client_id, self.oidc_client_secret.get_secret_value())
        if any(named) and not all(named):
            names = "PLIXO_OIDC_ISSUER, PLIXO_OIDC_CLIENT_ID and PLIXO_OIDC_CLIENT_SECRET"
            raise ValueError(f"{names} go together: set all three, or none")
        if not self.oidc_issuer:
            return self
        issuer = urlsplit(self.oidc_issuer)
        if issuer.scheme not in ({"https", "http"} if self.dev else {"https"}) or not issuer.netloc:
            raise ValueError(
                "PLIXO_OIDC_ISSUER must be the provider's https:// address, as the provider itself says it"
            )
        if issuer.query or issuer.fragment or issuer.username is not None:
            raise ValueError("PLIXO_OIDC_ISSUER must be an address without a query, a fragment or a user")
        return self

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_addresses(cls, said: str) -> str:
        try:
            named = [ip_network(part.strip()) for part in said.split(",") if part.strip()]
        except ValueError as error:
            raise ValueError("name addresses or networks with commas between, such as 10.0.0.5, 10.1.0.0/24") from error
        if any(network.prefixlen == 0 for network in named):
            raise ValueError("a network of everybody would let every visitor say where they come from")
        return said

    @property
    def dev(self) -> bool:
        """Whether this is the one-machine mode with the dev sign-in."""
        return self.env == "dev"

    @property
    def build(self) -> str:
        """The workers' build; empty where versions of workers are off, as they are in one-machine mode."""
        return "" if self.dev else self.build_id

    @property
    def bulk_turns(self) -> int:
        """How many rows of imports one console works on at a time.

        Stripe takes its time, and meanwhile others can be worked on; the stand-in answers at once, so that more would
        make nothing faster and keep everybody else waiting.
        """
        return self.bulk_at_once or (1 if self.stripe_base_url else 4)

    @property
    def database(self) -> str:
        """The database's address with its driver: SQLite in the data folder unless `DATABASE_URL` says otherwise."""
        if not self.database_url:
            return f"sqlite+aiosqlite:///{self.data.resolve() / 'plixo.db'}"
        scheme, _, rest = self.database_url.partition("://")
        return f"postgresql+psycopg://{rest}" if scheme in {"postgres", "postgresql"} else self.database_url

    @property
    def signing_key(self) -> Path:
        """The staff side's private key; workers never read it."""
        return self.data / "keys" / "signing-private.json"

    @property
    def public_keys(self) -> Path:
        """The public keys that verify what the staff side signed: beside the private one unless a file is named."""
        return Path(self.public_keys_file) if self.public_keys_file else self.data / "keys" / "signing-public.json"

    @property
    def payload_keys(self) -> Path:
        """The keys that Temporal's payloads are encrypted with; console and workers share one file."""
        return Path(self.payload_keys_file) if self.payload_keys_file else self.data / "keys" / "payload-keys.json"

    @property
    def audit_key(self) -> Path:
        """The private key that signs checkpoints over the audit log and nothing else; the console's alone."""
        return self.data / "keys" / "audit-private.json"

    @property
    def audit_public_keys(self) -> Path:
        """The public keys that verify checkpoints: apart from the others, so that neither can sign for the other."""
        return self.data / "keys" / "audit-public.json"

    @property
    def checkpoint_folder(self) -> Path:
        """Where checkpoints are kept as files; best on a disk that the database's keepers cannot write."""
        return Path(self.checkpoints) if self.checkpoints else self.data / "checkpoints"
