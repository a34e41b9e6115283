"""One training on several processes: the numbers of one process, one writer, and a clean end when one is lost."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import mortal_process
import pandas as pd
import pytest
import torch
from launching import SUPPORT, launch
from safetensors.torch import load_file
from torch import Tensor

HERE = SUPPORT
ROOT = HERE.parents[1]
NOTEBOOKS = ROOT / "notebooks"
pytestmark = pytest.mark.processes
Run = list[dict[str, Tensor]]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """What 1, 2 and 4 processes wrote, by their number."""
    made = {}
    for processes in (1, 2, 4):
        made[processes] = tmp_path_factory.mktemp(f"on{processes}")
        launch(HERE / "several_processes.py", processes, made[processes])
    return made


@pytest.fixture(scope="module")
def runs(folders: dict[int, Path]) -> dict[int, Run]:
    """What each process saw, by number of processes and rank."""
    return {n: [load_file(folder / f"{rank}.safetensors") for rank in range(n)] for n, folder in folders.items()}


@pytest.mark.parametrize("processes", [2, 4])
def test_gradients_and_history_are_those_of_one_process(runs, processes):
    """In double precision, so that nothing hides: every gradient of every step, every term of every epoch."""
    (one,) = runs[1]
    assert len(one["gradients"]) == 3 * 6
    for many in runs[processes]:
        torch.testing.assert_close(many["gradients"], one["gradients"], rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(many["history"], one["history"], rtol=1e-12, atol=0)
        for key in (key for key in one if key.startswith("dense.")):
            torch.testing.assert_close(many[key], one[key], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_each_example_counts_once(runs, processes):
    """The means over 97 and 24 examples make the sums over all 121: of numbers, of squares, of cubes."""
    for seen in runs[processes]:
        by_epoch = seen["history"].view(3, 2, 4)  # epoch, split, (loss, three moments)
        sums = by_epoch[:, 0, 1:] * 97 + by_epoch[:, 1, 1:] * 24
        number = torch.arange(121, dtype=torch.float64)
        expected = torch.stack([(number**k).sum() for k in (1, 2, 3)])
        torch.testing.assert_close(sums, expected.expand(3, 3), rtol=1e-13, atol=0)


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_the_same_number_of_processes_gives_the_same_bits(runs, processes):
    for seen in runs[processes]:
        assert torch.equal(seen["first"], seen["second"])
        assert torch.equal(seen["first"], runs[processes][0]["first"])
        torch.testing.assert_close(seen["first"], runs[1][0]["first"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("processes", [2, 4])
def test_units_that_rest_are_counted_over_all_processes(runs, processes):
    for seen in runs[processes]:
        assert torch.equal(seen["idle"], runs[1][0]["idle"])
    assert runs[1][0]["idle"].max() > 0


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_a_process_without_a_part_of_the_last_batch_counts_nothing(runs, processes):
    """18 examples in batches of 8: units that never fire have rested for 18, and all vectors chose a code once."""
    for seen in runs[processes]:
        assert seen["few idle"].max() == 18
        assert torch.equal(seen["few idle"], runs[1][0]["few idle"])
        assert seen["normalized batches"] == 3
        for key in (key for key in seen if key.startswith("codebook.")):
            torch.testing.assert_close(seen[key], runs[1][0][key], rtol=1e-4, atol=1e-5)
    places = torch.tensor(1.0 * 8)  # the sizes begin at 1 for each of 8 codes, 49 places an image
    for size in (8, 8, 2) * 2:
        places = 0.99 * places + 0.01 * 49 * size
    torch.testing.assert_close(runs[processes][0]["codebook.sizes"].sum(), places, rtol=1e-5, atol=0)


@pytest.mark.parametrize("processes", [1, 2, 4])  # a launcher's single process is wrapped, too
def test_an_objective_that_goes_past_the_averaging_is_told(folders, processes):
    for rank in range(processes):
        said = (folders[processes] / f"{rank} method.txt").read_text(encoding="utf-8")
        expected = (
            "The objective of phase 'by_method' uses nets['ae'].encode, which goes past the averaging of gradients "
            "over processes: call nets['ae'](...) alone, and let its forward return what is needed."
        )
        assert said == expected


@pytest.mark.parametrize("processes", [2, 4])
def test_batch_normalization_sees_a_part_but_all_processes_end_with_one_model(runs, processes):
    first, *others = ({k: v for k, v in seen.items() if k.startswith("conv.")} for seen in runs[processes])
    for other in others:
        assert all(torch.equal(first[key], other[key]) for key in first)
    key = "conv.encoder.1.running_var"
    assert not torch.allclose(first[key], runs[1][0][key], rtol=1e-6)


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_one_process_can_stop_all(runs, processes):
    assert [seen["stopped"].item() for seen in runs[processes]] == [2] * processes


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_only_the_first_process_writes(folders, processes):
    names = sorted(path.name for path in folders[processes].iterdir() if path.is_dir())
    assert names == ["0"]
    written = sorted(path.name for path in (folders[processes] / "0").iterdir())
    assert written == [".state", "99_processes.full.json", "run", "run.safetensors", "state.safetensors"]
    events = [path for path in (folders[processes] / "0" / "run").iterdir() if path.is_file()]
    assert len(events) == 1


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_that_do_not_find_the_same_state_say_so(folders, processes):
    for rank in range(processes):
        said = (folders[processes] / f"{rank}.txt").read_text(encoding="utf-8")
        epochs = ", ".join(["3"] + ["0"] * (processes - 1))
        assert f"after epoch {epochs}, in the order of their ranks. Put it on a disk that all" in said
    assert (folders[1] / "0.txt").read_text(encoding="utf-8") == ""


def test_a_process_that_dies_ends_the_run_which_then_goes_on_where_it_was(tmp_path):
    done = launch(HERE / "mortal_process.py", 2, tmp_path, "dies", succeeds=False)
    assert time.time() - float((tmp_path / "died").read_text(encoding="utf-8")) < 20
    assert done.returncode != 0
    assert re.search(r"local_rank: 1", done.stderr)
    assert "Signal 9 (SIGKILL)" in done.stderr
    launch(HERE / "mortal_process.py", 2, tmp_path, "lives")
    resumed = pd.read_json(tmp_path / "history.json")
    (tmp_path / "one").mkdir()
    pd.testing.assert_frame_equal(resumed, mortal_process.train(tmp_path / "one"), rtol=1e-5)


def test_without_a_launcher_the_others_end_by_themselves_and_say_why(tmp_path):
    """As on another machine, where no launcher sees the death."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    settings = os.environ | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    command = [sys.executable, str(HERE / "mortal_process.py"), str(tmp_path), "dies"]
    processes = [
        subprocess.Popen(command, env=settings | {"RANK": rank, "LOCAL_RANK": rank}, stderr=subprocess.PIPE, text=True)
        for rank in "01"
    ]
    try:
        _, said = processes[0].communicate(timeout=120)
        assert time.time() - float((tmp_path / "died").read_text(encoding="utf-8")) < 20
        assert processes[0].returncode == 1
        assert "RuntimeError: Process 0 of 2 stops: another process has ended in the middle of the training." in said
        assert processes[1].wait(timeout=10) == -signal.SIGKILL
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_the_script_in_the_book_runs_on_two_processes(tmp_path):
    """dSprites at full size, made small: a few of its images, a network a twentieth the size."""
    pytest.importorskip("aelib.data.sprites")
    page = (ROOT / "book" / "beyond_one_machine.md").read_text(encoding="utf-8")
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "images = sprites()" in block)
    for full, small in {
        "images = sprites()": "images = sprites().sample(50)",
        "paper_vae": "compact_vae",
        '"epochs": 26, "batch_size": 2048': '"epochs": 2, "batch_size": 16',
        "import torch": f"import os, torch\nos.chdir({str(tmp_path)!r})",
    }.items():
        assert full in code
        code = code.replace(full, small, 1 if full == "import torch" else -1)
    (tmp_path / "script.py").write_text(code + "\nassert len(history) == 2 * 3, history", encoding="utf-8")
    launch(tmp_path / "script.py", 2)
    assert (tmp_path / "sprites.safetensors").exists()
    assert len(list((tmp_path / "runs" / "vae").glob("events*"))) == 1


LAUNCHERS = {
    "torchrun": ["torch.distributed.run", "--standalone", "--nproc-per-node=2"],
    "accelerate launch": ["accelerate.commands.launch", "--multi_gpu", "--num_processes=2", "--main_process_port=0"],
}


@pytest.mark.long
@pytest.mark.parametrize(
    ("launcher", "chapter"), [("torchrun", "09_three_networks"), ("accelerate launch", "06_adversarial")]
)
def test_a_chapter_runs_on_two_processes(launcher, chapter, tmp_path):
    """Its assertions hold in both, and neither changes a record."""
    records = {path: path.stat().st_mtime_ns for path in (ROOT / "results").rglob("*") if path.is_file()}
    settings = os.environ | {"AELIB_PROFILE": "smoke", "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    command = [sys.executable, "-m", *LAUNCHERS[launcher], str(NOTEBOOKS / f"{chapter}.py")]
    done = subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    after = {path: path.stat().st_mtime_ns for path in (ROOT / "results").rglob("*") if path.is_file()}
    assert after == records
    assert json.dumps(list(map(str, tmp_path.iterdir()))) == "[]"
