"""One training loop for every chapter: :func:`fit` knows phases and batches, and no model.

The data stay in memory on the device, where a batch is an index into them; what does not fit is streamed. The engine is
Hugging Face ``accelerate``: the same call runs on a CPU, on a GPU, or on several processes under ``accelerate launch``.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import torch
from accelerate import Accelerator
from torch import Tensor
from tqdm.auto import tqdm

from aelib.collective import without_a_part
from aelib.interfaces import Data, Particular
from aelib.training.arguments import check_arguments
from aelib.training.batches import batches, number_of_batches, part
from aelib.training.compiling import check_compile
from aelib.training.finite import Finite, check_terms
from aelib.training.given import Given, placed, taken
from aelib.training.phases import Callback, EarlyStopping, EpochEnd, Modules, Phase
from aelib.training.precision import chosen_precision, training_precision
from aelib.training.processes import agree_on_epoch, engine, in_any_process, noticing_a_lost_process, share_buffers
from aelib.training.recipe import recipe_of
from aelib.training.state import StateFile
from aelib.training.steps import PhaseAtWork
from aelib.training.streaming import Streamed
from aelib.training.tracking import LogWith, tracking

__all__ = ["EarlyStopping", "EpochEnd", "Phase", "fit"]


def fit(
    modules: Modules,
    phases: Phase | Sequence[Phase],
    data: Given,
    *,
    epochs: int,
    batch_size: int | None = None,
    seed: int = 0,
    validation: int = 0,
    callbacks: Sequence[Callback] = (),
    state_file: str | os.PathLike[str] | None = None,
    log_with: LogWith | None = None,
    precision: str | None = None,
    compile: bool | str = False,
    stream: bool | None = None,
    workers: int | None = None,
) -> pd.DataFrame:
    """Train *modules* in place and return the history.

    In each step every phase sees the same batch. The result depends on the modules' start and on *seed* alone:
    the same bits on the same kind of CPU, resumed or not. The caller's random state is left as it was, and the
    modules are left in evaluation mode on the device that they came from, also when an error ends the training.

    Args:
        modules: names to modules; objectives call them by these names.
        phases: what to do with a batch, in order.
        data: the training set: one of :mod:`aelib.data`, a tensor (N, ...) of bytes or floats, a pair of it and labels
            (N,), a ``torch.utils.data.Dataset`` or anything else with ``__getitem__`` and ``__len__``, or a
            ``DataLoader``, whose batch size, workers and ``collate_fn`` are used, and whose order is not. An example of
            a data set is a tensor, array or picture, a pair of it and a label, or a mapping such as
            ``{"image": ..., "label": ...}``. Bytes become byte / 255; floats stay as they are.
        epochs: passes through it.
        batch_size: examples in a step, over all processes together; 128, or a DataLoader's own. The last batch of an
            epoch is what is left; a single example that is left joins the batch before, because its variance would be
            undefined. For the same reason a process sees two examples of a batch or more, or none.
        seed: decides the order of the examples, the validation split, and all noise.
        validation: how many examples to hold out of *data*, evaluated after each epoch.
        callbacks: called after each epoch with an :class:`EpochEnd`, the modules in evaluation mode and without
            gradients (``torch.enable_grad()`` brings them back). One that returns True ends the training, in all
            processes even if it does so in one. What one has to remember in a resumed run it gives and takes as JSON
            by ``state_dict`` and ``load_state_dict``.
        state_file: where to save the state after each epoch, and to resume from if it exists. The run must be the one
            that was saved: what its recipe says is compared, and a state of another run is refused.
        log_with: trackers that get the history's numbers after each epoch: names that ``accelerate`` knows, such as
            ``"tensorboard"``, which writes to ``runs/`` under the modules' names, or trackers such as
            ``TensorBoardTracker("beta 4", "logs")``.
        precision: of the training steps, and of them alone. ``"tf32"``, the default, rounds the factors of float32
            matrix products and convolutions to 11 significant bits on the GPUs that do so, an error of 0.05 % at most
            in each; ``"bf16"`` runs the modules, not the objective, under autocast with 8 bits, 0.4 %; ``"float32"``
            allows neither. Elsewhere nothing is changed: evaluate a likelihood outside of a training step. Left away,
            it is what ``accelerate launch --mixed_precision`` was told. On a CPU, "tf32" is float32.
        compile: True compiles each phase's forward and backward pass by ``torch.compile``, on a GPU into CUDA graphs.
            It takes seconds to a minute before the first step, and pays where launching kernels takes longer than they
            run: small networks, many steps. It concerns full batches of training; a last one of another size and
            the validation run as they are. The compiler draws noise in its own way: again the same bits from the same
            seed, but not those of a run without. A text names another of ``torch.compile``'s backends.
        stream: whether a data set is read anew in each epoch, by *workers*, a few batches ahead. By default it is read
            into memory once if it takes half of the free memory at most, and if its examples are the same when read
            twice: augmentations are not frozen. The batches are the same ones in the same order, and what the data set
            draws depends on *seed* and the batch alone.
        workers: processes that read; by default as many as there are cores for each process that trains, 8 at most.

    Returns:
        One row for each epoch, split, phase and term: its mean over the examples. ``history.attrs["seconds"]``
        holds the seconds that each epoch took, in this call or in those that it resumes.

    Raises:
        TypeError, ValueError: the arguments do not fit together, an objective's terms are no terms, the state file
            belongs to another run, a tracker is not known or not installed, or there is no compiler or more than one
            process to compile for; or the data cannot be trained on: an example that is not finite, of another shape
            than the first, or outside of what the model's likelihood is of. The message has the example's index.
        KeyError: an objective calls a module by a name that *modules* does not have.
        FloatingPointError: a term is not finite, and the message names phase, term, epoch and batch; or a parameter
            became so, and the message names it and the epoch. The state file is that of the epoch before.
        RuntimeError: another process of the training has ended, a phase cannot be compiled, or the data set raised an
            error, in a worker or not; the message has the example's index.
    """
    phases = (phases,) if isinstance(phases, Phase) else tuple(phases)
    source, batch_size = taken(data, batch_size, workers)
    check_arguments(modules, phases, source, epochs, batch_size, seed, validation)
    accelerator = engine(log_with)
    device, rank = accelerator.device, accelerator.process_index
    precision = chosen_precision(precision)
    check_compile(compile, device, accelerator.num_processes)

    checks = [module.check_values for module in modules.values() if isinstance(module, Particular)]
    source = placed(source, checks, device, stream, show=rank == 0)
    recipe: dict[str, Any] = {}
    if state_file is not None:
        recipe = recipe_of(
            modules,
            phases,
            source,
            epochs=epochs,
            batch_size=batch_size,
            seed=seed,
            validation=validation,
            precision=precision,
            compile=compile,
            start=False,
        )
    split = torch.randperm(len(source), generator=torch.Generator().manual_seed(seed))
    home = "cpu" if isinstance(source, Streamed) else device
    source = source.to(device)
    held, kept = split[:validation].to(home), split[validation:].to(home)
    steps = number_of_batches(len(kept), batch_size)
    run = {"epochs": epochs, "batch_size": batch_size, "seed": seed, "validation": validation, "examples": len(source)}
    with (
        torch.random.fork_rng([device] if device.type == "cuda" else []),
        noticing_a_lost_process(accelerator),
        tracking(accelerator, log_with, "-".join(modules), run),
        _put_back(modules),
        closing(source) if isinstance(source, Streamed) else nullcontext(),
        tqdm(total=epochs * steps, delay=1, unit="batch", disable=None if rank == 0 else True) as bar,
    ):
        trained = {name for p in phases for name in (modules if p.updates is None else p.updates)}
        nets = {n: accelerator.prepare(m.to(device)) if n in trained else m.to(device) for n, m in modules.items()}
        runners = [PhaseAtWork(phase, modules, nets, epochs * steps, steps, device, compile) for phase in phases]
        steps_of = [(r.name, r.optimizer, r.scheduler) for r in runners]
        state = StateFile(state_file, modules, steps_of, recipe, callbacks)
        rows, seconds, start, done = state.load()
        agree_on_epoch(accelerator, start, state_file)
        finite = Finite(modules)
        bar.initial = bar.n = start * steps

        for epoch in range(start + 1, epochs + 1):
            if done:
                break
            began = time.perf_counter()
            # A fresh seed an epoch makes a resumed run draw what the uninterrupted one would have drawn.
            torch.manual_seed(int(np.random.SeedSequence([seed, epoch, rank]).generate_state(1)[0]))
            order = kept[torch.randperm(len(kept), generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))]
            passes = [("train", order)] + ([("validation", held)] if validation else [])
            terms: dict[tuple[str, str, str], float] = {}
            for split_name, index in passes:
                train = split_name == "train"
                with training_precision(precision, modules, device) if train else nullcontext():
                    means = _run_epoch(
                        nets, runners, source, index, batch_size, accelerator, train, (seed, epoch), bar, finite
                    )
                terms |= {(split_name, phase, term): value for (phase, term), value in means.items()}
                if train:
                    share_buffers(accelerator, modules.values())
            seconds.append(time.perf_counter() - began)
            rows += [{"epoch": epoch, "split": s, "phase": p, "term": t, "value": v} for (s, p, t), v in terms.items()]
            accelerator.log({"/".join(key): value for key, value in terms.items()}, step=epoch)
            bar.set_postfix({"epoch": epoch, "loss": f"{terms['train', phases[0].name, 'loss']:.4g}"})
            for module in modules.values():
                module.eval()
            with torch.no_grad():
                stops = [bool(callback(EpochEnd(epoch, terms, modules))) for callback in callbacks]
            done = in_any_process(accelerator, any(stops))
            if accelerator.is_main_process:
                state.save(rows, seconds, epoch, done)
    history = pd.DataFrame(rows, columns=["epoch", "split", "phase", "term", "value"])
    history.attrs["seconds"] = seconds
    return history


@contextmanager
def _put_back(modules: Modules) -> Iterator[None]:
    """Leave the modules in evaluation mode, without gradients, where they were; whatever ends the training."""
    homes = {n: next((x.device for x in chain(m.parameters(), m.buffers())), None) for n, m in modules.items()}
    try:
        yield
    finally:
        for name, module in modules.items():
            module.zero_grad()
            module.eval()
            if homes[name] is not None:
                module.to(homes[name])


def _run_epoch(
    nets: Modules,
    runners: Sequence[PhaseAtWork],
    data: Data | Streamed,
    order: Tensor,
    batch_size: int,
    accelerator: Accelerator,
    train: bool,
    now: tuple[int, int],
    bar: Any,
    finite: Finite,
) -> dict[tuple[str, str], float]:
    """One pass through *order*, in an epoch, *now* with the seed; each term's mean, the same on every process."""
    rank, world, epoch = accelerator.process_index, accelerator.num_processes, now[1]
    for net in nets.values():
        net.train(train)
    for runner in runners:
        runner.columns = ()
    logged: list[Tensor] = []
    wholes = batches(order, batch_size)
    mines = [part(whole, rank, world) for whole in wholes]
    # Processes may hold parts of unequal size, or none: one without a part computes with what belongs to others.
    seen = [mine if len(mine) else whole for mine, whole in zip(mines, wholes, strict=True)]
    read = data.batches(seen, (*now, int(train), rank)) if isinstance(data, Streamed) else map(data.batch, seen)
    parameters = [p for net in nets.values() for p in net.parameters()]
    graphs = accelerator.device.type == "cuda" and any(runner.compiled for runner in runners)
    with torch.set_grad_enabled(train):
        for number, (whole, mine, batch) in enumerate(zip(wholes, mines, read, strict=True)):
            # Weighed so that the average of the processes' gradients is the gradient of the whole batch.
            share = len(mine) / len(whole)
            if train:  # a tensor: a compiled step is not compiled again for each value; by a kernel: nothing waits
                batch = batch._replace(epoch=torch.full((), epoch - 1 + number / len(wholes), device=batch.x.device))
            row: list[Tensor] = []
            if graphs:
                torch.compiler.cudagraph_mark_step_begin()
            with nullcontext() if len(mine) else without_a_part():
                for runner in runners:
                    # Also those that the phase does not update: they would add up, and lie in a CUDA graph's memory.
                    for parameter in parameters:
                        parameter.grad = None
                    terms = runner.terms(batch, compiled=train and len(whole) == batch_size, train=train)
                    if train:
                        loss = terms["loss"] if world == 1 else terms["loss"] * (share * world)
                        runner.step(loss, accelerator)
                    row += [value.detach() for value in terms.values()]
            logged.append(torch.stack(row) * (share * len(whole)))
            if train:
                bar.update()
    columns = [(runner.name, term) for runner in runners for term in runner.columns]
    # The one synchronization of the epoch: until here no number has left the device.
    logged_and_lost = torch.cat([torch.stack(logged).flatten(), finite.lost()])
    numbers = accelerator.reduce(logged_and_lost, reduction="sum").double().cpu()
    table = numbers[: len(wholes) * len(columns)].view(len(wholes), len(columns))
    sizes = [len(whole) for whole in wholes]
    check_terms(table, columns, sizes, epoch, train)
    finite.check(numbers[table.numel() :], epoch)
    return dict(zip(columns, (table.sum(0) / sum(sizes)).tolist(), strict=True))
