"""Works by author and year, the same in the text and in the lists: [Kingma and Welling, 2014].

The style ``author_year`` for ``bibtex_default_style``, beside ``bibtex_reference_style: label``.
"""

from pybtex.database import Entry, Person
from pybtex.plugin import register_plugin
from pybtex.richtext import Text
from pybtex.style.formatting.alpha import Style as Alpha
from pybtex.style.labels.alpha import LabelStyle as AlphaLabels
from sphinx.application import Sphinx


def surname(person: Person) -> str:
    """Without LaTeX, with what comes before it: ``van den Oord``."""
    return str(Text.from_latex(" ".join([*person.prelast_names, *person.last_names])))


class AuthorYearLabels(AlphaLabels):
    """One name, two, or the first and "et al."; years of works that would read alike get an a, b, …"""

    def format_label(self, entry: Entry) -> str:
        """The label of one work; "n.d." where no date is known.

        Raises:
            ValueError: the work has no author.
        """
        names = [surname(person) for person in entry.persons.get("author", ())]
        if not names:
            raise ValueError(f"The work {entry.key!r} in references.bib needs an author to be cited by: add one.")
        who = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
        return f"{who}, {entry.fields.get('year', 'n.d.')}"


class AuthorYear(Alpha):
    """Pybtex's style ``alpha`` with these labels, sorted as it sorts."""

    default_label_style = AuthorYearLabels


def setup(app: Sphinx) -> dict[str, bool]:
    register_plugin("pybtex.style.formatting", "author_year", AuthorYear)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
