"""Run by test_processes under torchrun: each process writes what it saw to a folder, in a file of its own."""

import os
import sys
from pathlib import Path

import torch
from accelerate.tracking import TensorBoardTracker
from safetensors.torch import save_file
from torch import Tensor, nn

os.environ |= {"AELIB_PROFILE": "full", "AELIB_RECORD": "1"}  # before anything is written

from blobs import blobs

from aelib.data import Batch, ImageSet
from aelib.models.adversarial import AdversarialAutoencoder, ReconstructionLoss
from aelib.models.autoencoder import Autoencoder, SquaredError
from aelib.models.convolutional import Convolutional
from aelib.models.quantizers import EMAQuantizer
from aelib.models.sparse import DeadUnits, Sparse, SparseAutoencoder
from aelib.models.sparse_activations import TopK
from aelib.models.vqvae import VQLoss, small_vqvae
from aelib.records.claims import Claims
from aelib.records.runs import Run
from aelib.training import EpochEnd, Fit, Phase, fit
from aelib.training.optimizers import sgd

folder, rank = Path(sys.argv[1]), int(os.environ["RANK"])
own = folder / str(rank)  # each process is told to write to another place
torch.set_num_threads(1)
seen: dict[str, Tensor] = {}


def exact(nets, batch: Batch) -> dict[str, Tensor]:
    """The error in double precision, and the first moments of the examples' numbers."""
    number = batch.y.double()
    moments = {f"moment {k}": (number**k).mean() for k in (1, 2, 3)}
    return SquaredError()(nets, Batch(batch.x.double(), batch.y)) | moments


gradients: list[Tensor] = []


def watched(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    optimizer = sgd(0.001, momentum=0.9)(parameters)

    def note(*_: object) -> None:
        gradients.append(torch.cat([p.grad.flatten() for p in parameters if p.grad is not None]))

    optimizer.register_step_pre_hook(note)
    return optimizer


# 121 examples, 24 held out, in batches of 19: neither divides by the processes, and the last batch has two examples.
torch.manual_seed(0)
data = ImageSet(blobs(121, 8).x, torch.arange(121))
ae = Autoencoder((64, 20, 3), nn.Sigmoid, (1, 8, 8)).double()
ended: list[int] = []
options = {"epochs": 3, "batch_size": 19, "validation": 24, "state_file": own / "state.safetensors"}
tracker = TensorBoardTracker("run", own)
phase = Phase(exact, watched, name="exact")


class Tracked(Fit):
    """A step with a tracker and a state of its own."""

    def run(self, state_file=None):
        return fit(self.modules, self.phases, self.data, log_with=tracker, **options)  # type: ignore[arg-type]


history = Run("run", {"ae": ae}, [Tracked({"ae": ae}, phase, data, epochs=3)]).load(folder=own).history
seen["history"] = torch.tensor(history.value.to_numpy())
seen["gradients"] = torch.stack(gradients)
seen |= {f"dense.{key}": value for key, value in ae.state_dict().items()}

claims = Claims("99_processes", own)
table = {"model": "AE", "dataset": "blobs", "metric": "error", "unit": "", "higher_is_better": False, "protocol": ""}
claims.add("error", values=[1.0], seeds=[0], **table)
claims.save()

# Units that die count their rest over all examples, on whichever process these are.
torch.manual_seed(0)
sparse = SparseAutoencoder(30, lambda: TopK(3), (1, 8, 8)).double()
activity = DeadUnits(30, 50)


def counted(nets, batch: Batch) -> dict[str, Tensor]:
    return Sparse()(nets, Batch(batch.x.double(), batch.y))


fit({"ae": sparse, "dead units": activity}, Phase(counted, sgd(0.001), updates=("ae",)), data, epochs=1, batch_size=19)
seen["idle"] = activity.idle

# Single precision, twice.
for run in ("first", "second"):
    torch.manual_seed(0)
    single = Autoencoder((64, 20, 3), nn.Sigmoid, (1, 8, 8))
    fit({"ae": single}, Phase(SquaredError()), data, epochs=2, batch_size=19)
    seen[run] = torch.cat([p.detach().flatten() for p in single.parameters()])

# Batch normalization.
torch.manual_seed(0)
conv = Convolutional(2)
fit({"ae": conv}, Phase(SquaredError(), sgd(1e-4)), blobs(40), epochs=2, batch_size=10)
seen |= {f"conv.{key}": value for key, value in conv.state_dict().items()}


# 18 examples in batches of 8: the last two go to the first process, and the others have no part of them. Units that
# rest, codebooks and batch normalization see each example once all the same.
torch.manual_seed(0)
few = SparseAutoencoder(30, lambda: TopK(1), (1, 8, 8)).double()
rest = DeadUnits(30, 50)
eighteen = blobs(18, 8)
fit({"ae": few, "dead units": rest}, Phase(counted, sgd(0.0), updates=("ae",)), eighteen, epochs=1, batch_size=8)
seen["few idle"] = rest.idle
torch.manual_seed(0)
vqvae = small_vqvae(EMAQuantizer(8, 4, restart=0.0), 4)
fit({"ae": vqvae}, Phase(VQLoss(), sgd(1e-3)), blobs(18), epochs=2, batch_size=8)
seen |= {f"codebook.{key}": value for key, value in vqvae.quantizer.state_dict().items()}
torch.manual_seed(0)
normalized = AdversarialAutoencoder(2, 0, (20,), (1, 8, 8), normalize=True)
phase_of_normalized = Phase(ReconstructionLoss(), sgd(1e-3), updates=("encoder", "decoder"))
fit(normalized.nets(), phase_of_normalized, eighteen, epochs=1, batch_size=8)
(norm,) = (layer for layer in normalized.modules() if isinstance(layer, nn.BatchNorm1d))
seen["normalized batches"] = norm.num_batches_tracked


# A method goes past the averaging of gradients over processes.
def by_method(nets, batch: Batch) -> dict[str, Tensor]:
    return {"loss": nets["ae"].encode(batch.x.double()).square().mean()}


try:
    fit({"ae": ae}, Phase(by_method, sgd(0.0)), data, epochs=1)
    method_said = ""
except AttributeError as error:
    method_said = str(error)
(folder / f"{rank} method.txt").write_text(method_said, encoding="utf-8")


# The last process alone wants to stop after the second epoch.
def stop(end: EpochEnd) -> bool:
    return end.epoch == 2 and rank == int(os.environ["WORLD_SIZE"]) - 1


seen["stopped"] = torch.tensor(fit({"ae": ae}, Phase(exact, sgd(0.0)), data, epochs=5, callbacks=[stop]).epoch.max())

# The first process finds its state, the others find none.
options["state_file"] = own / "state.safetensors"
try:
    fit({"ae": ae}, phase, data, **options)  # type: ignore[arg-type]
    said = ""
except ValueError as error:
    said = str(error)
(folder / f"{rank}.txt").write_text(said, encoding="utf-8")
save_file({key: value.contiguous() for key, value in seen.items()}, folder / f"{rank}.safetensors")
