"""Parts the Markdown of a question into texts and tables: as signs in a row a table cannot be read on a phone."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_CELLS = re.compile(r"(?<!\\)\|")
_RULE = re.compile(r"[|\s:-]+")


@dataclass(slots=True)
class Part:
    """A text, or a table where it has a `head`; each row has as many cells as the head."""

    text: str = ""
    head: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


def body_parts(body: str) -> list[Part]:
    """Return the parts in their order; nothing of the body is lost."""
    parts: list[Part] = []
    lines = body.splitlines()
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if not _is_row(line):
            if parts and not parts[-1].head:
                parts[-1].text += f"\n{line}"
            elif line.strip():
                parts.append(Part(text=line))
        elif parts and parts[-1].head and number and _is_row(lines[number - 1]):
            if not _RULE.fullmatch(line):
                cells, wanted = _cells(line), len(parts[-1].head)
                parts[-1].rows.append(
                    [*cells[: wanted - 1], " | ".join(cells[wanted - 1 :]), *[""] * (wanted - len(cells))][:wanted]
                )
        elif _RULE.fullmatch(following) and _is_row(following):
            parts.append(Part(head=_cells(line)))
        else:
            parts.append(Part(text=line))
    return parts


def _is_row(line: str) -> bool:
    return line.startswith("|") and line.rstrip().endswith("|") and len(line) > 1


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in _CELLS.split(line.strip()[1:-1])]
