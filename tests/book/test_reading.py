"""A chapter as it is read: code fits the column of a desk's screen, and a phone shows a figure at its full size."""

from pathlib import Path

import pytest
from browser import PHONE, needs_browser, resize, wait_for
from built import chapters_of
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

LAPTOP = 1366  # CSS pixels
LINE = 88  # characters, the longest line of code in a chapter
# How many blocks of code scroll when each is given a line so long, and nothing else.
TOO_NARROW = """
    const blocks = [...document.querySelectorAll('.cell_input div.highlight pre')];
    for (const block of blocks) {
        block.closest('details')?.setAttribute('open', '');
        block.textContent = 'x'.repeat(arguments[0]);
    }
    return [blocks.length, blocks.filter(block => block.scrollWidth > block.clientWidth).length];
"""

CLOSED = "return document.querySelector('dialog.zoom') === null"


@needs_browser
@pytest.mark.browser
def test_the_longest_line_of_code_fits_and_no_more(book: Path, driver: webdriver.Chrome) -> None:
    resize(driver, LAPTOP)
    for page in list(chapters_of(book))[:2]:
        driver.get(page.as_uri())
        blocks, scrolling = driver.execute_script(TOO_NARROW, LINE)
        assert blocks > 20
        assert scrolling == 0
        assert driver.execute_script(TOO_NARROW, LINE + 10) == [blocks, blocks], "the measure sees what is too long"


@needs_browser
@pytest.mark.browser
def test_a_figure_opens_at_its_full_size_by_keyboard_and_by_a_tap(book: Path, driver: webdriver.Chrome) -> None:
    resize(driver, PHONE)
    driver.get(next(chapters_of(book)).as_uri())
    wait_for(driver, "return document.querySelector('img.smaller') !== null")
    button = driver.find_element(By.CSS_SELECTOR, "figure:has(img.smaller) .zoom-button")
    assert button.accessible_name.startswith("Enlarge Figure 0.")
    button.send_keys(Keys.ENTER)
    whole = driver.find_element(By.CSS_SELECTOR, "dialog.zoom img")
    assert driver.execute_script("return arguments[0].clientWidth > arguments[0].naturalWidth", whole)  # and a margin
    assert whole.get_attribute("alt")
    ground = driver.switch_to.active_element
    assert driver.execute_script("return arguments[0].scrollWidth > arguments[0].clientWidth", ground)
    ground.send_keys(Keys.ESCAPE)
    wait_for(driver, CLOSED)
    assert driver.switch_to.active_element == button

    driver.find_element(By.CSS_SELECTOR, "img.smaller").click()
    close = driver.find_element(By.CSS_SELECTOR, "dialog.zoom button")
    assert close.accessible_name == "Close"
    close.click()
    wait_for(driver, CLOSED)


@needs_browser
@pytest.mark.browser
def test_a_figure_that_is_shown_whole_has_no_button(book: Path, driver: webdriver.Chrome) -> None:
    resize(driver, 2000)
    driver.get(next(chapters_of(book)).as_uri())
    narrow = "[...document.querySelectorAll('figure img')].find(image => image.naturalWidth < 500)"
    wait_for(driver, f"return {narrow}?.complete")
    assert driver.execute_script(f"return {narrow}.closest('figure').querySelector('.zoom-button').hidden")


# What stands out of an explorer at the right, after it has been scrolled to and has shown itself.
STANDS_OUT = """
    const edge = arguments[0].getBoundingClientRect().right + 0.5;
    const parts = [...arguments[0].shadowRoot.querySelectorAll('*')];
    const box = (part) => part.getBoundingClientRect();
    return parts.filter(part => box(part).width && box(part).right > edge).map(part => part.outerHTML.slice(0, 100));
"""
SHOWN = "return arguments[0].shadowRoot?.querySelector('canvas, .picture, li') != null"


@needs_browser
@pytest.mark.browser
@pytest.mark.parametrize("width", [PHONE, LAPTOP])
def test_explorers_are_whole(book: Path, driver: webdriver.Chrome, width: int) -> None:
    resize(driver, width)
    seen = 0
    for page in chapters_of(book):
        if "<aelib-explorer" not in page.read_text(encoding="utf-8"):
            continue
        driver.get(page.as_uri())
        for explorer in driver.find_elements(By.CSS_SELECTOR, "aelib-explorer"):
            driver.execute_script("arguments[0].scrollIntoView()", explorer)
            wait_for(driver, SHOWN, explorer)
            assert driver.execute_script(STANDS_OUT, explorer) == [], page.name
            seen += 1
    assert seen >= 8
