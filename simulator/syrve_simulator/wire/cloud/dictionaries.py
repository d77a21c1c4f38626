"""What an organization has for all its customers: categories and programmes."""

from __future__ import annotations

from uuid import UUID, uuid5

from syrve_simulator.model import Organization, Program
from syrve_simulator.wire.contract import Body, Service
from syrve_simulator.wire.reading import flag, organization_with_loyalty, required_text

_BONUS = 1


def category_list(service: Service, body: Body) -> dict[str, object]:
    """List the categories of an organization, those not in use included."""
    organization = organization_with_loyalty(service, required_text(body, "organizationId"))
    return {
        "guestCategories": [
            {
                "id": one.category_id,
                "name": one.name,
                "isActive": one.is_active,
                "isDefaultForNewGuests": one.is_default_for_new_guests,
            }
            for one in organization.categories
        ]
    }


def program_list(service: Service, body: Body) -> dict[str, object]:
    """List the programmes of an organization; with their campaigns unless the request does without."""
    organization = organization_with_loyalty(service, required_text(body, "organizationId"))
    with_campaigns = not flag(body, "withoutMarketingCampaigns")
    return {"Programs": [_program(organization, one, with_campaigns=with_campaigns) for one in organization.programs]}


def _program(organization: Organization, program: Program, *, with_campaigns: bool) -> dict[str, object]:
    return {
        "id": program.program_id,
        "name": program.name,
        "description": None,
        "serviceFrom": "2018-01-01 00:00:00.000",
        "serviceTo": None,
        "notifyAboutBalanceChanges": program.type == _BONUS,
        "programType": program.type,
        "isActive": program.is_active,
        "walletId": program.wallet_id,
        "marketingCampaigns": [_campaign(program)] if with_campaigns else [],
        "appliedOrganizations": [organization.organization_id],
        "templateType": 1 if program.type == _BONUS else 0,
        "isExchangeRateEnabled": False,
        "refillType": 0,
    }


def _campaign(program: Program) -> dict[str, object]:
    return {
        "id": str(uuid5(UUID(program.program_id), "campaign")),
        "programId": program.program_id,
        "name": program.name,
        "description": None,
        "isActive": program.is_active,
        "periodFrom": "2018-01-01 00:00:00.000",
        "periodTo": None,
        "orderActionConditionBindings": [],
        "periodicActionConditionBindings": [],
        "overdraftActionConditionBindings": [],
        "guestRegistrationActionConditionBindings": [],
    }
