"""Run by test_own_data under torchrun: a streamed training, and how many examples this process read in an epoch."""

import sys

import torch
from accelerate import PartialState
from blobs import blobs
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import Dataset

from aelib.models.autoencoder import Autoencoder, CrossEntropy
from aelib.training import Phase, fit
from aelib.training.optimizers import adam, one_cycle


class Counted(Dataset[Tensor]):
    """Pictures, and how many were read."""

    def __init__(self) -> None:
        self.images, self.read = blobs(121, 8), 0

    def __len__(self) -> int:
        return 121

    def __getitem__(self, i: int) -> Tensor:
        self.read += 1
        return self.images.x[i]


torch.set_num_threads(1)
torch.manual_seed(0)
ae = Autoencoder((64, 20, 3), nn.Sigmoid, (1, 8, 8))
data = Counted()  # 97 to train on in batches of 16: the last one has a single example
history = fit(
    {"ae": ae},
    Phase(CrossEntropy(), adam(1e-2), one_cycle()),
    data,
    epochs=3,
    batch_size=16,
    validation=24,
    stream=True,
    workers=0,
)
state = PartialState()
if state.is_main_process:
    numbers = {"history": torch.tensor(history.value.to_numpy()), "processes": torch.tensor(state.num_processes)}
    numbers["read"] = torch.tensor((data.read - 1) // 3)  # the first example was looked at before
    save_file(ae.state_dict() | numbers, sys.argv[1])
state.destroy_process_group()
