"""What the book says of a chapter elsewhere is in the chapter's own header, and what is missing there is asked for."""

import re
from io import BytesIO
from pathlib import Path

import execute
import pytest
from book_chapters import listed
from book_family import family_svg
from book_landing import claim_of, said
from book_summary import cards, way_of
from chapter_facts import Box, Facts, Result, Row, facts
from chapter_pictures import CARD, PREVIEW, all_of, card, figure, preview
from PIL import Image

from aelib.plots import COLORS
from aelib.records.claims import Claim, load
from aelib.records.provenance import RESULTS

SOURCES = sorted(execute.NOTEBOOKS.glob("*.py"))
HEADER = "# ---\n# jupyter:\n#   chapter:\n{}# ---\n\n# %% [markdown]\n# # A chapter\n"


def written(folder: Path, *entries: str) -> Path:
    source = folder / "99_tiny.py"
    source.write_text(HEADER.format("".join(f"#     {line}\n" for line in entries)), encoding="utf-8")
    return source


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_chapter_says_what_the_book_needs(source: Path) -> None:
    told = facts(source)
    assert told.idea.endswith("."), f"{source.name}: the idea is a sentence"
    for row in told.summary:
        assert row.label in COLORS, f'add a line "{row.label}": … to COLORS in aelib/plots/style.py'
    text = source.read_text(encoding="utf-8")
    entries = (execute.ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    for key in {key for found in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", text) for key in found.split(",")}:
        assert re.search(rf"^@\w+{{{re.escape(key.strip())},", entries, re.M), f"add {key} to book/references.bib"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_chapters_card_has_a_figure_and_a_number(source: Path) -> None:
    told, text = facts(source), source.read_text(encoding="utf-8")
    figures = re.findall(r'"name": "(fig-[^"]+)"', text)
    assert told.thumbnail in figures, f"add a line 'thumbnail: …' to its header, one of {', '.join(figures)}"
    assert figure(source.with_suffix(".ipynb"), told.thumbnail), f"{told.thumbnail} has no picture: execute the chapter"
    recorded = load(RESULTS / f"{source.stem}.full.json")
    names = ", ".join(sorted({f"{claim.claim} ({claim.model})" for claim in recorded}))
    assert told.result, f"add 'result:' with claim, model and says to its header, one of: {names}"
    claim = claim_of(f"notebooks/{source.stem}", told.result)
    assert claim, f"its record has no single claim {told.result.claim!r} of {told.result.model!r}; it has {names}"
    assert f"{claim.ours:.3g}" in said(told.result, claim)
    assert ("{paper}" in told.result.says) == (claim.paper is not None)


def test_a_result_is_said_with_the_numbers_of_its_record() -> None:
    about = {"dataset": "D", "metric": "m", "unit": "%", "higher_is_better": False, "protocol": "", "seeds": [0]}
    claim = Claim("c", model="M", values=[1.23456], paper=1.5, **about)
    assert said(Result("c", "M", "{ours} %; the paper has {paper} %"), claim) == "1.23 %; the paper has 1.5 %"


def test_a_card_is_cut_to_one_size_and_a_preview_to_another() -> None:
    for size in ((900, 400), (300, 300), (100, 500), (900, 120)):
        drawn = Image.new("RGB", size, "navy")
        assert Image.open(BytesIO(card(drawn))).size == CARD
        assert Image.open(BytesIO(preview(drawn))).size == PREVIEW
    assert Image.open(BytesIO(all_of([drawn] * 12))).size == PREVIEW
    whole = Image.open(BytesIO(card(Image.new("RGB", (800, 400), "navy")))).convert(
        "RGB"
    )  # 2 : 1, white above and below
    assert min(whole.getpixel((CARD[0] // 2, 2))) > 240
    assert max(whole.getpixel((CARD[0] // 2, CARD[1] // 2))) < 160


def test_a_model_that_grew_from_another_names_one_on_the_map() -> None:
    boxes = [box for source in SOURCES for box in facts(source).family]
    assert {box.grew_from for box in boxes if box.grew_from} <= {box.model for box in boxes}
    assert len({box.model for box in boxes}) == len(boxes)


def test_a_header_is_read(tmp_path: Path) -> None:
    row = "{model: A, label: AE, idea: b, objective: $x$, latent: c, use: d, weakness: e}"
    source = written(
        tmp_path, "source: Ng 2011", "idea: Copy.", "family:", "- {model: A, year: '2011', copying: by b}",
        "summary:", f"- {row}", "thumbnail: fig-99-a", "result: {claim: c, model: M, says: 'Error {ours}'}",
    )  # fmt: skip
    box, shown = Box("A", "2011", "by b"), Result("c", "M", "Error {ours}")
    rows = (Row("A", "AE", "b", "$x$", "c", "d", "e"),)
    assert facts(source) == Facts("Copy.", "Ng 2011", "fig-99-a", shown, (box,), rows)


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        (["source: x"], r"99_tiny\.py, 'chapter' in the header has no entry 'idea': add a line 'idea: …'\."),
        (
            ["idea: x", "shade: red"],
            r"has the entry 'shade'; it takes idea, source, thumbnail, result, family, summary\.",
        ),
        (["idea: ''"], "'idea' is empty; write it, or leave the line out"),
        (["idea: 12"], "'idea' is 12, which is no text; put it in quotes"),
        (["idea: x", "family:", "- {model: A, year: '1'}"], r"'family' in the header has no entry 'copying'"),
        (["idea: x", "family:", "- {model: A, copying: b, year: 2011}"], "'year' is 2011, which is no text"),
        (["idea: x", "summary:", "- {model: A}"], r"'summary' in the header has no entry 'label'"),
        (["idea: x", "result: {claim: a, model: b}"], r"'result' in the header has no entry 'says'"),
    ],
)
def test_what_is_missing_is_asked_for(tmp_path: Path, entries: list[str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        facts(written(tmp_path, *entries))


def test_a_source_without_facts_is_asked_for_them(tmp_path: Path) -> None:
    source = tmp_path / "99_tiny.py"
    source.write_text("# %% [markdown]\n# # A chapter\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"99_tiny\.py has no entry 'chapter' under 'jupyter' in its header"):
        facts(source)


def test_the_map_has_a_branch_for_each_way_and_breaks_long_lines() -> None:
    boxes = [Box(name, "2011", "by b & c", "B" if name == "C" else "") for name in "ABC"]
    drawn = family_svg([(box, 1, f"{box.model}.html") for box in [*boxes, Box("D", "2012", "by d")]])
    assert re.findall(r'href="(.)\.html"', drawn) == list("ABCD")
    places = re.findall(r'<rect x="(\d+)" y="(\d+)"', drawn)
    assert [x for x, _ in places] == ["40", "256", "40", "40"]
    heights = [int(y) for _, y in places]
    assert heights[0] == heights[1] < heights[2] < heights[3]
    assert int(re.search(r'viewBox="0 0 \d+ (\d+)"', drawn)[1]) >= heights[3] + 50
    assert drawn.count(">by b &amp; c<") == 1


def test_chapters_come_in_the_order_of_the_table_of_contents(tmp_path: Path) -> None:
    files = ("notebooks/04_one", "notebooks/18_its_second_half", "notebooks/05_two", "scoreboard")
    entries = "".join(f"      - file: {file}\n" for file in files)
    toc = f"parts:\n  - caption: Chapters\n    chapters:\n{entries}"
    (tmp_path / "_toc.yml").write_text(toc, encoding="utf-8")
    assert listed(tmp_path) == list(files[:3])


def test_the_summary_has_a_card_for_each_model_and_says_what_keeps_it_from_copying() -> None:
    row, other = (Row(name, "AE", "b", "$x$", "c", "d", "e") for name in "AB")
    boxes = (Box("A", "2011", "by b"), Box("C", "2012", "by c"))
    told = {"notebooks/00_x": Facts("I."), "notebooks/07_y": Facts("I.", family=boxes[:1], summary=(row, other))}
    assert list(cards(told)) == [("by b", "notebooks/07_y", row), ("by b", "notebooks/07_y", other)]
    own = Row("A", "AE", "b", "$x$", "c", "d", "e", copying="by d")
    assert way_of("notebooks/07_y", own, Facts("I.", family=boxes)) == "by d"
    with pytest.raises(ValueError, match=r"07_y\.py, .* 'family' has 2 ways: add a line 'copying: …'"):
        way_of("notebooks/07_y", row, Facts("I.", family=boxes))
