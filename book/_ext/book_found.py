"""What search engines, previews and those who cite are told of a page.

Descriptions and pictures come from the chapters' headers (``chapter_facts``). The tags are written by
``sphinxext.opengraph``; the address is ``html.baseurl`` in ``_config.yml``.
"""

import html
from pathlib import Path
from typing import Any

from book_chapters import chapters, number_of, read_stamp
from book_family import told
from book_landing import BOOK_PICTURE, picture_of
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment

from aelib.explorer.network.packing import to_json

DESCRIPTION = (
    "The papers on autoencoders, from Hinton and Salakhutdinov (2006) on, rebuilt in PyTorch as notebooks that run, "
    "with every measured number beside the published one."
)
SUBTITLE = "papers rebuilt in PyTorch, our numbers beside theirs"
LICENSE = "https://spdx.org/licenses/MIT.html"
BIBTEX = """@incollection{{aelib-{number:02d},
  author    = {{{{{author}}}}},
  title     = {{{title}}},
  booktitle = {{{book}}},
  chapter   = {{{number}}},
  year      = {{{year}}},
  url       = {{{url}}}
}}"""


def same_for_tags(app: Sphinx, config: Config) -> None:
    """The tags have the site's address and the book's title."""
    config.ogp_site_url, config.ogp_site_name = config.html_baseurl, config.html_title


def address(app: Sphinx, docname: str) -> str:
    """A page's public address; the front page's is the site's own."""
    if docname == app.config.root_doc:
        return app.config.html_baseurl
    return app.config.html_baseurl + app.builder.get_target_uri(docname)


def title_of(env: BuildEnvironment, docname: str) -> str:
    """A page's title, a chapter's without its number."""
    title = env.titles[docname].astext()
    return title.removeprefix(f"{number_of(docname)}. ") if docname in chapters(env) else title


def tell(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Give a page its description, its picture, its canonical address and its structured data."""
    if doctree is None:
        return
    env, front = app.env, pagename == app.config.root_doc
    context["pageurl"] = address(app, pagename)
    told_of = {"og:url": context["pageurl"], "og:image": app.config.html_baseurl + BOOK_PICTURE}
    described = DESCRIPTION if front else ""
    if front:
        context["title"], context["docstitle"] = f"{app.config.html_title}: {SUBTITLE}", ""
        told_of |= {"og:title": app.config.html_title, "og:image:alt": "A figure of each chapter, side by side."}
        context["metatags"] += structured(book(app))
    elif pagename in chapters(env):
        facts = told(env)[pagename]
        described = ". ".join(text for text in (facts.source, facts.idea) if text)
        if facts.thumbnail:
            told_of["og:image"] = app.config.html_baseurl + picture_of(pagename, "png")
        told_of |= {"og:type": "article", "og:image:alt": f"A figure of the chapter: {title_of(env, pagename)}"}
        context["metatags"] += structured(chapter(app, pagename) | {"description": described})
    if described:
        told_of["og:description"] = described
        context["metatags"] += f'<meta name="description" content="{html.escape(described)}" />\n'
    context["meta"] = (context.get("meta") or {}) | told_of


def structured(data: dict[str, Any]) -> str:
    """A script element with data in the vocabulary of schema.org."""
    return f'<script type="application/ld+json">{to_json({"@context": "https://schema.org"} | data)}</script>\n'


def book(app: Sphinx) -> dict[str, Any]:
    """The book, in that vocabulary."""
    parts = [{"@id": address(app, name)} | chapter(app, name, alone=False) for name in chapters(app.env)]
    return about_book(app) | {"description": DESCRIPTION, "license": LICENSE, "hasPart": parts}


def about_book(app: Sphinx) -> dict[str, Any]:
    author = {"@type": "Organization", "name": app.config.author}
    return {
        "@type": "Book",
        "@id": app.config.html_baseurl,
        "url": app.config.html_baseurl,
        "name": app.config.html_title,
        "author": author,
        "inLanguage": "en-US",
        "bookFormat": "https://schema.org/EBook",
    }


def chapter(app: Sphinx, docname: str, alone: bool = True) -> dict[str, Any]:
    """A chapter, in that vocabulary; ``alone`` where it does not stand within its book."""
    data: dict[str, Any] = {
        "@type": ["LearningResource", "Chapter"],
        "name": title_of(app.env, docname),
        "position": number_of(docname),
        "url": address(app, docname),
    }
    if not alone:
        return data
    stamp = read_stamp(app.env, docname)
    return data | {
        "learningResourceType": "executable chapter",
        "image": app.config.html_baseurl + picture_of(docname, "png"),
        "license": LICENSE,
        "inLanguage": "en-US",
        "isAccessibleForFree": True,
        "isPartOf": about_book(app),
        **({"dateModified": stamp["date"]} if stamp else {}),
    }


def add_citation(app: Sphinx, doctree: nodes.document) -> None:
    """Append to a chapter how to cite it, folded."""
    docname = app.env.docname
    if docname not in chapters(app.env):
        return
    stamp = read_stamp(app.env, docname)
    heading = next(iter(doctree.findall(nodes.title))).astext()
    entry = BIBTEX.format(
        number=number_of(docname),
        author=app.config.author,
        title=heading.removeprefix(f"{number_of(docname)}. "),
        book=app.config.html_title,
        year=stamp["date"][:4] if stamp else app.config.copyright,
        url=address(app, docname),
    )
    doctree += [
        nodes.raw("", '<details class="cite"><summary>Cite this chapter</summary>', format="html"),
        nodes.literal_block(entry, entry, language="bibtex"),
        nodes.raw("", "</details>", format="html"),
    ]


def site_map(app: Sphinx, exception: Exception | None) -> None:
    """List all pages of the book for crawlers: sphinx_sitemap lists only those that the last build wrote."""
    if exception or app.builder.format != "html":
        return
    urls = "".join(f"<url><loc>{html.escape(address(app, name))}</loc></url>\n" for name in sorted(app.env.found_docs))
    listed = f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}</urlset>\n'
    Path(app.outdir, "sitemap.xml").write_text(f'<?xml version="1.0" encoding="utf-8"?>\n{listed}', encoding="utf-8")
    rules = f"User-agent: *\nAllow: /\n\nSitemap: {app.config.html_baseurl}sitemap.xml\n"
    Path(app.outdir, "robots.txt").write_text(rules, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", same_for_tags)
    app.connect("html-page-context", tell, priority=400)  # before sphinxext.opengraph
    app.connect("doctree-read", add_citation, priority=400)  # before the stamp at the foot
    app.connect("build-finished", site_map)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
