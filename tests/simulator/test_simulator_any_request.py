"""Whatever JSON comes in, the answer is a 200 or a 400 and never a failure of the simulator itself."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syrve_simulator.application import Simulator
from syrve_simulator.http_message import Request
from syrve_simulator.options import Options
from syrve_simulator.wire import DIALECTS

SIMULATORS = {name: Simulator(Options(dialect=name, customers=20, organizations=1)) for name in DIALECTS}
(ORGANIZATION,) = SIMULATORS["cloud"].service.world.organizations.values()
CUSTOMER = SIMULATORS["cloud"].service.world.customer(ORGANIZATION, 0)

plausible = st.sampled_from(
    [
        ORGANIZATION.organization_id, CUSTOMER.customer_id, CUSTOMER.customer_id.upper(), CUSTOMER.phone, CUSTOMER.wallets[0].wallet_id,
        ORGANIZATION.program.program_id, ORGANIZATION.categories[0].category_id, "phone", "id", "card", "cardTrack", "cardNumber", "email",
        "2026-01-01 00:00:00.000", "9999-12-31T23:59:59+14:00", "0001-01-01T00:00:00+14:00", "", 0, 1, -1, 0.5, 10**30, True, False, None,
    ]
)  # fmt: skip
anything = st.recursive(
    plausible | st.text(max_size=20) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
fields = st.sampled_from(
    [
        "customerId", "walletId", "sum", "transactionId", "comment", "programId", "categoryId", "cardTrack", "cardNumber",
        "type", "phone", "id", "email", "name", "surName", "birthday", "sex", "consentStatus", "referrerId",
        "nullifyEmptyFields", "isDeleted", "customerIds", "number", "series", "page", "pageSize", "pageNumber", "dateFrom",
        "dateTo", "revision", "lastTransactionId", "organizationIds", "withoutMarketingCampaigns", "apiLogin", "apiKey",
        "appId", "clientSecret",
    ]
)  # fmt: skip


@pytest.mark.parametrize(
    ("dialect", "path"),
    [(name, operation.paths[0]) for name, dialect in DIALECTS.items() for operation in dialect.operations],
)
@given(body=st.dictionaries(fields, anything, max_size=8), organization=plausible, customer=plausible)
@settings(max_examples=30, deadline=None)
def test_any_request_is_answered_or_refused(
    dialect: Any, path: Any, body: Any, organization: Any, customer: Any
) -> None:
    simulator = SIMULATORS[dialect]
    content = json.dumps({"organizationId": organization, "customerId": customer} | body).encode()
    for organization_id in (None, ORGANIZATION.organization_id):
        if organization_id is not None:
            content = json.dumps(json.loads(content) | {"organizationId": organization_id}).encode()
        authorization = b"Bearer " + simulator.service.access.issue().encode()

        reply = simulator.answer_call(Request("POST", path, "", authorization, content, keeps_alive=True))

        assert reply.status in ({200, 400, 401} if "access_token" in path else {200, 400})
        assert isinstance(json.loads(reply.body), dict)
