"""The customers that every contestant merges: the same for the same seed, made without anything but the standard library.

A record is a plain dict with its wallets, cards and categories inside; `flat_rows` is the same as rows of four tables. Peers import this
from their own virtual environments, so it must stay free of the project's code.
"""

import random
import uuid
from collections.abc import Iterator
from typing import Any

ORGANIZATIONS = 2
CHANGED_ONE_IN = 100
FETCHED_AT = "2026-03-01T03:00:00+00:00"
FETCHED_AGAIN_AT = "2026-03-02T03:00:00+00:00"

CUSTOMER_FIELDS = (
    "organization_id", "customer_id", "phone", "email", "name", "surname", "middle_name", "birthday", "sex",
    "receives_order_status", "receives_promo", "consent_from", "is_deleted", "comment", "fetched_at",
)  # fmt: skip
KEY = ("organization_id", "customer_id")
WALLET_FIELDS = (*KEY, "wallet_id", "name", "type", "balance")
CARD_FIELDS = (*KEY, "card_id", "track", "number")
CATEGORY_FIELDS = (*KEY, "category_id", "name", "is_active", "is_default_for_new_guests")
TABLES = {
    "customer": (CUSTOMER_FIELDS, KEY),
    "wallet_balance": (WALLET_FIELDS, (*KEY, "wallet_id")),
    "card": (CARD_FIELDS, (*KEY, "card_id")),
    "customer_category": (CATEGORY_FIELDS, (*KEY, "category_id")),
}
CHILDREN = {"wallets": "wallet_balance", "cards": "card", "categories": "customer_category"}

_NAMES = ("Анна", "Пётр", "Мария", "Ivan", "Olga", "Сергей", "Élodie", "Дарья")
_SURNAMES = ("Смирнова", "Иванов", "Kowalska", "Петрова", "O'Neil", "Сидоров", "Ким", "Müller")
_SPACE = uuid.UUID("6f2c1d0e-0000-4000-8000-000000000000")


def organization_id(number: int) -> str:
    return str(uuid.uuid5(_SPACE, f"organization {number}"))


_ORGANIZATION_IDS = [organization_id(number) for number in range(ORGANIZATIONS)]
_CATEGORY_IDS = [[str(uuid.uuid5(_SPACE, f"category {o} {n}")) for n in range(5)] for o in range(ORGANIZATIONS)]
_BONUS_IDS = [str(uuid.uuid5(_SPACE, f"bonus wallet {o}")) for o in range(ORGANIZATIONS)]


def customers(count: int, seed: int, *, changed: bool = False, again: bool = False) -> Iterator[dict[str, Any]]:
    """Yield `count` customers; with `changed` one in a hundred differs from before, as customers do after a visit.

    `again` is a later look at the same customers: only the time of the answer differs.
    """
    fetched_at = FETCHED_AGAIN_AT if changed or again else FETCHED_AT
    for ordinal in range(count):
        customer = _customer(random.Random(seed << 32 | ordinal), ordinal, fetched_at)
        if changed and ordinal % CHANGED_ONE_IN == 0:
            _change(customer, random.Random(seed << 33 | ordinal))
        yield customer


def flat_rows(customer: dict[str, Any]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (table, row) of a customer and the children, columns as in `TABLES`."""
    yield "customer", tuple(customer[name] for name in CUSTOMER_FIELDS)
    key = (customer["organization_id"], customer["customer_id"])
    for kind, table in CHILDREN.items():
        names = TABLES[table][0][2:]
        for child in customer[kind]:
            yield table, (*key, *(child[name] for name in names))


def changed_rows(count: int, seed: int) -> int:
    """Count the rows in which the changed customers differ from the first ones: the least that a merge has to write or remove."""
    before: set[Any] = set()
    after: set[Any] = set()
    for known, pool in ((False, before), (True, after)):
        for ordinal, customer in enumerate(customers(count, seed, changed=known)):
            if ordinal % CHANGED_ONE_IN == 0:
                customer["fetched_at"] = None
                pool.update((table, row) for table, row in flat_rows(customer))
    keyed_before = {_key_of(*each): each for each in before}
    keyed_after = {_key_of(*each): each for each in after}
    return sum(keyed_before.get(key) != keyed_after.get(key) for key in keyed_before.keys() | keyed_after.keys())


def _key_of(table: str, row: tuple[Any, ...]) -> tuple[Any, ...]:
    return (table, *row[: len(TABLES[table][1])])


def _uuid(rng: random.Random) -> str:
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"


def _customer(rng: random.Random, ordinal: int, fetched_at: str) -> dict[str, Any]:
    organization = ordinal % ORGANIZATIONS
    wallets = [_wallet(rng, n, organization) for n in range(rng.choice((1, 2, 3)))]
    cards = [_card(rng, ordinal, n) for n in range(rng.choices((0, 1, 2), (40, 40, 20))[0])]
    chosen = rng.sample(range(5), rng.choices((0, 1, 2, 3), (25, 30, 25, 20))[0])
    return {
        "organization_id": _ORGANIZATION_IDS[organization],
        "customer_id": _uuid(rng),
        "phone": f"+7975{ordinal:07d}",
        "email": f"guest{ordinal}@example.com" if rng.random() < 0.6 else None,
        "name": rng.choice(_NAMES),
        "surname": rng.choice(_SURNAMES) if rng.random() < 0.8 else None,
        "middle_name": rng.choice(_NAMES) if rng.random() < 0.2 else None,
        "birthday": f"{rng.randrange(1950, 2007)}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}",
        "sex": rng.choice(("male", "female", "not_specified")),
        "receives_order_status": rng.random() < 0.7,
        "receives_promo": rng.random() < 0.5,
        "consent_from": f"2024-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}T09:30:00+00:00",
        "is_deleted": False,
        "comment": f"guest {ordinal} of the house" if rng.random() < 0.3 else None,
        "fetched_at": fetched_at,
        "wallets": wallets,
        "cards": cards,
        "categories": [
            {
                "category_id": _CATEGORY_IDS[organization][n],
                "name": f"Category {n}",
                "is_active": n < 4,
                "is_default_for_new_guests": n == 0,
            }
            for n in chosen
        ],
    }


def _wallet(rng: random.Random, number: int, organization: int) -> dict[str, Any]:
    wallet_id = _BONUS_IDS[organization] if number == 0 else _uuid(rng)
    balance = f"{rng.randrange(0, 5000)}.{rng.randrange(1, 100):02d}"
    return {"wallet_id": wallet_id, "name": ("Bonus", "Deposit", "Lunch")[number], "type": number, "balance": balance}


def _card(rng: random.Random, ordinal: int, number: int) -> dict[str, Any]:
    track = f"{ordinal * 2 + number:010d}"
    return {"card_id": _uuid(rng), "track": track, "number": track[-6:]}


def _change(customer: dict[str, Any], rng: random.Random) -> None:
    """A visit moves a balance; now and then a profile is edited as well, or a card given out or taken back."""
    rng.choice(customer["wallets"])["balance"] = f"{rng.randrange(5000, 9000)}.{rng.randrange(1, 100):02d}"
    if rng.random() < 0.25:
        customer["surname"] = "Новая"
    if rng.random() < 0.1:
        cards = customer["cards"]
        if cards:
            cards.pop()
        else:
            cards.append(_card(rng, int(customer["phone"][5:]), 0))
