"""The people of the story: each signs in and works over HTTP, as anybody would."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import httpx

TIMEOUT: Final = 30.0


class Unexpected(Exception):
    """The product answered something else than the story tells."""


@dataclass
class Actor:
    """Somebody with a role, signed in to the API and to the console.

    Attributes:
        role: A group's code, such as `controller`.
        person_id: Who they are in the directory.
        api: Carries their token.
        console: Carries their session.
    """

    role: str
    person_id: str
    api: httpx.AsyncClient
    console: httpx.AsyncClient

    @classmethod
    async def sign_in(cls, base_url: str, role: str) -> Self:
        """Sign in as the person who has the role."""
        api = httpx.AsyncClient(base_url=base_url, timeout=TIMEOUT)
        answer = _expect(await api.post("/api/v1/dev/token", json={"role": role}), 200)
        api.headers["Authorization"] = f"Bearer {answer['token']}"
        person_id = answer["person"]["person_id"]
        console = httpx.AsyncClient(base_url=base_url, timeout=TIMEOUT, follow_redirects=True)
        console.headers["Origin"] = base_url
        console.headers["Sec-Fetch-Site"] = "same-origin"
        return cls(role, person_id, api, console)

    async def close(self) -> None:
        """Close the connections."""
        await self.api.aclose()
        await self.console.aclose()

    async def preview(self, credit: Mapping[str, str]) -> dict[str, Any]:
        """What a credit would need."""
        return _expect(await self.api.post("/api/v1/credits/preview", json=dict(credit)), 200)

    async def request(self, credit: Mapping[str, str]) -> dict[str, Any]:
        """Ask for a credit."""
        return _expect(await self.api.post("/api/v1/credits", json=dict(credit)), 200, 201)

    async def show(self, approval_id: str) -> dict[str, Any]:
        """One request."""
        return _expect(await self.api.get(f"/api/v1/approvals/{approval_id}"), 200)

    async def decide(self, approval_id: str, verdict: str, comment: str = "", amount: str = "") -> httpx.Response:
        """Decide through the API."""
        body = {"verdict": verdict, "comment": comment, "amount": amount}
        return await self.api.post(f"/api/v1/approvals/{approval_id}/decisions", json=body)

    async def amend(self, approval_id: str, **changed: str) -> httpx.Response:
        """Change one's own request through the API."""
        return await self.api.post(f"/api/v1/approvals/{approval_id}/amendment", json=changed)

    async def withdraw(self, approval_id: str) -> httpx.Response:
        """Take a request back through the API."""
        return await self.api.post(f"/api/v1/approvals/{approval_id}/withdrawal", json={"comment": ""})

    async def decide_on_page(self, link: str, verdict: str, comment: str) -> str:
        """Follow a mail's link, sign in when asked, read the page, and post its form; the page that follows."""
        page = await self.console.get(link)
        if "/sign-in" in str(page.url):
            page = await self.console.post("/sign-in", data={"person": self.person_id, "next": _path(link)})
        page.raise_for_status()
        action = re.search(r'<form[^>]*action="([^"]+/decisions)"', page.text)
        if action is None:
            raise Unexpected(f"the page at {link} shows no decision form")
        after = await self.console.post(action[1], data={"verdict": verdict, "comment": comment})
        after.raise_for_status()
        return after.text


def _path(link: str) -> str:
    return httpx.URL(link).path


def _expect(answer: httpx.Response, *statuses: int) -> dict[str, Any]:
    if answer.status_code not in statuses:
        raise Unexpected(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:300]}")
    body: dict[str, Any] = answer.json()
    return body
