"""Train the runs that the chapters declare and that have no valid record, the most worth a minute first.

    python scripts/record.py --hours 2.5        as many as fit; what is not finished goes on next time
    python scripts/record.py --list             what there is and what is missing, with estimates
    python scripts/record.py --only 02          the runs whose names start so
    python scripts/record.py --processes 2 --threads 1

It can be stopped at any moment, by a kill too: the next call goes on from the last whole epoch. Several calls may run
side by side; they share the work through lock files. A run that fails is recorded as failed, and tried again when its
recipe has changed.

A chapter declares its runs in cells tagged "runs". These are executed here, in order, and no others: they hold the
imports and definitions that the declarations need.
"""

import argparse
import gc
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import jupytext
import torch
from filelock import Timeout

from aelib.records import runs as records
from aelib.records.record_file import read_head
from aelib.records.runs import NotRecorded, Run, Runs

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
WAIT = 5  # seconds between looks at what other processes have recorded


class TimeIsUp(BaseException):
    """The hours are over. Not an Exception: nothing on the way may take it for an error of its own."""


@dataclass
class Entry:
    """What is known of a declared run. The run itself holds networks, and is made again when it is trained."""

    name: str
    declaration: Callable[[], Iterable[Run]]
    minutes: float
    worth: float
    lacks: str  # why it is to be trained; empty if it is recorded
    seconds: float = 0.0  # that its recorded training took
    failed: str = ""

    def run(self) -> Run:
        """The run, declared again."""
        return next(run for run in self.declaration() if run.name == self.name)


def declared(chapter: Path) -> list[Runs]:
    """The :class:`Runs` that a chapter's cells tagged "runs" define; none where there is no such cell."""
    cells = jupytext.read(chapter, fmt="py:percent").cells
    tagged = [cell.source for cell in cells if cell.cell_type == "code" and "runs" in cell.metadata.get("tags", [])]
    if not tagged:
        return []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"runs_of_{chapter.stem}.py")
        path.write_text("\n\n".join(tagged), encoding="utf-8")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[module.__name__] = module  # where dataclasses look for their module
        spec.loader.exec_module(module)
    return [value for value in vars(module).values() if isinstance(value, Runs)]


def look(declaration: Callable[[], Iterable[Run]], folder: Path, only: str) -> tuple[list[Entry], str]:
    """What one declaration yields, and why it did not yield all if it did not."""
    entries, waits = [], ""
    try:
        for run in declaration():
            entry = Entry(run.name, declaration, run.minutes, run.worth, run.lacks(folder))
            if not entry.lacks:
                head = read_head(folder / f"{run.name}.safetensors")
                entry.seconds, entry.failed = sum(head["attrs"].get("step seconds", [])), head.get("failed", "")
            entries.append(entry)
    except NotRecorded as error:
        waits = str(error).split(". ")[0]
    except Exception as error:  # one chapter's mistake does not keep the others from being recorded
        waits = f"{type(error).__name__}: {error}"
    return [entry for entry in entries if entry.name.startswith(only)], waits


class Book:
    """All declared runs, looked at again whenever something was recorded."""

    def __init__(self, notebooks: Path, folder: Path, only: str) -> None:
        self.folder, self.only = folder, only
        wanted = sorted(p for p in notebooks.glob("[0-9][0-9]_*.py") if p.name.startswith(only[:2]))
        self.broken: list[str] = []  # chapters whose cells cannot be executed
        self.declarations: list[tuple[str, Callable[[], Iterable[Run]]]] = []
        for chapter in wanted:
            try:
                self.declarations += [(runs.chapter, one) for runs in declared(chapter) for one in runs.declarations]
            except Exception as error:
                self.broken.append(f"{chapter.stem}: {type(error).__name__}: {error}")
        self.found: dict[int, tuple[list[Entry], str]] = {}
        self.refresh()

    def refresh(self) -> None:
        """Look at the declarations that are not known to be complete and recorded."""
        for i, (_, declaration) in enumerate(self.declarations):
            entries, waits = self.found.get(i, ([], "not asked yet"))
            changed = any(e.lacks and (self.folder / f"{e.name}.safetensors").exists() for e in entries)
            if waits or changed:
                self.found[i] = look(declaration, self.folder, self.only)
        names = [entry.name for entry in self.entries]
        if twice := {name for name in names if names.count(name) > 1}:
            raise SystemExit(f"Two runs have one name: {', '.join(sorted(twice))}. Give each its own.")

    @property
    def entries(self) -> list[Entry]:
        return [entry for entries, _ in self.found.values() for entry in entries]

    @property
    def todo(self) -> list[Entry]:
        """What is to be trained, the most worth a minute first."""
        return sorted((e for e in self.entries if e.lacks), key=lambda e: e.worth / e.minutes, reverse=True)

    @property
    def waiting(self) -> list[str]:
        """The declarations that cannot be asked for all of their runs yet, and why."""
        named = ((f"{c}, {f.__name__}", self.found[i][1]) for i, (c, f) in enumerate(self.declarations))
        return [*self.broken, *(f"{name}: {why}" for name, why in named if why)]

    def pace(self) -> float:
        """Minutes that recorded runs took for one that their chapter had expected; 1 where none is recorded."""
        done = [entry for entry in self.entries if entry.seconds]
        expected = sum(entry.minutes for entry in done)
        return sum(entry.seconds for entry in done) / 60 / expected if expected else 1.0

    def summary(self) -> str:
        """One line: what is done and what is left."""
        todo, failed = self.todo, sum(bool(entry.failed) for entry in self.entries)
        minutes = self.pace() * sum(entry.minutes for entry in todo)
        parts = [f"{len(self.entries) - len(todo) - failed} recorded", f"{failed} failed" if failed else ""]
        parts += [f"{len(todo)} left, about {duration(minutes)}" if todo else "none left"]
        parts += [f"{len(self.waiting)} declarations cannot be asked yet" if self.waiting else ""]
        return "; ".join(part for part in parts if part) + "."

    def table(self) -> str:
        """One line a run."""
        rows = [
            f"recorded  {duration(e.seconds / 60):>10}  {e.name}" for e in self.entries if not (e.lacks or e.failed)
        ]
        rows += [f"failed    {'':>10}  {e.name}: {e.failed}" for e in self.entries if e.failed]
        for e in self.todo:
            why = "" if e.lacks.startswith("There is no record") else f": {e.lacks}"
            rows.append(f"missing   {'~' + duration(e.minutes * self.pace()):>10}  {e.name}{why}")
        return "\n".join([*rows, *(f"waits     {'':>10}  {one}" for one in self.waiting), self.summary()])


def duration(minutes: float) -> str:
    """Minutes in words: 40 s, 12 min, 2.5 h."""
    if minutes < 1:
        return f"{60 * minutes:.0f} s"
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


def work(book: Book) -> int:
    """Train what is missing until nothing is left; return how many runs failed here."""
    failed = 0
    while todo := book.todo:
        for entry in todo:
            began, run = time.monotonic(), entry.run()
            try:
                run.record(book.folder, timeout=0)
                say(f"{entry.name}: recorded in {duration((time.monotonic() - began) / 60)}.")
                break
            except Timeout:
                continue  # another process is at it
            except FloatingPointError as error:
                failed += 1
                say(f"{entry.name}: failed. {error}")
                break
        else:
            time.sleep(WAIT)
        del run
        gc.collect()
        book.refresh()
        say(book.summary())
    return failed


@contextmanager
def at_most(hours: float | None) -> Iterator[None]:
    """Raise TimeIsUp when the hours are over, wherever the program then is."""

    def stop(*_: object) -> None:
        raise TimeIsUp

    if hours is None or not hasattr(signal, "SIGALRM"):
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, max(hours * 3600, 1e-3))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def several(arguments: argparse.Namespace) -> int:
    """The same command in several processes; the number of those that did not end well."""
    told = ["--only", arguments.only, "--threads", str(arguments.threads or 1)]
    told += ["--notebooks", str(arguments.notebooks), "--folder", str(arguments.folder)]
    told += ["--hours", str(arguments.hours)] if arguments.hours is not None else []
    command = [sys.executable, __file__, *told]
    processes = [subprocess.Popen(command) for _ in range(arguments.processes)]
    try:
        return sum(process.wait() != 0 for process in processes)
    except BaseException:
        for process in processes:
            process.terminate()
        raise


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, help="stop after so long, in the middle of a run too")
    parser.add_argument("--list", action="store_true", help="train nothing")
    parser.add_argument("--only", default="", metavar="NAME", help="runs whose names start so, e.g. 02 or 02-rot")
    parser.add_argument("--threads", type=int, help="of each process (PyTorch's own choice; 1 with several processes)")
    parser.add_argument("--processes", type=int, default=1, help="to share the work (1)")
    parser.add_argument("--notebooks", type=Path, default=NOTEBOOKS, help="where the chapters are")
    parser.add_argument("--folder", type=Path, default=records.FOLDER, help="where the records are")
    arguments = parser.parse_args()
    os.environ["AELIB_PROFILE"] = "full"
    os.environ.pop("AELIB_RECORD", None)  # a declaration that loads another run must not train it
    if arguments.processes > 1 and not arguments.list:
        return several(arguments)
    records.FOLDER = arguments.folder  # for declarations that load other runs
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    try:
        with at_most(None if arguments.list else arguments.hours):
            book = Book(arguments.notebooks, arguments.folder, arguments.only)
            print(book.table() if arguments.list else book.summary(), flush=True)
            return 0 if arguments.list else int(work(book) + len(book.broken) > 0)
    except TimeIsUp:
        say("The time is up; what is not finished goes on next time.")
        return 0


if __name__ == "__main__":
    raise SystemExit(main())
