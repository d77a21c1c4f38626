"""What a dialect is: how each question is put into JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from syrve.api.models import CustomerChange, Lookup

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One shape of the API: an encoder an operation, each from our terms to the JSON body."""

    name: str
    access_token: Callable[[str], Body]
    organizations: Callable[[], Body]
    customer_info: Callable[[Lookup], Body]
    create_or_update: Callable[[str, CustomerChange], Body]
    coupon_info: Callable[[str, str], Body]
    coupon_series: Callable[[str], Body]
