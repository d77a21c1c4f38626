"""What Airflow's access log has of requests to the receiver that its api-server mounts."""

import pytest
from airflow.api_fastapi.common.http_access_log import HttpAccessLogMiddleware
from fastapi import FastAPI
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from signals.shapes import ONE, order_event
from syrve.signals.keeping import Received
from syrve.signals.receiver import Receiver, create_app
from syrve.signals.secrets import hash_of
from syrve.ui.plugin import SIGNALS_PREFIX, LazySignals

SECRET = "a-secret-of-an-organization-1"
PHONE = "79161234567"


class Kept:
    """Keeps nothing; knows one secret."""

    async def keep(self, events: Received) -> None:
        """Accept the events."""

    async def secrets(self) -> list[tuple[str, bytes]]:
        """Return the secret of one organization."""
        return [(ONE, hash_of(SECRET))]


@pytest.mark.parametrize("path", [f"events?phone={PHONE}&key={SECRET}", f"events/{PHONE}", f"{PHONE}/{SECRET}"])
def test_access_log_has_nothing_from_an_address(path: str) -> None:
    mounted = LazySignals()
    mounted._app = create_app(Receiver(Kept(), region="RU"))
    airflow = FastAPI()
    airflow.mount(SIGNALS_PREFIX, mounted)

    with capture_logs() as logged:
        answer = TestClient(HttpAccessLogMiddleware(airflow)).post(
            f"{SIGNALS_PREFIX}/{path}", json=[order_event()], headers={"Authorization": SECRET}
        )

    assert answer.status_code == (200 if "?" in path else 404)
    assert [(each["path"], each["query"]) for each in logged] == [(SIGNALS_PREFIX, "")]
