"""The ledger: dots stand where the logarithm of the ratio says, rows are filtered and sorted."""

import math
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from book_ledger import attributes, gain, section_id
from browser import PHONE, WIDTH, needs_browser, resize, wait_for
from ledger_plot import MARGIN, SHAPES, axis, kind, place, strip, ticks
from selenium import webdriver
from selenium.webdriver.support.ui import Select

from aelib.records.claims import Claim, load_all
from aelib.records.tally import PAPER, TARGET, tally

ENDS = (1 / 16, 16.0)
PUBLISHED = [claim for claim in load_all() if claim.paper is not None]


def claim(values: list[float], paper: float = 2.0, **changes: object) -> Claim:
    given = {"model": "AE", "dataset": "D", "metric": "error", "unit": "per image", "higher_is_better": False}
    seeds = list(range(len(values)))
    return Claim("c", **given | changes, values=values, seeds=seeds, protocol="p", paper=paper)  # type: ignore[arg-type]


def test_a_dot_stands_at_the_logarithm_of_the_ratio() -> None:
    assert place(1.0, ENDS) == pytest.approx(50)
    assert [place(end, ENDS) for end in ENDS] == pytest.approx([MARGIN, 100 - MARGIN])
    width = 100 - 2 * MARGIN
    for ratio in (0.1, 0.5, 0.9, 1.07, 3.0):
        assert place(ratio, ENDS) - 50 == pytest.approx(width * math.log(ratio) / math.log(ENDS[1] / ENDS[0]))
    assert (place(100.0, ENDS), place(0.001, ENDS)) == pytest.approx((100 - MARGIN, MARGIN))  # held at the ends


def test_the_axis_holds_every_seed_and_is_the_same_on_both_sides() -> None:
    assert axis([claim([1.0]), claim([7.0, 2.0])]) == (1 / 4, 4.0)
    assert axis([claim([2.0])]) == (1 / 2, 2.0)
    assert ticks((1 / 4, 4.0)) == [0.25, 0.5, 1.0, 2.0, 4.0]


def test_a_whisker_reaches_from_the_least_seed_to_the_largest() -> None:
    drawn = strip(claim([1.0, 4.0, 2.5]), ENDS)
    least, most = (float(found) for found in re.search(r'whisker" x1="(.+?)%" x2="(.+?)%"', drawn).groups())
    (dot,) = (float(found) for found in re.findall(r'#mark-\S+" x="(.+?)%"', drawn))
    assert (least, dot, most) == pytest.approx([place(ratio, ENDS) for ratio in (0.5, 1.25, 2.0)], abs=1e-3)
    assert "whisker" not in strip(claim([1.0]), ENDS)
    assert f'whisker" x1="{MARGIN:.3f}%"' in strip(claim([-1.0, 4.0]), ENDS)  # a seed of the other sign


def test_a_difference_of_the_other_sign_has_no_place_on_the_axis() -> None:
    drawn = strip(claim([-1.0]), ENDS)
    assert "off the axis" in drawn
    assert "#mark-" not in drawn
    assert gain(claim([-1.0])) == -math.inf


def test_each_verdict_has_a_shape_of_its_own() -> None:
    assert {kind(verdict) for verdict in (*PAPER, *TARGET)} == set(SHAPES)
    assert len({SHAPES[kind(verdict)] for verdict in PAPER}) == len(PAPER)


def test_better_is_a_gain_in_either_direction() -> None:
    assert gain(claim([1.0])) == pytest.approx(math.log(2)) == gain(claim([4.0], higher_is_better=True))
    assert 'data-paper="not-comparable"' in attributes(claim([3.0], budget=(1, 9, "epochs")))


def test_a_chapters_anchor() -> None:
    assert section_id("notebooks/04_variational") == "chapter-04"


def page(driver: webdriver.Chrome, book: Path, query: str = "") -> None:
    driver.get((book / "scoreboard.html").as_uri() + query)
    wait_for(driver, "return !document.querySelector('form.filters').hidden")


VISIBLE = "return [...document.querySelectorAll(arguments[0])].filter(e => e.offsetParent).map(e => ({...e.dataset}))"
ROWS = "table.ledger tr[data-entry]"
DOTS = ".ledger-plot li[data-entry]"


@needs_browser
@pytest.mark.browser
def test_dots_are_drawn_where_the_numbers_are_and_lead_to_their_lines(book: Path, driver: webdriver.Chrome) -> None:
    page(driver, book)
    drawn = driver.execute_script("""
        return [...document.querySelectorAll('.ledger-plot li[data-entry] a')].map((row) => {
            const strip = row.querySelector('.strip').getBoundingClientRect();
            const dot = row.querySelector('.dot')?.getBoundingClientRect();
            return [row.href, dot && 100 * ((dot.left + dot.right) / 2 - strip.left) / strip.width];
        });
    """)
    assert len(drawn) == len(PUBLISHED)
    ends = axis(PUBLISHED)
    for (href, at), shown in zip(drawn, PUBLISHED, strict=True):
        target, anchor = href.removeprefix("file://").split("#")
        assert unquote(anchor) == shown.anchor
        assert f'id="{shown.anchor}"' in Path(target).read_text(encoding="utf-8"), anchor
        assert at == (None if shown.ratio is None else pytest.approx(place(shown.ratio, ends), abs=0.5))


@needs_browser
@pytest.mark.browser
def test_rows_are_filtered_and_sorted(book: Path, driver: webdriver.Chrome) -> None:
    page(driver, book)
    counts = tally(PUBLISHED)
    assert len(driver.execute_script(VISIBLE, ROWS)) == len(PUBLISHED)
    Select(driver.find_element("name", "paper")).select_by_visible_text("better")
    for listed in (ROWS, DOTS):
        found = driver.execute_script(VISIBLE, listed)
        assert {row["paper"] for row in found} == {"better"}
        assert len(found) == counts.against_paper["better"]
    shown = driver.execute_script("return document.querySelector('form.filters output').textContent")
    assert shown == f"{counts.against_paper['better']} of {len(PUBLISHED)}"
    Select(driver.find_element("name", "chapter")).select_by_index(1)
    assert len({row["chapter"] for row in driver.execute_script(VISIBLE, ROWS)}) <= 1
    driver.execute_script("document.querySelector('form.filters button').click()")
    wait_for(
        driver,
        "return document.querySelector('form.filters output').textContent.startsWith(arguments[0])",
        str(len(PUBLISHED)),
    )
    before = [row["gain"] for row in driver.execute_script(VISIBLE, ROWS)]
    Select(driver.find_element("name", "sort")).select_by_visible_text("the worst first")
    gains = [float(row["gain"]) for row in driver.execute_script(VISIBLE, ROWS)]
    assert gains == sorted(gains)
    assert len(gains) == len(PUBLISHED)
    Select(driver.find_element("name", "sort")).select_by_index(0)
    assert [row["gain"] for row in driver.execute_script(VISIBLE, ROWS)] == before


@needs_browser
@pytest.mark.browser
def test_a_count_of_the_tally_leads_to_its_rows(book: Path, driver: webdriver.Chrome) -> None:
    page(driver, book, "?target=missed#the-numbers")
    found = driver.execute_script(VISIBLE, ROWS)
    assert {row["target"] for row in found} == {"missed"}
    page(driver, book)
    links = driver.execute_script("return [...document.querySelectorAll('.ledger-tally a')].map(a => a.href)")
    assert any(link.endswith("?paper=reproduced#the-numbers") for link in links)


@needs_browser
@pytest.mark.browser
@pytest.mark.parametrize("width", [PHONE, 1366])
def test_without_scripts_it_is_a_plain_table(book: Path, driver: webdriver.Chrome, width: int) -> None:
    resize(driver, width)
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        driver.get((book / "scoreboard.html").as_uri())
        assert len(driver.execute_script(VISIBLE, ROWS)) == len(PUBLISHED)
        assert driver.execute_script("return document.querySelector('form.filters').offsetParent") is None
        assert driver.execute_script(WIDTH) <= width
        headings = driver.execute_script(
            "return [...document.querySelectorAll('#the-numbers h3')].map(h => h.innerText)"
        )
        assert len(headings) == len({one.chapter for one in load_all()})
    finally:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
