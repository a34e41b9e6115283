"""A release is refused unless its tag, the package, the citation and the changelog agree."""

from pathlib import Path

import pytest
from check_release import ROOT, notes

import aelib


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "aelib").mkdir()
    (tmp_path / "aelib" / "__init__.py").write_text('__version__ = "1.2.0"\n', encoding="utf-8")
    (tmp_path / "CITATION.cff").write_text("cff-version: 1.2.0\nversion: 1.2.0\n", encoding="utf-8")
    text = "# Changelog\n\n## [1.2.0] - 2027-01-31\n\n### Added\n\n- A.\n\n## [1.1.0] - 2026-12-01\n\n- B.\n"
    (tmp_path / "CHANGELOG.md").write_text(text, encoding="utf-8")
    return tmp_path


def test_the_section_of_the_version_is_the_releases_text(tree: Path) -> None:
    assert notes("v1.2.0", tree) == "### Added\n\n- A."


@pytest.mark.parametrize(
    ("tag", "sentence"),
    [
        ("1.2.0", "A release's tag reads v1.2.3; it is '1.2.0'"),
        ("v1.2.0-rc1", "reads v1.2.3"),
        ("v1.1.0", r"The tag is v1.1.0, but aelib/__init__.py has the version 1.2.0"),
    ],
)
def test_another_tag_is_refused(tree: Path, tag: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        notes(tag, tree)


def test_a_citation_of_another_version_is_refused(tree: Path) -> None:
    (tree / "CITATION.cff").write_text("version: 1.1.0\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"CITATION.cff has the version 1.1.0"):
        notes("v1.2.0", tree)


@pytest.mark.parametrize("heading", ["## [Unreleased]", "## [1.2.0]", "## [1.2.0] - 2027-01-31\n\n## [1.1.9]"])
def test_a_changelog_without_the_section_is_refused(tree: Path, heading: str) -> None:
    (tree / "CHANGELOG.md").write_text(f"{heading}\n\n- A.\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"has no section '## \[1.2.0\] - YYYY-MM-DD'"):
        notes("v1.2.0", tree)


def test_the_citation_has_the_packages_version_and_the_changelog_names_it() -> None:
    assert f"\nversion: {aelib.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## [{aelib.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
