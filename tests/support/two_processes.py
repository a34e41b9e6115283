"""Run by test_training under torchrun: a short training whose history and weights are written by the first process."""

import sys

import torch
from accelerate import PartialState
from blobs import blobs
from safetensors.torch import save_file
from torch import nn

from aelib.models.autoencoder import Autoencoder, CrossEntropy
from aelib.training import Phase, fit
from aelib.training.optimizers import adam, one_cycle

torch.set_num_threads(1)
torch.manual_seed(0)
ae = Autoencoder((64, 20, 3), nn.Sigmoid, (1, 8, 8))
data = blobs(121, 8)  # 97 to train on in batches of 16: the last one has a single example
history = fit({"ae": ae}, Phase(CrossEntropy(), adam(1e-2), one_cycle()), data, epochs=3, batch_size=16, validation=24)
state = PartialState()
if state.is_main_process:
    numbers = {"history": torch.tensor(history.value.to_numpy()), "processes": torch.tensor(state.num_processes)}
    save_file(ae.state_dict() | numbers, sys.argv[1])
state.destroy_process_group()
