"""What can befall the practice production: each scenario with its truth, and a twin with one decisive fact flipped."""

from tocsin.lab.scenarios import failures, releases, shortages
from tocsin.lab.scenarios.model import Scenario

SCENARIOS: dict[str, Scenario] = {
    each.name: each for each in (*releases.SCENARIOS, *shortages.SCENARIOS, *failures.SCENARIOS)
}
