"""Who exists: identities computed from a customer's place in the population, and back, without a table.

A customer is an ordinal in `range(customers)`. Ids, phones and card tracks are invertible shuffles of ordinals, so half a million
customers cost no memory and no start-up time, and a value that belongs to no customer is recognised by arithmetic.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from math import gcd

PHONE_PREFIX = "+7975"  # valid by numbering plan, and in a range that no operator serves
PHONE_DIGITS = 7
TRACK_DIGITS = 10
CARDS_PER_CUSTOMER = 2
MAX_CUSTOMERS = 5_000_000
GUESTS_ONE_IN = 50
"""Every 50th customer lives in a second organization too: about 2 %."""

_NODE_BITS = 48
_ORDINAL = struct.Struct("<QQ")
_WORDS = struct.Struct("<32H")


class Draw:
    """Deterministic bits, by what they are for and for whom."""

    def __init__(self, seed: int) -> None:
        self._key = hashlib.blake2b(str(seed).encode(), digest_size=32).digest()

    def digest(self, purpose: bytes, first: int, second: int = 0) -> bytes:
        """Return 64 bytes for (purpose, first, second); `purpose` has at most 16 bytes."""
        return hashlib.blake2b(_ORDINAL.pack(first, second), key=self._key, person=purpose).digest()

    def words(self, purpose: bytes, first: int, second: int = 0) -> Iterator[int]:
        """Return 32 numbers in `range(65536)`."""
        return iter(_WORDS.unpack(self.digest(purpose, first, second)))

    def integer(self, purpose: bytes) -> int:
        """Return one 64-bit number."""
        return int.from_bytes(self.digest(purpose, 0)[:8], "little")

    def uuid(self, purpose: bytes, first: int, second: int = 0) -> str:
        """Return a version 4 uuid as text."""
        return uuid_text(self.digest(purpose, first, second).hex())


def uuid_text(digits: str) -> str:
    """Shape 32 hexadecimal digits (more are ignored) as a version 4 uuid; the last twelve stay as they are."""
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"


class Shuffle:
    """A bijection of `range(size)` that looks random enough and can be turned round."""

    def __init__(self, size: int, bits: int) -> None:
        multiplier = bits % size | 1
        while gcd(multiplier, size) != 1:
            multiplier += 2
        self._size = size
        self._multiplier = multiplier
        self._inverse = pow(multiplier, -1, size)
        self._offset = (bits >> 17) % size

    def there(self, value: int) -> int:
        """Return where `value` goes."""
        return (value * self._multiplier + self._offset) % self._size

    def back(self, value: int) -> int:
        """Return what was shuffled to `value`."""
        return (value - self._offset) * self._inverse % self._size


class Identities:
    """Ids, phones, card tracks and home organizations of `customers` customers, both ways."""

    def __init__(self, draw: Draw, customers: int, organizations: int) -> None:
        self._draw = draw
        self._customers = customers
        self._organizations = organizations
        self._nodes = Shuffle(1 << _NODE_BITS, draw.integer(b"node"))
        self._phones = Shuffle(10**PHONE_DIGITS, draw.integer(b"phone"))
        self._tracks = Shuffle(10**TRACK_DIGITS, draw.integer(b"track"))
        self._guest_remainder = draw.integer(b"guest") % GUESTS_ONE_IN

    def customer_id(self, ordinal: int) -> str:
        """Return the uuid of a customer."""
        return uuid_text(f"{self._draw.digest(b'id', ordinal)[:10].hex()}{self._nodes.there(ordinal):012x}")

    def phone(self, ordinal: int) -> str:
        """Return the phone of a customer in E.164."""
        return f"{PHONE_PREFIX}{self._phones.there(ordinal):0{PHONE_DIGITS}d}"

    def track(self, ordinal: int, slot: int) -> str:
        """Return the card track of a customer's card number `slot`."""
        return f"{self._tracks.there(ordinal * CARDS_PER_CUSTOMER + slot):0{TRACK_DIGITS}d}"

    def by_id(self, customer_id: str) -> int | None:
        """Return whose uuid this is."""
        try:
            ordinal = self._nodes.back(int(customer_id[24:], 16))
        except ValueError:
            return None
        return ordinal if ordinal < self._customers and self.customer_id(ordinal) == customer_id else None

    def by_phone(self, phone: str) -> int | None:
        """Return whose phone this is."""
        digits = phone[len(PHONE_PREFIX) :]
        if not phone.startswith(PHONE_PREFIX) or len(digits) != PHONE_DIGITS or not _is_number(digits):
            return None
        ordinal = self._phones.back(int(digits))
        return ordinal if ordinal < self._customers else None

    def by_track(self, track: str) -> tuple[int, int] | None:
        """Return whose card track this could be, and which of their cards."""
        if len(track) != TRACK_DIGITS or not _is_number(track):
            return None
        ordinal, slot = divmod(self._tracks.back(int(track)), CARDS_PER_CUSTOMER)
        return (ordinal, slot) if ordinal < self._customers else None

    def by_track_ending(self, ending: str) -> Iterator[int]:
        """Yield everyone who could have a card whose track ends so: a walk over all tracks that do, a millisecond for six digits."""
        if len(ending) > TRACK_DIGITS or not _is_number(ending):
            return
        step = 10 ** len(ending)
        for track in range(int(ending), 10**TRACK_DIGITS, step):
            ordinal = self._tracks.back(track) // CARDS_PER_CUSTOMER
            if ordinal < self._customers:
                yield ordinal

    def lives_in(self, ordinal: int, organization: int) -> bool:
        """Say whether a customer is known to the organization at that position."""
        home = ordinal % self._organizations
        return home == organization or (self._is_guest(ordinal) and (home + 1) % self._organizations == organization)

    def at_home_in(self, organization: int) -> range:
        """Return the customers whose first organization this is."""
        return range(organization, self._customers, self._organizations)

    def guests_of(self, organization: int) -> list[int]:
        """Return the customers whose second organization this is."""
        if self._organizations == 1:
            return []
        everywhere = range(self._guest_remainder, self._customers, GUESTS_ONE_IN)
        return [ordinal for ordinal in everywhere if (ordinal + 1) % self._organizations == organization]

    def _is_guest(self, ordinal: int) -> bool:
        return self._organizations > 1 and ordinal % GUESTS_ONE_IN == self._guest_remainder


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
