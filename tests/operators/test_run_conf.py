"""A run's configuration: what its DAG does not know is refused before anything is done."""

from types import SimpleNamespace
from typing import Any

import pytest

from syrve.operators.conf import UnknownConf, refuse_unknown_conf


def context(conf: dict[str, Any] | None) -> Any:
    dag = SimpleNamespace(params={"organization_ids": None, "force": False})
    return {"dag": dag, "dag_run": SimpleNamespace(conf=conf)}


def test_unknown_key_is_refused_with_what_was_meant() -> None:
    with pytest.raises(UnknownConf, match="unknown keys: organisation_ids; did you mean organization_ids") as caught:
        refuse_unknown_conf(context({"organisation_ids": ["+79750000001"], "force": True}))

    assert "+7975" not in str(caught.value)


def test_key_that_is_no_name_is_not_repeated() -> None:
    with pytest.raises(UnknownConf, match="unknown keys: one that is not a name") as caught:
        refuse_unknown_conf(context({"+79750000001": 1, "canary@example.com": 2}))

    assert "7975" not in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("conf", [None, {}, {"force": True}])
def test_known_keys_pass(conf: dict[str, Any] | None) -> None:
    refuse_unknown_conf(context(conf))
