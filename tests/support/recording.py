"""With AELIB_RECORD=1 the tests of reliability write what they found to results/reliability/, for the book's page."""

import json
import os
from functools import cache
from typing import Any

from aelib.records.claims import write_json
from aelib.records.provenance import RESULTS, commit, hardware, today

FOLDER = RESULTS / "reliability"


def recorded(name: str) -> list[dict[str, Any]]:
    """The rows of a record; none where there is no record."""
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []


def record(name: str, key: str, **values: Any) -> None:
    """Put a row into results/reliability/NAME.json, in place of the one with this key."""
    if os.environ.get("AELIB_RECORD") == "1":
        rows = {row["key"]: row for row in recorded(name)}
        rows[key] = {"key": key, **values}
        write_json(FOLDER / f"{name}.json", {**_stamp(), "rows": list(rows.values())})


@cache
def _stamp() -> dict[str, str]:
    """Taken before anything is written, for a written record is a change to the commit's files."""
    return {"hardware": hardware(), "date": today(), "commit": commit()}
