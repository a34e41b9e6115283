"""What can be read without eyes, without colors and without a mouse: axe-core finds nothing wrong on any page."""

from collections.abc import Iterator
from pathlib import Path

import axe
import pytest
from browser import needs_browser, prefer, wait_for
from built import chapters_of, pages_of
from selenium import webdriver

KINDS = ("api/modules/", "_modules/")  # pages made by one pattern: a few stand for all
CONTRAST = {"runOnly": ["color-contrast"]}  # the rule that the theme decides on


def looked_at(book: Path) -> Iterator[Path]:
    """Every page, but of a kind with a hundred pages three: the longest, the shortest, and one between."""
    pages = pages_of(book)
    for page in pages:
        if not page.relative_to(book).as_posix().startswith(KINDS):
            yield page
    for kind in KINDS:
        alike = [page for page in pages if page.relative_to(book).as_posix().startswith(kind)]
        alike.sort(key=lambda page: page.stat().st_size)
        yield from (alike[0], alike[len(alike) // 2], alike[-1])


@needs_browser
@pytest.mark.browser
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_core_finds_no_violation(book: Path, driver: webdriver.Chrome, theme: str) -> None:
    prefer(driver, theme)
    faults = []
    for page in looked_at(book):
        driver.get(page.as_uri())
        wait_for(driver, f"return document.documentElement.dataset.theme === '{theme}'")
        found = axe.violations(driver, **({} if theme == "light" else CONTRAST))
        faults += [f"{page.relative_to(book)}: {fault}" for fault in found]
    assert not faults, "\n".join(faults)


@needs_browser
@pytest.mark.browser
def test_the_checker_sees_a_fault(book: Path, driver: webdriver.Chrome) -> None:
    driver.get((book / "glossary.html").as_uri())
    driver.execute_script("document.querySelector('article').innerHTML += '<button></button><img src=\"x.png\">'")
    assert {fault.partition(":")[0] for fault in axe.violations(driver)} == {"button-name", "image-alt"}


@needs_browser
@pytest.mark.browser
def test_nothing_moves_for_those_who_ask_for_that(book: Path, driver: webdriver.Chrome) -> None:
    moving = """
        const styles = [...document.querySelectorAll('*')].map(element => getComputedStyle(element));
        return styles.filter(style => style.animationName !== 'none' || parseFloat(style.transitionDuration) > 0
            || style.scrollBehavior === 'smooth').length;
    """
    driver.get(next(chapters_of(book)).as_uri())
    driver.execute_script("document.querySelector('details.hide').open = true")
    assert driver.execute_script(moving) > 0
    motion = {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", motion)
    assert driver.execute_script(moving) == 0
