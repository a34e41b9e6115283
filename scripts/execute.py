"""Execute chapters: ``notebooks/NN_name.py`` in, the same cells with their outputs in ``NN_name.ipynb`` out.

    python scripts/execute.py                   every chapter, as the book shows it
    python scripts/execute.py 01 09             those whose name starts so
    python scripts/execute.py 04 --profile quick  small, everything trained in the page
    python scripts/execute.py --sync            no execution: keep outputs, take over edited prose, and give the
                                                explorers among the outputs the package's present script

A chapter is written only when it ran through and its outputs are clean: no error, nothing on stderr, no path of
this machine, at most 1.5 MB. What ran but is not clean is kept for a look, as NN_name.refused. What ran, where and
when is stamped into the notebook's metadata under "aelib".
"""

import argparse
import base64
import copy
import hashlib
import os
import re
import sys
import tempfile
import time
from difflib import SequenceMatcher
from importlib.metadata import version
from pathlib import Path

import jupytext
import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbformat import NotebookNode
from tqdm import tqdm

from aelib.explorer.script import renewed
from aelib.plots import fewer_colors
from aelib.records.profiles import NAMES
from aelib.records.provenance import commit, hardware, today

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
MAX_BYTES = 1_500_000
PACKAGES = ("torch", "torchvision", "numpy", "scikit-learn")
WIDGET = "application/vnd.jupyter.widget-view+json"
# Paths and addresses that no reader's machine shares. Image data is base64, which may spell anything.
MACHINE = re.compile(r"/(?:home|root|Users|tmp|opt|usr/lib|var)/|[A-Z]:\\|site-packages|0x[0-9a-f]{9,}")
BASE64 = re.compile(r"base64,[A-Za-z0-9+/=]+")


def chapters(wanted: list[str]) -> list[Path]:
    """The chapters' sources whose names start with one of ``wanted``; all of them when it is empty."""
    sources = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.py"))
    unknown = [name for name in wanted if not any(path.name.startswith(name) for path in sources)]
    if unknown:
        known = ", ".join(path.stem for path in sources)
        raise SystemExit(f"No chapter starts with {', '.join(unknown)}. There are: {known}.")
    return [path for path in sources if not wanted or path.name.startswith(tuple(wanted))]


def read_source(path: Path) -> NotebookNode:
    """The notebook that a py:percent file stands for, with cell ids that stay the same from run to run."""
    notebook = jupytext.read(path, fmt="py:percent")
    for index, cell in enumerate(notebook.cells):
        cell.id = f"{index:02d}-{hashlib.sha256(cell.source.encode()).hexdigest()[:8]}"
    notebook.metadata = NotebookNode(
        **{key: value for key, value in notebook.metadata.items() if key == "chapter"},  # what the book says of it
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5  # the first with cell ids
    return notebook


def same_cell(one: NotebookNode, other: NotebookNode) -> bool:
    """Whether two cells are the same but for what a run adds to them."""
    return (one.cell_type, one.source, one.metadata) == (other.cell_type, other.source, other.metadata)


def execute(notebook: NotebookNode, profile: str, minutes: float, name: str) -> tuple[float, int]:
    """Run all cells in place in this interpreter's own kernel; return the seconds it took, and how many networks it
    loaded from records of the first edition, which say nothing of their recipe.
    """
    specs = KernelSpecManager(kernel_dirs=[str(Path(sys.prefix, "share", "jupyter", "kernels"))])
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=specs)
    total = sum(cell.cell_type == "code" for cell in notebook.cells)
    with tqdm(total=total, desc=name, unit="cell") as bar:
        client = NotebookClient(
            notebook,
            km=manager,
            timeout=int(minutes * 60),
            coalesce_streams=True,
            record_timing=False,
            store_widget_state=False,
            resources={"metadata": {"path": str(NOTEBOOKS)}},
            extra_arguments=["--log-level=ERROR"],
            on_cell_executed=lambda **_: bar.update(),
        )
        with tempfile.TemporaryDirectory() as folder:
            noted = Path(folder, "loaded")  # a line for each record, by aelib.records.first_edition
            told = {"AELIB_PROFILE": profile, "TQDM_DISABLE": "1", "AELIB_FIRST_EDITION": str(noted)}
            start = time.perf_counter()
            client.execute(cleanup_kc=True, env={**os.environ, **told})
            seconds = time.perf_counter() - start
            return seconds, len(set(noted.read_text(encoding="utf-8").splitlines())) if noted.exists() else 0


def drop_unreadable(notebook: NotebookNode) -> None:
    """Remove live widgets, progress bars among them, which show nothing without their kernel, and the plain form
    of rich outputs where it is but an object's address.
    """
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if data.pop(WIDGET, None) and "text/html" not in data:
                data.clear()  # what is left is the widget's repr
            if len(data) > 1 and MACHINE.search(data.get("text/plain", "")):
                del data["text/plain"]
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("data") != {}]
    notebook.metadata.pop("widgets", None)


def size(notebook: NotebookNode) -> int:
    return len(nbformat.writes(notebook).encode())


def shrink_images(notebook: NotebookNode, colors: int = 256) -> None:
    """Store each figure in so many colors of its own: in 256 it looks the same and is a third as large."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                data["image/png"] = base64.b64encode(fewer_colors(base64.b64decode(data["image/png"]), colors)).decode()


def problems(notebook: NotebookNode) -> list[str]:
    """What must not be in a published chapter, one sentence each; an empty list when it is clean."""
    found = []
    for index, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                found.append(f"cell {index} ended in {output.ename}: {output.evalue}")
                continue
            if output.get("name") == "stderr":
                found.append(f"cell {index} wrote to stderr: {output.text.strip()[:200]!r}")
                continue
            for kind, text in output.get("data", {"text/plain": output.get("text", "")}).items():
                readable = kind.startswith("text/") or kind in ("image/svg+xml", "application/javascript")
                if readable and (match := MACHINE.search(BASE64.sub("", text))):
                    around = text[max(0, text.find(match[0]) - 20) :][:80]
                    found.append(f"cell {index} shows something of this machine: {around!r}")
    if size(notebook) > MAX_BYTES:
        found.append(f"the file has {size(notebook):,} bytes, more than {MAX_BYTES:,}: draw fewer or smaller images")
    return found


def stamp(profile: str, seconds: float, first_edition: int) -> NotebookNode:
    """What ran, where and when, as the foot of the chapter's page tells it."""
    return NotebookNode(
        profile=profile,
        hardware=hardware(),
        seconds=round(seconds, 1),
        first_edition=first_edition,
        commit=commit(),
        date=today(),
        packages={name: version(name) for name in PACKAGES},
    )


def write(notebook: NotebookNode, path: Path) -> None:
    """Write the notebook under another name, then put it in place in one step."""
    temporary = path.with_suffix(".ipynb.part")
    try:
        temporary.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def renew_explorers(notebook: NotebookNode) -> int:
    """Give the explorers among the outputs the package's present script; their data stay. How many were changed.

    Raises ValueError if the present script does not read the data of one.
    """
    changed = 0
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            before = data.get("text/html", "")
            if (after := renewed(before)) != before:
                data["text/html"] = after
                changed += 1
    return changed


def sync(source: Path, check: bool = False) -> str:
    """Bring the .ipynb's cells up to its .py, and its explorers to the package's script; return what happened in words.

    *check* tells what would happen and writes nothing.

    Outputs of cells that stayed the same are kept. The stamp is dropped when code changed: what outputs are left
    no longer come from one run of it, and the tests ask for a new one.
    """
    target = source.with_suffix(".ipynb")
    new = read_source(source)
    if not target.exists():
        if not check:
            write(new, target)
        return "written without outputs"
    old = nbformat.read(target, as_version=4)
    again = f"run scripts/execute.py {source.stem}"
    try:
        count = renew_explorers(old)
    except ValueError as error:
        return f"not written: {error} {again}"
    explorers = [f"explorers renewed: {count}"] if count else []
    same = len(old.cells) == len(new.cells) and all(map(same_cell, old.cells, new.cells))
    if same and old.metadata.get("chapter") == new.metadata.get("chapter"):
        if explorers and not check:
            write(old, target)
        return explorers[0] if explorers else "up to date"
    keys = [[(cell.cell_type, cell.source) for cell in notebook.cells] for notebook in (old, new)]
    for block in SequenceMatcher(None, *keys, autojunk=False).get_matching_blocks():
        for offset in range(block.size):
            before, after = old.cells[block.a + offset], new.cells[block.b + offset]
            if before.cell_type == "code":
                after.outputs, after.execution_count = before.outputs, before.execution_count
    code = [[cell.source for cell in notebook.cells if cell.cell_type == "code"] for notebook in (old, new)]
    unchanged = code[0] == code[1]
    if unchanged and "aelib" in old.metadata:
        new.metadata["aelib"] = old.metadata["aelib"]
    if not check:
        write(new, target)
    return "; ".join(["prose taken over" if unchanged else f"code changed: {again}", *explorers])


def run(source: Path, profile: str, minutes: float) -> list[str]:
    """Execute one chapter and write it if it is clean; return its problems."""
    notebook = read_source(source)
    try:
        seconds, first_edition = execute(notebook, profile, minutes, source.stem)
    except (CellExecutionError, CellTimeoutError) as error:
        return [str(error)]
    drop_unreadable(notebook)
    notebook.metadata = copy.deepcopy(read_source(source).metadata)  # a kernel adds its own
    notebook.metadata["aelib"] = stamp(profile, seconds, first_edition)
    for colors in (256, 64, 32):  # fewer where the chapter would be too large: enough for grays and a few hues
        shrink_images(notebook, colors)
        if size(notebook) <= MAX_BYTES:
            break
    found = problems(notebook)
    write(notebook, source.with_suffix(".refused" if found else ".ipynb"))  # minutes of work are not thrown away
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chapters", nargs="*", help="beginnings of names, such as 01; all when none is given")
    parser.add_argument("--profile", choices=NAMES, default="full")
    parser.add_argument("--timeout", type=float, default=30, metavar="MINUTES", help="of one cell (30)")
    parser.add_argument("--sync", action="store_true", help="do not execute")
    parser.add_argument("--check", action="store_true", help="with --sync: write nothing, fail where it would")
    arguments = parser.parse_args()
    failed = False
    for source in chapters(arguments.chapters):
        if arguments.sync:
            done = sync(source, arguments.check)
            print(f"{source.stem}: {done}")
            failed = failed or (arguments.check and done != "up to date")
        else:
            found = run(source, arguments.profile, arguments.timeout)
            print(f"{source.stem}: " + ("\n  ".join(["not written", *found]) if found else "written"))
            failed = failed or bool(found)
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
