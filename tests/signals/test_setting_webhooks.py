"""Where webhooks go, against the simulator's live-service dialect: ours are added, and what others have set is never lost."""

from typing import Any

import pytest

from signals.feeding import Feeding
from syrve.api.errors import MalformedAnswer, Rejected, ServiceUnavailable
from syrve.signals.errors import (
    ForeignSettings,
    SignalError,
    SomeLeftOut,
    UnlistedAddress,
    WebhooksNotShown,
    WebhooksTaken,
)
from syrve.signals.secret_book import hashes_of
from syrve.signals.secrets import hash_of
from syrve.signals.set_webhooks import set_up_each, set_webhooks
from syrve.signals.webhooks import WANTED, merged_filter

URL = "https://receiver.example.com/syrve-signals/events"


def test_webhooks_are_added_and_nothing_is_taken_away(feeding: Feeding) -> None:
    theirs = {
        "stopListUpdateFilter": {"updates": True},
        "deliveryOrderFilter": {"orderStatuses": ["Odd"], "itemStatuses": ["Added"]},
    }
    with feeding.client() as client:
        client.update_webhook_settings(feeding.organization_id, URL, None, theirs)
        warehouse, ours = feeding.syncing.warehouse, feeding.organization_id
        preview = set_webhooks(warehouse, client, ours, URL, addresses=[URL], is_dry_run=True)
        assert client.webhook_settings(feeding.organization_id).filter == theirs
        sent = set_webhooks(warehouse, client, ours, URL, addresses=[URL], is_dry_run=False)
        again = set_webhooks(warehouse, client, ours, URL, addresses=[URL], is_dry_run=False)
        present = client.webhook_settings(feeding.organization_id)

    assert (preview["sent"], sent["sent"], again["sent"]) == (False, True, False)
    assert present.filter["stopListUpdateFilter"] == {"updates": True}
    assert {"Odd", "Closed"} <= set(present.filter["deliveryOrderFilter"]["orderStatuses"])
    assert present.filter["deliveryOrderFilter"]["itemStatuses"] == ["Added"]
    assert present.token is not None
    assert hashes_of(feeding.syncing.warehouse, feeding.organization_id) == {hash_of(present.token)}
    assert present.token not in str((preview, sent, again))


def test_webhooks_of_another_are_moved_only_when_told_to(feeding: Feeding) -> None:
    with feeding.client() as client:
        client.update_webhook_settings(feeding.organization_id, "https://other.example.com/hook", "their-token", {})
        warehouse, ours = feeding.syncing.warehouse, feeding.organization_id
        with pytest.raises(WebhooksTaken, match=r"other\.example\.com"):
            set_webhooks(warehouse, client, ours, URL, addresses=[URL], is_dry_run=False)
        assert set_webhooks(warehouse, client, ours, URL, addresses=[URL], is_dry_run=False, may_move=True)["sent"]


@pytest.mark.parametrize(
    "url", ["http://a.example.com/x", "https://a.example.com/x?secret=1", "https://u:p@a.example.com/x", "nothing"]
)
def test_address_that_could_leak_is_refused(feeding: Feeding, url: str) -> None:
    with feeding.client() as client, pytest.raises(SignalError, match="https address"):
        set_webhooks(
            feeding.syncing.warehouse,
            client,
            feeding.organization_id,
            url,
            addresses=[url],
            is_dry_run=True,
            may_move=True,
        )


@pytest.mark.parametrize("is_dry_run", [True, False])
def test_webhooks_go_nowhere_that_the_settings_do_not_list(feeding: Feeding, is_dry_run: bool) -> None:
    with feeding.client() as client:
        before = client.webhook_settings(feeding.organization_id)
        for addresses in ([], [URL]):
            with pytest.raises(UnlistedAddress, match="SYRVE_SIGNALS_ADDRESSES"):
                set_webhooks(
                    feeding.syncing.warehouse,
                    client,
                    feeding.organization_id,
                    f"{URL}.evil.example",
                    addresses=addresses,
                    is_dry_run=is_dry_run,
                    may_move=True,
                )
        assert client.webhook_settings(feeding.organization_id) == before
    assert hashes_of(feeding.syncing.warehouse, feeding.organization_id) == set()


def test_filter_of_odd_shape_is_completed() -> None:
    merged = merged_filter({"tableOrderFilter": None, "x": 1})

    assert merged == {"x": 1, **WANTED}
    assert merged["tableOrderFilter"] == {"orderStatuses": ["New", "Bill", "Closed", "Deleted"], "errors": True}


@pytest.mark.parametrize(
    ("theirs", "named"),
    [
        (
            {"deliveryOrderFilter": ["Closed"]},
            "webHooksFilter.deliveryOrderFilter of this organization is not an object",
        ),
        ({"tableOrderFilter": "all"}, "tableOrderFilter of this organization is not an object"),
        ({"deliveryOrderFilter": {"orderStatuses": "Closed"}}, "deliveryOrderFilter.orderStatuses .* is not a list"),
        ({"reserveFilter": {"updates": {"only": "mine"}}}, "reserveFilter.updates .* is not true or false"),
    ],
)
def test_filter_of_others_that_takes_nothing_is_left_alone(theirs: dict[str, Any], named: str) -> None:
    with pytest.raises(ForeignSettings, match=named):
        merged_filter(theirs)


def test_items_of_others_that_are_no_words_are_kept() -> None:
    merged = merged_filter({"deliveryOrderFilter": {"orderStatuses": [{"status": "Closed", "of": 1}, "Closed"]}})

    statuses = merged["deliveryOrderFilter"]["orderStatuses"]
    assert statuses[:2] == [{"status": "Closed", "of": 1}, "Closed"]
    assert statuses.count("Closed") == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"webHooksUri": URL, "webHooksFilter": ["DeliveryOrderUpdate"]},
        {"webHooksUri": URL, "webHooksFilter": "all"},
        {"webHooksUri": ["https://other.example.com/hook"], "webHooksFilter": {}},
        {"webHooksUri": URL, "authToken": {"secret": "theirs"}, "webHooksFilter": {}},
        {"correlationId": "5f4e0000-0000-4000-8000-000000000001"},
    ],
)
def test_settings_that_cannot_be_read_are_not_overwritten(feeding: Feeding, settings: dict[str, Any]) -> None:
    feeding.control.set_faults([{"operation": "webhook_settings", "fault": "status", "status": 200, "body": settings}])

    with feeding.client() as client, pytest.raises(MalformedAnswer) as caught:
        set_webhooks(
            feeding.syncing.warehouse,
            client,
            feeding.organization_id,
            URL,
            addresses=[URL],
            is_dry_run=False,
            may_move=True,
        )

    assert feeding.calls("webhook_update") == 0
    assert hashes_of(feeding.syncing.warehouse, feeding.organization_id) == set()
    assert "theirs" not in str(caught.value)


def test_settings_that_were_accepted_only_in_words_are_told(feeding: Feeding) -> None:
    with feeding.client() as client:
        client.update_webhook_settings(feeding.organization_id, URL, "a-token-of-others", {"theirs": {"updates": True}})
        feeding.control.set_faults([{"operation": "webhook_update", "fault": "status", "status": 200, "body": {}}])
        with pytest.raises(WebhooksNotShown, match="then shows the filter and the secret otherwise than sent"):
            set_webhooks(
                feeding.syncing.warehouse, client, feeding.organization_id, URL, addresses=[URL], is_dry_run=False
            )


def test_organization_that_fails_stops_no_other() -> None:
    problems: dict[str, Exception] = {
        "b": Rejected("there is no such organization", operation="webhook_settings", status=400),
        "c": WebhooksTaken("webhooks of this organization go to other.example.com already"),
    }

    def set_up(organization_id: str) -> dict[str, Any]:
        if organization_id in problems:
            raise problems[organization_id]
        return {"sent": True}

    done = set_up_each("abcd", set_up)

    assert done.found == {"a": {"sent": True}, "d": {"sent": True}}
    with pytest.raises(
        SomeLeftOut, match=r"2 of 4 organizations .* b: webhook_settings: there is no .*; c: webhooks of"
    ):
        done.refuse_if_any(left_out=())
    with pytest.raises(SomeLeftOut, match="1 of 4"):
        done.refuse_if_any(left_out={"b"})
    done.refuse_if_any(left_out={"b", "c"})

    problems["b"] = ServiceUnavailable("no answer", operation="webhook_settings", status=500)
    with pytest.raises(ServiceUnavailable):
        set_up_each("abcd", set_up).refuse_if_any(left_out=())
    problems["b"] = UnlistedAddress("url: this address is not listed")
    with pytest.raises(UnlistedAddress):
        set_up_each("abcd", set_up)
