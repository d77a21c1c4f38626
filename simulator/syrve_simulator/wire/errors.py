"""The error bodies of the service: those of its transport part, and those that the loyalty back end's answers pass through."""

from __future__ import annotations

import uuid

from syrve_simulator.bank import (
    HoldIsOverError,
    NotEnoughMoneyError,
    RepeatedHoldError,
    UnknownHoldError,
    UnknownWalletError,
)
from syrve_simulator.jsontext import encode
from syrve_simulator.model import IdentityKind
from syrve_simulator.wire.contract import Answer
from syrve_simulator.world import IdentityTakenError, UnknownCustomerError, WorldError

# "CarTrack" is not a slip of ours: this is the code that the live service was observed to send for an unknown track.
_NOT_FOUND: dict[IdentityKind, tuple[str, str]] = {
    "phone": ("Transport_WrongCustomerNumber", "Validation_IncorrectPhone"),
    "id": ("Transport_WrongCustomerId", "Customer_CustomerNotFound"),
    "card": ("Transport_WrongCarTrack", "Card_CanNotFindByTrack"),
    # these two were not noted: the codes are put together from their neighbours
    "card_number": ("Transport_WrongCardNumber", "Card_CanNotFindByNumber"),
    "email": ("Transport_WrongCustomerEmail", "Customer_CustomerNotFound"),
}
# The service's own codes for money are unknown: all of these are ours.
_REFUSALS: dict[type[WorldError], tuple[str | None, str]] = {
    UnknownCustomerError: _NOT_FOUND["id"],
    IdentityTakenError: (None, "Customer_AlreadyExists"),
    UnknownWalletError: ("Transport_WrongWalletId", "Wallet_WalletNotFound"),
    NotEnoughMoneyError: ("Transport_WrongSum", "Wallet_NotEnoughMoney"),
    UnknownHoldError: ("Transport_WrongTransactionId", "Transaction_TransactionNotFound"),
    RepeatedHoldError: ("Transport_WrongTransactionId", "Transaction_AlreadyExists"),
}
_HOLD_IS_OVER = {
    "cancelled": "Transaction_AlreadyCancelled",
    "expired": "Transaction_AlreadyExpired",
    "consumed": "Transaction_AlreadyConsumed",
}


def correlation_id() -> str:
    """Return a new operation id."""
    return str(uuid.uuid4())


def transport_error(status: int, description: str, code: str | None = None) -> Answer:
    """Return an error in the declared shape (`ErrorResponse`)."""
    body = {"correlationId": correlation_id(), "errorDescription": description, "error": code}
    return Answer(status, encode(body))


def loyalty_error(code: str | None, error_code: str, message: str) -> Answer:
    """Return a 400 in the shape that the loyalty operations use."""
    return Answer(
        400,
        encode(
            {
                "code": code,
                "description": None,
                "errorCode": error_code,
                "httpStatusCode": 400,
                "isIntegrationError": False,
                "message": message,
                "uiMessage": None,
            }
        ),
    )


def error_in_body(status: int, error_code: str) -> bytes:
    """Return the body of an error that comes with 200 and has its own status."""
    return encode(
        {
            "code": None,
            "description": None,
            "errorCode": error_code,
            "httpStatusCode": status,
            "isIntegrationError": status >= 500,
            "message": "The service failed" if status >= 500 else "The service refuses",
            "uiMessage": None,
        }
    )


def customer_not_found(kind: IdentityKind, value: str) -> Answer:
    """Return the answer for an identity that no customer has."""
    code, error_code = _NOT_FOUND[kind]
    return loyalty_error(code, error_code, f"There is no user with {kind} {value}")


def unknown_coupon(number: str) -> Answer:
    """Return the answer for a coupon that there is not, where that is an error."""
    return loyalty_error("Transport_WrongCouponNumber", "Coupon_CouponNotFound", f"There is no coupon {number}")


def refusal(error: WorldError) -> Answer:
    """Return the answer for a change that is refused."""
    if isinstance(error, HoldIsOverError):
        return loyalty_error("Transport_WrongTransactionId", _HOLD_IS_OVER[error.state], str(error))
    code, error_code = _REFUSALS[type(error)]
    return loyalty_error(code, error_code, str(error))


def loyalty_not_set_up(organization_id: str) -> Answer:
    """Return the answer for an organization that the loyalty back end does not know; it uses a separate number."""
    number = int(organization_id[:6], 16) if _starts_with_hex(organization_id) else 0
    return loyalty_error("Transport_WrongCrmId", "Common_OrganizationNotFound", f"Organization {number} not found")


def right_missing(path: str) -> Answer:
    """Return the answer for a right that the api login lacks: a bare JSON string."""
    return Answer(401, encode(f"Right {path.lstrip('/')} is not allowed for this ApiLogin"))


def _starts_with_hex(text: str) -> bool:
    return len(text) >= 6 and all(character in "0123456789abcdefABCDEF" for character in text[:6])
