"""Reads one setting: from Airflow's configuration (section `[syrve]`), else from the environment variable of its name."""

from __future__ import annotations

import os
from configparser import ConfigParser

from airflow.sdk.configuration import conf

SECTION = "syrve"


def setting(variable: str, default: str = "") -> str:
    """Return the setting `SYRVE_<NAME>`; `AIRFLOW__SYRVE__<NAME>` and the option `<name>` of airflow.cfg come first, empty means not set.

    The provider's own defaults of that section are not asked: Airflow keeps them from when it started.
    """
    option = variable.removeprefix("SYRVE_").lower()
    given = os.environ.get(f"AIRFLOW__{SECTION.upper()}__{option.upper()}")
    if not given and ConfigParser.has_option(conf, SECTION, option):
        given = ConfigParser.get(conf, SECTION, option, raw=True)
    return given or os.environ.get(variable) or default
