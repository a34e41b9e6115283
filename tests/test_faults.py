"""Every fault of the list in `faults` ends in the right data or in one clear error, and poisons no cache."""

import re
from dataclasses import asdict

import pytest
from faults import FAULTS, Fault, open_folder, run
from recording import record, recorded


def test_the_list_is_long_and_names_each_fault_once() -> None:
    assert len({fault.title for fault in FAULTS}) == len(FAULTS) >= 25


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=[f"{fault.group}: {fault.title}" for fault in FAULTS])
def test_a_fault_ends_in_the_right_data_or_in_one_clear_error(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_folder() as folder:
        ending = run(fault, folder, monkeypatch)
    assert ending.ends == fault.ends, ending.said
    assert re.search(fault.says, ending.said)
    row = {key: value for key, value in asdict(ending).items() if key != "title"}
    record("data_faults", fault.title, **row | {"seconds": round(ending.seconds, 2)})


def test_the_books_page_shows_each_of_them_as_it_ends() -> None:
    """Otherwise: delete results/reliability/data_faults.json, and run this file with AELIB_RECORD=1."""
    assert {row["key"]: row["ends"] for row in recorded("data_faults")} == {f.title: f.ends for f in FAULTS}
