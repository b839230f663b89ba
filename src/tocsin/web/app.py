"""The web application around a house: API, pages, status documents, health. The server starts and stops it."""

from __future__ import annotations

from tocsin import __version__
from tocsin.bootstrap.house import House
from tocsin.web import (
    actions,
    alerts,
    commands,
    health,
    heartbeats,
    inspector_views,
    merging,
    opsgenie,
    pagerduty,
    public,
    reading,
    runner,
    runners,
    running,
    silences,
    sources,
    stream,
)
from tocsin.web.express import Application
from tocsin.web.guard import Guard
from tocsin.web.idempotency import Idempotency
from tocsin.web.inspector import Inspector
from tocsin.web.openapi import DESCRIPTION, REFUSALS, describe
from tocsin.web.pages.router import mount
from tocsin.web.problems import install


def create_app(house: House) -> Application:
    """The app that serves this house."""
    app = Application(title="Tocsin", version=__version__, description=DESCRIPTION, docs_url=None, redoc_url=None)
    app.state.house = house
    app.state.published = public.Published(house)
    install(app)
    app.state.inspector, app.state.limits = Inspector(), sources.limits_of(house)
    inspector = app.state.inspector
    house.hearing.listener = lambda heard: inspector.overheard(heard, house.desk.now())
    senders = (alerts, pagerduty, opsgenie, heartbeats)
    sending = [app.state.inspector.watch(route) for module in senders for route in module.routes()]
    app.router.routes.extend(sending)
    app.express(sending, public_url=house.settings.public_url)
    app.router.routes.extend(runner.routes())
    for router in (
        reading.router,
        commands.router,
        merging.router,
        actions.router,
        running.router,
        runners.router,
        inspector_views.api,
        silences.api,
        stream.router,
    ):
        app.include_router(router, responses=REFUSALS)
    for router in (public.router, health.router, sources.router, silences.router, inspector_views.router):
        app.include_router(router)
    mount(app, house)
    describe(app)
    # what is added last is outermost
    app.add_middleware(Idempotency)
    app.add_middleware(Guard, public_url=house.settings.public_url)
    return app
