"""Scenarios about too little of something: memory, replicas, room on a disk."""

from tocsin.lab.alerting import CRASHING
from tocsin.lab.kube.inventory import Shape
from tocsin.lab.scenarios import levers
from tocsin.lab.scenarios.model import FIX, NO, ROLLBACK, YES, Scenario, Step, Truth

_SMALL = Shape(memory_limit="96Mi")
_SLOTS = Shape(backend_env=(("SERVICE_MS", "100"), ("SLOTS", "2")), hpa=(2, 3))
_DATABASE = Shape(database=True)
_FULL = """
CREATE OR REPLACE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  RAISE EXCEPTION 'could not extend file "base/5/16402": No space left on device'
    USING ERRCODE = '53100', HINT = 'Check free disk space.';
END $$;
CREATE TRIGGER no_space BEFORE UPDATE OR INSERT ON runs FOR EACH STATEMENT EXECUTE FUNCTION no_space();
"""

CONFIG_OOM = Scenario(
    name="config-change-oom",
    tells="A setting makes the backend's cache larger than its memory limit.",
    truth=Truth(FIX, "The cache was configured larger than the memory limit", deployment=NO, resource=YES, crashes=YES),
    steps=(
        Step(levers.configure(MEMORY_MB="160"), "Somebody gives the backend's cache 160 MB. Its limit is 96 MiB."),
        Step(levers.restart(), "Somebody restarts the backend for it.", after=1.0),
    ),
    shape=_SMALL,
    rules=(CRASHING,),
    mend=levers.both(levers.configure(MEMORY_MB="0"), levers.restart()),
    impact="Pods of the backend are killed for their memory",
    settle=6.0,
)
CONFIG_OOM_TWIN = Scenario(
    name="config-change-oom/the-limit-was-deployed",
    tells="A release lowers the memory limit below what the backend needs.",
    truth=Truth(ROLLBACK, "The release lowered the memory limit too far", deployment=YES, crashes=YES),
    steps=(Step(levers.memory("12Mi"), "Somebody deploys a memory limit of 12 MiB."),),
    shape=_SMALL,
    rules=(CRASHING,),
    impact="Pods of the backend are killed for their memory",
    settle=6.0,
)
TRAFFIC_SURGE = Scenario(
    name="traffic-surge",
    tells="Six times the usual traffic, and the autoscaler at its maximum.",
    truth=Truth(FIX, "More traffic than three replicas can take", deployment=NO, resource=YES, data=NO, errors=YES),
    steps=(Step(levers.load(110.0), "Everybody comes at once."),),
    shape=_SLOTS,
    load=16.0,
    mend=levers.autoscale(9),
    undone="the autoscaler takes a higher count back to its maximum",
    impact="A part of all requests find no worker",
    limit=150.0,
)
TRAFFIC_SURGE_TWIN = Scenario(
    name="traffic-surge/no-more-traffic",
    tells="The same answers 5xx at the usual traffic: the backend itself fails.",
    truth=Truth(FIX, "A feature flag broke the backend", deployment=NO, resource=NO, data=NO, errors=YES),
    steps=(Step(levers.strike("backend", fail=0.4, error="feature flag service sent nonsense"), "A flag goes bad."),),
    shape=_SLOTS,
    load=16.0,
    mend=levers.strike("backend"),
)
DISK_FULL = Scenario(
    name="disk-full",
    tells="The database's disk is full: nothing can be written.",
    truth=Truth(
        FIX, "The disk of the database is full", "postgresql", deployment=NO, data=YES, errors=YES, database=YES
    ),
    steps=(
        Step(
            levers.both(levers.strike("postgresql", disk_full=1), levers.sql(_FULL)), "The database's disk runs full."
        ),
    ),
    shape=_DATABASE,
    needs="postgres",
    mend=levers.both(levers.strike("postgresql"), levers.sql("DROP TRIGGER no_space ON runs")),
    impact="Nothing can be saved",
)
DISK_FULL_TWIN = Scenario(
    name="disk-full/another-disk",
    tells="The worker's own volume is full, the database's is not; the backend fails by itself.",
    truth=Truth(FIX, "A feature flag broke the backend", deployment=NO, data=NO, errors=YES),
    steps=(
        Step(levers.strike("worker", volume_mb=0), "The worker's volume runs full."),
        Step(levers.strike("backend", fail=0.4, error="feature flag service sent nonsense"), "A flag goes bad.", 2.0),
    ),
    shape=_DATABASE,
    needs="postgres",
    mend=levers.both(levers.strike("backend"), levers.strike("worker")),
)
SCENARIOS = (
    CONFIG_OOM, CONFIG_OOM_TWIN, TRAFFIC_SURGE, TRAFFIC_SURGE_TWIN, DISK_FULL, DISK_FULL_TWIN,
)  # fmt: skip
