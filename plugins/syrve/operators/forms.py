"""Fields that several DAGs' forms share, so that the same thing is asked for in the same words; each is a dict to unpack into `params`."""

from __future__ import annotations

from collections.abc import Sequence

from airflow.sdk import Param

from syrve.customers.settings import BATCH_SIZE
from syrve.operators import settings

UUID = {"type": "string", "format": "uuid"}
PREVIEW, SEND = "Preview", "Send"


def preview_or_send(previewed: str, sent: str, armed: str) -> dict[str, Param]:
    """Ask whether to look or to send, Preview unless chosen; the conf key is `dry_run`, which is also true or false.

    `previewed` and `sent` say what each does, `armed` whether a schedule sends by itself.
    """
    return {
        "dry_run": Param(
            PREVIEW,
            description=f"Preview: {previewed} Send: {sent} {armed}",
            # Airflow shows a dropdown for an enum of texts only. In draft 7 what stands beside $ref is for the form alone, so that true and
            # false are valid too.
            schema={
                "title": "Preview or send",
                "$schema": "http://json-schema.org/draft-07/schema#",
                "$ref": "#/definitions/choice",
                "definitions": {"choice": {"enum": [True, False, PREVIEW, SEND]}},
                "type": ["string", "boolean"],
                "enum": [PREVIEW, SEND],
            },
        )
    }


def organization_ids(hint: str = "") -> dict[str, Param]:
    """Ask which organizations to work with; `hint` is said on top."""
    return {
        "organization_ids": Param(
            None,
            type=["null", "array"],
            items=UUID,
            title="Organizations",
            description=f"Ids, one a line; empty means all that the connection gives. {hint}".strip(),
        )
    }


def limit(what: str, everybody: str) -> dict[str, Param]:
    """Ask how many at most; empty means `everybody`."""
    return {
        "limit": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            title=f"At most so many {what}",
            description=f"Empty means {everybody}.",
        )
    }


def shards(what: str, shard_size: int) -> dict[str, Param]:
    """Ask how the work is shared out to mapped tasks."""
    return {
        "shard_size": Param(shard_size, type="integer", minimum=1, title=f"{what} a shard"),
        "max_shards": Param(
            settings.MAX_SHARDS, type="integer", minimum=1, maximum=100, title="Shards an organization"
        ),
    }


def batch_size() -> dict[str, Param]:
    """Ask how many identities a pull has in work at once."""
    return {
        "batch_size": Param(
            BATCH_SIZE,
            type="integer",
            minimum=1,
            maximum=5_000,
            title="Identities a batch",
            description="What a task has leased at once, at most some minutes of the budget; a commit holds half of it.",
        )
    }


def source(sources: Sequence[str], default: str) -> dict[str, Param]:
    """Ask which of the sources rows come from."""
    return {"source": Param(default, type="string", enum=list(sources), title="Source")}


def file_or_query(
    example: str, *, hint: str = "", query: str | None = None, query_conn_id: str | None = None
) -> dict[str, Param]:
    """Ask for the file or the query of a source of that name; `hint` is said of the query."""
    return {
        "path": Param(
            None,
            type=["null", "string"],
            title="File",
            description=f"For source file: such as {example}; .csv, .csv.gz, .parquet or .xlsx.",
        ),
        "path_conn_id": Param(None, type=["null", "string"], title="Connection of the file's storage"),
        "query": Param(
            query,
            type=["null", "string"],
            format="multiline",
            title="Query",
            description=f"For source query: one select. {hint}".strip(),
        ),
        "query_conn_id": Param(query_conn_id, type=["null", "string"], title="Connection of the query"),
    }


def organization_of_rows() -> dict[str, Param]:
    """Ask whose the rows are that name no organization."""
    return {
        "organization_id": Param(
            None, type=["null", "string"], format="uuid", title="Organization", description="For rows that name none."
        )
    }
