"""What the benchmarks share: medians with their spread, kept under results/benchmarks for the statistics page."""

import statistics
from collections.abc import Sequence
from typing import Any

from aelib.records.claims import write_json
from aelib.records.provenance import RESULTS, commit, hardware, today


def measure(values: Sequence[float], unit: str, target: str = "") -> dict[str, Any]:
    """Median, least and most of repeated measurements, printed in this unit beside the target."""
    return {
        "median": statistics.median(values),
        "least": min(values),
        "most": max(values),
        "unit": unit,
        "target": target,
    }


def keep(name: str, title: str, what: str, rounds: int, measures: dict[str, dict[str, Any]]) -> None:
    """Print the measures and write them to ``results/benchmarks/NAME.json``."""
    for label, found in measures.items():
        print("{label}: {median:.3g} {unit} ({least:.3g} to {most:.3g})".format(label=label, **found))
    about = {
        "title": title,
        "what": what,
        "hardware": hardware(),
        "date": today(),
        "commit": commit(),
        "rounds": rounds,
    }
    write_json(RESULTS / "benchmarks" / f"{name}.json", about | {"measures": measures})
