"""What can go wrong with a push as a whole; like the errors of `syrve.api`, each says once whether a task should try again.

::

    SyrveError
    ├── PushRefused               too large a share of the rows was refused           never retry
    ├── PushHeldBack              one field of too many customers would change        never retry
    └── Transient
        ├── PushIncomplete        an outage: the rest of the plan is still open       retry
        └── NotYetKnown           a customer just created may be unknown for seconds  retry
"""

from __future__ import annotations

from syrve.api.errors import SyrveError, Transient


class PushRefused(SyrveError):
    """Too large a share of a push was refused: a run that achieved nothing must not look like one that did."""


class PushHeldBack(SyrveError):
    """A push would change one field of too many customers at once: those rows wait for a person."""


class PushIncomplete(Transient):
    """Enough calls in a row failed for an outage; what was acknowledged is kept, the rest of the plan is still open."""


class NotYetKnown(Transient):
    """Syrve does not know a customer yet whom it may just have created."""
