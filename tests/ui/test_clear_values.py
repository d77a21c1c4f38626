"""Who sees personal values in clear on the page, by Airflow's own auth manager."""

from collections.abc import Iterator

import pytest
from airflow.api_fastapi.app import create_auth_manager, purge_cached_app
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

from syrve.ui.access import may_see_clear

MANAGER = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleAuthManagerUser]:
    monkeypatch.setenv("AIRFLOW__CORE__AUTH_MANAGER", MANAGER)
    purge_cached_app()
    create_auth_manager()
    yield SimpleAuthManagerUser(username="Anonymous", role="ADMIN")
    purge_cached_app()


def test_clear_values_need_a_log_in(monkeypatch: pytest.MonkeyPatch, admin: SimpleAuthManagerUser) -> None:
    shown = may_see_clear(admin)
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "true")

    assert shown
    assert not may_see_clear(admin), "Airflow asks for no password then"
