"""Scenarios about what was deployed: bad, innocent, not a deployment at all, or one that cannot simply be undone."""

from tocsin.lab.alerting import CRASHING
from tocsin.lab.kube.inventory import Shape
from tocsin.lab.scenarios import levers
from tocsin.lab.scenarios.model import FIX, NO, RESTART, ROLLBACK, YES, Scenario, Step, Truth

DOWNSTREAM = Shape(downstream=True)
DECOY_S = 30.0
_CARD = "card processor refused the session"

BAD_DEPLOY = Scenario(
    name="bad-deploy",
    tells="A release of the backend fails four requests in ten and leaks its connections.",
    truth=Truth(
        ROLLBACK, "Version v2 of the backend fails requests and leaks connections", deployment=YES, resource=NO,
        data=NO, errors=YES,
    ),
    steps=(Step(levers.deploy("v2"), "Somebody deploys version v2 of the backend. It is not a good one."),),
)  # fmt: skip
BAD_DEPLOY_TWIN = Scenario(
    name="bad-deploy/it-began-before",
    tells="The backend fails already when a good release of it goes out.",
    truth=Truth(
        FIX, "A feature flag broke every version of the backend", deployment=NO, resource=NO, data=NO, errors=YES
    ),
    steps=(
        Step(
            levers.strike("backend", fail=0.4, error="feature flag service sent nonsense"), "A feature flag goes bad."
        ),
        Step(levers.deploy("v1.1"), "Somebody deploys v1.1 of the backend. It is as good as v1.", after=9.0),
    ),
    mend=levers.strike("backend"),
)
DEPLOY_DECOY = Scenario(
    name="deploy-decoy",
    tells="An innocent release of the front end, then the payments service goes wrong by itself.",
    truth=Truth(
        RESTART, "The payments service lost its session", "payments", deployment=NO, resource=NO, component=YES
    ),
    steps=(
        Step(levers.deploy("v1.1", "frontend"), "Somebody deploys v1.1 of the front end. It is a good one."),
        Step(
            levers.strike_running("payments", fail=0.6, error=_CARD, static_health=1),
            "The payments service loses its session.",
            DECOY_S,
        ),
    ),
    shape=DOWNSTREAM,
)
DEPLOY_DECOY_TWIN = Scenario(
    name="deploy-decoy/it-was-that-one",
    tells="A release of the payments service is bad; the backend that needs it fails.",
    truth=Truth(ROLLBACK, "Version v2 of the payments service cannot charge", "payments", deployment=YES, resource=NO),
    steps=(Step(levers.deploy("v2", "payments"), "Somebody deploys v2 of the payments service."),),
    shape=DOWNSTREAM,
)
BAD_IMAGE = Scenario(
    name="bad-image",
    tells="A release names an image that is not there: its pods never start, the old ones go on.",
    truth=Truth(ROLLBACK, "The image of the new release does not exist", deployment=YES, data=NO, crashes=YES),
    steps=(Step(levers.deploy("v9"), "Somebody deploys v9 of the backend, which nobody has built."),),
    rules=(CRASHING,),
    impact="New pods of the backend do not start",
)
BAD_IMAGE_TWIN = Scenario(
    name="bad-image/its-configuration",
    tells="Pods that are started again end at once: a setting they need is gone. The image is what it was.",
    truth=Truth(FIX, "A setting was taken out of the backend's configuration", deployment=NO, crashes=YES),
    steps=(
        Step(levers.configure(BOOT_ERROR="required setting DATABASE_URL is missing"), "Somebody edits the ConfigMap."),
        Step(levers.restart(), "Somebody restarts the backend.", after=2.0),
    ),
    rules=(CRASHING,),
    mend=levers.both(levers.configure(BOOT_ERROR=""), levers.restart()),
    impact="New pods of the backend do not start",
)
RESTART_NOT_DEPLOY = Scenario(
    name="restart-not-deploy",
    tells="The backend is restarted, which looks like a release; then the payments service goes wrong by itself.",
    truth=Truth(
        RESTART, "The payments service lost its session", "payments", deployment=NO, resource=NO, component=YES
    ),
    steps=(
        Step(levers.restart(), "Somebody restarts the backend. Nothing of it changes."),
        Step(
            levers.strike_running("payments", fail=0.6, error=_CARD, static_health=1),
            "The payments service loses its session.",
            5.0,
        ),
    ),
    shape=DOWNSTREAM,
)
RESTART_NOT_DEPLOY_TWIN = Scenario(
    name="restart-not-deploy/it-was-a-deploy",
    tells="The same two revisions, but the second one is another build.",
    truth=Truth(ROLLBACK, "Version v2 of the backend fails requests", deployment=YES, resource=NO, errors=YES),
    steps=(
        Step(levers.restart(), "Somebody restarts the backend."),
        Step(levers.deploy("v2"), "Somebody deploys v2 of the backend.", after=5.0),
    ),
    shape=DOWNSTREAM,
)
LATEST = Shape(tag="latest")
MUTABLE_TAG = Scenario(
    name="mutable-tag",
    tells="`latest` is pushed anew and the backend restarted: the same template, another image.",
    truth=Truth(FIX, "The tag latest was put on a build that fails", deployment=YES, resource=NO, errors=YES),
    steps=(
        Step(levers.push("latest", version="v2", fail=0.4, leak=1), "Somebody pushes a new build as `latest`."),
        Step(levers.restart(), "Somebody restarts the backend, which pulls it.", after=1.0),
    ),
    shape=LATEST,
    mend=levers.both(levers.push("latest", version="v1"), levers.restart()),
    undone="undo restores the same reference, which means the same bad build",
)
MUTABLE_TAG_TWIN = Scenario(
    name="mutable-tag/the-same-build",
    tells="The backend on `latest` is restarted, the tag still means the same build; what fails is something else.",
    truth=Truth(FIX, "A feature flag broke the backend", deployment=NO, resource=NO, errors=YES),
    steps=(
        Step(levers.restart(), "Somebody restarts the backend."),
        Step(levers.strike("backend", fail=0.4, error="feature flag service sent nonsense"), "A flag goes bad.", 6.0),
    ),
    shape=LATEST,
    mend=levers.strike("backend"),
)
SELF_HEAL = Scenario(
    name="self-heal-revert",
    tells="Argo CD deploys a bad release from Git, and puts it back when somebody undoes it.",
    truth=Truth(FIX, "Version v2 of the backend fails requests", deployment=YES, resource=NO, errors=YES),
    steps=(
        Step(levers.git("v1", self_heal=True), "Argo CD keeps the backend as Git says."),
        Step(levers.git("v2", self_heal=True), "Somebody merges v2 of the backend.", after=2.0),
    ),
    mend=levers.git("v1", self_heal=True),
    undone="Argo CD's self-heal puts the bad version back within seconds",
)
SELF_HEAL_TWIN = Scenario(
    name="self-heal-revert/no-self-heal",
    tells="Argo CD deploys a bad release from Git; self-heal is off, so that undoing it holds.",
    truth=Truth(ROLLBACK, "Version v2 of the backend fails requests", deployment=YES, resource=NO, errors=YES),
    steps=(
        Step(levers.git("v1", self_heal=False), "Argo CD follows Git, and leaves by-hand changes alone."),
        Step(levers.git("v2", self_heal=False), "Somebody merges v2 of the backend.", after=2.0),
    ),
)
SCENARIOS = (
    BAD_DEPLOY, BAD_DEPLOY_TWIN, DEPLOY_DECOY, DEPLOY_DECOY_TWIN, BAD_IMAGE, BAD_IMAGE_TWIN, RESTART_NOT_DEPLOY,
    RESTART_NOT_DEPLOY_TWIN, MUTABLE_TAG, MUTABLE_TAG_TWIN, SELF_HEAL, SELF_HEAL_TWIN,
)  # fmt: skip
