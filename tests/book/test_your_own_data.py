"""The page on a reader's own data: its blocks of code run, one after the other, on data made here."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "book" / "your_own_data.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Sixty pictures of two kinds, of many sizes, three of each subject: discs and squares of some color."""
    random = np.random.default_rng(0)
    for kind in ("discs", "squares"):
        (tmp_path / "photos" / kind).mkdir(parents=True)
        for number in range(30):
            height, width = random.integers(40, 90, 2)
            y, x = np.mgrid[:height, :width] - np.array([height, width])[:, None, None] / 2
            near = np.hypot(y, x) if kind == "discs" else np.maximum(abs(y), abs(x))
            color = random.integers(0, 200, 3)
            picture = np.where(near[..., None] < 12 + number // 3, color, 255).astype(np.uint8)
            Image.fromarray(picture).save(tmp_path / "photos" / kind / f"{number // 3:02}-{number % 3}.png")
    return tmp_path


@pytest.mark.slow
def test_the_blocks_run(photos: Path) -> None:
    assert len(BLOCKS) >= 2
    environment = {"PYTHONPATH": str(ROOT), "AELIB_DATA": str(photos / "cache"), "OMP_NUM_THREADS": "1"}
    code = "\n".join(BLOCKS)
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=photos, env=os.environ | environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    said = run.stdout.splitlines()
    assert said[0] == "60 pictures (3, 32, 32) of 2 classes"
    assert said[1] == "48 12"
    assert "3×32×32 → 8×16×16 → 16×8×8 → 32×4×4 → 2 numbers" in run.stdout
    assert "240 training and 60 test rows" in run.stdout
    assert "(1000,) 700" in said
    assert float(next(line for line in said if line.startswith("AUC")).split()[1]) > 0.8
    assert (photos / "people.onnx").stat().st_size > 1000
    assert (photos / "map.html").read_text(encoding="utf-8").count("<aelib-explorer") == 1
