"""Benchmarks that this machine cannot run: their arithmetic, what they say without a GPU, and what the page says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from blobs import blobs

ROOT = Path(__file__).parents[2]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gpu

    return gpu


def test_the_gpu_benchmark_trains_and_reckons(gpu, capsys, monkeypatch, tmp_path):
    timed = gpu.train(blobs(40), epochs=3, batch_size=20, compile=False)
    assert len(timed.epochs) == 3
    assert timed.total > sum(timed.epochs) > 0
    label = "VQ-VAE, 100 epochs, batches of 128"
    made_up = gpu.Timed(12.0, [4.0, 1.0, 3.0, 2.0], 5_000_000_000, 7.5)
    rows = gpu.measures({label: made_up}, {"01_hinton": 150.0, "09_three": 660.0})
    medians = {name: (row["median"], row["unit"], row["target"]) for name, row in rows.items()}
    assert medians == {
        label: (12.0, "s", "≤ 15 s"),
        f"{label}: an epoch": (2.5, "s", ""),
        f"{label}: compilation and start": (2.0 + 1.5, "s", ""),  # beside the epochs, and the first's excess
        f"{label}: memory at most": (5.0, "GB", ""),
        f"{label}: squared error in the last epoch": (7.5, "per image", ""),
        "chapter 01 at the profile quick": (2.5, "min", "≤ 2 min"),
        "chapter 09 at the profile quick": (11.0, "min", "≤ 2 min"),
    }
    assert set(gpu.SETTINGS) <= set(gpu.PLAN["targets"])


def test_a_chapter_is_timed_as_a_script_and_its_failure_is_not_hidden(gpu, tmp_path):
    script = tmp_path / "99_script.py"
    script.write_text(
        "import os, time\ntime.sleep(0.2)\nassert os.environ['AELIB_PROFILE'] == 'quick'", encoding="utf-8"
    )
    assert 0.2 < gpu.chapter(script) < 20
    with pytest.raises(subprocess.CalledProcessError):
        gpu.chapter(script, profile="smoke")


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_benchmark_says_so():
    done = subprocess.run([sys.executable, ROOT / "benchmarks" / "gpu.py"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert done.stderr.startswith("This benchmark needs a GPU") and done.stderr.count("\n") == 1
    assert not done.stdout


def test_the_page_shows_targets_and_commands_until_there_is_a_record(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_ext"))
    import book_statistics

    plan = json.loads((ROOT / "benchmarks" / "planned.json").read_text(encoding="utf-8"))["gpu"]
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "results" / "benchmarks").mkdir(parents=True)
    (tmp_path / "benchmarks" / "planned.json").write_text(json.dumps({"gpu": plan}), encoding="utf-8")
    monkeypatch.setattr(book_statistics, "RESULTS", tmp_path / "results")
    said = " ".join(node.astext() for node in book_statistics.Benchmarks.planned(None))
    assert all(f"{measure}: {target}" in said for measure, target in plan["targets"].items())
    assert f"Not yet run: {plan['command']}." in said
    (tmp_path / "results" / "benchmarks" / "gpu.json").write_text("{}", encoding="utf-8")
    assert book_statistics.Benchmarks.planned(None) == []
    command = plan["command"].split()
    assert command[0] == "python" and (ROOT / command[1]).exists()
