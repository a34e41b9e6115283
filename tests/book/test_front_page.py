"""The front page of the built book: what it shows above the fold, where it leads, and what it loads."""

import base64
import json
import re
from io import BytesIO
from pathlib import Path

import pytest
import torch
from book_weight import files_of, icons, weight
from browser import PHONE, WIDTH, needs_browser, resize, wait_for
from built import chapters_of, pages_of
from fontTools.ttLib import TTFont
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionBuilder
from selenium.webdriver.common.actions.interaction import POINTER_TOUCH
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from aelib.explorer.network.layers import run
from aelib.explorer.network.reading import steps, unpack, unpack_codes
from aelib.explorer.views.brief import EMPTY, NEAR
from aelib.records.claims import load_all
from aelib.records.provenance import RESULTS
from aelib.records.tally import tally


def test_the_front_page_is_light_and_no_page_loads_what_it_does_not_use(book: Path) -> None:
    assert weight(book / "index.html") <= 1_200_000
    for page in pages_of(book):
        names, text = {path.name for path in files_of(page)}, page.read_text(encoding="utf-8")
        assert "fontawesome.js" not in names
        assert ("tex-chtml.js" in names) == ('class="math' in text), page.name
        assert ("searchindex.js" in names) == (page.name == "search.html"), page.name


def test_every_icon_that_is_shown_has_its_glyph(book: Path) -> None:
    css = (book / "_static" / "styles" / "pydata-sphinx-theme.css").read_text(encoding="utf-8")
    fonts = [TTFont(BytesIO(base64.b64decode(data))) for data in re.findall(r"font/woff;base64,([^)]*)", css)]
    drawn = {code for font in fonts for code in font.getBestCmap()}
    rules = re.findall(r"((?:\.fa-[a-z0-9-]+:before,?)+)\{content:\"\\([ef][0-9a-f]{3})\"\}", css)
    codes = {name: int(code, 16) for names, code in rules for name in re.findall(r"\.fa-([a-z0-9-]+)", names)}
    shown = set(icons(book)) - {"solid", "regular", "brands", "lg"}  # classes that say in which font, how large
    assert {"bars", "github", "magnifying-glass"} <= shown
    assert shown <= set(codes)
    assert {codes[name] for name in shown} <= drawn


FOLD = 768  # pixels of a small laptop's window


def test_the_demonstration_starts_where_the_plain_model_prints_no_digit(book: Path) -> None:
    text = (book / "index.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', text, re.DOTALL)[1])
    digits = torch.from_numpy(unpack(data["images"]["data"], "u1").copy()).view(-1, 28, 28) / 255
    empty, near = (
        (unpack_codes(model["codes"]) - torch.tensor(model["center"])) / model["half"] for model in data["models"]
    )
    start = torch.tensor(data["start"])
    assert (empty - start).norm(dim=1).min() > EMPTY
    assert (near - start).norm(dim=1).min() < NEAR
    plain, variational = (
        run(steps(model["decoder"]["steps"]), torch.tensor([model["center"]]) + model["half"] * start).view(1, 28, 28)
        for model in data["models"]
    )
    # Garbage is rougher than any digit, a digit is not.
    assert roughness(plain) > 1.2 * roughness(digits).max()
    assert roughness(digits).min() < roughness(variational) < roughness(digits).max()


def roughness(x: torch.Tensor) -> torch.Tensor:
    """The total variation of images (N, 28, 28)."""
    return x.diff(dim=1).abs().sum((1, 2)) + x.diff(dim=2).abs().sum((1, 2))


SHOWN = """
    const root = document.querySelector("aelib-explorer").shadowRoot;
    return [...root.querySelectorAll("figure.decoded canvas")].map((canvas) => canvas.toDataURL());
"""


@needs_browser
@pytest.mark.browser
def test_the_front_page_shows_its_demonstration_above_the_fold_and_answers_keys(
    book: Path, driver: webdriver.Chrome
) -> None:
    metrics = {"width": 1366, "height": FOLD, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.get((book / "index.html").as_uri())
    wait_for(driver, "return document.querySelector('aelib-explorer').view !== undefined")
    rest = """
        const root = document.querySelector("aelib-explorer").shadowRoot;
        return [...root.querySelectorAll(".pad, figure.decoded canvas"), ...document.querySelectorAll(".doors li")]
            .map((node) => node.getBoundingClientRect().bottom);
    """
    bottoms = driver.execute_script(rest)
    assert len(bottoms) == 2 + 2 + 3
    assert max(bottoms) <= FOLD
    root = driver.find_element(By.TAG_NAME, "aelib-explorer").shadow_root
    board = root.find_element(By.CSS_SELECTOR, ".pad")
    first = wait_for(driver, SHOWN)
    board.send_keys(Keys.ARROW_UP, Keys.ARROW_UP, Keys.ARROW_UP, Keys.ARROW_UP)
    wait_for(driver, f"const now = (() => {{{SHOWN}}})(); return now.every((one, i) => one !== arguments[0][i])", first)
    board.send_keys(Keys.HOME)
    wait_for(driver, f"const now = (() => {{{SHOWN}}})(); return now.every((one, i) => one === arguments[0][i])", first)


@needs_browser
@pytest.mark.browser
def test_on_a_phone_a_finger_moves_the_ring(book: Path, driver: webdriver.Chrome) -> None:
    resize(driver, PHONE)
    driver.get((book / "index.html").as_uri())
    host = driver.find_element(By.TAG_NAME, "aelib-explorer")
    driver.execute_script("arguments[0].scrollIntoView()", host)
    wait_for(driver, "return arguments[0].view !== undefined", host)
    assert driver.execute_script(WIDTH) <= PHONE
    first = wait_for(driver, SHOWN)
    board = host.shadow_root.find_element(By.CSS_SELECTOR, ".pad")
    finger = ActionBuilder(driver, mouse=PointerInput(POINTER_TOUCH, "finger"), duration=20)
    finger.pointer_action.move_to(board, 10, 10).pointer_down().move_to(board, 40, -40).pointer_up()
    finger.perform()
    wait_for(driver, f"const now = (() => {{{SHOWN}}})(); return now.every((one, i) => one !== arguments[0][i])", first)


def test_from_the_front_page_one_goes_on_to_the_first_chapter(book: Path) -> None:
    text = (book / "index.html").read_text(encoding="utf-8")
    first = next(chapters_of(book)).name
    assert re.search(r'<link rel="next"[^>]*href="([^"]*)"', text)[1] == f"notebooks/{first}"
    doors = re.search(r'<div class="doors.*?</div>', text, re.DOTALL)[0]
    addresses = re.findall(r'href="([^"#]*)', doors)
    assert len(addresses) == 3
    assert addresses[0] == f"notebooks/{first}"
    cards = re.findall(r'class="[^"]*chapter-card docutils', text)
    assert len(cards) == len(list(chapters_of(book)))


def test_the_front_pages_tally_is_that_of_the_records(book: Path) -> None:
    text = (book / "index.html").read_text(encoding="utf-8")
    counts = tally(load_all(RESULTS))
    shown = re.search(r'<div class="tally">.*?</div>\s*<ul>(.*?)</ul>', text, re.DOTALL)[1]
    read = {name: int(count) for count, name in re.findall(r"<b>(\d+)</b> ([^<]+)</li>", shown)}
    assert read == {name: count for name, count in counts.against_paper.items() if count}
    assert f"<b>{counts.published}</b> published numbers" in text
