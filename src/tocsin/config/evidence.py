"""`[evidence]`: what is asked to answer the decision tree's questions. Everything is only read."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from tocsin.config.scalars import FilePath, Flag, HostPort, Masked, Name, PositiveDuration, is_url, wrong
from tocsin.config.table import Table


def _postgresql(value: SecretStr) -> SecretStr:
    if not is_url(value.get_secret_value(), "postgresql", "postgres"):
        raise wrong('is not a PostgreSQL server: write it like "postgresql://reader@host:5432/name"')
    return value


def _redis(value: SecretStr) -> SecretStr:
    if not is_url(value.get_secret_value(), "redis", "rediss"):
        raise wrong('is not a Redis server: write it like "redis://host:6379"')
    return value


class Kubernetes(Table):
    """`kubeconfig` and `context` say which cluster; without them the one that the runbook's commands reach."""

    enabled: Flag = True
    kubeconfig: FilePath | None = None
    context: Name | None = None
    namespace: Name | None = None


class Series(Table):
    """Which metrics count requests and measure latency, where they have names of their own. `affected` is a query that
    gives the share of users affected, 0 to 1, by the label `service` if it can."""

    requests: Name | None = None
    status: Name | None = None
    latency: Name | None = None
    affected: Name | None = None
    every: PositiveDuration | None = None


class PostgreSqlServer(Table):
    name: Name
    url: Annotated[Masked, AfterValidator(_postgresql)]
    workload: Name | None = None


class RedisServer(Table):
    name: Name
    url: Annotated[Masked, AfterValidator(_redis)]
    workload: Name | None = None


class DependencyAddress(Table):
    """`workload` is the one of the cluster that serves it, when it is one of ours."""

    name: Name
    address: HostPort
    workload: Name | None = None


class Check(Table):
    """The runbook compared with the live production, `every` so often."""

    enabled: Flag = True
    every: PositiveDuration = timedelta(days=1)


class Evidence(Table):
    """`timeout` is of one source, `every` how often an open question is looked at again, `recent` how old a change may
    be. `complete` says that what is set up here is all that the service needs."""

    enabled: Flag = True
    timeout: PositiveDuration = timedelta(seconds=5)
    every: PositiveDuration = timedelta(seconds=3)
    recent: PositiveDuration = timedelta(hours=1)
    error_share: Annotated[float, Field(gt=0, le=1)] = 0.05
    complete: Flag = False
    kubernetes: Kubernetes = Kubernetes()
    prometheus: Series = Series()
    postgresql: tuple[PostgreSqlServer, ...] = ()
    redis: tuple[RedisServer, ...] = ()
    dependencies: tuple[DependencyAddress, ...] = ()
    check: Check = Check()
