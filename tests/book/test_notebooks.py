"""Chapters as files: source and executed notebook agree, outputs are clean, and the script that makes them is right."""

import base64
import io
import json
import statistics
from pathlib import Path

import execute
import nbformat
import pytest
import yaml
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image, ImageChops

from aelib import explorer
from aelib.explorer.script import element, embedded

SOURCES = sorted(execute.NOTEBOOKS.glob("*.py"))
chapter = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


def executed(source: Path) -> NotebookNode:
    return nbformat.read(source.with_suffix(".ipynb"), as_version=4)


def test_every_chapter_is_in_the_table_of_contents() -> None:
    parts = yaml.safe_load((execute.ROOT / "_toc.yml").read_text(encoding="utf-8"))["parts"]
    listed = {entry["file"] for part in parts for entry in part["chapters"]}
    assert SOURCES
    assert {f"notebooks/{source.stem}" for source in SOURCES} == {x for x in listed if x.startswith("notebooks/")}
    assert {source.stem for source in SOURCES} == {path.stem for path in execute.NOTEBOOKS.glob("*.ipynb")}


@chapter
def test_the_notebook_has_its_sources_cells(source: Path) -> None:
    expected, found = execute.read_source(source), executed(source)
    assert [(c.cell_type, c.source, c.metadata) for c in found.cells] == [
        (c.cell_type, c.source, c.metadata) for c in expected.cells
    ], f"run scripts/execute.py --sync, or scripts/execute.py {source.stem} if code changed"
    assert found.metadata.get("chapter") == expected.metadata.get("chapter"), "run scripts/execute.py --sync"


@chapter
def test_its_outputs_are_clean(source: Path) -> None:
    assert execute.problems(executed(source)) == []


@chapter
def test_it_is_stamped_with_a_run_at_full_size(source: Path) -> None:
    stamp = executed(source).metadata.get("aelib")
    assert stamp is not None, f"run scripts/execute.py {source.stem}"
    assert stamp.profile == "full"
    assert stamp.seconds > 0
    assert set(stamp) == {"profile", "hardware", "seconds", "first_edition", "commit", "date", "packages"}


@chapter
def test_its_explorers_run_the_packages_script(source: Path) -> None:
    found = [
        script
        for cell in executed(source).cells
        for output in cell.get("outputs", [])
        for script in embedded(output.get("data", {}).get("text/html", ""))
    ]
    old = sum(script != element() for script in found)
    assert old == 0, (
        f"{old} of {len(found)} explorers run another script: python scripts/execute.py --sync {source.stem}"
    )


@chapter
def test_its_code_cells_are_short(source: Path) -> None:
    """No cell is long, and those that a reader sees unasked, which are not folded, are short."""
    cells = [cell for cell in execute.read_source(source).cells if cell.cell_type == "code"]
    lines = {cell.id: len(cell.source.splitlines()) for cell in cells}
    seen = [cell.id for cell in cells if not {"hide-cell", "hide-input"} & {*cell.metadata.get("tags", [])}]
    assert max(lines.values()) <= 30
    assert statistics.median(lines[name] for name in seen) <= 8


@chapter
def test_its_figures_have_a_caption_and_a_text_for_those_who_cannot_see_them(source: Path) -> None:
    bare = [
        cell.source
        for cell in executed(source).cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
        and not (
            cell.metadata.get("mystnb", {}).get("image", {}).get("alt")
            and cell.metadata.get("mystnb", {}).get("figure", {}).get("caption")
        )
    ]
    assert bare == []


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (new_output("error", ename="ValueError", evalue="no"), "cell 1 ended in ValueError: no"),
        (new_output("stream", name="stderr", text="UserWarning: x"), "cell 1 wrote to stderr: 'UserWarning: x'"),
        (new_output("stream", name="stdout", text="saved /home/me/x"), "saved /home/me/x"),
        (new_output("display_data", {"text/html": "<p>/tmp/xyz</p>"}), "/tmp/xyz"),
        (new_output("execute_result", {"text/plain": "<x at 0x7f0011223344>"}, execution_count=1), "0x7f0011223344"),
        (new_output("display_data", {"image/png": "A" * execute.MAX_BYTES}), "draw fewer or smaller images"),
    ],
)
def test_what_must_not_be_published_is_named(output: NotebookNode, sentence: str) -> None:
    notebook = new_notebook(cells=[new_markdown_cell("a"), new_code_cell("b", outputs=[output])])
    (found,) = execute.problems(notebook)
    assert sentence in found


def test_images_are_not_searched_for_paths() -> None:
    data = {"image/png": "/tmp/", "text/html": '<img src="data:image/png;base64,aaa/tmp/aaa==">'}
    notebook = new_notebook(cells=[new_code_cell("b", outputs=[new_output("display_data", data)])])
    assert execute.problems(notebook) == []


def test_what_needs_a_kernel_is_dropped_and_its_still_form_kept() -> None:
    widget = {execute.WIDGET: {"model_id": "x"}, "text/plain": "Bar()"}
    table = {"text/plain": "<Table object at 0x7f0011223344>", "text/html": "<table></table>"}
    data = [widget, widget | {"text/html": "<b>1</b>"}, table]
    notebook = new_notebook(cells=[new_code_cell("b", outputs=[new_output("display_data", d) for d in data])])
    execute.drop_unreadable(notebook)
    left = [dict(output.data) for output in notebook.cells[0].outputs]
    assert left == [{"text/plain": "Bar()", "text/html": "<b>1</b>"}, {"text/html": "<table></table>"}]


SOURCE = "# %% [markdown]\n# Prose.\n\n# %%\nimport os\n\nos.environ['AELIB_PROFILE']\n\n# %%\nprint(1 + 1)\n"


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A chapter of three cells in a folder of its own, executed under smoke."""
    monkeypatch.setattr(execute, "NOTEBOOKS", tmp_path)
    source = tmp_path / "99_tiny.py"
    source.write_text(SOURCE, encoding="utf-8")
    assert execute.run(source, "smoke", minutes=2) == []
    return source


def test_executing_writes_outputs_and_stamp(made: Path) -> None:
    notebook = executed(made)
    assert notebook.cells[1].outputs[0].data["text/plain"] == "'smoke'"
    assert notebook.cells[2].outputs[0].text == "2\n"
    assert notebook.metadata.aelib.profile == "smoke"
    assert sorted(path.name for path in made.parent.iterdir()) == ["99_tiny.ipynb", "99_tiny.py"]


def test_a_failed_run_leaves_the_last_good_one(made: Path) -> None:
    before = made.with_suffix(".ipynb").read_bytes()
    made.write_text(SOURCE + "\n# %%\n1 / 0\n", encoding="utf-8")
    (problem,) = execute.run(made, "smoke", minutes=2)
    assert "ZeroDivisionError" in problem
    made.write_text(SOURCE + "\n# %%\nimport warnings\n\nwarnings.warn('hot')\n", encoding="utf-8")
    (problem,) = execute.run(made, "smoke", minutes=2)
    assert "wrote to stderr" in problem
    assert made.with_suffix(".ipynb").read_bytes() == before


def test_sync_takes_over_prose_and_keeps_outputs(made: Path) -> None:
    assert execute.sync(made) == "up to date"
    made.write_text(SOURCE.replace("Prose", "Better prose"), encoding="utf-8")
    assert execute.sync(made) == "prose taken over"
    notebook = executed(made)
    assert notebook.cells[0].source == "Better prose."
    assert notebook.cells[2].outputs[0].text == "2\n"
    assert "aelib" in notebook.metadata


def test_sync_takes_over_what_the_header_says(made: Path) -> None:
    made.write_text(f"# ---\n# jupyter:\n#   chapter:\n#     idea: Copy.\n# ---\n\n{SOURCE}", encoding="utf-8")
    before = made.with_suffix(".ipynb").read_bytes()
    assert execute.sync(made, check=True) == "prose taken over"
    assert made.with_suffix(".ipynb").read_bytes() == before
    assert execute.sync(made) == "prose taken over"
    assert executed(made).metadata.chapter == {"idea": "Copy."}
    assert "aelib" in executed(made).metadata
    assert execute.sync(made) == execute.sync(made, check=True) == "up to date"


def test_sync_drops_the_stamp_when_code_changed(made: Path) -> None:
    made.write_text(SOURCE.replace("1 + 1", "1 + 2"), encoding="utf-8")
    assert execute.sync(made).startswith("code changed")
    notebook = executed(made)
    assert notebook.cells[1].outputs
    assert not notebook.cells[2].outputs
    assert "aelib" not in notebook.metadata


def with_explorer(made: Path, *changes: tuple[str, str]) -> str:
    """Put an explorer into the chapter's last output, its HTML changed so; what it was before."""
    html = explorer.texts([["one", "two"]])._repr_html_()
    changed = html
    for before, after in changes:
        assert before in changed
        changed = changed.replace(before, after)
    notebook = executed(made)
    notebook.cells[2].outputs = [new_output("display_data", {"text/html": changed, "text/plain": "kept"})]
    execute.write(notebook, made.with_suffix(".ipynb"))
    return html


OLD = (element(), '<script type="module">let old = "//";\n</script>')


def test_sync_renews_the_script_of_explorers_and_nothing_else(made: Path) -> None:
    html = with_explorer(made, OLD)
    before = executed(made)
    assert execute.sync(made) == "explorers renewed: 1"
    after = executed(made)
    assert after.cells[2].outputs[0].data["text/html"] == html
    after.cells[2].outputs[0].data["text/html"] = before.cells[2].outputs[0].data["text/html"]
    assert after == before
    assert execute.sync(made) == "up to date"


def test_sync_renews_explorers_beside_new_prose(made: Path) -> None:
    html = with_explorer(made, OLD)
    made.write_text(SOURCE.replace("Prose", "Better prose"), encoding="utf-8")
    assert execute.sync(made) == "prose taken over; explorers renewed: 1"
    assert executed(made).cells[2].outputs[0].data["text/html"] == html


def test_sync_leaves_an_explorer_whose_data_the_script_does_not_read(made: Path) -> None:
    with_explorer(made, OLD, ('"format":1', '"format":99'))
    before = made.with_suffix(".ipynb").read_bytes()
    said = execute.sync(made)
    assert said.startswith("not written: An explorer has data of format 99")
    assert said.endswith("run scripts/execute.py 99_tiny")
    assert made.with_suffix(".ipynb").read_bytes() == before


def test_ids_do_not_change_from_run_to_run(made: Path) -> None:
    assert execute.read_source(made) == execute.read_source(made)
    json.loads(made.with_suffix(".ipynb").read_text(encoding="utf-8"))


def test_an_unknown_chapter_is_refused(made: Path) -> None:
    with pytest.raises(SystemExit, match=r"No chapter starts with 42\. There are: 99_tiny\."):
        execute.chapters(["42"])


def test_figures_shrink_and_look_the_same() -> None:
    ramp = Image.linear_gradient("L").resize((400, 300)).convert("RGBA")
    file = io.BytesIO()
    ramp.save(file, "PNG", compress_level=0)
    output = new_output("display_data", {"image/png": base64.b64encode(file.getvalue()).decode()})
    notebook = new_notebook(cells=[new_code_cell("a", outputs=[output])])
    before = len(output.data["image/png"])
    execute.shrink_images(notebook)
    after = notebook.cells[0].outputs[0].data["image/png"]
    assert len(after) < before / 3
    shown = Image.open(io.BytesIO(base64.b64decode(after))).convert("L")
    assert ImageChops.difference(shown, ramp.convert("L")).getextrema()[1] <= 2
