"""Tells the channels that a run failed, as a callback of any DAG."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow.sdk import BaseNotifier

from syrve.notifications.channels import DEFAULT_CHANNELS_CONN_ID, open_channels
from syrve.notifications.errors import NotificationError

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


class SyrveFailureNotifier(BaseNotifier):
    """Says which DAG, run and task failed, and the error's class: `on_failure_callback=SyrveFailureNotifier()`.

    The error's text is left out, since it may come from anywhere. Where there is no connection, or a channel fails, the log says so.
    """

    def __init__(self, *, conn_id: str = DEFAULT_CHANNELS_CONN_ID) -> None:
        super().__init__()
        self.conn_id = conn_id

    def notify(self, context: Context) -> None:
        """Tell every channel."""
        title, body = worded(context)
        try:
            channels = open_channels(self.conn_id)
        except NotificationError as error:
            log.warning("No channel is notified of the failure: %s", error)
            return
        if not channels:
            log.info("No connection %s: no channel is notified of the failure", self.conn_id)
        for channel in channels:
            if not channel.send(title, body, "failure"):
                log.warning("%s was not notified of the failure", channel.name)


def worded(context: Context) -> tuple[str, str]:
    """Word title and body from Airflow's context; of a DAG's callback or of a task's."""
    run, instance, error = context.get("dag_run"), context.get("ti"), context.get("exception")
    dag_id = getattr(run, "dag_id", None) or getattr(instance, "dag_id", None) or "a DAG"
    lines = [f"Run: {context.get('run_id') or getattr(run, 'run_id', 'not known')}"]
    if instance is not None:
        lines.append(f"Task: {instance.task_id}, try {getattr(instance, 'try_number', '?')}")
    if isinstance(error, BaseException):
        lines.append(f"Error: {type(error).__name__}; its text is in the task's log")
    elif context.get("reason"):
        lines.append(f"Reason: {context.get('reason')}")
    return f"{dag_id} failed", "\n".join(lines)
