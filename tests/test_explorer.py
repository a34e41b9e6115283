"""Explorers: what the page computes is what PyTorch computes, and a reader reaches it by mouse, finger and keys."""

from functools import cache
from pathlib import Path

import ipywidgets
import pytest
import torch
from browser import PHONE, WIDTH, complaints_of, needs_browser, requests_of, resize, wait_for
from conftest import blobs
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.action_chains import ActionBuilder
from selenium.webdriver.common.actions.interaction import POINTER_TOUCH
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from torch import Tensor, nn

from aelib import explorer
from aelib.explorer.export import BOUND, LIMIT, export_autoencoder, export_decoder
from aelib.explorer.packing import to_json
from aelib.explorer.page import SCRIPT
from aelib.models.autoencoder import Autoencoder, CrossEntropy, EncoderDecoder
from aelib.models.convolutional import Convolutional, SuperResolution
from aelib.optimizers import adam
from aelib.training import Phase, fit

NASTY = '</script><img src=x onerror="alert(1)"> é & β'
SMALL = blobs(120, 8)


class Resized(EncoderDecoder):
    """Every step that the dense network has not: resizing, both convolutions, batch normalization, tanh."""

    def __init__(self) -> None:
        encoder = nn.Sequential(
            nn.Upsample(size=(6, 6), mode="bilinear"), nn.Conv2d(1, 5, 3, stride=2, padding=1), nn.BatchNorm2d(5), nn.ReLU(),
            nn.Flatten(), nn.Linear(45, 2),
        )  # fmt: skip
        decoder = nn.Sequential(
            nn.Linear(2, 48), nn.Tanh(), nn.Unflatten(1, (3, 4, 4)), nn.ConvTranspose2d(3, 6, 4, stride=2, padding=1),
            nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 1, 3, padding=1),
        )  # fmt: skip
        super().__init__(encoder, decoder, (1, 8, 8))


@cache
def trained() -> tuple[dict[str, EncoderDecoder], list[explorer.Frame]]:
    torch.manual_seed(0)
    models = {NASTY: Autoencoder((64, 32, 2), nn.SiLU, (1, 8, 8)), "Resized": Resized()}
    frames = [explorer.frame(models[NASTY], SMALL, "start")]
    for model in models.values():
        fit({"ae": model}, Phase(CrossEntropy(), adam(1e-2)), SMALL, epochs=20, batch_size=30)
    return models, [*frames, explorer.frame(models[NASTY], SMALL, NASTY)]


def lively(model: EncoderDecoder) -> EncoderDecoder:
    """An untrained model whose pictures depend on the code as strongly as a trained one's."""
    x, layers = torch.rand(64, 1, 28, 28), [*model.encoder, *model.decoder]
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 2)
            nn.init.normal_(layer.bias)
    model.train()(x)  # the running statistics move
    with torch.no_grad():
        layers[-2 if isinstance(layers[-1], nn.Unflatten) else -1].weight.mul_(6 / model.eval()(x).logits.std())
    return model


@pytest.mark.parametrize(
    "make",
    [lambda: Autoencoder((784, 256, 64, 2), nn.SiLU), Convolutional, SuperResolution],
    ids=["dense", "conv", "SR"],
)
def test_rounded_weights_answer_as_pytorch_does(make):
    torch.manual_seed(0)
    model = lively(make())
    latent = model(torch.rand(1, 1, 28, 28)).z.shape[1]
    codes = lambda n: 3 * torch.randn(n, latent)  # noqa: E731
    net = export_decoder(model, "model", codes, limit=2_000_000)
    assert 0 < net.error <= BOUND
    assert net.bytes == len(to_json(net.data))
    again = export_decoder(model, "model", lambda n: 3 * torch.randn(n, latent), bound=BOUND / 30, limit=3_000_000)
    assert again.error <= BOUND / 30
    assert again.bits > net.bits


def test_what_the_page_cannot_run_is_refused_by_name():
    gelu = nn.Sequential(nn.Linear(2, 10), nn.Sequential(nn.GELU(), nn.Linear(10, 784)))
    with pytest.raises(ValueError, match=r"cannot run mine\.decoder\.1\.0, GELU"):
        export_decoder(gelu, "mine", lambda n: torch.rand(n, 2))
    grouped = nn.Sequential(nn.Unflatten(1, (2, 1, 1)), nn.Conv2d(2, 4, 1, groups=2))
    with pytest.raises(ValueError, match=r"Conv2d.*groups must be 1"):
        export_decoder(grouped, "mine", lambda n: torch.rand(n, 2))

    class Shifted(Autoencoder):
        def decode(self, z: Tensor) -> Tensor:
            return super().decode(z + 1)

    with pytest.raises(ValueError, match=r"do not compute mine\.decode"):
        export_decoder(Shifted((784, 20, 2)), "mine", lambda n: torch.rand(n, 2))


def test_a_model_too_large_for_a_page_is_refused():
    with pytest.raises(ValueError, match=rf"'Deep' would add \d+ kB .* limit of {LIMIT // 1000} kB"):
        export_autoencoder(Autoencoder((784, 1000, 500, 250, 2)), "Deep", lambda n: torch.rand(n, 1, 28, 28))


def test_arguments_that_make_no_explorer_are_refused():
    with pytest.raises(ValueError, match="needs a model"):
        explorer.plane({}, SMALL)
    with pytest.raises(ValueError, match=r"codes of two numbers; those of 'Wide' have the shape \(120, 3\)"):
        explorer.plane({"Wide": Autoencoder((64, 3), shape=(1, 8, 8))}, SMALL)
    with pytest.raises(ValueError, match="labels run from 0 to 9; there are 2 classes"):
        explorer.plane(trained()[0], SMALL, classes=["a", "b"])
    with pytest.raises(ValueError, match="as many codes in each frame"):
        explorer.film(trained()[1], SMALL[:7])


def test_text_cannot_leave_its_element_and_the_same_model_makes_the_same_page():
    models, _ = trained()
    one, two = (explorer.plane(models, SMALL, classes=[NASTY, *"123456789"])._repr_html_() for _ in range(2))
    assert one == two
    assert one.isascii() or NASTY not in one
    assert one.count("</script>") == 2  # the data and the module
    assert "<img src=x" not in one


def test_the_widget_shares_its_code_with_python():
    pytest.importorskip("anywidget")
    shown = explorer.plane(trained()[0], SMALL)
    widget, seen = shown.widget(), []
    assert tuple(widget.z) == pytest.approx(shown.z)
    ipywidgets.interactive_output(lambda z: seen.append(z), {"z": widget})
    widget.z = [0.5, -1]
    assert seen[-1] == widget.value == [0.5, -1.0]
    with pytest.raises(Exception, match="z has 2 numbers; it was given 3"):
        widget.z = [1, 2, 3]
    with pytest.raises(ValueError, match="film has none"):
        explorer.film(trained()[1], SMALL).widget()


# In a browser ---------------------------------------------------------------------------------------------------------

PIXELS = """
    const canvas = arguments[0], data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    return Array.from(data).filter((_, i) => i % 4 === 3).map((v) => v / 255);
"""
ONE_FRAME = "requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(arguments[0])));"
ROUNDING = 0.5 / 255 + 1e-4  # of a canvas


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plane, a sheet and a film on one page, each below the fold of the one before."""
    models, frames = trained()
    made = [explorer.plane(models, SMALL), explorer.draw(models, SMALL), explorer.film(frames, SMALL)]
    path = tmp_path_factory.mktemp("explorers") / "page.html"
    gap = '<div style="height: 1500px">a chapter</div>'
    html = gap.join(one._repr_html_() for one in made)
    path.write_text(f'<!doctype html><html lang="en"><meta charset="utf-8"><title>All</title>{html}</html>', "utf-8")
    return path


@pytest.fixture
def hosts(driver: Chrome, page: Path):
    """The three elements on the page, at the width of a desk; afterwards nothing has been asked for or complained of."""
    resize(driver, 1200)
    driver.get(page.as_uri())
    yield driver.find_elements(By.TAG_NAME, "aelib-explorer")
    assert requests_of(driver) == []
    assert complaints_of(driver) == []


def started(driver: Chrome, host: WebElement) -> WebElement:
    driver.execute_script("arguments[0].scrollIntoView()", host)
    position = "[...document.querySelectorAll('aelib-explorer')]"
    wait_for(
        driver, f"return {position}.filter((one) => one.getBoundingClientRect().top < 900).every((one) => one.view)"
    )
    driver.execute_async_script(ONE_FRAME)
    return host


def inside(host: WebElement, selector: str) -> list[WebElement]:
    return host.shadow_root.find_elements(By.CSS_SELECTOR, selector)


def shows(driver: Chrome, host: WebElement, model: EncoderDecoder, k: int, z: Tensor) -> None:
    """The k-th model's picture is PyTorch's answer to its code."""
    driver.execute_async_script(ONE_FRAME)
    pixels = driver.execute_script(PIXELS, inside(host, "figure.decoded canvas, .pair figure:first-child canvas")[k])
    with torch.no_grad():
        torch.testing.assert_close(torch.tensor(pixels), model.decode(z[None]).flatten(), rtol=0, atol=BOUND + ROUNDING)


def position(driver: Chrome, host: WebElement) -> Tensor:
    return torch.tensor(driver.execute_script("return Array.from(arguments[0].view.z)", host))


@needs_browser
@pytest.mark.browser
def test_a_drag_the_keys_and_a_finger_decode_what_pytorch_decodes(driver, hosts):
    host, model = started(driver, hosts[0]), trained()[0][NASTY]
    assert inside(host, "h4")[0].text == NASTY
    shows(driver, host, model, 0, position(driver, host))
    pad = inside(host, ".pad")[0]
    drag = ActionChains(driver, duration=20).move_to_element(pad).click_and_hold()
    drag.perform()
    middle = position(driver, host)
    ActionChains(driver, duration=20).move_by_offset(40, -30).release().perform()
    dragged = position(driver, host)
    scale = (dragged - middle) / torch.tensor([40.0, 30.0])
    assert scale[0] > 0
    torch.testing.assert_close(scale[0], scale[1])
    shows(driver, host, model, 0, dragged)

    pad.send_keys(Keys.ARROW_LEFT, Keys.ARROW_UP)
    keyed = position(driver, host)
    assert (keyed - dragged).sign().tolist() == [-1, 1]
    shows(driver, host, model, 0, keyed)
    pad.send_keys(Keys.HOME)
    torch.testing.assert_close(position(driver, host), middle, atol=float(scale[0]), rtol=0)

    finger = ActionBuilder(driver, mouse=PointerInput(POINTER_TOUCH, "finger"), duration=20)
    finger.pointer_action.move_to(pad, 10, 10).pointer_down().move_to(pad, -50, 20).pointer_up()
    finger.perform()
    touched = position(driver, host)
    torch.testing.assert_close(touched - middle, scale * torch.tensor([-50.0, -20.0]), atol=float(scale[0]), rtol=0)
    shows(driver, host, model, 0, touched)


@needs_browser
@pytest.mark.browser
@pytest.mark.parametrize("k", [0, 1], ids=["dense", "convolutional"])
def test_the_page_computes_each_kind_of_model(driver, hosts, k):
    host, model = started(driver, hosts[0]), list(trained()[0].values())[k]
    with torch.no_grad():
        z = model.encode(SMALL[:20].images())
        script = "return arguments[1].map((z) => Array.from(arguments[0].view.decode(z, arguments[2])))"
        answers = torch.tensor(driver.execute_script(script, host, z.tolist(), k))
        torch.testing.assert_close(answers, model.decode(z).flatten(1), rtol=0, atol=BOUND)


@needs_browser
@pytest.mark.browser
@pytest.mark.parametrize("k", [0, 1], ids=["dense", "convolutional"])
def test_a_drawing_is_reconstructed_as_pytorch_does(driver, hosts, k):
    host, model = started(driver, hosts[1]), list(trained()[0].values())[k]
    next(one for one in inside(host, "button") if one.text == "Clear").click()
    ActionChains(driver, duration=20).move_to_element(inside(host, ".sheet")[0]).click_and_hold().move_by_offset(
        50, 50
    ).release().perform()
    driver.execute_async_script(ONE_FRAME)
    drawn = torch.tensor(driver.execute_script("return Array.from(arguments[0].view.seen)", host))
    assert 4 < (drawn > 0.5).sum() < 32  # a stroke, not a blot
    with torch.no_grad():
        shows(driver, host, model, k, model.encode(drawn.view(1, 1, 8, 8))[0])


@needs_browser
@pytest.mark.browser
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


@needs_browser
@pytest.mark.browser
def test_explorers_fit_a_phone(driver, hosts):
    resize(driver, PHONE)
    for host in hosts:
        started(driver, host)
        assert driver.execute_script(WIDTH) <= PHONE
        assert all(
            one.rect["x"] + one.rect["width"] <= PHONE for one in inside(host, "canvas, button") if one.is_displayed()
        )


@needs_browser
@pytest.mark.browser
def test_the_front_end_of_the_widget_follows_python_and_tells_it(driver, hosts):
    shown = explorer.plane(trained()[0], SMALL)
    data = {"view": shown.view, **shown.data}
    script = """
        const [source, data, done] = arguments, place = document.createElement("div"), told = {};
        document.body.prepend(place);
        const traits = { data, z: [0.25, 0.5] };
        const model = { get: (name) => traits[name], set: (name, value) => { traits[name] = value; }, off() {},
                        on: (event, f) => { told[event] = f; }, save_changes: () => { told.saved = true; } };
        const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
        import(url).then((module) => module.default.render({ model, el: place })).then(() => {
          const pad = place.firstChild.shadowRoot.querySelector(".pad");
          pad.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
          requestAnimationFrame(() => requestAnimationFrame(() => done([traits.z, told.saved, "change:z" in told])));
        });
    """
    z, saved, listens = driver.execute_async_script(script, SCRIPT.read_text("utf-8"), data)
    assert z[0] > 0.25
    assert z[1] == pytest.approx(0.5)
    assert saved
    assert listens
