"""Signing in by a real OpenID Connect provider on loopback."""

import asyncio
import hashlib
import hmac
import html
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from pydantic import SecretStr, ValidationError
from sqlalchemy import text

from plixo.config import Settings
from plixo.domain.people import Group
from plixo.oidc.provider import Provider
from plixo.store import people
from tests.support.browser import open_browser
from tests.web import organisation as theirs
from tests.web import serving
from tests.web.house import BASE, Clients
from tests.web.organisation import Organisation, part
from web.app import create_app

COOKIE, ATTEMPT = "plixo-dev", "plixo-attempt-dev"


@dataclass
class Console:
    """The console whose staff sign in by the organisation's provider."""

    house: Any
    organisation: Organisation
    staff: Any
    open_client: Clients

    async def leave(self, client: httpx.AsyncClient, **sent: str) -> str:
        """Press the button; where the page then leads."""
        page = await client.post("/sign-in/oidc", data=sent)
        assert page.status_code == 200, page.text
        place = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', page.text)
        assert place, page.text
        return html.unescape(place[1])

    async def answer(self, client: httpx.AsyncClient, **sent: str) -> str:
        """Press the button and go through the provider; where it sends the browser back to."""
        async with httpx.AsyncClient() as browser:
            there = await browser.get(await self.leave(client, **sent))
        back = there.headers["location"]
        assert back.startswith(f"{BASE}/sign-in/callback?")
        return str(back)

    async def come(self, client: httpx.AsyncClient | None = None, **sent: str) -> httpx.Response:
        """The whole way."""
        client = client or await self.open_client()
        return await client.get(await self.answer(client, **sent), headers={"sec-fetch-site": "cross-site"})

    async def groups(self, person_id: str) -> frozenset[Group]:
        async with self.staff.desk.ledger.read() as session:
            return (await people.by_ids(session, [person_id]))[person_id].groups

    async def sign_ins(self) -> list[Any]:
        async with self.staff.desk.ledger.read() as session:
            return list((await session.execute(text("select * from sessions"))).all())


@pytest.fixture(scope="module")
def running() -> Iterator[Organisation]:
    made = Organisation()

    async def opened(_stack: Any) -> Organisation:
        return made

    with serving.served(opened) as found:
        made.url = found.url
        yield made


@pytest.fixture
async def console(house: Any, running: Organisation) -> AsyncIterator[Console]:
    running.behave()
    named = {"oidc_issuer": running.url, "oidc_client_id": theirs.CLIENT_ID}
    settings = house.staff.settings.model_copy(
        update={**named, "oidc_client_secret": SecretStr(theirs.CLIENT_SECRET)},
    )
    async with httpx.AsyncClient() as http:
        staff = replace(house.staff, settings=settings, provider=Provider(settings, http, house.clock))
        yield Console(house, running, staff, Clients(create_app(staff), house.open_client._stack))


async def refused(console: Console, answer: httpx.Response) -> None:
    """One page for every failure, which says nothing but the request's id; and nobody is in."""
    assert answer.status_code == 400
    assert "That sign-in did not work." in answer.text
    assert answer.headers["x-request-id"] in answer.text
    assert "set-cookie" not in answer.headers
    assert await console.sign_ins() == []


async def test_somebody_of_the_directory_signs_in_and_goes_on_to_where_they_wanted(console: Console) -> None:
    client = await console.open_client()
    answer = await console.come(client, next="/credits/new")
    assert (answer.status_code, answer.headers["location"]) == (303, "/credits/new")
    assert ATTEMPT not in client.cookies
    page = await client.get("/approvals")
    assert page.status_code == 200
    assert "controller@plixo.example" in page.text


async def test_the_page_offers_the_organisation_and_in_dev_the_people_too(console: Console) -> None:
    client = await console.open_client()
    page = await client.get("/sign-in?next=/credits/new")
    assert page.text.count("Sign in with your organisation") == 1
    assert 'value="p-legal"' in page.text
    assert 'name="next" value="/credits/new"' in page.text
    assert 'name="fresh"' not in page.text
    assert (await (await console.house.visitor()).get("/sign-in")).text.count("your organisation") == 0


@pytest.mark.asvs("3.5.3")
async def test_looking_at_the_page_begins_nothing(console: Console) -> None:
    client = await console.open_client()
    await client.get("/sign-in")
    assert not client.cookies
    for method in ("GET", "HEAD"):
        assert (await client.request(method, "/sign-in/oidc")).status_code == 405
    async with console.staff.desk.ledger.read() as session:
        assert (await session.execute(text("select count(*) from sign_in_attempts"))).scalar_one() == 0


async def test_without_a_provider_there_is_nothing_at_its_addresses(house: Any) -> None:
    client = await house.visitor()
    assert (await client.post("/sign-in/oidc")).status_code == 404
    assert (await client.get("/sign-in/callback?code=1&state=2")).status_code == 404


async def test_the_code_is_redeemed_with_the_verifier_of_the_challenge_that_was_sent(console: Console) -> None:
    await console.come()
    asked, redeemed = console.organisation.asked[0], console.organisation.redeemed[0]
    assert (asked["response_type"], asked["scope"]) == ("code", "openid email")
    assert asked["code_challenge_method"] == "S256"
    assert part(hashlib.sha256(redeemed["code_verifier"].encode()).digest()) == asked["code_challenge"]
    assert len(redeemed["code_verifier"]) == 43
    assert len({asked["state"], asked["nonce"], asked["code_challenge"], redeemed["code_verifier"]}) == 4
    assert "client_secret" not in redeemed


async def test_a_code_that_was_asked_for_with_another_challenge_is_refused(console: Console) -> None:
    client = await console.open_client()
    back = await console.answer(client)
    for asked in console.organisation.codes.values():
        asked["code_challenge"] = part(hashlib.sha256(b"another verifier").digest())
    await refused(console, await client.get(back))


async def test_a_provider_that_takes_the_secret_in_the_form_alone_gets_it_there(console: Console) -> None:
    console.organisation.says = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert (await console.come()).status_code == 303


@pytest.mark.parametrize(
    ("algorithm", "key"), [("RS256", theirs.RSA), ("ES256", theirs.EC), ("EdDSA", theirs.OKP), ("Ed25519", theirs.OKP)]
)
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
async def test_each_allowed_algorithm_will_do(console: Console, algorithm: str, key: Any) -> None:
    header = {"alg": algorithm, "kid": key.kid}
    console.organisation.sign = lambda claims: jwt.encode(header, claims, key, algorithms=[algorithm])
    assert (await console.come()).status_code == 303


NOW = int(time.time())
WRONG: dict[str, dict[str, Any]] = {
    "another question's nonce": {"nonce": "n-of-another"},
    "no nonce": {"nonce": None},
    "for another client": {"aud": "another-client"},
    "for others too, and not to us": {"aud": [theirs.CLIENT_ID, "another"], "azp": "another"},
    "for another client, though we asked": {"aud": "another-client", "azp": theirs.CLIENT_ID},
    "for nobody": {"aud": None},
    "another issuer's": {"iss": "https://evil.example"},
    "no issuer's": {"iss": None},
    "expired": {"exp": NOW - 61},
    "without an end": {"exp": None},
    "not yet made": {"nbf": NOW + 3600},
    "of an unverified address": {"email_verified": False},
    "of an unverified address, as text": {"email_verified": "false"},
    "of somebody who proved it at no time": {"auth_time": "now"},
    "of no address": {"email": None},
    "of a list of addresses": {"email": ["controller@plixo.example"]},
    "of an address that only looks like one of ours": {"email": "controller@pli\u212ao.example"},
}


@pytest.mark.asvs("9.1.1")
@pytest.mark.asvs("9.2.2")
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
async def test_an_id_token_that_is_wrong_in_one_thing_signs_nobody_in(console: Console, wrong: dict[str, Any]) -> None:
    console.organisation.claims = wrong
    await refused(console, await console.come())
    assert len(console.organisation.given) == 1


def unsigned(claims: dict[str, Any]) -> str:
    return f"{part({'alg': 'none', 'kid': 'rsa'})}.{part(claims)}."


def by_the_public_key(claims: dict[str, Any]) -> str:
    body = f"{part({'alg': 'HS256', 'kid': 'rsa'})}.{part(claims)}"
    return f"{body}.{part(hmac.digest(theirs.RSA.as_pem(private=False), body.encode(), 'sha256'))}"


def by_the_client_secret(claims: dict[str, Any]) -> str:
    body = f"{part({'alg': 'HS256'})}.{part(claims)}"
    return f"{body}.{part(hmac.digest(theirs.CLIENT_SECRET.encode(), body.encode(), 'sha256'))}"


def by_a_foreign_key(claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "RS256", "kid": "rsa"}, claims, RSAKey.generate_key(2048))


def by_an_unknown_key(claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "RS256", "kid": "new"}, claims, RSAKey.generate_key(2048))


def by_a_weaker_algorithm(claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "PS256", "kid": "rsa"}, claims, theirs.RSA, algorithms=["PS256"])


def altered(claims: dict[str, Any]) -> str:
    header, _, signature = theirs.by_rsa(claims).split(".")
    return f"{header}.{part(claims | {'email': 'cfo@plixo.example'})}.{signature}"


@pytest.mark.asvs("9.1.1")
@pytest.mark.parametrize(
    "sign",
    [
        unsigned,
        by_the_public_key,
        by_the_client_secret,
        by_a_foreign_key,
        by_an_unknown_key,
        by_a_weaker_algorithm,
        altered,
        lambda _claims: "not a token",
        lambda claims: theirs.by_rsa(claims) + ".x.y",
    ],
)
async def test_a_token_that_the_provider_did_not_sign_signs_nobody_in(
    console: Console, sign: Callable[[dict[str, Any]], str]
) -> None:
    console.organisation.sign = sign
    await refused(console, await console.come())
    assert len(console.organisation.given) == 1


async def test_an_answer_counts_once_even_where_the_provider_takes_the_code_again(console: Console) -> None:
    console.organisation.forgets = True
    client = await console.open_client()
    back = await console.answer(client)
    secret = client.cookies[ATTEMPT]
    assert (await client.get(back)).status_code == 303
    assert len(await console.sign_ins()) == 1
    again = await console.open_client(cookies={ATTEMPT: secret})
    replayed = await again.get(back)
    assert replayed.status_code == 400
    assert len(await console.sign_ins()) == 1
    assert len(console.organisation.redeemed) == 1


async def test_an_answer_in_a_browser_that_did_not_ask_signs_nobody_in(console: Console) -> None:
    mine = await console.answer(await console.open_client())
    await refused(console, await (await console.open_client()).get(mine))
    victim = await console.open_client()
    await console.leave(victim)
    # The victim is under way too, and an attacker's answer is put under them.
    await refused(console, await victim.get(mine))
    assert console.organisation.redeemed == []


@pytest.mark.parametrize("query", ["", "code=x", "state=x&code=x", "code=x&state=%FF", "state=", "state=é&code=x"])
async def test_an_answer_of_another_state_signs_nobody_in_and_ends_nothing(console: Console, query: str) -> None:
    client = await console.open_client()
    back = await console.answer(client)
    await refused(console, await client.get(f"/sign-in/callback?{query}"))
    assert (await client.get(back)).status_code == 303


@pytest.mark.parametrize("changed", [{"error": "access_denied"}, {"code": ""}, {"iss": "https://evil.example"}])
async def test_an_answer_without_a_code_or_of_another_provider_signs_nobody_in(
    console: Console, changed: dict[str, str]
) -> None:
    client = await console.open_client()
    params = dict(httpx.URL(await console.answer(client)).params) | changed
    if "error" in changed:
        del params["code"]
    await refused(console, await client.get("/sign-in/callback", params=params))
    assert console.organisation.redeemed == []


async def test_an_answer_that_comes_after_ten_minutes_is_too_late(console: Console) -> None:
    client = await console.open_client()
    back = await console.answer(client)
    console.house.clock.ahead = timedelta(minutes=10, seconds=1)
    await refused(console, await client.get(back))
    assert console.organisation.redeemed == []


async def test_who_is_not_in_the_directory_is_told_whom_to_ask(console: Console) -> None:
    console.organisation.claims = {"email": "nobody@plixo.example", "groups": ["controller"]}
    answer = await console.come()
    assert answer.status_code == 403
    assert "Plixo does not know you yet; ask an administrator." in answer.text
    assert await console.sign_ins() == []


async def test_who_has_left_is_not_known_and_gets_no_groups(console: Console) -> None:
    async with console.staff.desk.ledger.begin() as tx:
        person = (await people.by_ids(tx.session, ["p-controller"]))["p-controller"]
        await people.add(tx.session, [replace(person, active=False)])
    console.organisation.claims = {"groups": ["cfo"]}
    answer = await console.come()
    assert answer.status_code == 403
    assert "Plixo does not know you yet" in answer.text
    assert await console.sign_ins() == []
    assert await console.groups("p-controller") == {Group.CONTROLLER}


@pytest.mark.asvs("8.3.2")
async def test_groups_of_the_claim_replace_those_of_the_directory_by_name(
    console: Console, caplog: pytest.LogCaptureFixture
) -> None:
    console.organisation.claims = {"email": "Legal@plixo.example", "groups": ["Billing Admin", "controller", "Chess"]}
    assert (await console.come()).status_code == 303
    assert await console.groups("p-legal") == {Group.BILLING_ADMIN, Group.CONTROLLER}
    said = "groups of p-legal set by the identity provider: billing_admin, controller (were: legal)"
    assert said in caplog.messages


@pytest.mark.asvs("8.3.2")
@pytest.mark.parametrize("claim", [[], "", ["Chess"], {"controller": True}])
async def test_a_claim_without_a_group_of_ours_takes_every_group_away(console: Console, claim: Any) -> None:
    console.organisation.claims = {"groups": claim}
    assert (await console.come()).status_code == 303
    assert await console.groups("p-controller") == frozenset()


async def test_without_the_claim_the_directory_says_the_groups(console: Console) -> None:
    assert (await console.come()).status_code == 303
    assert await console.groups("p-controller") == {Group.CONTROLLER}


@pytest.mark.asvs("7.5.3")
async def test_a_fresh_sign_in_makes_the_provider_ask_again(console: Console) -> None:
    client = await console.open_client()
    page = await client.get("/sign-in?next=/approvals/CR-X&fresh=yes")
    assert 'name="fresh" value="yes"' in page.text
    await console.come(client)
    await console.come(client, fresh="yes")
    usual, fresh = console.organisation.asked
    assert (usual["max_age"], usual.get("prompt")) == ("43200", None)
    assert (fresh["max_age"], fresh["prompt"]) == ("900", "login")


@pytest.mark.asvs("7.5.3")
@pytest.mark.parametrize(
    "proved",
    [NOW - 3600, None, True, -1, NOW + 10**6, 10**400],
    ids=["an hour ago", "unsaid", "no time", "before 1970", "in the future", "huge"],
)
async def test_a_large_decision_waits_until_the_provider_says_that_they_proved_it_just_now(
    console: Console, proved: Any
) -> None:
    approval_id = await console.house.asked(amount="10000.01")
    client = await console.open_client()
    console.organisation.claims = {"auth_time": proved}
    assert (await console.come(client)).status_code == 303
    stale = await client.get(f"/approvals/{approval_id}")
    assert "Sign in again to decide" in stale.text
    console.organisation.claims = {}
    await console.come(client, fresh="yes", next=f"/approvals/{approval_id}")
    assert "Your decision" in (await client.get(f"/approvals/{approval_id}")).text


@pytest.mark.asvs("16.5.3")
@pytest.mark.parametrize(
    "says",
    [
        {"issuer": "https://evil.example"},
        {"authorization_endpoint": None},
        {"token_endpoint": "file:///etc/passwd"},
        {"jwks_uri": ["x"]},
    ],
)
async def test_a_provider_that_misdescribes_itself_is_not_gone_to(console: Console, says: dict[str, Any]) -> None:
    console.organisation.says = says
    client = await console.open_client()
    answer = await client.post("/sign-in/oidc")
    assert answer.status_code == 503
    assert not client.cookies


@pytest.mark.asvs("16.5.3")
async def test_while_the_provider_is_away_the_page_says_so(console: Console, running: Organisation) -> None:
    client = await console.open_client()
    back = await console.answer(client)
    running.token_status = 502
    late = await client.get(back)
    gone = console.staff.settings.model_copy(update={"oidc_issuer": "http://127.0.0.1:9"})
    async with httpx.AsyncClient() as http:
        staff = replace(console.staff, settings=gone, provider=Provider(gone, http, console.house.clock))
        open_client = Clients(create_app(staff), console.house.open_client._stack)
        away = await (await open_client()).post("/sign-in/oidc")
    for answer in (late, away):
        assert answer.status_code == 503
        assert "sign-in cannot be reached right now" in answer.text
        assert answer.headers["retry-after"]
    assert await console.sign_ins() == []


@pytest.mark.asvs("1.3.6")
async def test_the_provider_cannot_send_our_calls_elsewhere(console: Console) -> None:
    console.organisation.says = {"token_endpoint": f"{console.organisation.url}/authorize?state=1&redirect_uri=/keys"}
    client = await console.open_client()
    assert (await console.come(client)).status_code == 503
    console.organisation.says = {"jwks_uri": f"{console.organisation.url}/authorize?state=1&redirect_uri=/keys"}
    assert (await console.come(client)).status_code == 503


@pytest.mark.parametrize(
    "next_page", ["https://evil.example/", "//evil.example/", "/sign-in/callback", "/" + "x" * 2001]
)
async def test_the_way_back_leads_nowhere_else(console: Console, next_page: str) -> None:
    answer = await console.come(next=next_page)
    assert (answer.status_code, answer.headers["location"]) == (303, "/approvals")


async def test_a_sign_in_ends_the_one_before_it(console: Console) -> None:
    client = await console.open_client()
    await console.come(client)
    before = client.cookies[COOKIE]
    await console.come(client)
    assert client.cookies[COOKIE] != before
    assert len(await console.sign_ins()) == 1


@pytest.mark.asvs("16.2.5")
@pytest.mark.asvs("16.5.1")
@pytest.mark.asvs("6.5.2")
async def test_no_token_code_or_secret_is_logged_kept_or_shown(
    console: Console, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.INFO, logger="httpx")  # whatever a worker in this process made of it
    client = await console.open_client()
    back = await console.answer(client)
    async with console.staff.desk.ledger.read() as session:
        kept = str((await session.execute(text("select * from sign_in_attempts"))).all())
    console.organisation.claims = {"nonce": "n-of-another"}
    shown = await client.get(back)
    asked, redeemed = console.organisation.asked[0], console.organisation.redeemed[0]
    secrets = [client.cookies[ATTEMPT], asked["state"], asked["nonce"], redeemed["code"], redeemed["code_verifier"]]
    secrets += [theirs.CLIENT_SECRET, console.organisation.given[0].split(".")[2], "n-of-another"]
    # The browsers of this test are httpx as well, and log where they go.
    browsing = ("/authorize?", "/sign-in/callback?")
    said = "\n".join(line for line in caplog.messages if not any(place in line for place in browsing))
    assert kept.count("/approvals") == 1
    assert "sign-in refused: the ID token does not hold: InvalidClaimError nonce" in said
    assert f"POST {console.organisation.url}/token" in said
    for secret in secrets:
        assert secret not in said
        assert secret not in kept
        assert secret not in shown.text


@pytest.mark.browser
async def test_a_real_browser_goes_to_the_provider_and_comes_back(console: Console) -> None:
    server = uvicorn.Server(uvicorn.Config(create_app(console.staff), port=0, log_level="warning", lifespan="off"))
    serving_it = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    url = console.staff.settings.base_url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    complaints: list[str] = []
    async with open_browser() as chromium:
        page = await chromium.new_page(java_script_enabled=False)
        page.on("console", lambda message: complaints.append(message.text))
        await page.goto(f"{url}/credits/new")
        await page.get_by_role("button", name="Sign in with your organisation").click()
        await page.wait_for_url(f"{url}/credits/new")
        assert "controller@plixo.example" in await page.content()
    server.should_exit = True
    await serving_it
    assert len(console.organisation.redeemed) == 1
    assert complaints == []


@pytest.mark.asvs("3.3.3")
@pytest.mark.asvs("11.5.1")
async def test_in_production_there_is_one_button_and_a_cookie_bound_to_the_host(console: Console) -> None:
    issuer = "https://id.example"
    told = {"issuer": issuer, "authorization_endpoint": f"{issuer}/a", "token_endpoint": f"{issuer}/t"}
    discovery = httpx.MockTransport(lambda _request: httpx.Response(200, json=told | {"jwks_uri": f"{issuer}/k"}))
    base = {"env": "production", "base_url": "https://plixo.example", "oidc_issuer": issuer}
    settings = console.staff.settings.model_copy(update=base)
    async with httpx.AsyncClient(transport=discovery) as http:
        app = create_app(
            replace(console.staff, settings=settings, provider=Provider(settings, http, console.house.clock))
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://plixo.example") as client:
            page = await client.get("/sign-in")
            assert page.text.count("<button") == 1
            assert "p-legal" not in page.text
            left = await client.post("/sign-in/oidc")
            assert "redirect_uri=https%3A%2F%2Fplixo.example%2Fsign-in%2Fcallback" in left.text
            cookie = left.headers["set-cookie"]
            assert re.match(r"__Host-plixo-attempt=[\w-]{43}; ", cookie)
            for flag in ("HttpOnly", "Max-Age=600", "Path=/", "SameSite=lax", "Secure"):
                assert flag in cookie
            told["token_endpoint"] = "http://id.example/t"
            assert (await client.post("/sign-in/oidc")).status_code == 503


NAMED = {"oidc_issuer": "https://id.example", "oidc_client_id": "plixo", "oidc_client_secret": SecretStr("s-1")}


@pytest.mark.parametrize("missing", NAMED)
def test_a_provider_named_in_part_is_refused(missing: str) -> None:
    with pytest.raises(ValidationError, match="set all three, or none"):
        Settings.model_validate({name: value for name, value in NAMED.items() if name != missing})
    assert Settings.model_validate(NAMED).oidc_issuer == NAMED["oidc_issuer"]


@pytest.mark.parametrize(
    "issuer",
    ["http://id.example", "id.example", "https://", "https://id.example?x=1", "https://me@id.example", "file:///x"],
)
def test_an_issuer_that_is_no_https_address_is_refused(issuer: str) -> None:
    with pytest.raises(ValidationError, match="PLIXO_OIDC_ISSUER must be"):
        Settings.model_validate(NAMED | {"oidc_issuer": issuer})


def test_only_in_dev_the_provider_may_be_without_https() -> None:
    assert Settings.model_validate(NAMED | {"oidc_issuer": "http://127.0.0.1:1", "env": "dev"}).oidc_issuer


def test_the_settings_do_not_show_the_secret() -> None:
    assert "s-1" not in repr(Settings.model_validate(NAMED))
