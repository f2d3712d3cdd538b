"""The staff's application: pages and API on one address."""

from typing import Final

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from plixo.bootstrap import Staff
from plixo.config import ROOT
from plixo.oidc.provider import CALLBACK
from web import codec, failures, health
from web.api.absences import absence_routes
from web.api.approvals import approval_routes
from web.api.credits import credit_routes
from web.api.documents import document_routes
from web.api.finance import finance_routes
from web.api.logins import dev_routes, login_routes
from web.api.policies import policy_routes
from web.api.reading import reading_routes
from web.api.several import several_routes
from web.console import (
    amendments,
    approvals,
    audit,
    billing,
    cli_login,
    documents,
    finance,
    mailbox,
    measures,
    oidc,
    people,
    policy,
    several,
    signin,
)
from web.console import credits as credit_pages
from web.limiting import Counted, Lane, Limiter, Uploads
from web.middleware import Gate, HeadAsGet, Shell
from web.temporal import proxy

DESCRIPTION: Final = """The same functions as the console's, for programs and the command line.

Send the token of `plixo login` as `Authorization: Bearer …`. Amounts go in as text in the currency's major unit and
come out both as text and as whole minor units. Every failure has the same shape, `Failure`."""


def create_app(staff: Staff) -> FastAPI:
    """The application on these parts."""
    app = FastAPI(
        title="Plixo",
        version="1",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.state.staff = staff
    app.state.limiter = Limiter()
    app.state.uploads = Uploads()
    app.state.lane = Lane(staff.settings.bulk_turns)
    app.add_middleware(Counted, lane=app.state.lane)
    _add_routes(app, dev=staff.settings.dev)
    app.mount("/static", StaticFiles(directory=ROOT / "web" / "static"), name="static")
    failures.install(app)
    # The last one added is the outermost.
    app.add_middleware(HeadAsGet, but=frozenset({CALLBACK}))
    app.add_middleware(Gate.of, failure=failures.failure, settings=staff.settings)
    app.add_middleware(Shell, failure=failures.failure, https=staff.settings.base_url.startswith("https://"))
    return app


def _add_routes(app: FastAPI, *, dev: bool) -> None:
    requests = (measures, several, approvals, amendments, documents, credit_pages)
    reading = (billing, finance, audit, policy, people)
    for pages in (signin, oidc, *requests, *reading, cli_login, health, proxy, codec):
        app.include_router(pages.router)
    about_requests = (credit_routes, approval_routes, absence_routes, several_routes, document_routes)
    for routes in (*about_requests, finance_routes, policy_routes, reading_routes, login_routes):
        app.include_router(routes)
    if dev:
        app.include_router(dev_routes)
        app.include_router(mailbox.router)
