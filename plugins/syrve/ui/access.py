"""Who may do what on the page: Airflow's login and rights, protection against cross-site requests, and no route without them."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN, BaseAuthManager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import ConnectionDetails, DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import get_user
from airflow.configuration import conf
from airflow.models.dag import DagModel
from fastapi import Depends, Form, Request
from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.concurrency import run_in_threadpool

from syrve.ui.errors import PageError

READ_DAG = "syrve_customers"
"""Who may see the runs of this DAG may see the page."""
CLEAR_RESOURCE = "Syrve personal data"
"""Resource of the right (`can_read`) to see phones, names and other personal values in clear."""
TOKEN_SECONDS = 12 * 3600
_SALT = "syrve page"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks: the login, and what it may do. `form_key` is that of the form that was sent: the same one sent twice has the same key."""

    user_id: str
    name: str
    bearer: str
    form_token: str
    may_edit: bool
    may_see_clear: bool
    user: BaseUser
    form_key: str = ""


async def reader(request: Request, user: Annotated[BaseUser, Depends(get_user)]) -> Person:
    """Return the person; raise `PageError` without the right to see the page."""
    if not await run_in_threadpool(_may, user, READ_DAG, "GET"):
        raise PageError(403, "You may not see this page", f"Ask for the right to read runs of {READ_DAG} in Airflow.")
    user_id = user.get_id()
    authorization = request.headers.get("authorization", "")
    return Person(
        user_id=user_id,
        name=user.get_name(),
        bearer=authorization[7:] if authorization[:7].lower() == "bearer " else _session(request),
        form_token=_tokens().dumps([user_id, secrets.token_urlsafe(12)]),
        may_edit=await run_in_threadpool(_may, user, READ_DAG, "POST"),
        may_see_clear=await run_in_threadpool(may_see_clear, user),
        user=user,
    )


PersonDep = Annotated[Person, Depends(reader)]


async def plain_values(request: Request) -> None:
    """Raise `PageError` if a parameter, or a field of a form, has a control character, which no value of this page has.

    A form may have tabs and line ends.
    """
    given = [*request.path_params.values(), *(text for pair in request.query_params.multi_items() for text in pair)]
    is_plain = not any(_CONTROL.search(str(each)) for each in given)
    if is_plain and request.method == "POST":
        form = await request.form()
        fields = [str(text) for pair in form.multi_items() for text in pair]
        is_plain = not any(_CONTROL.search(re.sub(r"[\t\r\n]", "", text)) for text in fields)
    if not is_plain:
        raise PageError(400, "A value has control characters", "Nothing was changed. Write it without them.")


def own_form(request: Request, person: PersonDep, form_token: Annotated[str, Form()] = "") -> Person:
    """Return the person where the request comes from a form of this page that was made for them; raise `PageError` otherwise."""
    if _is_from_elsewhere(request):
        raise PageError(403, "This request came from another site", "Open the page in Airflow and use its own form.")
    owner = _owner_of(form_token)
    if not hmac.compare_digest(owner.encode(), person.user_id.encode()):
        raise PageError(
            403, "The form is out of date", "Nothing was changed. Go back, reload the page and send it again."
        )
    return replace(person, form_key=hashlib.sha256(form_token.encode()).hexdigest())


def _owner_of(form_token: str) -> str:
    """Return the user whom a form was made for; an empty text if another server or an older version made it, or it is too old."""
    try:
        content = _tokens().loads(form_token, max_age=TOKEN_SECONDS)
    except BadSignature:
        return ""
    return str(content[0]) if isinstance(content, list) and content else ""


def editor(dag_id: str = READ_DAG) -> Callable[[Person], Person]:
    """Return the dependency of a route that changes something: it needs the right to start runs of that DAG."""

    def allowed(person: Annotated[Person, Depends(own_form)]) -> Person:
        if not _may(person.user, dag_id, "POST"):
            raise PageError(403, "You may not change this", f"Ask for the right to start runs of {dag_id} in Airflow.")
        return person

    allowed.__name__ = f"editor_of_{dag_id}"
    return allowed


def may_see_clear(user: BaseUser) -> bool:
    """Tell whether personal values may be shown in clear.

    An auth manager with custom rights (FAB) is asked for `can_read` on `CLEAR_RESOURCE`. The simple one has none, and grants every
    such right to every user: there it takes the right to change the connection to the warehouse, which reaches the same values anyway.
    Where that one asks for no password (`simple_auth_manager_all_admins`), it is not known who looks, and no one sees them.
    """
    manager: BaseAuthManager[BaseUser] = get_auth_manager()
    if not manager.is_authorized_custom_view(method="GET", resource_name=CLEAR_RESOURCE, user=user):
        return False
    if type(manager).__name__ != "SimpleAuthManager":
        return True
    if conf.getboolean("core", "simple_auth_manager_all_admins"):
        return False
    return bool(manager.is_authorized_connection(method="PUT", details=ConnectionDetails(), user=user))


def _may(user: BaseUser, dag_id: str, method: str) -> bool:
    details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
    manager: BaseAuthManager[BaseUser] = get_auth_manager()
    return bool(
        manager.is_authorized_dag(method=method, access_entity=DagAccessEntity.RUN, details=details, user=user)  # type: ignore[arg-type]
    )


def _session(request: Request) -> str:
    return request.cookies.get(COOKIE_NAME_JWT_TOKEN, "")


def _is_from_elsewhere(request: Request) -> bool:
    """Tell whether the browser says so; `Origin` is asked only where it does not send the newer header, since a proxy may change `Host`."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site != "same-origin"
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host", "")


def _tokens() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(conf.get_mandatory_value("api", "secret_key"), salt=_SALT)
