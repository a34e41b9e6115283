"""Figures and equations numbered by chapter: Figure 4.3, equation (4.2).

Sphinx can number by the parts of a table of contents only, which begin at 1; a chapter's number is the one in its
file's name, and there is a chapter 0.
"""

from collections import Counter

from book_chapters import FOLDER, number_of
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

AFTER_SPHINX = 900  # which numbers at the same event, at 500


def number_by_chapter(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Replace Sphinx's numbers. What stands on other pages is counted through all of these.

    Returns:
        The pages to write again: those that have numbers.
    """
    counted: Counter[tuple[str, tuple[int, ...]]] = Counter()
    for docname, kinds in env.toc_fignumbers.items():
        chapter = (number_of(docname),) if docname.startswith(FOLDER) else ()
        for kind, numbers in kinds.items():
            for name in numbers:
                counted[kind, chapter] += 1
                numbers[name] = (*chapter, counted[kind, chapter])
    return list(env.toc_fignumbers)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("env-get-updated", number_by_chapter, priority=AFTER_SPHINX)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
