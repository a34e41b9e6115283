"""Run by test_adversarial under torchrun: three phases on one batch, the weights written by the first process."""

import sys
from dataclasses import dataclass

import torch
from accelerate import PartialState
from blobs import blobs
from safetensors.torch import save_file
from torch import Tensor

from aelib.models.adversarial import (
    AdversarialAutoencoder,
    Discriminator,
    DiscriminatorLoss,
    GeneratorLoss,
    Match,
    ReconstructionLoss,
)
from aelib.training import Phase, fit
from aelib.training.optimizers import sgd


@dataclass(frozen=True)
class Point:
    """The prior that every draw is one point, so that no process draws what another does not."""

    parts: int = 1

    def sample(self, part: Tensor) -> Tensor:
        return torch.ones(len(part), 2, device=part.device)


torch.set_num_threads(1)
torch.manual_seed(0)
model, judge = AdversarialAutoencoder(2, hidden=(20,), shape=(1, 8, 8)), Discriminator(2, (20,))
match = (Match(Point()),)
phases = [
    Phase(ReconstructionLoss(), sgd(0.01), updates=("encoder", "decoder")),
    Phase(DiscriminatorLoss(match), sgd(0.1), updates=("discriminator",)),
    Phase(GeneratorLoss(match), sgd(0.1), updates=("encoder",)),
]
fit(model.nets(discriminator=judge), phases, blobs(97, 8), epochs=2, batch_size=16)  # the last batch has one example
state = PartialState()
if state.is_main_process:
    weights = {f"judge.{k}": v for k, v in judge.state_dict().items()} | model.state_dict()
    save_file(weights | {"processes": torch.tensor(state.num_processes)}, sys.argv[1])
state.destroy_process_group()
