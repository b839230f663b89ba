"""Scenarios about a part that fails, data that is wrong, and alarms that are none."""

from tocsin.lab.alerting import Rule
from tocsin.lab.kube.inventory import Shape
from tocsin.lab.scenarios import levers
from tocsin.lab.scenarios.model import FIX, NO, NOTHING, RESTART, YES, Scenario, Step, Truth

_DOWNSTREAM = Shape(downstream=True)
_DATABASE = Shape(database=True)
_FLAG = "feature flag service sent nonsense"
_UNLOCK = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'"

COMPONENT_DOWN = Scenario(
    name="component-down",
    tells="The payments service dies again and again; the backend that needs it fails.",
    truth=Truth(RESTART, "The payments service cannot open its keystore", "payments", deployment=NO, component=YES),
    steps=(
        Step(levers.strike_running("payments", die="cannot open /keys/store: stale file handle"), "Payments dies."),
    ),
    shape=_DOWNSTREAM,
    impact="Nobody can pay",
)
COMPONENT_DOWN_TWIN = Scenario(
    name="component-down/all-of-them",
    tells="Every service fails in the same way: what they share is at fault.",
    truth=Truth(FIX, "The feature flags that all services read are broken", deployment=NO, component=NO),
    steps=(
        Step(
            levers.both(
                *(
                    levers.strike(app, fail=0.5, error=_FLAG, static_health=1)
                    for app in ("backend", "payments", "worker")
                )
            ),
            "The feature flags go bad for everybody.",
        ),
    ),
    shape=_DOWNSTREAM,
    mend=levers.both(*(levers.strike(app) for app in ("backend", "payments", "worker"))),
)
SLOW_DOWNSTREAM = Scenario(
    name="slow-downstream",
    tells="The payments service takes three seconds; the backend gives up on it.",
    truth=Truth(RESTART, "The payments service hangs on its processor", "payments", deployment=NO, component=YES),
    steps=(Step(levers.strike_running("payments", service_ms=3000), "The payments service becomes slow."),),
    shape=_DOWNSTREAM,
    impact="Payments time out",
)
SLOW_DOWNSTREAM_TWIN = Scenario(
    name="slow-downstream/slow-itself",
    tells="The payments service is quick; the backend itself is slow.",
    truth=Truth(RESTART, "The pods of the backend hang on a lost mount", deployment=NO, latency=YES),
    steps=(Step(levers.strike_running("backend", service_ms=900), "The backend becomes slow."),),
    shape=_DOWNSTREAM,
    rules=(Rule(threshold=0.35, alertname="BackendSlow", summary="The backend answers slowly", expression=(
        "sum(rate(http_request_duration_seconds_sum[3s])) / sum(rate(http_request_duration_seconds_count[3s]))")),),
    impact="Everything is slow",
)  # fmt: skip
LOCK_PILEUP = Scenario(
    name="lock-pileup",
    tells="A forgotten console holds a lock, and what has to write waits until it gives up.",
    truth=Truth(
        FIX, "A forgotten session holds a lock on the table runs", "postgresql", deployment=NO, resource=NO, data=YES,
        database=YES,
    ),
    steps=(Step(levers.sql("BEGIN; LOCK TABLE runs", keep=True), "Somebody leaves a transaction open."),),
    shape=_DATABASE,
    needs="postgres",
    mend=levers.sql(_UNLOCK),
    impact="Saving fails",
    limit=150.0,
)  # fmt: skip
LOCK_PILEUP_TWIN = Scenario(
    name="lock-pileup/nobody-waits",
    tells="A transaction is left open and nobody waits for it; the backend fails by itself.",
    truth=Truth(FIX, "A feature flag broke the backend", deployment=NO, data=NO, errors=YES),
    steps=(
        Step(levers.sql("BEGIN; SELECT 1", keep=True), "Somebody leaves a transaction open, that holds nothing."),
        Step(levers.strike("backend", fail=0.4, error=_FLAG), "A flag goes bad.", 2.0),
    ),
    shape=_DATABASE,
    needs="postgres",
    mend=levers.strike("backend"),
)
MIGRATION = Scenario(
    name="migration-broke-data",
    tells="A migration ended half-way: a column that the backend reads has another name now.",
    truth=Truth(FIX, "A migration renamed a column and failed half-way", "postgresql", deployment=NO, data=YES),
    steps=(
        Step(
            levers.both(
                levers.sql(
                    "ALTER TABLE scenarios RENAME COLUMN title TO name;"
                    "INSERT INTO schema_migrations VALUES ('20261123_names', true)"
                ),
                levers.job("migrate-20261123", failed=True),
            ),
            "A migration runs, and fails half-way.",
        ),
    ),
    shape=_DATABASE,
    needs="postgres",
    mend=levers.sql("ALTER TABLE scenarios RENAME COLUMN name TO title; DELETE FROM schema_migrations WHERE dirty"),
    impact="Lists stay empty",
)
MIGRATION_TWIN = Scenario(
    name="migration-broke-data/it-went-well",
    tells="A migration ran and was fine; the backend fails by itself.",
    truth=Truth(FIX, "A feature flag broke the backend", deployment=NO, data=NO, errors=YES),
    steps=(
        Step(
            levers.both(
                levers.sql("INSERT INTO schema_migrations VALUES ('20261123_names', false)"),
                levers.job("migrate-20261123", failed=False),
            ),
            "A migration runs, and is fine.",
        ),
        Step(levers.strike("backend", fail=0.4, error=_FLAG), "A flag goes bad.", 2.0),
    ),
    shape=_DATABASE,
    needs="postgres",
    mend=levers.strike("backend"),
)
FLAPPING = Scenario(
    name="flapping",
    tells="The backend fails for seconds at a time, again and again: one incident, not one an outbreak.",
    truth=Truth(FIX, "A feature flag comes and goes", deployment=NO, resource=NO, data=NO),
    steps=tuple(
        step
        for _ in range(3)
        for step in (
            Step(levers.strike("backend", fail=0.5, error=_FLAG), "The backend begins to fail.", 3.0),
            Step(levers.strike("backend"), "The backend is well again.", 4.0),
        )
    ),
    mend=levers.strike("backend"),
    impact="The backend fails now and then",
)
FLAPPING_TWIN = Scenario(
    name="flapping/once",
    tells="The backend fails for some seconds, once, and is well again.",
    truth=Truth(NOTHING, "A feature flag was wrong for some seconds", deployment=NO, resource=NO, data=NO),
    steps=(
        Step(levers.strike("backend", fail=0.5, error=_FLAG), "The backend begins to fail."),
        Step(levers.strike("backend"), "The backend is well again.", 6.0),
    ),
    impact="The backend failed for some seconds",
)
_ALWAYS = Rule(
    threshold=-1.0, alertname="BackendErrorsSuspected", expression="0 * sum(up)", severity="warning", lasts=20.0
)
FALSE_ALARM = Scenario(
    name="false-alarm",
    tells="A rule that asks the wrong thing fires; everything is well.",
    truth=Truth(
        NOTHING, "The alert's rule asks for a metric that is not there", deployment=NO, resource=NO, component=NO,
        data=NO, errors=NO, latency=NO, crashes=NO, database=NO,
    ),
    steps=(Step(levers.at_rest, "Nothing happens. An alert fires all the same."),),
    rules=(_ALWAYS,),
    impact="None: everything is well",
)  # fmt: skip
FALSE_ALARM_TWIN = Scenario(
    name="false-alarm/it-was-right",
    tells="The same alert, and the backend really fails.",
    truth=Truth(FIX, "A feature flag broke the backend", deployment=NO, resource=NO, errors=YES),
    steps=(Step(levers.strike("backend", fail=0.3, error=_FLAG), "A flag goes bad."),),
    mend=levers.strike("backend"),
)
SCENARIOS = (
    COMPONENT_DOWN, COMPONENT_DOWN_TWIN, SLOW_DOWNSTREAM, SLOW_DOWNSTREAM_TWIN, LOCK_PILEUP, LOCK_PILEUP_TWIN,
    MIGRATION, MIGRATION_TWIN, FLAPPING, FLAPPING_TWIN, FALSE_ALARM, FALSE_ALARM_TWIN,
)  # fmt: skip
