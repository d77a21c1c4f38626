"""Keeps Airflow from taking for a template what a mapped task is given by an XCom, and from working otherwise because an XCom says so.

Airflow 3.3.2 renders every value that `expand_kwargs` takes from an XCom, under `render_template_as_native_obj` outside of its sandbox:
who may change an XCom would run code in a worker. It also takes its own arguments from there, such as the address that gets a mail.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from syrve.errors import SyrveProviderError

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context


_PARAMETER = re.compile(r"\{\{ params\.([a-z_]+) \}\}")


class RedirectedTask(SyrveProviderError):
    """An XCom names a connection or an argument of Airflow's own for a mapped task; only the DAG file may."""


class OwnTemplates:
    """Base of an operator: of a mapped task only what the DAG file gives to `partial` is rendered.

    A field of the form comes as it was typed. Jinja's native types would read the campaign 2026.10 as the number 2026.1, another campaign.
    """

    def render_template(self, content: Any, context: Context, *args: Any, **kwargs: Any) -> Any:
        """Return the parameter itself where the template is one parameter and nothing else; otherwise what Airflow makes of it."""
        asked = _PARAMETER.fullmatch(content) if isinstance(content, str) else None
        params: Mapping[str, Any] = context.get("params") or {}
        if asked and asked[1] in params:
            return params[asked[1]]
        return super().render_template(content, context, *args, **kwargs)  # type: ignore[misc]

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Context,
        jinja_env: jinja2.Environment,
        seen_oids: set[int],
    ) -> None:
        task = _mapped_task(self, context) if parent is self else None
        if task is not None:
            _refuse_arguments_of_airflow(parent, task, context)
            _refuse_connections_of_xcoms(parent, task, template_fields)
            template_fields = [each for each in template_fields if each in task.partial_kwargs]
        super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)  # type: ignore[misc]


def connection_arguments(operator: type[BaseOperator]) -> dict[str, Any]:
    """Return every parameter of an operator that names a connection, with its default."""
    found: dict[str, Any] = {}
    for name, parameter in _parameters(operator):
        if name.endswith("conn_id"):
            found.setdefault(name, parameter.default)
    return found


def _parameters(operator: type, *, beside: type | None = None) -> Iterator[tuple[str, inspect.Parameter]]:
    """Give the parameters of an operator and of the classes that it is made of, without those of `beside`."""
    left_out = beside.__mro__ if beside else ()
    for each in operator.__mro__:
        if "__init__" in vars(each) and each not in left_out:
            yield from inspect.signature(vars(each)["__init__"]).parameters.items()


def _mapped_task(operator: Any, context: Context) -> Any:
    """Return the mapped task that the operator is one of; None if it is of none."""
    task = context["dag"].task_dict.get(operator.task_id) if "dag" in context else None
    return task if hasattr(task, "partial_kwargs") else None


def _refuse_arguments_of_airflow(operator: Any, task: Any, context: Context) -> None:
    """Raise `RedirectedTask` if an XCom gives a mapped task what is not its own parameter, such as `email` or `params`."""
    if isinstance(task.expand_input.value, Mapping):
        return  # `expand`: the names are those of the DAG file
    given, _ = task.expand_input.resolve(context)
    own = {name for name, _ in _parameters(type(operator), beside=BaseOperator)}
    for name in given:
        if name not in own:
            context["task"] = context["ti"].task = task  # what Airflow does on failure is as the DAG file says
            raise RedirectedTask(
                f"an XCom, which other users can change, gives {operator.task_id} an argument that is Airflow's; give it to `partial` "
                "in the DAG file"
            )


def _refuse_connections_of_xcoms(operator: Any, task: Any, template_fields: Iterable[str]) -> None:
    given = task.expand_input.value
    defaults = connection_arguments(type(operator))
    for name in template_fields:
        if name not in defaults or name in task.partial_kwargs:
            continue
        source = given.get(name) if isinstance(given, Mapping) else given
        if hasattr(source, "resolve") and getattr(operator, name) != defaults[name]:
            raise RedirectedTask(
                f"{name} of {operator.task_id} comes from an XCom, which other users can change; give it to `partial` in the DAG file"
            )
