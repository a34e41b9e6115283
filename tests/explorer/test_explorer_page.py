"""Explorers, in a browser: the page's answer is PyTorch's, and mouse, finger and keys reach it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from browser import PHONE, WIDTH, complaints_of, needs_browser, requests_of, resize, wait_for
from page_models import NASTY, SMALL, UNSEEN, symbols, trained
from scipy.stats import percentileofscore
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.action_chains import ActionBuilder
from selenium.webdriver.common.actions.interaction import POINTER_TOUCH
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from torch import Tensor

from aelib import explorer
from aelib.explorer.network.export import BOUND
from aelib.explorer.script import script
from aelib.models.autoencoder import EncoderDecoder

pytestmark = [needs_browser, pytest.mark.browser]
PIXELS = """
    const { width, height } = arguments[0], copy = new OffscreenCanvas(width, height).getContext("2d");
    copy.drawImage(arguments[0], 0, 0);
    return Array.from(copy.getImageData(0, 0, width, height).data).filter((_, i) => i % 4 === 3).map((v) => v / 255);
"""
DENSE, RESIZED = trained()[0].values()
GRID = {(1, "a"): DENSE, (1, "b"): RESIZED, (4, "a"): RESIZED, (4, "b"): DENSE}
KL = {key: [0.5, 2.0] for key in GRID}
SCORES = {key: {"MIG": key[0] / 10} for key in GRID}
ONE_FRAME = "requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(arguments[0])));"
ROUNDING = 0.5 / 255 + 1e-4  # of a canvas


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All kinds on one page, each below the fold of the one before."""
    models, frames = trained()
    made = [
        explorer.plane(models, SMALL),
        explorer.draw(models, SMALL, UNSEEN),
        explorer.film(frames, SMALL),
        explorer.traversal(GRID, SMALL[:3], KL, controls=("β", NASTY), scores=SCORES),
        explorer.texts([["a cat", NASTY, "a dog"], ["one", "two"]]),
        explorer.codebook(symbols(), SMALL),
    ]
    path = tmp_path_factory.mktemp("explorers") / "page.html"
    gap = '<div style="height: 1500px">a chapter</div>'
    html = gap.join(one._repr_html_() for one in made)
    path.write_text(f'<!doctype html><html lang="en"><meta charset="utf-8"><title>All</title>{html}</html>', "utf-8")
    return path


@pytest.fixture
def hosts(driver: Chrome, page: Path) -> Iterator[list[WebElement]]:
    """The elements, at the width of a desk; afterwards nothing has been asked for or complained of."""
    resize(driver, 1200)
    driver.get(page.as_uri())
    yield driver.find_elements(By.TAG_NAME, "aelib-explorer")
    assert requests_of(driver) == []
    assert complaints_of(driver) == []


def started(driver: Chrome, host: WebElement) -> WebElement:
    driver.execute_script("arguments[0].scrollIntoView()", host)
    wait_for(driver, "return Boolean(arguments[0].view)", host)
    driver.execute_async_script(ONE_FRAME)
    return host


def inside(host: WebElement, selector: str) -> list[WebElement]:
    return host.shadow_root.find_elements(By.CSS_SELECTOR, selector)


def shows(driver: Chrome, host: WebElement, model: EncoderDecoder, k: int, z: Tensor) -> None:
    """The k-th model's picture is PyTorch's answer to its code."""
    driver.execute_async_script(ONE_FRAME)
    pixels = driver.execute_script(PIXELS, inside(host, "figure.decoded canvas")[k])
    with torch.no_grad():
        torch.testing.assert_close(torch.tensor(pixels), model.decode(z[None]).flatten(), rtol=0, atol=BOUND + ROUNDING)


def position(driver: Chrome, host: WebElement) -> Tensor:
    return torch.tensor(driver.execute_script("return Array.from(arguments[0].view.z)", host))


def test_a_drag_the_keys_and_a_finger_decode_what_pytorch_decodes(driver, hosts):
    host, model = started(driver, hosts[0]), trained()[0][NASTY]
    assert inside(host, "h3")[0].text == NASTY
    shows(driver, host, model, 0, position(driver, host))
    pad = inside(host, ".pad")[0]
    pad.send_keys(Keys.HOME)
    middle = position(driver, host)
    drag = ActionChains(driver, duration=20).move_to_element(pad).click_and_hold()
    drag.move_by_offset(40, -30).release().perform()
    dragged = position(driver, host)
    scale = (dragged - middle) / torch.tensor([40.0, 30.0])
    assert scale[0] > 0
    torch.testing.assert_close(scale[0], scale[1], rtol=0.05, atol=0)  # the middle falls between two pixels
    shows(driver, host, model, 0, dragged)

    pad.send_keys(Keys.ARROW_LEFT, Keys.ARROW_UP)
    keyed = position(driver, host)
    assert (keyed - dragged).sign().tolist() == [-1, 1]
    shows(driver, host, model, 0, keyed)

    finger = ActionBuilder(driver, mouse=PointerInput(POINTER_TOUCH, "finger"), duration=20)
    finger.pointer_action.move_to(pad, 10, 10).pointer_down().move_to(pad, -50, 20).pointer_up()
    finger.perform()
    touched = position(driver, host)
    expected = scale * torch.tensor([-50.0, -20.0])
    torch.testing.assert_close(touched - middle, expected, atol=2 * float(scale[0]), rtol=0)
    shows(driver, host, model, 0, touched)


@pytest.mark.parametrize("k", [0, 1], ids=["dense", "convolutional"])
def test_the_page_computes_each_kind_of_model(driver, hosts, k):
    host, model = started(driver, hosts[0]), list(trained()[0].values())[k]
    with torch.no_grad():
        z = model.encode(SMALL[:20].images())
        code = "return arguments[1].map((z) => Array.from(arguments[0].view.decode(z, arguments[2])))"
        answers = torch.tensor(driver.execute_script(code, host, z.tolist(), k))
        torch.testing.assert_close(answers, model.decode(z).flatten(1), rtol=0, atol=BOUND)


@pytest.mark.parametrize("k", [0, 1], ids=["dense", "convolutional"])
def test_a_drawing_is_reconstructed_as_pytorch_does(driver, hosts, k):
    host, model = started(driver, hosts[1]), list(trained()[0].values())[k]
    next(one for one in inside(host, "button") if one.text == "Clear").click()
    pen = ActionChains(driver, duration=20).move_to_element(inside(host, ".sheet")[0]).click_and_hold()
    pen.move_by_offset(50, 50).release().perform()
    driver.execute_async_script(ONE_FRAME)
    drawn = torch.tensor(driver.execute_script("return Array.from(arguments[0].view.seen)", host))
    assert 4 < (drawn > 0.5).sum() < 32  # a stroke, not a blot
    with torch.no_grad():
        shows(driver, host, model, k, model.encode(drawn.view(1, 1, 8, 8))[0])


def test_the_pen_erases_too(driver, hosts):
    host = started(driver, hosts[1])
    image = "return Array.from(arguments[0].view.seen)"
    before = torch.tensor(driver.execute_script(image, host))
    next(one for one in inside(host, "button") if one.text == "Erase").click()
    sheet = inside(host, ".sheet")[0]
    side = sheet.size["width"]
    pen = ActionChains(driver, duration=20).move_to_element_with_offset(sheet, 0, -side // 2 + 4).click_and_hold()
    pen.move_by_offset(0, side - 8).release().perform()
    driver.execute_async_script(ONE_FRAME)
    after = torch.tensor(driver.execute_script(image, host)).view(8, 8)
    assert after[:, 3:5].max() < 0.01 < before.view(8, 8)[:, 3:5].max()
    assert torch.equal(after[:, [0, 7]], before.view(8, 8)[:, [0, 7]])


def score(driver: Chrome, host: WebElement, x: Tensor, k: int) -> str:
    """What the k-th model's panel says of how strange an image is."""
    driver.execute_script("arguments[0].view.draw(arguments[1])", host, x.flatten().tolist())
    driver.execute_async_script(ONE_FRAME)
    return inside(host, ".score")[k].text


@pytest.mark.parametrize("k", [0, 1], ids=["dense", "convolutional"])
def test_a_drawing_is_as_strange_as_its_error_is_rare(driver, hosts, k):
    host, model = started(driver, hosts[1]), list(trained()[0].values())[k]
    x = UNSEEN.images()
    with torch.no_grad():
        errors = (model(x).x_hat - x).square().sum((1, 2, 3))
    crowd = "400 digits that it was not trained on"
    for i in errors.argsort()[[40, 200, 360]].tolist():
        found = re.fullmatch(rf"anomaly score: (\d+) % of {crowd} have a smaller error", score(driver, host, x[i], k))
        assert int(found[1]) == pytest.approx(percentileofscore(errors, errors[i]), abs=3)
        told = float(inside(host, ".scale")[k].get_attribute("aria-label").split()[-1])
        assert told == pytest.approx(errors[i].item(), abs=0.05 + 2 * 8 * BOUND * float(errors[i].sqrt()))
    noise = torch.rand(64, generator=torch.Generator().manual_seed(0))
    assert score(driver, host, noise, k) == f"anomaly score: all {crowd} have a smaller error"
    wait_for(driver, "return arguments[0].textContent.includes('anomaly score: all')", inside(host, ".spoken")[0])


def test_noise_on_a_drawing_makes_it_stranger(driver, hosts):
    host = started(driver, hosts[1])
    assert " % of 400 digits" in score(driver, host, UNSEEN.images()[0], 0)
    inside(host, "input[type=range]")[0].send_keys(Keys.END)
    driver.execute_async_script(ONE_FRAME)
    assert inside(host, ".score")[0].text.startswith("anomaly score: all 400")


def test_an_explorer_starts_in_view_and_a_film_ends_as_trained(driver, hosts):
    started(driver, hosts[0])
    assert driver.execute_script("return arguments[0].view ?? null", hosts[2]) is None
    host = started(driver, hosts[2])
    assert inside(host, "output")[0].text == NASTY
    inside(host, ".scrubber")[0].send_keys(Keys.ARROW_LEFT)
    assert inside(host, "output")[0].text == "start"
    frame = trained()[1][0]
    driver.execute_async_script(ONE_FRAME)
    pixels = driver.execute_script(PIXELS, inside(host, ".line:last-child canvas")[0])
    torch.testing.assert_close(torch.tensor(pixels), frame.images[0].flatten() / 255, rtol=0, atol=ROUNDING)


def test_a_slider_changes_one_number_and_a_button_the_model(driver, hosts):
    host = started(driver, hosts[3])
    code = DENSE.encode(SMALL[:1].images())[0].detach()
    torch.testing.assert_close(position(driver, host), code, rtol=0, atol=1e-3)
    assert [one.accessible_name for one in inside(host, "input")] == ["z2", "z1"]  # the more telling one first
    inside(host, "input")[0].send_keys(Keys.HOME, Keys.ARROW_RIGHT)
    moved = position(driver, host)
    reach = max(3.0, *(model.encode(SMALL[:3].images()).abs().max().item() for model in (DENSE, RESIZED)))
    torch.testing.assert_close(moved, torch.tensor([code[0], 0.05 - reach]), rtol=0, atol=1e-3)
    shows(driver, host, DENSE, 0, moved)
    assert "0.10" in inside(host, ".scores")[0].text

    next(one for one in inside(host, "button") if one.text == "4").click()
    wait_for(driver, "return arguments[0].view.chosen === arguments[1]", host, f"β 4, {NASTY} a")
    code = RESIZED.encode(SMALL[:1].images())[0].detach()
    torch.testing.assert_close(position(driver, host), code, rtol=0, atol=1e-3)
    shows(driver, host, RESIZED, 0, position(driver, host))
    assert "0.40" in inside(host, ".scores")[0].text


def test_a_sweep_comes_back(driver, hosts):
    host = started(driver, hosts[3])
    home = position(driver, host)
    inside(host, "button[aria-label='Sweep z2']")[0].click()
    wait_for(driver, "return Math.abs(arguments[0].view.z[1] - arguments[1]) > 0.5", host, home[1].item())
    wait_for(driver, "return arguments[0].view.z[1] === arguments[1]", host, home[1].item())
    assert position(driver, host)[0] == home[0]


def test_a_slider_moves_along_texts(driver, hosts):
    host = started(driver, hosts[4])
    inside(host, "input")[0].send_keys(Keys.ARROW_RIGHT)
    assert [one.text for one in inside(host, "li[aria-current=step]")] == [NASTY]
    next(one for one in inside(host, "button") if one.text == "2").click()
    assert [one.text for one in inside(host, "li")] == ["one", "two"]


def test_another_code_at_a_place_changes_the_picture_as_in_pytorch(driver, hosts):
    host, model = started(driver, hosts[5]), symbols()
    own = model.indices(SMALL[:1].images())
    assert [int(cell.text) for cell in inside(host, ".cell")] == own.flatten().tolist()
    inside(host, ".cell")[0].click()
    inside(host, ".cell")[0].send_keys(Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    chosen = [i for i, cell in enumerate(inside(host, ".cell")) if cell.get_attribute("aria-pressed") == "true"]
    assert chosen == [4]
    other, before = int((own[0, 1, 1] + 1) % 5), model.decode(model.lookup(own)).flatten().detach()
    next(one for one in inside(host, "button") if one.accessible_name == f"Put code {other} there").click()
    own[0, 1, 1] = other
    assert position(driver, host).tolist() == own.flatten().tolist()
    driver.execute_async_script(ONE_FRAME)
    pixels = driver.execute_script(PIXELS, inside(host, "figure.decoded canvas")[0])
    with torch.no_grad():
        answer = model.decode(model.lookup(own)).flatten()
    assert (answer - before).abs().max() > 0.1
    torch.testing.assert_close(torch.tensor(pixels), answer, rtol=0, atol=BOUND + ROUNDING)


def test_explorers_fit_a_phone(driver, hosts):
    resize(driver, PHONE)
    for host in hosts:
        started(driver, host)
        assert driver.execute_script(WIDTH) <= PHONE
        assert all(
            one.rect["x"] + one.rect["width"] <= PHONE for one in inside(host, "canvas, button") if one.is_displayed()
        )


def test_the_front_end_of_the_widget_follows_python_and_tells_it(driver, hosts):
    shown = explorer.plane(trained()[0], SMALL)
    code = """
        const [source, data, done] = arguments, place = document.createElement("div"), told = {};
        Object.assign(place.style, { color: "white", background: "black" });
        const traits = { data, z: [0.25, 0.5] };
        const model = { get: (name) => traits[name], set: (name, value) => { traits[name] = value; }, off() {},
                        on: (event, f) => { told[event] = f; }, save_changes: () => { told.saved = true; } };
        const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
        import(url).then((module) => module.default.render({ model, el: place })).then(() => {
          document.body.prepend(place);  // as notebooks do, when all is rendered
          const pad = place.firstChild.shadowRoot.querySelector(".pad");
          pad.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
          const accent = () => getComputedStyle(place.firstChild).getPropertyValue("--accent");
          requestAnimationFrame(() => requestAnimationFrame(() => (
            done([traits.z, told.saved, "change:z" in told, accent()]))));
        });
    """
    z, saved, listens, accent = driver.execute_async_script(code, script(), shown.payload)
    assert z[0] > 0.25
    assert z[1] == pytest.approx(0.5)
    assert saved
    assert listens
    assert accent == "#6cb6ff"  # that of dark pages
