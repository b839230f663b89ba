"""PagerDuty's own Python clients, the one before included, and Opsgenie's: unchanged but for where they send to."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import opsgenie_sdk as sdk
import pagerduty
import pytest
from served import Served, served

from tocsin.incident.policy import Role

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
ALIAS = {"identifier": "disk", "identifier_type": "alias"}


@pytest.fixture
def house(tmp_path: Path, empty_database: Path) -> Iterator[Served]:
    with served(tmp_path, database=empty_database) as found:
        yield found


def shown(house: Served) -> dict[str, Any]:
    token = house.site.token(Role.VIEWER, "Eve")
    answer = httpx.get(f"{house.url}/api/v1/incidents/1", headers={"Authorization": f"Bearer {token}"}, timeout=60)
    found: dict[str, Any] = answer.json()
    return found


def test_pagerdutys_client_triggers_acknowledges_and_resolves(house: Served) -> None:
    client = pagerduty.EventsApiV2Client(house.site.token(Role.RESPONDER, "Agent"))
    client._url = house.url  # it takes https alone, which a server behind no proxy does not speak
    key = client.trigger("Disk full", "db-1", severity="critical", custom_details={"service": "db"})
    assert (shown(house)["service"], shown(house)["status"]) == ("db", "open")
    assert client.acknowledge(key) == client.resolve(key) == key
    assert (shown(house)["acknowledged_by"], shown(house)["alerts_firing"]) == ("pagerduty", 0)
    with pytest.raises(pagerduty.HttpError) as caught:
        client.send_event("trigger", dedup_key="k" * 256, payload={"summary": "s"})
    refused = caught.value.response
    assert refused is not None
    assert refused.status_code == 400
    client.close()


def test_the_client_that_pagerduty_had_before_triggers_acknowledges_and_resolves(house: Served) -> None:
    pdpyras = importlib.import_module("pdpyras")  # warns of its age as it is imported
    client = pdpyras.EventsAPISession(house.site.token(Role.RESPONDER, "Agent"))
    client.url = house.url
    key = client.trigger("Disk full", "db-1", severity="critical", custom_details={"service": "db"})
    assert (shown(house)["service"], shown(house)["status"]) == ("db", "open")
    assert client.acknowledge(key) == client.resolve(key) == key
    assert (shown(house)["acknowledged_by"], shown(house)["alerts_firing"]) == ("pagerduty", 0)
    client.close()


def test_opsgenies_client_creates_rewrites_and_closes(house: Served) -> None:
    settings = sdk.configuration.Configuration()
    settings.host = house.url
    settings.api_key["Authorization"] = house.site.token(Role.RESPONDER, "Agent")
    client = sdk.api_client.ApiClient(configuration=settings)
    api = sdk.AlertApi(client)
    made = api.create_alert(sdk.CreateAlertPayload(message="Disk full", alias="disk", priority="P1", tags=["a"]))
    assert api.get_request_status(made.request_id).data.is_success
    api.acknowledge_alert(acknowledge_alert_payload=sdk.AcknowledgeAlertPayload(user="Ana"), **ALIAS)
    api.add_note(add_note_to_alert_payload=sdk.AddNoteToAlertPayload(note="looking"), **ALIAS)
    api.add_tags(add_tags_to_alert_payload=sdk.AddTagsToAlertPayload(tags=["b"]), **ALIAS)
    api.remove_tags(tags="a", **ALIAS)
    api.update_alert_message(update_alert_message_payload=sdk.UpdateAlertMessagePayload(message="Fuller"), **ALIAS)
    found = api.get_alert(**ALIAS).data
    assert (found.message, found.tags, found.acknowledged, found.status) == ("Fuller", ["b"], True, "open")
    api.close_alert(**ALIAS)
    assert (api.get_alert(**ALIAS).data.status, shown(house)["acknowledged_by"]) == ("closed", "Ana")
    client.rest_client.pool_manager.clear()
