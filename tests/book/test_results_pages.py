"""Choose, summary, statistics and benchmarks as a reader finds them in the built book."""

import re
from pathlib import Path

import pytest
from book_choose import LEVEL
from browser import PHONE, WIDTH, needs_browser, resize, wait_for
from selenium import webdriver
from selenium.webdriver.support.ui import Select

from aelib.records.columns import column

PAGES = ("scoreboard", "choose", "summary", "statistics", "benchmarks")
SHOWN = "return [...document.querySelectorAll('.summary-card')].filter(e => e.offsetParent).map(e => ({...e.dataset}))"


def text_of(book: Path, name: str) -> str:
    return (book / f"{name}.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("task", "chapter", "name"),
    [
        ("denoise", "11_scoreboard", "noise"),
        ("generate", "11_scoreboard", "Fréchet"),
        ("understand", "05_beta_vae", "DCI"),
    ],
)
def test_the_advice_is_the_best_of_its_column(book: Path, task: str, chapter: str, name: str) -> None:
    found = column(chapter, name)
    assert found is not None
    row = re.search(rf'<th scope="row"><a href="#{task}">.*?</tr>', text_of(book, "choose"))
    assert row is not None
    named = [re.sub("<.*?>", "", one) for one in re.findall(r"<b>(.*?)</b>", row[0])]
    assert named == ([claim.model for claim in found.best] if len(found.best) <= LEVEL else [])


def test_what_has_no_column_is_said_to_be_not_measured(book: Path) -> None:
    said = re.findall(r"Not measured in chapter (\d+):</strong> (.*?)\.</p>", text_of(book, "choose"))
    for _, what in said:
        assert what
    measured = column("11_scoreboard", "retrieval") is not None
    assert any("nearest codes" in what for _, what in said) is not measured


def test_numbers_have_units_and_no_exponents(book: Path) -> None:
    for name in ("statistics", "benchmarks", "choose"):
        values = re.findall(r'<span class="value">(.*?)</span>', text_of(book, name))
        assert values
        assert [value for value in values if re.search(r"\de[+-]?\d", value)] == []


@needs_browser
@pytest.mark.browser
def test_cards_are_filtered_by_words_and_by_what_keeps_from_copying(book: Path, driver: webdriver.Chrome) -> None:
    driver.get((book / "summary.html").as_uri())
    wait_for(driver, "return !document.querySelector('form.filters').hidden")
    everything = driver.execute_script(SHOWN)
    way = "by a code of few symbols"
    Select(driver.find_element("name", "copying")).select_by_visible_text(way)
    found = driver.execute_script(SHOWN)
    assert 0 < len(found) < len(everything)
    assert {card["copying"] for card in found} == {way}
    driver.find_element("name", "words").send_keys("Rounding codebook")
    assert len(driver.execute_script(SHOWN)) == 1  # FSQ: every word, in any order and case
    driver.execute_script("document.querySelector('form.filters button').click()")
    output = "return document.querySelector('form.filters output').textContent === arguments[0]"
    wait_for(driver, output, f"{len(everything)} of {len(everything)}")


@needs_browser
@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_without_scripts_on_a_phone(book: Path, driver: webdriver.Chrome, name: str) -> None:
    resize(driver, PHONE)
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        driver.get((book / f"{name}.html").as_uri())
        assert driver.execute_script(WIDTH) <= PHONE
        hidden = "return [...document.querySelectorAll('[data-entry]')].filter(e => !e.offsetParent).length"
        assert driver.execute_script(hidden) == 0
    finally:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@needs_browser
@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_text_in_strips_is_as_large_on_a_phone(book: Path, driver: webdriver.Chrome, name: str) -> None:
    resize(driver, PHONE)
    driver.get((book / f"{name}.html").as_uri())
    sizes = driver.execute_script("""
        return [...document.querySelectorAll('.strip text, .bars .label, .bars .value, .ledger-plot .label')]
            .filter(e => e.getClientRects().length).map(e => parseFloat(getComputedStyle(e).fontSize));
    """)
    assert all(size >= 10 for size in sizes)
