"""What can go wrong with an approval; nothing is sent in any of these cases, and no retry can help.

::

    ApprovalError
    ├── NotApproved       no approval of this content is recorded for this run
    ├── AnswerNotCounted  the answer came from a user whose approval does not count
    ├── QuestionOutdated  Airflow shows, or was answered, a question about other content
    ├── LimitExceeded     the amount is above a limit of a row, a run or a day
    └── NothingToDecide   the breaker does not wait for a decision

None of them holds personal data; users of Airflow are named by their names there.
"""

from __future__ import annotations

from syrve.errors import SyrveProviderError


class ApprovalError(SyrveProviderError):
    """Something about an approval went wrong; nothing is sent."""


class NotApproved(ApprovalError):
    """No approval of what would be sent is recorded for this run."""


class AnswerNotCounted(ApprovalError):
    """The user who answered may not approve this; the question stays open."""


class QuestionOutdated(ApprovalError):
    """The question that Airflow shows, or that was answered, is about other content than the present one."""


class LimitExceeded(ApprovalError):
    """An amount is above a limit."""


class NothingToDecide(ApprovalError):
    """A breaker does not wait for a decision: it was decided, has ended by itself, or never was."""
