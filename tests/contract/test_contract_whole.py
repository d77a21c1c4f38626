"""One visit to every operation of the dialect: none is left out, none refuses a stranger."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from iikocloudapi import ApiLoginAuth

from syrve_simulator.options import Options
from syrve_simulator.wire import DIALECTS


async def visit_customer(iiko: Any, organization_id: Any) -> Any:
    """Go through everything that concerns one customer; return their ids."""
    loyalty, organization = iiko.loyalty, {"organization_id": organization_id}
    created = await loyalty.customer.create_or_update(**organization, phone="+79998000001")
    whose = organization | {"customer_id": created.id}
    customer = await loyalty.customer.info(body=organization | {"type": "id", "id": created.id})
    await loyalty.customer.card.add(**whose, card_track="W1", card_number="W1")
    await loyalty.customer.card.remove(**whose, card_track="W1")
    (category, *_) = (await loyalty.customer_category(**organization)).guest_categories
    await loyalty.customer_category.remove(**whose, category_id=category.id)
    await loyalty.customer_category.add(**whose, category_id=category.id)
    (program, *_) = (await loyalty.program(**organization)).programs
    await loyalty.customer.program.add(**whose, program_id=program.id)
    await loyalty.delete_customers(**organization, customer_ids=[created.id])
    await loyalty.restore_customers(**organization, customer_ids=[created.id])
    return whose, customer.wallet_balances[0].id


async def visit_money(iiko: Any, whose: Any, wallet_id: Any) -> None:
    """Move money there and back, and read what is told of it."""
    wallet, reports = iiko.loyalty.customer.wallet, iiko.loyalty.customer.transactions
    now = datetime.now(UTC)
    await wallet.topup(**whose, wallet_id=wallet_id, sum=10)
    held = await wallet.hold(**whose, wallet_id=wallet_id, sum=10)
    await wallet.cancel_hold(organization_id=whose["organization_id"], transaction_id=held.transaction_id)
    await wallet.chargeoff(**whose, wallet_id=wallet_id, sum=10)
    await reports.by_date(**whose, date_from=now, date_to=now, page_number=0, page_size=10)
    await reports.by_revision(**whose, page_size=10)


async def visit_orders(iiko: Any, organization_id: str) -> None:
    now = datetime.now(UTC)
    listed = await iiko.deliveries.by_revision(
        start_revision=int(now.timestamp() * 1000), organization_ids=[organization_id]
    )
    assert listed.max_revision is not None
    await iiko.deliveries.by_delivery_date_and_status(
        organization_ids=[organization_id], delivery_date_from=now - timedelta(hours=1), delivery_date_to=now
    )
    await iiko.webhooks.update_settings(organization_id=organization_id, web_hooks_uri="https://example.com/events")
    settings = await iiko.webhooks.settings(organization_id=organization_id)
    assert settings.web_hooks_uri == "https://example.com/events"


async def test_every_operation_of_the_dialect_answers_a_stranger(stranger: Any, as_stranger: Any, service: Any) -> None:
    with pytest.deprecated_call():
        by_login = as_stranger(ApiLoginAuth(Options().api_login))
    await by_login.iiko.organizations()
    await by_login.http.aclose()

    (organization, *_) = (await stranger.iiko.organizations()).organizations
    whose, wallet_id = await visit_customer(stranger.iiko, organization.id)
    await visit_money(stranger.iiko, whose, wallet_id)
    coupons = stranger.iiko.loyalty.coupons
    (series, *_) = (await coupons.series(organization_id=organization.id)).series_with_not_activated_coupons
    page = await coupons.by_series(organization_id=organization.id, series=series.number, page=0, page_size=1)
    await coupons.info(organization_id=organization.id, number=page.not_activated_coupon[0].number)

    await visit_orders(stranger.iiko, organization.id)

    calls = service.control.calls()["operations"]
    assert set(calls) == {operation.name for operation in DIALECTS["cloud"].operations}
    assert {status for one in calls.values() for status in one["statuses"]} == {"200"}
