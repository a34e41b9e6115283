"""Scripts of this folder on several processes of this machine."""

import os
import subprocess
import sys
from pathlib import Path

SUPPORT = Path(__file__).parent


def launch(script: Path, processes: int, *arguments: object, succeeds: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a script on a number of processes of this machine, as ``torchrun`` does."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    settings = os.environ | {"OMP_NUM_THREADS": "1"}  # as torchrun sets it, but for its warning
    command += [str(script), *map(str, arguments)]
    done = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=240)
    assert not succeeds or done.returncode == 0, done.stderr[-3000:]
    return done
