"""Tokens of both versions, organizations, and refusals, as a stranger's client sees them."""

from typing import Any

import pytest
from iikocloudapi import ApiLoginAuth, AppAuth, BadRequest, TooManyRequests, Unauthorized

from syrve_simulator.options import Options


async def test_v2_token_is_got_once_and_opens_the_organizations(
    stranger: Any, service: Any, organization_id: Any
) -> None:
    answer = stranger.faithful(await stranger.iiko.organizations())
    stranger.faithful(await stranger.iiko.organizations(organization_ids=[organization_id]))

    assert organization_id in {one.id for one in answer.organizations}
    assert {type(one).__name__ for one in answer.organizations} == {"SimpleOrganizationInfo"}
    calls = service.control.calls()["operations"]
    assert (calls["access_token_v2"]["received"], calls["organizations"]["received"]) == (1, 2)


async def test_v1_token_opens_the_organizations_too(as_stranger: Any, service: Any) -> None:
    with pytest.deprecated_call():
        auth = ApiLoginAuth(Options().api_login)
    stranger = as_stranger(auth)

    stranger.faithful(await stranger.iiko.organizations())

    await stranger.http.aclose()
    assert service.control.calls()["operations"]["access_token"]["statuses"] == {"200": 1}


async def test_wrong_secret_is_unauthorized(as_stranger: Any) -> None:
    settings = Options()
    stranger = as_stranger(AppAuth(settings.api_key, settings.app_id, "wrong"))

    with pytest.raises(Unauthorized) as refusal:
        await stranger.iiko.organizations()

    await stranger.http.aclose()
    assert refusal.value.description.endswith("is not authorized")
    assert refusal.value.correlation_id


async def test_expired_token_costs_one_new_token_and_one_repeat(stranger: Any, service: Any) -> None:
    await stranger.iiko.organizations()
    service.control.expire_tokens()
    service.control.reset_calls()

    stranger.faithful(await stranger.iiko.organizations())

    calls = service.control.calls()["operations"]
    assert calls["organizations"]["statuses"] == {"200": 1, "401": 1}
    assert calls["access_token_v2"]["received"] == 1


async def test_right_that_is_missing_is_named(stranger: Any, service: Any, organization_id: Any) -> None:
    service.control.set_switches(removed_rights=["program_list"])

    with pytest.raises(Unauthorized) as refusal:
        await stranger.iiko.loyalty.program(organization_id=organization_id)

    assert "Right api/1/loyalty/iiko/program is not allowed" in refusal.value.description
    assert service.control.calls()["operations"]["program_list"]["received"] == 2


async def test_organization_without_loyalty_is_a_bad_request_with_a_text(
    stranger: Any, service: Any, organization_id: Any
) -> None:
    service.control.set_switches(organizations_without_loyalty=[organization_id])

    with pytest.raises(BadRequest, match=r"Organization \d+ not found"):
        await stranger.iiko.loyalty.coupons.series(organization_id=organization_id)


async def test_rate_limit_says_when_to_come_back(stranger: Any, service: Any) -> None:
    service.control.set_faults([{"operation": "organizations", "fault": "rate_limit", "retry_after_seconds": 7}])

    with pytest.raises(TooManyRequests) as refusal:
        await stranger.iiko.organizations()

    assert refusal.value.retry_after == 7
