"""How fast an explorer answers in a browser, and how soon a page of the book is ready for its reader.

`python benchmarks/explorers.py` on a quiet machine, with headless Chromium, its chromedriver and a built book, takes

- the milliseconds in which the page decodes one code: a dense decoder 2-400-784 of 314,000 weights, and the
  convolutional one of chapter 09 with a code of two numbers, both untrained (time does not depend on the values),
- for each page with an explorer, from the folder on disk: the weight of all that it loads, and the time until its first
  explorer answers.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import torch
from keeping import keep, measure
from selenium import webdriver
from torch import nn

from aelib import explorer
from aelib.data import mnist
from aelib.models.autoencoder import Autoencoder
from aelib.models.convolutional import Convolutional

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "book" / "_ext")]
from book_weight import weight  # noqa: E402 (the book's own scales)
from browser import chromium, wait_for  # noqa: E402 (the tests' browser)

DECODERS = {"dense decoder, 314,000 weights": "≤ 1.5 ms", "convolutional decoder of chapter 09": "≤ 8 ms"}
READY_BY = {"index": "≤ 1.0 s"}
CALLS = 50  # in one reading of the clock, which browsers keep coarse
DECODE = """
    const { view } = document.querySelectorAll("aelib-explorer")[arguments[0]], n = arguments[1], z = [0, 0];
    const began = performance.now();
    for (let i = 0; i < n; i++) { z[0] = i / n; view.decode(z); }
    return (performance.now() - began) / n;
"""
READY = """
    const look = () => {
      const host = document.querySelector("aelib-explorer");
      if (host && host.view) window.ready = performance.now(); else requestAnimationFrame(look);
    };
    document.addEventListener("DOMContentLoaded", () => {
      document.querySelector("aelib-explorer")?.scrollIntoView(); look();
    });
"""


def decoding(driver: webdriver.Chrome, rounds: int) -> dict[str, list[float]]:
    torch.manual_seed(0)
    models = [Autoencoder((784, 400, 2), nn.ReLU), Convolutional(2)]
    digits = mnist().train[:100]
    html = "".join(explorer.plane(model.eval(), digits)._repr_html_() for model in models)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "page.html")
        page.write_text(f'<!doctype html><html lang="en"><meta charset="utf-8"><title>.</title>{html}</html>', "utf-8")
        driver.get(page.as_uri())
        times: dict[str, list[float]] = {name: [] for name in DECODERS}
        for k in range(len(models)):
            host = f'document.querySelectorAll("aelib-explorer")[{k}]'
            driver.execute_script(f"{host}.scrollIntoView()")
            wait_for(driver, f"return Boolean({host}.view)")
            driver.execute_script(DECODE, k, CALLS)  # until the browser has compiled the loop
        for _ in range(rounds):
            for k, name in enumerate(times):
                times[name].append(driver.execute_script(DECODE, k, CALLS))
    return times


def opening(driver: webdriver.Chrome, book: Path, rounds: int) -> dict[str, tuple[float, list[float]]]:
    """For each page with an explorer its weight in MB and the seconds until the first explorer answers."""
    pages = [path for path in sorted(book.rglob("*.html")) if "<aelib-explorer" in path.read_text("utf-8")]
    script = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": READY})
    found = {}
    for path in pages:
        times = []
        for _ in range(rounds):
            driver.get(path.as_uri())
            times.append(wait_for(driver, "return window.ready") / 1000)
        found[str(path.relative_to(book).with_suffix(""))] = weight(path) / 1e6, times
    driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="how often each is measured, in turn (default 7)")
    parser.add_argument("--book", type=Path, default=ROOT / "book" / "_build" / "html", help="the built book")
    options = parser.parse_args()
    if not (options.book / "index.html").exists():
        parser.error(f"{options.book} holds no book: run `jupyter-book build book/`, or name another with --book.")
    with tempfile.TemporaryDirectory() as profile:
        browser = chromium(Path(profile))
        driver = next(browser)
        measures = {
            f"decode one code, {name}": measure(times, "ms", DECODERS[name])
            for name, times in decoding(driver, options.rounds).items()
        }
        pages = opening(driver, options.book, options.rounds)
        next(browser, None)  # closes it
    for page, (megabytes, times) in pages.items():
        measures[f"{page}: first answer after ({megabytes:.1f} MB)"] = measure(times, "s", READY_BY.get(page, ""))
    keep("explorers", "Explorers in the page", WHAT, options.rounds, measures)


WHAT = (
    "Explorers in headless Chromium: the time to decode one code, and for each page that has one, opened from the "
    "folder on disk without a network, the weight of all that it loads and the time until its explorer answers."
)

if __name__ == "__main__":
    main()
