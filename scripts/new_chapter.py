"""Start a chapter: a model, its notebook and its test, all working, and the lines that make them known.

    python scripts/new_chapter.py 12 wasserstein

writes ``aelib/models/wasserstein.py``, ``notebooks/12_wasserstein.py``, its ``.ipynb`` and
``tests/models/test_wasserstein.py`` from ``scripts/templates/``, and adds a line each to ``_toc.yml``, to the colors
of models and to ``tests/support/zoo.py``. What they hold is a small autoencoder with a penalty on its code; write the
paper's model over it. The notebook is executed, which takes a minute; ``--sync`` leaves that for later.
"""

import argparse
import datetime
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import execute
import jupytext
from set_address import current_address, parts

ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = Path(__file__).with_name("templates")


def start(number: int, name: str, root: Path = ROOT) -> list[Path]:
    """Write the files and lines; return the files, the notebook's source first.

    Raises:
        ValueError: the number or the name is taken, or cannot be a chapter's and a module's. Nothing is then written.
    """
    if not 0 <= number <= 99 or not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        raise ValueError(f"A chapter has a number up to 99 and a name such as wasserstein_mmd; got {number} {name!r}.")
    stem = f"{number:02d}_{name}"
    files = {
        "chapter": root / "notebooks" / f"{stem}.py",
        "model": root / "aelib" / "models" / f"{name}.py",
        "test": root / "tests" / "models" / f"test_{name}.py",
    }
    taken = [*(root / "notebooks").glob(f"{number:02d}_*.py"), *(path for path in files.values() if path.exists())]
    if taken:
        raise ValueError(f"{taken[0].relative_to(root)} is there already: choose another number or name.")
    values = words(number, name, root)
    changed = {
        root / "_toc.yml": in_toc,
        root / "aelib" / "plots" / "style.py": in_colors,
        root / "tests" / "support" / "zoo.py": in_zoo,
    }
    written = {path: edit(path.read_text(encoding="utf-8"), values) for path, edit in changed.items()}
    written |= {path: filled(TEMPLATES / f"{kind}.py.txt", values) for kind, path in files.items()}
    for path, text in written.items():
        path.write_text(text, encoding="utf-8")
    python = [str(path) for path in written if path.suffix == ".py"]
    ruff = [sys.executable, "-m", "ruff"]
    subprocess.run([*ruff, "check", "--quiet", "--select", "I", "--fix", *python], cwd=root, check=True)
    subprocess.run([*ruff, "format", "--quiet", "--force-exclude", *python], cwd=root, check=True)
    return list(files.values())


def words(number: int, name: str, root: Path) -> dict[str, str]:
    """What stands for each ``@word@`` of a template."""
    owner, repository = parts(current_address(root))
    latest = jupytext.read(max((root / "notebooks").glob("[0-9][0-9]_*.py")), fmt="py:percent")
    return {
        "number": f"{number:02d}",
        "name": name,
        "stem": f"{number:02d}_{name}",
        "Class": "".join(part.capitalize() for part in name.split("_")),
        "Title": name.replace("_", " ").capitalize(),
        "year": str(datetime.date.today().year),
        "owner": owner,
        "repository": repository,
        "install": next(cell.source for cell in latest.cells if cell.cell_type == "code"),  # the same in all chapters
    }


def filled(template: Path, values: dict[str, str]) -> str:
    """The template with its words in place."""
    return re.sub(r"@(\w+)@", lambda match: values[match[1]], template.read_text(encoding="utf-8"))


def in_toc(text: str, values: dict[str, str]) -> str:
    """The table of contents with the chapter in its place."""
    lines = text.splitlines(keepends=True)
    listed = [i for i, line in enumerate(lines) if "- file: notebooks/" in line]
    before = [i for i in listed if lines[i].split("notebooks/")[1][:2] < values["number"]]
    where = before[-1] + 1 if before else listed[0]
    indent = lines[listed[0]].split("-")[0]
    return "".join([*lines[:where], f"{indent}- file: notebooks/{values['stem']}\n", *lines[where:]])


def in_colors(text: str, values: dict[str, str]) -> str:
    """The colors of models with one for this, the color that fewest have."""
    palette = re.search(r"\n\}", text[text.index("COLORS = {") :])
    if palette is None:
        raise ValueError("aelib/plots/style.py has no COLORS = {…} to add a line to.")
    end = text.index("COLORS = {") + palette.start() + 1
    used = Counter(re.findall(r'": ([A-Z]+),', text[text.index("COLORS = {") : end]))
    return f'{text[:end]}    "{values["Title"]}": {min(used, key=used.__getitem__)},\n{text[end:]}'


def in_zoo(text: str, values: dict[str, str]) -> str:
    """The small trainings that every objective is tested on, with one for this."""
    name, made = values["name"], values["Class"]
    text = text.replace(
        "from aelib.models.vqvae", f"from aelib.models.{name} import {made}, {made}Loss\nfrom aelib.models.vqvae", 1
    )
    training = f'Training(lambda: {{"ae": {made}(3, 20, SHAPE)}}, (Phase({made}Loss()),))'
    return re.sub(r"\n\}\s*\Z", f'\n    "{values["number"]} {name}": {training},\n}}\n', text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("number", type=int)
    parser.add_argument("name", help="of the model's module, e.g. wasserstein")
    parser.add_argument("--sync", action="store_true", help="do not execute the notebook")
    arguments = parser.parse_args()
    try:
        files = start(arguments.number, arguments.name)
    except ValueError as error:
        raise SystemExit(str(error)) from error
    print("\n".join(str(path.relative_to(ROOT)) for path in files))
    print(execute.sync(files[0]))
    if not arguments.sync and (found := execute.run(files[0], "full", minutes=30)):
        raise SystemExit("\n".join(found))
    print("Next: CONTRIBUTING.md, Add an autoencoder.")


if __name__ == "__main__":
    main()
