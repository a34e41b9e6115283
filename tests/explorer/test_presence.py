"""Explorers that are taken off the page, put back, or asked again before they are done."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import complaints_of, needs_browser, resize, wait_for
from page_models import SMALL, trained
from PIL import Image
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from aelib import explorer
from aelib.explorer.script import script

pytestmark = [needs_browser, pytest.mark.browser]
PAGE = '<!doctype html><html lang="en"><meta charset="utf-8"><title>One</title><body style="margin: 0">{}</html>'
# Counts who reads the style of `host`, and who asks for frames, once `counting` is set.
COUNT = """
    window.read = window.asked = 0;
    const style = window.getComputedStyle, frame = window.requestAnimationFrame;
    window.getComputedStyle = (node, ...rest) => { window.read += node === window.host; return style(node, ...rest); };
    window.requestAnimationFrame = (task) => { window.asked++; return frame(task); };
    const frames = (task) => frame(() => frame(task));
    window.later = (task) => frames(() => setTimeout(() => frames(task), 400));  // a theme may fade over
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page for each of three explorers."""
    models, frames = trained()
    made = {
        "plane": explorer.plane(models, SMALL),
        "draw": explorer.draw(models, SMALL),
        "film": explorer.film([*frames, *frames], SMALL),
    }
    folder = tmp_path_factory.mktemp("presence")
    for name, one in made.items():
        (folder / f"{name}.html").write_text(PAGE.format(one._repr_html_()), "utf-8")
    return {name: folder / f"{name}.html" for name in made}


@pytest.fixture(autouse=True)
def quiet(driver: Chrome) -> Iterator[None]:
    yield
    assert complaints_of(driver) == []


def opened(driver: Chrome, page: Path) -> None:
    resize(driver, 1200)
    driver.get(page.as_uri())
    driver.execute_script("window.host = document.querySelector('aelib-explorer')")
    wait_for(driver, "return Boolean(host.view)")


def test_a_removed_explorer_answers_no_theme_and_plays_no_film_and_goes_on_when_it_is_back(driver, pages):
    opened(driver, pages["film"])
    driver.execute_script(
        "[...host.shadowRoot.querySelectorAll('button')].find((b) => b.textContent === 'Play').click()"
    )
    wait_for(driver, "return host.shadowRoot.querySelector('.pad') && host.view.say() === 'start'")
    driver.execute_script(COUNT)
    answers = driver.execute_async_script("""
        const done = arguments[0];
        host.remove();
        read = asked = 0;
        document.documentElement.style.color = "rgb(250, 250, 250)";
        later(() => done([read, asked]));
    """)
    assert answers == [0, 0]

    driver.execute_script("document.body.append(host)")
    accent = "return getComputedStyle(host).getPropertyValue('--accent') === arguments[0]"
    wait_for(driver, accent, "#6cb6ff")  # that of dark pages
    button = driver.find_element(By.TAG_NAME, "aelib-explorer").shadow_root.find_element(By.CSS_SELECTOR, "button")
    assert button.text == "Play"
    driver.execute_script("document.documentElement.style.color = 'rgb(5, 5, 5)'")
    wait_for(driver, accent, "#0a58ca")


def test_an_explorer_that_was_removed_before_it_was_seen_starts_when_it_is_put_back(driver, pages):
    resize(driver, 1200)
    driver.get(pages["draw"].as_uri())
    driver.execute_script("""
        window.host = document.querySelector("aelib-explorer").cloneNode(true);
        document.querySelector("aelib-explorer").remove();
        const gap = document.createElement("div");
        gap.style.height = "5000px";
        document.body.append(gap, host);
        host.remove();
        gap.before(host);
    """)
    wait_for(driver, "return Boolean(host.view)")


def test_a_removed_widget_answers_no_theme(driver):
    shown = explorer.plane(trained()[0], SMALL)
    driver.execute_script(COUNT)
    read = driver.execute_async_script(
        """
        const [source, data, done] = arguments, place = document.createElement("div");
        const model = { get: (name) => ({ data, z: [0, 0] })[name], set() {}, on() {}, off() {}, save_changes() {} };
        const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
        document.body.append(place);
        import(url).then((module) => module.default.render({ model, el: place })).then((remove) => {
          window.host = place.firstChild;
          document.documentElement.style.color = "rgb(250, 250, 250)";
          later(() => {
            const before = read;
            place.remove();
            remove();
            document.documentElement.style.color = "rgb(5, 5, 5)";
            later(() => done([before > 0, read - before]));
          });
        });
        """,
        script(),
        shown.payload,
    )
    assert read == [True, 0]


def test_tiles_that_were_asked_for_first_do_not_cover_those_asked_for_last(driver, pages):
    opened(driver, pages["plane"])
    many, few = driver.execute_async_script("""
        const done = arguments[0], below = host.shadowRoot.querySelector(".below");
        let time = 0, drawn = 0, size = 0;
        performance.now = () => (time += 1000);  // no time for a second tile in a frame
        const draw = CanvasRenderingContext2D.prototype.drawImage;
        CanvasRenderingContext2D.prototype.drawImage = function (...given) {
          if (this.canvas === below) { drawn++; size = given[3]; }
          return draw.apply(this, given);
        };
        const frames = (n, task) => (n ? requestAnimationFrame(() => frames(n - 1, task)) : task());
        const side = () => Math.min(16, Math.max(6, Math.round(below.clientWidth / 28)));
        const many = side();
        [...host.shadowRoot.querySelectorAll("button")].find((b) => b.textContent === "Decoded pictures").click();
        frames(5, () => {
          host.style.width = "220px";
          frames(5, () => {
            host.view.redraw();
            frames(many * many + 20, () => done([many, [side(), drawn > 0, Math.round(below.clientWidth / size)]]));
          });
        });
    """)
    side, drawn, shown = few
    assert many > side
    assert drawn
    assert shown == side


def test_the_sheets_border_is_whole_where_a_page_cuts_off_what_overflows(driver, pages):
    opened(driver, pages["draw"])
    box = driver.execute_script("""
        Object.assign(host.style, { padding: 0, overflow: "hidden" });
        host.view.draw(new Float32Array(64));
        const { x, y, width, height } = host.shadowRoot.querySelector(".sheet").getBoundingClientRect();
        return [x, y, width, height];
    """)
    driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    x, y, width, height = map(round, box)
    assert (x, y) == (0, 0)
    shot = Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("L")
    right, bottom = x + width - 1, y + height - 1
    edges = [(x, bottom // 2), (right, bottom // 2), (right // 2, y), (right // 2, bottom)]
    assert all(shot.getpixel(at) < 230 for at in edges), [shot.getpixel(at) for at in edges]
    assert shot.getpixel((right // 2, bottom // 2)) == 255
