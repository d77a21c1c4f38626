"""The dialects of the service: each is a module with a table of operations, and everything else serves any of them."""

from __future__ import annotations

from collections.abc import Mapping

from syrve_simulator.wire.cloud.dialect import CLOUD
from syrve_simulator.wire.contract import Dialect
from syrve_simulator.wire.reference import REFERENCE

DIALECTS: Mapping[str, Dialect] = {dialect.name: dialect for dialect in (REFERENCE, CLOUD)}
