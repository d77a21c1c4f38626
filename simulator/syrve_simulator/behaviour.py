"""How the service behaves where the behaviour of the real one is not known: a switch for each open question."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

_Seconds = Annotated[float, msgspec.Meta(ge=0, le=31_536_000)]
_TypeCode = Annotated[int, msgspec.Meta(ge=0, le=60)]
_ClockOff = Annotated[float, msgspec.Meta(ge=-300, le=300)]
_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class SecondWriter(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """Fields that another client writes into each customer who was looked up; what is left out it leaves alone."""

    name: str | msgspec.UnsetType | None = msgspec.UNSET
    surname: str | msgspec.UnsetType | None = msgspec.UNSET
    middle_name: str | msgspec.UnsetType | None = msgspec.UNSET
    email: str | msgspec.UnsetType | None = msgspec.UNSET
    receives_promo: bool | msgspec.UnsetType | None = msgspec.UNSET

    def fields(self) -> dict[str, str | bool | None]:
        """Return what it writes, by attribute of a customer."""
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: value for name, value in given.items() if value is not msgspec.UNSET}


class Behaviour(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The switches with their defaults; docs/simulator.md says what each one means."""

    balance_shows_held_money: bool = False
    hold_lifetime_seconds: Annotated[float, msgspec.Meta(gt=0, le=31_536_000)] | None = None
    second_cancel: Literal["error", "ok"] = "error"
    consumed_cancel: Literal["error", "ok"] = "error"
    repeated_hold_id: Literal["error", "same_answer", "second_hold"] = "error"
    hold_transaction_type: _TypeCode | None = 36
    hold_id_is_transaction_id: bool = True
    transaction_sums: Literal["signed", "absolute"] = "signed"
    transactions_order: Literal["ascending", "descending", "none"] = "ascending"
    transaction_delay_seconds: _Seconds = 0
    max_page_size: Annotated[int, msgspec.Meta(ge=1)] | None = 1000
    new_customer_unknown_seconds: _Seconds = 0
    deleted_customer: Literal["error", "is_deleted"] = "is_deleted"
    delete_unknown: Literal["counted", "error"] = "counted"
    unknown_coupon: Literal["empty", "null", "error"] = "empty"
    accepts_surname: bool = False
    accepts_text_sex: bool = False
    accepts_bare_date: bool = False
    one_loyalty_network: bool = False
    look_ups_find_nobody: bool = False
    second_writer: SecondWriter | None = None
    till_answer: Literal["consumes", "refuses"] = "consumes"
    till_refunds: Literal["never", "once", "twice"] = "once"
    till_clock_off_seconds: _ClockOff = 0
    bonus_share: _Share = 0

    def changed(self, changes: dict[str, Any]) -> Behaviour:
        """Return this with some switches changed. Raises msgspec.ValidationError, which names the switch."""
        return msgspec.convert(msgspec.structs.asdict(self) | changes, Behaviour)

    def become(self, other: Behaviour) -> None:
        """Take over every switch of another: everyone who holds this one sees them."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(other, name))

    def page_size(self, wanted: int) -> int:
        """Return how many rows a page has when a number was asked for."""
        return wanted if self.max_page_size is None else min(wanted, self.max_page_size)
