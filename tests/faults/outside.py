"""The stand-in as seen from outside: its ledger, its faults, its clock, and what somebody else does in Stripe."""

from collections.abc import Mapping
from typing import Any

import httpx

from demo.stack import STANDIN_KEY


class Outside:
    """Speaks to the stand-in beside the product.

    Args:
        url: Where it listens.
    """

    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=30)
        self._key = {"Authorization": f"Bearer {STANDIN_KEY}"}

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def plant(self, rule: Mapping[str, Any]) -> int:
        """Plant a fault; its number."""
        return int((await self._ask("POST", "/_faults", dict(rule)))["id"])

    async def hits(self) -> dict[int, tuple[int, int]]:
        """Per planted fault: the calls that it saw, and those that it struck."""
        return {rule["id"]: (rule["calls"], rule["hits"]) for rule in await self._ask("GET", "/_faults")}

    async def lift(self, rule_id: int) -> None:
        """Take a fault away; it may have gone already."""
        await self._client.delete(f"/_faults/{rule_id}")

    async def done(self) -> dict[str, int]:
        """How often the ledger holds money for each request."""
        found: dict[str, int] = {}
        for row in await self._ask("GET", "/_ledger"):
            owner = (row["metadata"] or {}).get("plixo_approval", "")
            if owner:
                found[owner] = found.get(owner, 0) + 1
        return found

    async def advance(self, hours: int) -> None:
        """Move the stand-in's clock on."""
        await self._ask("POST", "/_clock", {"advance_seconds": hours * 3600})

    async def post(self, path: str, *, key: str = "", **form: Any) -> dict[str, Any]:
        """A write of somebody else's."""
        headers = self._key | ({"Idempotency-Key": key} if key else {})
        answer = await self._client.post(path, data=form, headers=headers)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    async def billed(self, number: int, minor: int = 500_000) -> tuple[str, str]:
        """A new customer with an open invoice."""
        about = {"name": f"Fault {number}", "email": f"billing.{number}@example.com"}
        customer = (await self.post("/v1/customers", **about))["id"]
        terms = {"collection_method": "send_invoice", "days_until_due": 30}
        invoice = (await self.post("/v1/invoices", customer=customer, currency="usd", **terms))["id"]
        await self.post("/v1/invoiceitems", customer=customer, invoice=invoice, amount=minor, currency="usd")
        await self.post(f"/v1/invoices/{invoice}/finalize")
        return customer, invoice

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        answer = await self._client.request(method, path, json=body)
        return answer.raise_for_status().json()
