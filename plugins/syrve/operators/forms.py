"""Fields that several DAGs' forms share, so that the same thing is asked for in the same words; each is a dict to unpack into `params`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Param

from syrve.customers.pull_settings import BATCH_SIZE
from syrve.operators import settings
from syrve.operators.rendered import as_flag, as_text

if TYPE_CHECKING:
    from airflow.sdk import Context

_FILE_FORMAT = "What the file is like"
TECHNICAL = "Technical: may stay as they are"
FORMAT_FIELDS = ("encoding", "separator", "header_row", "sheet", "decimal_mark", "null_words", "columns")
UUID = {"type": "string", "format": "uuid"}
PREVIEW, SEND, IMPORT, START = "Preview", "Send", "Import", "Start"


def preview_or_send(previewed: str, sent: str, armed: str) -> dict[str, Param]:
    """Ask whether to look or to send, Preview unless chosen; the conf key is `dry_run`, which is also true or false.

    `previewed` and `sent` say what each does, `armed` whether a schedule sends by itself.
    """
    return _preview_or(SEND, f"Preview: {previewed} Send: {sent} {armed}")


def preview_or_import() -> dict[str, Param]:
    """Ask whether to count or to import, Preview unless chosen; the conf key is `dry_run` likewise."""
    counted = "only say what would be created, changed and rejected."
    return _preview_or(IMPORT, f"Preview: {counted} Import: write it. Runs that a schedule or an asset starts import.")


def preview_or_start(previewed: str, started: str) -> dict[str, Param]:
    """Ask whether to count or to look up, Preview unless chosen; the conf key is `dry_run` likewise."""
    return _preview_or(START, f"Preview: {previewed} Start: {started}")


def _preview_or(act: str, description: str) -> dict[str, Param]:
    return {
        "dry_run": Param(
            PREVIEW,
            description=description,
            # Airflow shows a dropdown for an enum of texts only. In draft 7 what stands beside $ref is for the form alone, so that true and
            # false are valid too.
            schema={
                "title": f"Preview or {act.lower()}",
                "$schema": "http://json-schema.org/draft-07/schema#",
                "$ref": "#/definitions/choice",
                "definitions": {"choice": {"enum": [True, False, PREVIEW, act]}},
                "type": ["string", "boolean"],
                "enum": [PREVIEW, act],
            },
        )
    }


def reads_as_dry_run(flag: bool | str | None, context: Context) -> bool:
    """Read the form's choice: a run by schedule or asset, which no form precedes, sends or imports: a setting has given it its schedule.

    Any other run does what the form says; where an operator is given no choice, only a run that a person started is a preview.
    """
    run_type, choice = getattr(context.get("dag_run"), "run_type", None), as_text(flag)
    if choice == PREVIEW and run_type in ("scheduled", "asset_triggered"):
        return False
    return run_type == "manual" if choice is None else as_flag(flag)


def organization_ids(hint: str = "") -> dict[str, Param]:
    """Ask which organizations to work with; `hint` is said on top."""
    return {
        "organization_ids": Param(
            None,
            type=["null", "array"],
            items=UUID,
            title="Organizations",
            description=f"Ids, one per line; empty means all that the connection gives. {hint}".strip(),
        )
    }


def limit(what: str, all_of_them: str) -> dict[str, Param]:
    """Ask how many at most; empty means `all_of_them`."""
    return {
        "limit": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            maximum=1_000_000_000,
            title=f"Maximum {what}",
            description=f"Empty means {all_of_them}.",
        )
    }


def shards(what: str, shard_size: int) -> dict[str, Param]:
    """Ask how the work is shared out to mapped tasks."""
    return {
        "shard_size": Param(
            shard_size,
            type="integer",
            minimum=1,
            maximum=1_000_000_000,
            title=f"{what} per shard",
            section=TECHNICAL,
        ),
        "max_shards": Param(
            settings.MAX_SHARDS,
            type="integer",
            minimum=1,
            maximum=100,
            title="Shards per organization",
            section=TECHNICAL,
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
            title="Identities per batch",
            section=TECHNICAL,
            description="What a task has leased at once, at most some minutes of the budget; a commit holds half of it.",
        )
    }


def source(sources: Sequence[str], default: str) -> dict[str, Param]:
    """Ask which of the sources rows come from."""
    return {"source": Param(default, type="string", enum=list(sources), title="Source")}


def file_or_query(
    example: str, *, hint: str = "", query: str | None = None, query_conn_id: str | None = None
) -> dict[str, Param]:
    """Ask for the file or the query of a source of that name, and what the file is like; `hint` is said of the query."""
    return {
        "path": Param(
            None,
            type=["null", "string"],
            title="File",
            description=f"For source file: its path in the inbox, such as {example}; .csv, .csv.gz, .parquet or .xlsx. See docs/files.md.",
        ),
        "path_conn_id": Param(
            None,
            type=["null", "string"],
            title="Connection of the file's storage",
            description="Empty: that of the inbox.",
        ),
        "query": Param(
            query,
            type=["null", "string"],
            format="multiline",
            title="Query",
            description=f"For source query: one select. {hint}".strip(),
        ),
        "query_conn_id": Param(
            query_conn_id,
            type=["null", "string"],
            title="Connection of the query",
            description="One of SYRVE_SOURCE_CONNECTIONS; empty means the first of them.",
        ),
        **_file_format(),
    }


SOURCE_ARGUMENTS: dict[str, Any] = {
    name: f"{{{{ params.{name} }}}}" for name in ("source", "path", "path_conn_id", "query", "query_conn_id")
} | {"file_format": {name: f"{{{{ params.{name} }}}}" for name in FORMAT_FIELDS}}
"""The arguments of a `SourceOperator`, from the fields of `source` and `file_or_query`."""


def _file_format() -> dict[str, Param]:
    return _shape_of_file() | _meaning_of_cells()


def _shape_of_file() -> dict[str, Param]:
    words: dict[str, Any] = {"type": ["null", "string"], "section": _FILE_FORMAT}
    return {
        "encoding": Param(
            None,
            **words,
            title="Encoding",
            description="Such as windows-1251. Empty: UTF-8, UTF-16, or what is beyond doubt; otherwise the file is refused.",
        ),
        "separator": Param(
            None,
            type=["null", "string"],
            enum=[None, ",", ";", "tab", "|"],
            section=_FILE_FORMAT,
            title="Separator",
            description="Of CSV. Empty: the one that gives known headings.",
        ),
        "header_row": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            maximum=1_000,
            section=_FILE_FORMAT,
            title="Row of the headings",
            description="Empty: the one with the most known headings among the first 20.",
        ),
        "sheet": Param(None, **words, title="Sheet", description="Of Excel. Empty: the one that has known headings."),
    }


def _meaning_of_cells() -> dict[str, Param]:
    return {
        "decimal_mark": Param(
            None,
            type=["null", "string"],
            enum=[None, ".", ","],
            section=_FILE_FORMAT,
            title="Decimal mark",
            description="Empty: amounts that can be read in two ways, such as 1,000, are rejected.",
        ),
        "null_words": Param(
            None,
            type=["null", "array"],
            items={"type": "string"},
            section=_FILE_FORMAT,
            title="Words for an empty cell",
            description="One per line, such as NULL. Empty: only an empty cell is empty, and rows with NULL are rejected.",
        ),
        "columns": Param(
            None,
            type=["null", "object"],
            section=_FILE_FORMAT,
            title="Columns",
            description='Headings of the file that are not known: {"Телефон гостя": "phone"}; null leaves a column alone.',
        ),
    }


def organization_of_rows() -> dict[str, Param]:
    """Ask whose the rows are that name no organization."""
    return {
        "organization_id": Param(
            None, type=["null", "string"], format="uuid", title="Organization", description="For rows that name none."
        )
    }
