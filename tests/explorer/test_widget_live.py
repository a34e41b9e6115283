"""An explorer in JupyterLab, with a kernel of its own: what the mouse does there, Python reads, and the other way."""

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import nbformat
import pytest
from browser import chromium, complaints_of, needs_browser, requests_of, resize, wait_for
from jupyter_client.blocking import BlockingKernelClient
from launching import SUPPORT
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

HOST = "127.0.0.1"
SLOW = 120  # seconds for a server to start, or for the notebook to run
MISSING = [name for name in ("jupyterlab", "anywidget") if importlib.util.find_spec(name) is None]
pytestmark = [
    needs_browser,
    pytest.mark.browser,
    pytest.mark.long,
    pytest.mark.skipif(bool(MISSING), reason=f"no {' and no '.join(MISSING)}: pip install -r requirements.txt"),
]
TESTS = SUPPORT
CELLS = [
    f"""
import sys
sys.path[:0] = [{str(TESTS)!r}, {str(TESTS.parents[1])!r}]
from ipywidgets import interactive_output
from page_models import SMALL, UNSEEN, symbols, trained
from aelib import explorer
models, frames = trained()
live = explorer.plane(models, SMALL).widget()
live
""",
    'interactive_output(lambda z: print(f"here: {z[0]:.4f} {z[1]:.4f}"), {"z": live})',
    "live",
    "drawing = explorer.draw(models, SMALL, UNSEEN).widget()\ndrawing",
    "grid = explorer.codebook(symbols(), SMALL).widget()\ngrid",
    "explorer.film(frames, SMALL)",
]
IDLE = "return window.jupyterapp?.shell?.currentWidget?.context?.sessionContext?.session?.kernel?.status === 'idle'"
RAN = "return [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].at(-1).textContent === arguments[0]"
STARTED = "return [...arguments[0].querySelectorAll('*')].find((one) => one.shadowRoot?.querySelector('.frame'))"
CELLS_SHOW = """
    const cells = [...arguments[0].shadowRoot.querySelectorAll(".cell")];
    return cells.map((cell) => cell.textContent).join(" ") === arguments[1];
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """JupyterLab's address and its runtime folder. It sees no configuration and no folder but its own."""
    folder = tmp_path_factory.mktemp("lab")
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source.strip()) for source in CELLS],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    work = folder / "work"
    work.mkdir()
    nbformat.write(notebook, work / "live.ipynb")
    places = (
        "JUPYTER_CONFIG_DIR",
        "JUPYTER_DATA_DIR",
        "JUPYTER_RUNTIME_DIR",
        "JUPYTERLAB_SETTINGS_DIR",
        "JUPYTERLAB_WORKSPACES_DIR",
        "IPYTHONDIR",
    )
    quiet = folder / "JUPYTERLAB_SETTINGS_DIR/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    quiet.parent.mkdir(parents=True)
    quiet.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    environment = os.environ | {name: str(folder / name) for name in places}
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        f"--ServerApp.ip={HOST}",
        "--ServerApp.port=0",
        "--ServerApp.port_retries=0",
        "--ServerApp.allow_root=True",
        "--IdentityProvider.token=",
        f"--ServerApp.root_dir={work}",
        "--LabApp.expose_app_in_browser=True",
    ]
    runtime = folder / "JUPYTER_RUNTIME_DIR"
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=work, env=environment, stdout=log, stderr=log)
    try:
        until = time.monotonic() + SLOW
        while not (found := list(runtime.glob("jpserver-*.json"))) or not answers(address := url_of(found[0])):
            assert server.poll() is None and time.monotonic() < until, (folder / "log").read_text()[-3000:]
            time.sleep(0.2)
        yield address, runtime
    finally:
        server.terminate()  # and with it its kernels
        server.wait(30)


def url_of(path: Path) -> str:
    """The address in a server's file; empty while the file is being written."""
    try:
        return f"http://{HOST}:{json.loads(path.read_text())['port']}"
    except ValueError:
        return ""


def answers(address: str) -> bool:
    try:
        with urlopen(f"{address}/api", timeout=5) as reply:
            return reply.status == 200
    except (OSError, ValueError):
        return False


class Kernel:
    """The notebook's kernel, asked beside JupyterLab."""

    def __init__(self, connection: Path) -> None:
        self.client = BlockingKernelClient(connection_file=str(connection))
        self.client.load_connection_file()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=30)

    def run(self, code: str) -> None:
        reply = self.client.execute(code, silent=True, reply=True, timeout=30)["content"]
        assert reply["status"] == "ok", reply

    def value(self, expression: str) -> Any:
        """The value of an expression whose repr is JSON."""
        asked = {"value": expression}
        reply = self.client.execute("", silent=True, user_expressions=asked, reply=True, timeout=30)["content"]
        return json.loads(reply["user_expressions"]["value"]["data"]["text/plain"])


@pytest.fixture(scope="module")
def opened(lab: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Chrome, Kernel]]:
    """The notebook in the browser, all its cells run; and its kernel."""
    address, runtime = lab
    browser = chromium(tmp_path_factory.mktemp("profile"), reach=HOST)
    driver = next(browser)
    resize(driver, 1200)
    driver.get(f"{address}/lab/tree/live.ipynb?reset")
    wait_for(driver, IDLE, seconds=SLOW)
    driver.execute_script("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    wait_for(driver, RAN, f"[{len(CELLS)}]:", seconds=SLOW)
    kernel = Kernel(next(runtime.glob("kernel-*.json")))
    yield driver, kernel
    kernel.client.stop_channels()
    next(browser, None)  # closes it


def shown(driver: Chrome, cell: int) -> WebElement:
    """The explorer under a cell, in view."""
    output = driver.find_elements(By.CSS_SELECTOR, ".jp-CodeCell")[cell]
    driver.execute_script("arguments[0].querySelector('.jp-OutputArea').scrollIntoView()", output)
    return wait_for(driver, STARTED, output)


def inside(host: WebElement, selector: str) -> list[WebElement]:
    return host.shadow_root.find_elements(By.CSS_SELECTOR, selector)


def settled(kernel: Kernel, expression: str, expected: Callable[[Any], bool]) -> Any:
    """The value of an expression, once it is as expected."""
    until = time.monotonic() + 20
    while not expected(value := kernel.value(expression)):
        assert time.monotonic() < until, f"{expression} is still {value}"
        time.sleep(0.1)
    return value


def caption(driver: Chrome, cell: int) -> str:
    return inside(shown(driver, cell), "figure.decoded figcaption")[0].text.replace("−", "-")


def test_python_reads_a_drag_and_the_page_follows_python(opened):
    driver, kernel = opened
    pad, before = inside(shown(driver, 0), ".pad")[0], caption(driver, 0)
    ActionChains(driver, duration=20).move_to_element(pad).click_and_hold().move_by_offset(40, -30).release().perform()
    agree(driver, kernel, 0)
    assert caption(driver, 0) != before
    assert kernel.value("live.value") == kernel.value("live.z")

    kernel.run("live.z = [0.5, -0.25]")
    agree(driver, kernel, 0)
    agree(driver, kernel, 2)  # one widget, shown twice
    assert kernel.value("live.z") == [0.5, -0.25]
    inside(shown(driver, 2), ".pad")[0].send_keys(Keys.ARROW_RIGHT)
    agree(driver, kernel, 2)
    agree(driver, kernel, 0)
    z = kernel.value("live.z")
    assert z[0] > 0.5
    assert z[1] == pytest.approx(-0.25)


def agree(driver: Chrome, kernel: Kernel, cell: int) -> None:
    """Page and Python come to say the same of where the explorer is."""
    settled(kernel, "live.z", lambda z: caption(driver, cell) == f"decoded z = ({z[0]:.2f}, {z[1]:.2f})")


def test_keys_move_the_point_and_not_the_notebook(opened):
    driver, kernel = opened
    driver.execute_script("window.jupyterapp.shell.currentWidget.content.activeCellIndex = 0")
    pad, before = inside(shown(driver, 0), ".pad")[0], kernel.value("live.z")
    pad.send_keys(Keys.ARROW_DOWN, "a", "dd")
    settled(kernel, "live.z", lambda z: z[1] < before[1])
    state = "const { activeCellIndex, widgets } = window.jupyterapp.shell.currentWidget.content;"
    assert driver.execute_script(state + "return [activeCellIndex, widgets.length]") == [0, len(CELLS)]


def test_interactive_output_is_called_at_every_move(opened):
    driver, kernel = opened
    printed = driver.find_elements(By.CSS_SELECTOR, ".jp-CodeCell")[1].find_element(By.CSS_SELECTOR, ".widget-output")
    before = printed.text
    inside(shown(driver, 0), ".pad")[0].send_keys(Keys.HOME)
    settled(kernel, "live.z", lambda z: before != printed.text.strip() == f"here: {z[0]:.4f} {z[1]:.4f}")


def test_python_reads_the_code_of_a_drawing_and_sets_symbols(opened):
    driver, kernel = opened
    before = kernel.value("drawing.z")
    sheet = inside(shown(driver, 3), ".sheet")[0]
    ActionChains(driver, duration=20).move_to_element(sheet).click_and_hold().move_by_offset(30, 30).release().perform()
    settled(kernel, "drawing.z", lambda z: z != before)

    host = shown(driver, 4)
    other = [(k + 1) % 5 for k in kernel.value("[int(k) for k in grid.z]")]
    kernel.run(f"grid.z = {other}")
    wait_for(driver, CELLS_SHOW, host, " ".join(map(str, other)))


def test_the_static_form_runs_in_a_live_notebook_too_and_nothing_complains(opened, lab):
    driver, _ = opened
    assert inside(shown(driver, 5), ".scrubber")
    assert complaints_of(driver) == []
    assert [url for url in requests_of(driver) if not url.startswith((lab[0], "ws://", "chrome:"))] == []
