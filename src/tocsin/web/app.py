"""The web application around a house: API, pages, status documents, health. The server starts and stops it."""

from __future__ import annotations

from fastapi import FastAPI

from tocsin import __version__
from tocsin.bootstrap.house import House
from tocsin.web import (
    actions,
    alerts,
    commands,
    health,
    heartbeats,
    opsgenie,
    pagerduty,
    public,
    reading,
    runner,
    runners,
    running,
    stream,
)
from tocsin.web.guard import Guard
from tocsin.web.idempotency import Idempotency
from tocsin.web.openapi import DESCRIPTION, REFUSALS, describe
from tocsin.web.pages.router import mount
from tocsin.web.problems import install


def create_app(house: House) -> FastAPI:
    """The app that serves this house."""
    app = FastAPI(title="Tocsin", version=__version__, description=DESCRIPTION, docs_url=None, redoc_url=None)
    app.state.house = house
    app.state.published = public.Published(house)
    install(app)
    plain = (alerts, pagerduty, opsgenie, heartbeats, runner)
    app.router.routes.extend(route for module in plain for route in module.routes())
    for router in (reading.router, commands.router, actions.router, running.router, runners.router, stream.router):
        app.include_router(router, responses=REFUSALS)
    for router in (public.router, health.router):
        app.include_router(router)
    mount(app, house)
    describe(app)
    # what is added last is outermost
    app.add_middleware(Idempotency)
    app.add_middleware(Guard, public_url=house.settings.public_url)
    return app
