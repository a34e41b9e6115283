"""Run by test_read_only: `python twice.py CHECKOUT NAME` runs a chapter twice in one kernel, out of CHECKOUT."""

import os
import sys
from pathlib import Path

import execute
from nbformat.v4 import new_code_cell, new_notebook

if __name__ == "__main__":
    checkout, name = Path(sys.argv[1]), sys.argv[2]
    execute.NOTEBOOKS = checkout / "notebooks"
    os.environ["PYTHONPATH"] = str(checkout)  # of the kernel: this checkout's package, and not the installed one
    chapter = execute.read_source(checkout / "notebooks" / name)
    where = new_code_cell(f"import aelib\n\nassert aelib.__file__.startswith({str(checkout)!r}), aelib.__file__")
    cells = [cell for cell in chapter.cells if cell.cell_type == "code"]
    again = [new_code_cell(cell.source) for cell in cells]
    twice = new_notebook(cells=[where, *cells, *again], metadata=chapter.metadata)
    execute.execute(twice, "smoke", minutes=5, name=name)
