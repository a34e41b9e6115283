"""Folded cells say what they hold."""

import re
from pathlib import Path

from built import chapters_of

SUMMARY = re.compile(r'<summary><span class="admonition-title">([^<]*)</span></summary>')
KINDS = re.compile(r"Setup on Colab|Setup|Solution \d+|Code|Code of this figure|Code: claims and their targets")


def test_each_exercise_has_its_solution_and_each_chapter_its_setup(book: Path) -> None:
    for page in chapters_of(book):
        text = page.read_text(encoding="utf-8")
        said = SUMMARY.findall(text)
        assert said[:2] == ["Setup on Colab", "Setup"], page.name
        exercises = re.findall(r"<p><strong>(\d+)\.</strong>", text)
        assert len(exercises) >= 3
        assert [label for label in said if label.startswith("Solution")] == [f"Solution {n}" for n in exercises]
        assert [label for label in said if not KINDS.fullmatch(label)] == []


def test_what_is_seen_is_what_a_screen_reader_says(book: Path) -> None:
    assert [p.name for p in chapters_of(book) if "Toggle hidden content" in p.read_text(encoding="utf-8")] == []
