"""One small training for each objective of the book: what tests ask that hold for every model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from blobs import blobs
from torch import nn

from aelib.data import Binarized, Grids, TextSet
from aelib.interfaces import Data
from aelib.likelihoods import Gaussian
from aelib.models.adversarial import (
    AdversarialAutoencoder,
    ClassificationLoss,
    Discriminator,
    DiscriminatorLoss,
    GeneratorLoss,
    Match,
    ReconstructionLoss,
    SaturatingGeneratorLoss,
    SupervisedReconstructionLoss,
)
from aelib.models.autoencoder import Autoencoder, CrossEntropy, Reconstruct, RectifiedDense, SquaredError
from aelib.models.beta_vae import Capacity, TotalCorrelation
from aelib.models.boltzmann import RBM, ContrastiveDivergence
from aelib.models.contractive import (
    Contractive,
    ContractiveAutoencoder,
    DeepContractive,
    ReconstructionContractive,
    RelativeContractive,
)
from aelib.models.convolutional import Convolutional, PooledConvolutional, StridedConvolutional, SuperResolution
from aelib.models.denoising import Denoising, Emphasized, OnCorrupted, SaltAndPepper, TiedAutoencoder
from aelib.models.iwae import IWAE
from aelib.models.pixelcnn import PixelCNN, SymbolLikelihood
from aelib.models.quantizers import FSQ, EMAQuantizer, Quantizer, VectorQuantizer
from aelib.models.recurrent import AttentionSeq2Seq, Seq2Seq, SequenceClassifier, TokenCrossEntropy
from aelib.models.rows import RowCode, RowStates
from aelib.models.sized import conv_autoencoder
from aelib.models.sparse import AuxK, DeadUnits, GatedSparse, KLSparse, L0Sparse, L1Sparse, Sparse, SparseAutoencoder
from aelib.models.sparse_activations import BatchTopK, GatedReLU, JumpReLU, TopK
from aelib.models.stacked import Classifier, LabelCrossEntropy, OnCodes
from aelib.models.vae import ELBO, DenseVAE, WarmUp
from aelib.models.vqvae import VQLoss, small_vqvae
from aelib.priors import Categorical, GaussianMixture, IsotropicGaussian
from aelib.training import Phase

SHAPE = (1, 8, 8)
Modules = Mapping[str, nn.Module]


@dataclass(frozen=True)
class Training:
    """What `fit` needs: modules that `make` starts from the current seed, phases, and data."""

    make: Callable[[], Modules]
    phases: tuple[Phase, ...]
    data: Callable[[], Data] = lambda: blobs(60, 8)


def dense() -> Modules:
    return {"ae": Autoencoder((64, 20, 3), nn.Sigmoid, SHAPE)}


def vae() -> Modules:
    return {"vae": DenseVAE((64, 20, 3), nn.Tanh, SHAPE)}


def gray_vae() -> Modules:
    return {"vae": DenseVAE((64, 20, 3), nn.Tanh, SHAPE, Gaussian(0.3))}


def sparse(activation: Callable[[], nn.Module], decoder: str = "free") -> Callable[[], Modules]:
    def make() -> Modules:
        return {"ae": SparseAutoencoder(30, activation, SHAPE, decoder), "dead units": DeadUnits(30, 100)}  # type: ignore[arg-type]

    return make


def adversarial(classes: int = 0) -> Modules:
    ae = AdversarialAutoencoder(2, classes, (20, 20), SHAPE, normalize=True, dropout=0.1)
    style = Discriminator(2 + (11 if not classes else 0), (20,))
    return ae.nets(style=style) | ({"cluster": Discriminator(classes, (20,), noise=0.1)} if classes else {})


def supervised() -> Modules:
    """The decoder is told the label: it takes ten numbers more than the encoder gives."""
    encoder = AdversarialAutoencoder(2, hidden=(20,), shape=SHAPE, posterior="gaussian").encoder
    decoder = AdversarialAutoencoder(12, hidden=(20,), shape=SHAPE).decoder
    return {"encoder": encoder, "decoder": decoder, "style": Discriminator(2, (20,))}


PLAIN = (Match(IsotropicGaussian(2), net="style"),)
LABELED = (Match(GaussianMixture(10), net="style", labels=True),)
CLUSTERED = (Match(Categorical(10), (0, 10), "cluster"), Match(IsotropicGaussian(2), (10, None), "style"))


def game(matches: tuple[Match, ...], generator: type[GeneratorLoss], *more: Phase) -> tuple[Phase, ...]:
    return (
        Phase(ReconstructionLoss(noise=0.1), updates=("encoder", "decoder")),
        Phase(DiscriminatorLoss(matches), updates=tuple(match.net for match in matches)),
        Phase(generator(matches), updates=("encoder",)),
        *more,
    )


def deep_contractive(of: Literal["code", "reconstruction"] = "code") -> Modules:
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.Tanh(), nn.Linear(20, 3))
    return {"ae": DeepContractive(encoder, nn.Sequential(nn.Linear(3, 64), nn.Unflatten(1, SHAPE)), SHAPE, of=of)}


def codebook(quantizer: Callable[[], Quantizer]) -> Callable[[], Modules]:
    return lambda: {"ae": small_vqvae(quantizer(), 4)}


def sequences() -> Modules:
    return {"ae": Seq2Seq(12, 6, 8)}


def sentences() -> TextSet:
    random = torch.Generator().manual_seed(0)
    return TextSet(torch.randint(3, 12, (60, 5), generator=random), torch.arange(60) % 2)


TRAININGS: dict[str, Training] = {
    "own pictures, their likelihood": Training(
        lambda: {"ae": conv_autoencoder(SHAPE, 3, width=4, likelihood=Gaussian(0.3), show=False)},
        (Phase(Reconstruct()),),
    ),
    "00 dense, squared error": Training(dense, (Phase(SquaredError()),)),
    "01 dense, cross-entropy": Training(dense, (Phase(CrossEntropy()),)),
    "01 RBM": Training(
        lambda: {"rbm": RBM(64, 20), "below": nn.Flatten()}, (Phase(ContrastiveDivergence(), updates=("rbm",)),)
    ),
    "01 layer on layers": Training(
        lambda: {"ae": Autoencoder((20, 10), nn.ReLU, (20,)), "below": nn.Sequential(nn.Flatten(), nn.Linear(64, 20))},
        (Phase(OnCodes(SquaredError()), updates=("ae",)),),
    ),
    "01 classifier": Training(
        lambda: {"classifier": Classifier(nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.Dropout()), 20)},
        (Phase(LabelCrossEntropy()),),
    ),
    "03 plain": Training(sparse(nn.ReLU), (Phase(Sparse(weight_decay=1e-3), updates=("ae",)),)),
    "03 KL": Training(sparse(nn.Sigmoid), (Phase(KLSparse(), updates=("ae",)),)),
    "03 L1": Training(sparse(nn.ReLU, "unit columns"), (Phase(L1Sparse(), updates=("ae",)),)),
    "03 top-k, tied": Training(sparse(lambda: TopK(4, negative=True), "tied"), (Phase(Sparse(), updates=("ae",)),)),
    "03 top-k, dead units": Training(sparse(lambda: TopK(2), "unit columns"), (Phase(AuxK(), updates=("ae",)),)),
    "03 thresholds": Training(
        lambda: {"ae": SparseAutoencoder(30, lambda: JumpReLU(30), SHAPE, "unit columns")}, (Phase(L0Sparse()),)
    ),
    "03 gates": Training(
        lambda: {"ae": SparseAutoencoder(30, lambda: GatedReLU(30), SHAPE, "unit columns")}, (Phase(GatedSparse()),)
    ),
    "03 top-k of a batch": Training(sparse(lambda: BatchTopK(2), "unit columns"), (Phase(Sparse(), updates=("ae",)),)),
    "04 VAE": Training(vae, (Phase(ELBO(beta=2)),), lambda: Binarized(blobs(60, 8))),
    "04 VAE, gray pixels": Training(gray_vae, (Phase(ELBO(samples=2)),)),
    "04 VAE, free bits and warm-up": Training(vae, (Phase(ELBO(WarmUp(2), free=0.5)),)),
    "04 IWAE": Training(vae, (Phase(IWAE(samples=3)),)),
    "04 IWAE, DReG": Training(vae, (Phase(IWAE(samples=3, estimator="dreg")),)),
    "06 labels": Training(adversarial, game(LABELED, GeneratorLoss)),
    "06 clusters": Training(
        lambda: adversarial(10),
        game(CLUSTERED, SaturatingGeneratorLoss, Phase(ClassificationLoss(blobs(30, 8), 10, 10), updates=("encoder",))),
    ),
    "06 supervised, Gaussian posterior": Training(
        supervised,
        (
            Phase(SupervisedReconstructionLoss(), updates=("encoder", "decoder")),
            Phase(DiscriminatorLoss(PLAIN), updates=("style",)),
            Phase(GeneratorLoss(PLAIN), updates=("encoder",)),
        ),
    ),
    "09 convolutional": Training(lambda: {"ae": Convolutional(4)}, (Phase(SquaredError()),), lambda: blobs(20)),
    "09 super-resolution": Training(lambda: {"ae": SuperResolution(4)}, (Phase(SquaredError()),), lambda: blobs(20)),
    "02 denoising": Training(
        lambda: {"ae": TiedAutoencoder(20, SHAPE)}, (Phase(Denoising(SquaredError(), SaltAndPepper(0.2))),)
    ),
    "02 emphasis": Training(lambda: {"ae": TiedAutoencoder(20, SHAPE)}, (Phase(Emphasized(SaltAndPepper(0.2))),)),
    "02 classifier of the damaged": Training(
        lambda: {"classifier": Classifier(nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.Sigmoid()), 20)},
        (Phase(OnCorrupted(LabelCrossEntropy(), SaltAndPepper(0.2))),),
    ),
    "05 total correlation": Training(vae, (Phase(ELBO(divergence=TotalCorrelation(examples=60))),)),
    "05 capacity": Training(vae, (Phase(ELBO(100.0, divergence=Capacity(WarmUp(2, to=3)))),)),
    "07 words": Training(sequences, (Phase(TokenCrossEntropy(forget=0.2)),), sentences),
    "07 attention": Training(lambda: {"ae": AttentionSeq2Seq(12, 6, 8)}, (Phase(TokenCrossEntropy()),), sentences),
    "07 sentiment": Training(
        lambda: {"classifier": SequenceClassifier(Seq2Seq(12, 6, 8))},
        (Phase(LabelCrossEntropy(), updates=("classifier",)),),
        sentences,
    ),
    "08 contractive": Training(lambda: {"ae": ContractiveAutoencoder(20, SHAPE)}, (Phase(Contractive()),)),
    "08 contractive, relative": Training(
        lambda: {"ae": ContractiveAutoencoder(20, SHAPE)}, (Phase(RelativeContractive()),)
    ),
    "08 contractive, deep": Training(deep_contractive, (Phase(RelativeContractive()),)),
    "08 contractive, reconstruction": Training(
        lambda: deep_contractive("reconstruction"), (Phase(ReconstructionContractive()),)
    ),
    "08 codebook by gradient": Training(
        codebook(lambda: VectorQuantizer(8, 4, restart=0.1)), (Phase(VQLoss()),), lambda: blobs(20)
    ),
    "08 codebook by averages": Training(codebook(lambda: EMAQuantizer(8, 4)), (Phase(VQLoss()),), lambda: blobs(20)),
    "08 finite scalars": Training(codebook(lambda: FSQ((3, 3))), (Phase(VQLoss()),), lambda: blobs(20)),
    "08 prior of codes": Training(
        lambda: {"prior": PixelCNN(10, (5, 1), 4, 1)},
        (Phase(SymbolLikelihood()),),
        lambda: Grids(torch.arange(300).view(60, 5, 1) % 10, torch.arange(60)),
    ),
    "10 pooled": Training(lambda: {"ae": PooledConvolutional()}, (Phase(SquaredError()),), lambda: blobs(20)),
    "10 strided": Training(lambda: {"ae": StridedConvolutional()}, (Phase(SquaredError()),), lambda: blobs(20)),
    "10 states of rows": Training(lambda: {"ae": RowStates()}, (Phase(SquaredError()),), lambda: blobs(20)),
    "10 code of rows": Training(lambda: {"ae": RowCode()}, (Phase(SquaredError()),), lambda: blobs(20)),
    "10 rectified": Training(lambda: {"ae": RectifiedDense()}, (Phase(SquaredError()),), lambda: blobs(20)),
    "10 absolute values": Training(dense, (Phase(L1Sparse(alpha=0.1)),)),
}
