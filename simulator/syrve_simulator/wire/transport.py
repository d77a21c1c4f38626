"""The operations outside loyalty: the tokens (v2 in the cloud dialect only) and the organizations."""

from __future__ import annotations

from syrve_simulator.jsontext import encode
from syrve_simulator.model import Organization
from syrve_simulator.wire.contract import Answer, Body, Operation, Service
from syrve_simulator.wire.errors import correlation_id, transport_error
from syrve_simulator.wire.reading import optional_texts, required_text


def access_token(service: Service, body: Body) -> Answer:
    """Give a token to the api login."""
    api_login = required_text(body, "apiLogin")
    if not service.access.knows(api_login):
        return transport_error(401, f"Login {api_login} is not authorized")
    return Answer(200, encode({"correlationId": correlation_id(), "token": service.access.issue()}))


def access_token_v2(service: Service, body: Body) -> Answer:
    """Give a token to the application."""
    given = tuple(required_text(body, field) for field in ("apiKey", "appId", "clientSecret"))
    if not service.access.application.matches(*given):
        return transport_error(401, f"Application {given[1]} is not authorized")
    return Answer(200, encode({"correlationId": correlation_id(), "token": service.access.issue_jwt()}))


def organizations(service: Service, body: Body) -> Answer:
    """List the organizations of the login, in the "Simple" form."""
    wanted = optional_texts(body, "organizationIds")
    chosen = [one for one in service.world.organizations.values() if not wanted or one.organization_id in wanted]
    return Answer(
        200,
        encode({"correlationId": correlation_id(), "organizations": [_simple(one) for one in chosen]}),
    )


def _simple(organization: Organization) -> dict[str, object]:
    return {
        "responseType": "Simple",
        "id": organization.organization_id,
        "name": organization.name,
        "code": organization.code,
        "externalData": None,
    }


ACCESS_TOKEN_V2 = Operation(
    name="access_token_v2", paths=("/api/v2/access_token",), answer=access_token_v2, needs_token=False
)
TRANSPORT = (
    Operation(name="access_token", paths=("/api/1/access_token",), answer=access_token, needs_token=False),
    Operation(name="organizations", paths=("/api/1/organizations",), answer=organizations),
)
