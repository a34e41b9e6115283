"""Trains models of pythae, an epoch at a time; run by an interpreter that has pythae, see against_pythae.py.

Takes the training images, (N, 1, 28, 28) uint8 in an .npy file, a folder to write to and a number of threads. Reads
orders, one JSON object a line, and answers each by a line: how long the epoch took, and what was trained.
"""

import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VQVAE, BaseAE, VAEConfig, VQVAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback
from torch import Tensor, nn

SHAPE = (1, 28, 28)


class GridEncoder(BaseEncoder):
    """The encoder of ``aelib.models.vqvae.small_vqvae``, for codes of 16 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 16, 1),
        )

    def forward(self, x: Tensor) -> ModelOutput:
        return ModelOutput(embedding=self.layers(x))


class GridDecoder(BaseDecoder):
    """The decoder of ``aelib.models.vqvae.small_vqvae``, for codes of 16 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, z: Tensor) -> ModelOutput:
        return ModelOutput(reconstruction=self.layers(z))


def vae() -> BaseAE:
    """pythae's own dense networks, 784-512-20 and back, under its Bernoulli likelihood."""
    return VAE(VAEConfig(input_dim=SHAPE, latent_dim=20, reconstruction_loss="bce"))


def vqvae() -> BaseAE:
    """Its quantizer, 512 codes that follow running means, between the networks above."""
    return VQVAE(VQVAEConfig(input_dim=SHAPE, num_embeddings=512, use_ema=True), GridEncoder(), GridDecoder())


MODELS: dict[str, Callable[[], BaseAE]] = {"VAE": vae, "VQ-VAE": vqvae}


class Clock(TrainingCallback):
    """Takes the time from the beginning of an epoch to its end, and the epoch's mean loss."""

    def on_epoch_begin(self, training_config: BaseTrainerConfig, **_: Any) -> None:
        self.began = time.perf_counter()

    def on_epoch_end(self, training_config: BaseTrainerConfig, **_: Any) -> None:
        self.seconds = time.perf_counter() - self.began

    def on_log(self, training_config: BaseTrainerConfig, logs: dict[str, float], **_: Any) -> None:
        self.loss = float(logs["train_epoch_loss"])


def train(order: dict[str, Any], data: BaseDataset, folder: str) -> dict[str, Any]:
    """One epoch of a new model by pythae's trainer, then the time that its DataLoader alone takes for an epoch."""
    torch.manual_seed(order["seed"])
    model, clock = MODELS[order["model"]](), Clock()
    config = BaseTrainerConfig(
        output_dir=folder,
        num_epochs=1,
        per_device_train_batch_size=order["batch"],
        learning_rate=order["rate"],
        optimizer_params={"fused": True} if order["fused"] else None,
        seed=order["seed"],
        no_cuda=True,
    )
    part = BaseDataset(data.data[: order["images"]], data.labels[: order["images"]])
    trainer = BaseTrainer(model, part, training_config=config, callbacks=[clock])
    trainer.train()
    began = time.perf_counter()
    for _ in trainer.train_loader:
        pass
    return {
        "parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "loss": clock.loss,
        "seconds": clock.seconds,
        "loading": time.perf_counter() - began,
    }


def main() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever else is printed must not mix with the answers
    images, folder, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    x = torch.from_numpy(np.load(Path(images))).float() / 255
    data = BaseDataset(x, torch.zeros(len(x)))
    about = {"pythae": version("pythae"), "torch": torch.__version__, "threads": torch.get_num_threads()}
    print(json.dumps(about), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(train(json.loads(line), data, folder)), file=answers, flush=True)


if __name__ == "__main__":
    main()
