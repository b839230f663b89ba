"""From settings to a house. Everything wrong is refused here, before anything runs."""

from __future__ import annotations

import hashlib
import secrets
import sys
from functools import cache, partial

import httpx
from msgspec.structs import replace

from tocsin import __version__
from tocsin.bootstrap.diagnosis import Examined, affected, diagnosing, witness
from tocsin.bootstrap.edition import keep, read_edition, read_others
from tocsin.bootstrap.hands import RunnerWatch, dispatching, hands
from tocsin.bootstrap.house import House
from tocsin.bootstrap.living import LiveCheck
from tocsin.bootstrap.operating import spooled, upkeep
from tocsin.bootstrap.reloading import Reloading
from tocsin.bootstrap.triage import triage
from tocsin.bootstrap.watchers import watchers
from tocsin.channels.console import Console
from tocsin.channels.email import Email
from tocsin.channels.slack import Slack
from tocsin.channels.webhook import Webhook
from tocsin.config import Settings
from tocsin.engine.core import Core
from tocsin.engine.credentials import Credentials
from tocsin.engine.desk import Desk
from tocsin.engine.following import Following
from tocsin.engine.loop import Engine
from tocsin.engine.policies import Policies
from tocsin.engine.ports import Channel, Clock
from tocsin.engine.running import StepWorker
from tocsin.engine.sending import Channels, Sender
from tocsin.engine.signing import Signer
from tocsin.engine.sweeping import Sweep
from tocsin.evidence.prometheus import Prometheus
from tocsin.feeds import feeds
from tocsin.incident.alert import Alert, AlertStatus
from tocsin.store.database import Store
from tocsin.store.tx import Tx

_TIMING = {"roles", "people", "schedules", "acknowledge", "escalation", "approvals"}


def compose(settings: Settings, *, store: Store, clock: Clock | None = None) -> House:
    """The house of these settings on an open database. Raises SettingsError with every reason."""
    clock = clock or store.clock
    calendars = cache(partial(feeds, settings))
    edition, others = read_edition(settings, calendars), read_others(settings, calendars)
    policy = edition.policy
    channels = Channels(_channels(settings))
    channels.policy = policy
    policies = Policies(policy, lambda digest: store.read(lambda tx: tx.runbook(digest)))
    for other in others.values():
        policies.put_in_force(other.policy, other.name)
    core = Core(store, policies, channels, clock, meters=store.meters)
    secret_key = settings.secret_key.get_secret_value() if settings.secret_key else _kept_secret(store)
    signer = Signer(secret_key, settings.public_url)
    owner = store.replica
    prometheus = (
        Prometheus(settings.sources.prometheus.url, httpx.AsyncClient()) if settings.sources.prometheus else None
    )
    dispatch = dispatching(settings, core)
    runner, cluster = hands(settings, dispatch, clock=clock, prometheus=prometheus)
    seen = witness(settings, edition.reading.runbook.environment, prometheus=prometheus, now=clock.now)
    troubles: dict[str, str] = {}
    on_trouble = partial(_note, troubles)
    measured = affected(settings, prometheus=prometheus, now=clock.now, on_trouble=on_trouble)
    judging = replace(triage(settings), impact_of=measured.of) if measured else triage(settings)
    desk = Desk(core, runner, judging, cluster=Examined(cluster, seen) if seen else cluster)
    engine = Engine(
        core,
        Sender(core, channels, signer, owner=owner),
        StepWorker(core, runner, owner=owner, cluster=cluster),
        owner=owner,
    )
    house = House(
        settings=settings,
        reading=edition.reading,
        runbook_text=edition.text,
        core=core,
        desk=desk,
        engine=engine,
        channels=channels,
        signer=signer,
        credentials=Credentials(core, secret_key),
        database=store.name,
        alert_token=settings.sources.alerts.token.get_secret_value() if settings.sources.alerts.token else None,
        dispatch=dispatch,
        others=others,
        troubles=troubles,
    )
    for each in (edition, *others.values()):
        keep(store, each, clock.now())
    house.spooled = spooled(settings, desk, on_trouble)
    sources = watchers(
        settings,
        house.ingest,
        clock=clock,
        firing=_left_firing(store),
        prometheus=prometheus,
        on_trouble=on_trouble,
        hearing=house.hearing,
    )
    if measured is not None:
        sources.append(measured.run)
    if dispatch is not None:
        sources.append(RunnerWatch(dispatch, house.troubles).run)
    house.diagnosing = diagnosing(settings, desk, seen) if seen else None
    house.closing = (seen.close,) if seen else ()
    if house.diagnosing is not None:
        sources.append(house.diagnosing.run)
        if settings.evidence.check.enabled:
            sources.append(LiveCheck(house).run)
    reloading = [Reloading(house, e, store=store, calendars=calendars).run for e in (edition, *others.values())]
    following, sweep = Following(core, store.listen), Sweep(core, _mark(settings))
    house.background = (*sources, following.run, sweep.run, *reloading, *upkeep(house, on_trouble))
    return house


def _mark(settings: Settings) -> str:
    """What tells settings under which incidents are timed alike from others: the same on every replica."""
    said = f"{__version__} {settings.model_dump_json(include=_TIMING)}"
    return hashlib.sha256(said.encode()).hexdigest()


def _channels(settings: Settings) -> list[Channel]:
    on = settings.channels
    found: list[Channel] = []
    if on.console.enabled:
        found.append(Console(sys.stdout))
    if on.email:
        found.append(Email(on.email.smtp.get_secret_value(), sender=on.email.sender, team=on.email.to))
    if on.webhook:
        secret = on.webhook.secret.get_secret_value() if on.webhook.secret else None
        found.append(Webhook(on.webhook.url.get_secret_value(), secret=secret))
    if on.slack and on.slack.webhook_url:
        found.append(Slack(on.slack.webhook_url.get_secret_value()))
    return found


def _kept_secret(store: Store) -> str:
    """The key that signs links, made once and kept with the database unless the settings give one."""
    made = secrets.token_urlsafe(32)

    def keep_one(tx: Tx) -> str:
        kept = tx.setting("secret_key")
        if kept is None:  # of replicas that start together, one's counts for all
            tx.put_setting("secret_key", made)
        return kept or made

    return store.write(keep_one).result()


def _left_firing(store: Store) -> list[Alert]:
    """Alerts of our own watchers that fired when the last process ended."""
    records = store.read(lambda tx: tx.alerts(status=AlertStatus.FIRING, limit=10_000))
    return [r.alert for r in records]


def _note(troubles: dict[str, str], name: str, reason: str | None) -> None:
    if reason is None:
        troubles.pop(name, None)
    else:
        troubles[name] = reason
