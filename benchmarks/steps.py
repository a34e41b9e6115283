"""How near a training step comes to the machine's own peak, what the rest of its time goes to, and what was tried.

`python benchmarks/steps.py` on a quiet machine takes, for each of the book's kinds of network,

- the share of the peak: the floating-point operations of its matrix products and convolutions, forward and backward,
  in a second of training, over those of the machine's own product of two square matrices, measured in the same round;
- where the time goes, by PyTorch's profiler: products and convolutions, the optimizer, everything else;
- ratios of the step's time with something changed to its time as `fit` takes it: the optimizer not fused, one thread
  for all, the channels last in memory. What `torch.compile` changes is measured by `compiling.py`.

The step is the one of `fit`: batch taken from memory, objective, backward, fused Adam.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from keeping import keep, measure
from loops import Recipe
from recipes import BATCH, RECIPES
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from aelib.data import Batch, ImageSet, mnist

WHAT = (
    "A training step on 128 digits: the share of the machine's own matrix-multiply peak (two square matrices of "
    "1,536 rows, float32) that its products reach, where its time goes, and how its time changes with something "
    "changed (below 1: faster than what fit does)."
)
SIDE = 1536


def peak(seconds: float = 0.5) -> float:
    """Operations in a second of the machine's own matrix product: 2 n³ for two matrices of n rows."""
    a, b = torch.rand(SIDE, SIDE), torch.rand(SIDE, SIDE)
    return 2 * SIDE**3 / per_call(lambda: torch.mm(a, b), seconds)


def per_call(call: Callable[[], object], seconds: float) -> float:
    """Seconds of a call, median over *seconds* of calls."""
    times: list[float] = []
    while sum(times) < seconds or len(times) < 5:
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def operations(recipe: Recipe, batch: Batch) -> int:
    """Floating-point operations of the products and convolutions of one step, forward and backward."""
    model = recipe.network().train()
    before = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(False)  # an LSTM in one piece would hide its products from the counter
    try:
        with FlopCounterMode(display=False) as counter:
            recipe.objective({recipe.name: model}, batch)["loss"].backward()
    finally:
        torch._C._set_mkldnn_enabled(before)
    return counter.get_total_flops()


class Step:
    """One step of training, to be called again and again."""

    def __init__(self, recipe: Recipe, data: ImageSet, *, fused: bool = True, last: bool = False) -> None:
        self.recipe, self.data, self.last = recipe, data, last
        self.model: nn.Module = recipe.network().train()
        if last:
            self.model = self.model.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(self.model.parameters(), 1e-3, fused=fused, foreach=None if fused else False)

    def __call__(self) -> None:
        batch = self.data.batch(torch.randint(len(self.data), (BATCH,)))
        if self.last:
            batch = batch._replace(x=batch.x.to(memory_format=torch.channels_last))
        loss = self.recipe.objective({self.recipe.name: self.model}, batch)["loss"]
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


KINDS = {"products": ("mm", "convolution", "mkldnn_rnn"), "the optimizer": ("adam", "Optimizer")}


def shares(step: Step, steps: int = 30) -> dict[str, float]:
    """Percent of the step's time in products, in the optimizer, and in all else, by the profiler."""
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        for _ in range(steps):
            step()
    found = dict.fromkeys((*KINDS, "all else"), 0.0)
    for event in seen.key_averages():
        kinds = (kind for kind, parts in KINDS.items() if any(part in event.key for part in parts))
        found[next(kinds, "all else")] += event.self_cpu_time_total
    return {kind: 100 * value / sum(found.values()) for kind, value in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is measured, in turn (default 5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="of one measurement (default 1)")
    parser.add_argument("--only", nargs="*", choices=RECIPES, default=list(RECIPES), help="these networks alone")
    options = parser.parse_args()
    data, threads = mnist().train, torch.get_num_threads()
    measures = {}
    for label in options.only:
        recipe = RECIPES[label]
        step, work = Step(recipe, data), operations(recipe, data.batch(torch.arange(BATCH)))
        changed = {"Adam not fused": Step(recipe, data, fused=False)}
        if any(isinstance(m, nn.Conv2d) for m in step.model.modules()):
            changed["channels last"] = Step(recipe, data, last=True)
        for warm in (step, *changed.values()):
            warm()
        rounds: list[dict[str, float]] = []
        for _ in range(options.rounds):
            found = {"peak": peak(options.seconds / 2), "as it is": per_call(step, options.seconds)}
            found |= {name: per_call(other, options.seconds) for name, other in changed.items()}
            if threads > 1:
                torch.set_num_threads(1)
                found["one thread"] = per_call(step, options.seconds)
                torch.set_num_threads(threads)
            rounds.append(found | shares(step))
        measures[f"{label}: share of the peak"] = measure([100 * work / r["as it is"] / r["peak"] for r in rounds], "%")
        for kind in (*KINDS, "all else"):
            measures[f"{label}: of its time in {kind}"] = measure([r[kind] for r in rounds], "%")
        for name in (*changed, *(("one thread",) if threads > 1 else ())):
            measures[f"{label}: {name}, time of a step"] = measure([r[name] / r["as it is"] for r in rounds], "×")
    keep("steps", "Where a step's time goes", WHAT, options.rounds, measures)


if __name__ == "__main__":
    main()
