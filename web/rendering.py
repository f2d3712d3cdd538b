"""Pages: templates filled with what the view worked out. Nothing here decides anything."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from plixo.bootstrap import Staff
from plixo.config import ROOT
from web.console import navigation, words
from web.identity import Visit

_ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader(ROOT / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters["exact"] = words.exact
_ENVIRONMENT.filters["moment"] = datetime.fromisoformat
_ENVIRONMENT.filters["stamp"] = words.stamp
_ENVIRONMENT.filters["relative"] = words.relative
_ENVIRONMENT.filters["figure"] = words.figure
_ENVIRONMENT.filters["of_minor"] = words.of_minor
_ENVIRONMENT.globals.update(
    {
        "standing": words.standing,
        "sentence": words.sentence,
        "target_words": words.target,
        "waiting_on": words.waiting_on,
    }
)


def rendered(template: str, context: Mapping[str, Any]) -> str:
    """A template's text, with nothing but what it is given."""
    return _ENVIRONMENT.get_template(template).render(context)


def page(visit: Visit, template: str, context: Mapping[str, Any], status: int = 200) -> HTMLResponse:
    """A page for somebody who is signed in, with their menu and in their time zone.

    Args:
        visit: Who wants it.
        template: Its name under `templates/`.
        context: What it shows.
        status: HTTP's.
    """
    person = visit.person
    dev, temporal = visit.staff.settings.dev, visit.staff.temporal_ui is not None
    menu = navigation.menu(person, visit.request.url.path, dev=dev, temporal=temporal)
    mine = {"person": person, "menu": menu, "zone": person.time_zone}
    return bare_page(visit.request, template, {**mine, **context}, status)


def bare_page(
    request: Request,
    template: str,
    context: Mapping[str, Any],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """A page for anybody."""
    staff: Staff = request.app.state.staff
    common = {
        "request_id": request.state.request_id,
        "now": staff.desk.clock(),
        "zone": "UTC",
        "person": None,
        "menu": (),
        "dev": staff.settings.dev,
    }
    html = _ENVIRONMENT.get_template(template).render({**common, **context})
    return HTMLResponse(html, status, headers)
