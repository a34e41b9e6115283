# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# %% tags=["hide-input", "runs"]
import copy
import math
from functools import cache, partial

import torch
from torch import nn

from aelib.data import mnist
from aelib.metrics import codes
from aelib.metrics.reconstruction import per_pixel, reconstructions
from aelib.models.contractive import Contractive, ContractiveAutoencoder
from aelib.models.denoising import Denoising, GaussianNoise
from aelib.models.stacked import Classifier, LabelCrossEntropy
from aelib.records.profiles import current_profile
from aelib.records.runs import Run, Runs
from aelib.training import Call, Derived, Fit, Measured, Phase
from aelib.training.optimizers import adam, one_cycle

profile = current_profile()
runs = Runs("08_three_codes")
seeds = profile.seeds(smoke=1, quick=1, full=5)
three = seeds[:3]
data = mnist().subset(
    train=profile(smoke=600, quick=12_000, full=None),
    test=profile(smoke=100, quick=2000, full=None),
)
x_test = data.test.images()

# %% tags=["hide-input", "runs"]
held_out = len(data.train) // 12
passes = profile(smoke=1, quick=3, full=10)  # without labels, and again with them
RATES = profile(smoke=(8e-3,), quick=(8e-3,), full=(4e-3, 8e-3, 1.6e-2, 3.2e-2))
SETTINGS = {  # the strength of the penalty, the deviation of the noise
    "Contractive": profile(smoke=(1.0,), quick=(1.0,), full=(0.3, 1.0, 4.0, 16.0)),
    "Denoising": profile(smoke=(0.3,), quick=(0.3,), full=(0.15, 0.3, 0.6)),
    "Autoencoder": (0.0,),
    "Random start": (0.0,),
}


def pretraining(kind, setting):
    """The objective of a kind of pretraining without labels."""
    if kind == "Denoising":
        return Denoising(Contractive(0.0), GaussianNoise(setting))
    return Contractive(setting)


def copy_encoder(model, classifier):
    """Start the classifier at the pretrained layer."""
    classifier.encoder.load_state_dict(model.encoder.state_dict())


def properties(modules):
    """The Jacobian's mean norm on the test digits, and the share of saturated units."""
    with torch.no_grad():
        z, norm = codes(modules["ae"], data.test), modules["ae"](x_test).jacobian.sqrt()
    saturated = ((z < 0.05) | (z > 0.95)).float().mean()
    return {"mean ‖J‖": norm.mean().item(), "saturated, %": 100 * saturated.item()}


def wrong(modules):
    """The percentage of the test digits that a classifier gets wrong."""
    with torch.no_grad():
        answers = modules["classifier"](x_test).logits.argmax(1)
    return {"test error": 100 * (answers != data.test.y).float().mean().item()}


# %% tags=["hide-input", "runs"]
@cache
def layer(kind, setting, rates, seed, keep=0, **how):
    """Pretrain one layer; then, at each rate, fine-tune a copy of it."""
    torch.manual_seed(seed)
    model = ContractiveAutoencoder(1000)
    shared = dict(epochs=passes, seed=seed, validation=keep)
    first = Phase(pretraining(kind, setting), adam(1e-3), one_cycle())
    steps = [Fit({"ae": model}, first, data.train, **shared)]
    steps = [] if kind == "Random start" else steps
    for rate in rates:
        tuned = Classifier(copy.deepcopy(model.encoder), 1000)
        phase = Phase(LabelCrossEntropy(), adam(rate), one_cycle())
        watch = [] if keep else [Measured(wrong, every=passes)]
        fit = Fit({"classifier": tuned}, phase, data.train, callbacks=watch, **shared)
        steps += [Call(copy_encoder, model, tuned), fit]
    name = f"08-layer-{kind}-{setting:g}-" + ("held-out" if keep else f"seed{seed}")
    minutes = 2.0 * (kind != "Random start") + len(rates)
    return Run(name, {"ae": model}, steps, measure=properties, minutes=minutes, **how)


def tuning(kind, setting):
    """All rates of one setting, on held-out digits; no reported run has this seed."""
    return layer(kind, setting, RATES, 100, held_out, weights=False, worth=14)


@runs.declare
def layers_tuned():
    for kind, settings in SETTINGS.items():
        for setting in settings:
            yield tuning(kind, setting)


# %% tags=["hide-input", "runs"]
def held_out_errors(kind):
    """The error on the held-out digits in percent, by setting and rate."""
    found = {}
    for setting in SETTINGS[kind]:
        log = tuning(kind, setting).load().history
        log = log[(log.split == "validation") & (log.term == "error")]
        last = log[log.epoch == passes].value
        found |= {(setting, rate): e for rate, e in zip(RATES, last, strict=True)}
    return found


def final(kind, seed):
    """The layer of a kind, at the setting and the rate that held-out digits choose."""
    errors = held_out_errors(kind)
    setting, rate = min(errors, key=errors.get)
    kept = seed == 0 and kind in ("Contractive", "Autoencoder")  # for their Jacobians
    return layer(kind, setting, (rate,), seed, weights=kept, worth=9)


@runs.declare
def layers():
    for kind in SETTINGS:
        for seed in three:
            yield final(kind, seed)


# %% tags=["hide-input", "runs"]
from aelib.likelihoods import Gaussian
from aelib.models.autoencoder import EncoderDecoder, SquaredError
from aelib.models.contractive import (
    DeepContractive, ReconstructionContractive, RelativeContractive,
)
from aelib.models.quantizers import FSQ, EMAQuantizer, VectorQuantizer
from aelib.models.vae import ELBO, VAE
from aelib.models.vqvae import VQLoss, grid_decoder, grid_encoder, small_vqvae

PLACES, K = 49, 512


def dense(ends=1):
    """Shared convolutions with a linear layer to and from 49 numbers between them."""
    linear = nn.Linear(32 * PLACES, ends * PLACES)
    down = nn.Sequential(*grid_encoder(1)[:-1], nn.Flatten(), linear)
    wide = [nn.Linear(PLACES, 32 * PLACES), nn.ReLU(), nn.Unflatten(1, (32, 7, 7))]
    return down, nn.Sequential(*wide, *grid_decoder(32))


def small_grid():
    """The same convolutions to and from three numbers at each of 49 places."""
    return grid_encoder(3), grid_decoder(3)


MODELS = {  # by size of the codebook and noise of the pixels, where there is one
    "Autoencoder": lambda size, sigma: EncoderDecoder(*dense()),
    "Contractive": lambda size, sigma: DeepContractive(*dense(), of="reconstruction"),
    "VAE": lambda size, sigma: VAE(*dense(2), likelihood=Gaussian(sigma, link="logit")),
    "Grid autoencoder": lambda size, sigma: EncoderDecoder(*small_grid()),
    "VQ-VAE": lambda size, sigma: small_vqvae(EMAQuantizer(size, 16)),
    "Straight-through": lambda size, sigma: small_vqvae(VectorQuantizer(size, 16)),
    "FSQ": lambda size, sigma: small_vqvae(FSQ((8,) * round(math.log(size, 8)))),
}
SYMBOLS = ("VQ-VAE", "Straight-through", "FSQ")

# %% tags=["hide-input", "runs"]
from aelib.metrics import (
    Rounded, clustering, code_grids, code_usage, error_under, logistic_regression,
    noise, participation_ratio, psnr, ssim,
)

n_digits = profile(smoke=300, quick=4000, full=20_000)
digits, watched = data.train[:n_digits], data.train[n_digits:][: n_digits // 10]
some = data.train[: profile(smoke=100, quick=2000, full=10_000)]


def quality(model):
    """Error, PSNR and SSIM of the reconstructions of the test digits."""
    x_hat = reconstructions(model, data.test)
    found = {"error": per_pixel(x_hat, x_test), "PSNR": psnr(x_hat, x_test)}
    return found | {"SSIM": ssim(x_hat[:2000], x_test[:2000])}


def rounded(model, bits):
    """The error when each number of the code is rounded, after training."""
    return per_pixel(reconstructions(Rounded(model, some, bits), data.test), x_test)


def in_symbols(model):
    """How the codebook is used on test digits; or the error at nine bits a place."""
    if hasattr(model, "codebook"):
        used = code_usage(code_grids(model, data.test), len(model.codebook))
        return {"used, %": used.percent, "perplexity": used.perplexity}
    grid = isinstance(model.decoder[0], nn.Conv2d)  # its three numbers share nine bits
    return {"error, 9 bits": rounded(model, 3 if grid else 9)}


# %% tags=["hide-input", "runs"]
def structure(model):
    """What a probe and k-means read in the codes; how many directions they use."""
    z, z_test = codes(model, some).flatten(1), codes(model, data.test).flatten(1)
    groups = clustering(z_test, data.test.y)
    probe = logistic_regression(z, some.y, z_test, data.test.y).percent
    found = {"probe": probe, "NMI": groups.nmi, "ARI": groups.ari}
    return found | {"directions": participation_ratio(z_test)}


def in_short(modules):
    """Reconstruction and bits alone."""
    (model,) = modules.values()
    return quality(model) | in_symbols(model)


def in_full(modules):
    """All that is measured on a network, on the test digits."""
    (model,) = modules.values()
    return in_short(modules) | structure(model)


def rate(modules):
    """A VAE's KL divergence in bits an image; the error of sampled codes' images."""
    (model,) = modules.values()
    with torch.no_grad():
        out = model(x_test)
        kl = 0.5 * (out.mu**2 + out.logvar.exp() - out.logvar - 1).sum(1).mean().item()
    return {"bits": kl / math.log(2), "sampled error": per_pixel(out.x_hat, x_test)}


def repair(modules):
    """The error on clean test digits, and that on noisy ones, against the clean."""
    (model,) = modules.values()
    return quality(model) | {"noisy error": error_under(model, data.test, noise(0.2))}


def watch(modules):
    """The error on digits that no network here is trained on."""
    (model,) = modules.values()
    return {"error": per_pixel(reconstructions(model, watched), watched.images())}


# %% tags=["hide-input", "runs"]
from aelib.nets import he_init, set_output_bias

epochs = profile(smoke=1, quick=2, full=5)


def bias_from(model, images):
    """Start the last bias at the mean pixel: the first image that is drawn is gray."""
    set_output_bias(model, images.images())


def codebook_from(model, images):
    """Start the codebook at answers of the untrained encoder."""
    with torch.no_grad():
        model.quantizer.start_from(model.grid(images[:256].images()))


STARTS = {
    "bare": (), "bias": (bias_from,), "codebook": (codebook_from,),
    "both": (bias_from, codebook_from),
}


def objective(name, strength):
    """What a network of this name makes small."""
    return {
        "VAE": ELBO(), "VQ-VAE": VQLoss(codebook=0.0), "Straight-through": VQLoss(),
        "Contractive": ReconstructionContractive(strength),
        "Relative": RelativeContractive(strength),
    }.get(name, SquaredError())


# %% tags=["hide-input", "runs"]
@cache
def network(
    name, seed, start="", size=K, sigma=0.1, strength=0.04, longer=1,
    label="", measure=in_full, weights=None, minutes=1.3, worth=3.0,
):
    """One network of the comparison: He's start, then Adam with one cycle to 2e-3."""
    torch.manual_seed(seed)
    make = MODELS.get(name, lambda size, sigma: DeepContractive(*dense()))
    model = he_init(make(size, sigma))
    usual = "both" if name == "Straight-through" else "bias"
    steps = [Call(one, model, digits) for one in STARTS[start or usual]]
    phase = Phase(objective(name, strength), adam(2e-3), one_cycle())
    nets = {"vae" if name == "VAE" else "ae": model}
    log = [Measured(watch)]
    how = dict(epochs=longer * epochs, seed=seed, callbacks=log)
    steps += [Fit(nets, phase, digits, **how)]
    kept = (seed == 0 and not label) if weights is None else weights
    how = dict(measure=measure, weights=kept, minutes=minutes * longer, worth=worth)
    return Run(f"08-{name}{label}-seed{seed}", nets, steps, **how)


def compared(name, seed):
    """A network of the table; the first seeds are worth the most."""
    minutes = 3.0 if name == "Contractive" else 1.3
    return network(name, seed, minutes=minutes, worth=12 / (1 + seed))


@runs.declare
def five_seeds():
    for seed in seeds:
        for name in MODELS:
            yield compared(name, seed)


# %% tags=["hide-input", "runs"]
OTHER_STARTS = (
    ("Straight-through", "bare"), ("Straight-through", "bias"),
    ("Straight-through", "codebook"),
    ("FSQ", "bare"), ("VQ-VAE", "bare"), ("Autoencoder", "bare"),
)
SIZES = profile(smoke=(8, 512), quick=(8, 64, 512), full=(8, 64, 512, 4096))
LONG = ("Autoencoder", "Grid autoencoder", "VQ-VAE", "FSQ")
NOISES = profile(smoke=(0.1,), quick=(0.1,), full=(0.05, 0.1, 0.2, 0.4))
STRENGTHS = profile(smoke=(0.04,), quick=(0.04,), full=(0.01, 0.04, 0.16))


def started(name, start, seed):
    """A network whose output or codebook starts otherwise."""
    dead = name == "FSQ" and seed == 0  # looked at in "What breaks it"
    short = dict(measure=in_short, weights=dead, minutes=1.1, worth=7 / (1 + seed))
    return network(name, seed, start=start, label=f"-{start}", **short)


def sized(name, size):
    """Seed 0 with a codebook of another size."""
    if size == K:
        return compared(name, 0)
    kept = size < K  # for its prior
    short = dict(measure=in_short, weights=kept, minutes=1.1 if kept else 3.0)
    return network(name, 0, size=size, label=f"-K{size}", worth=4.0, **short)


def longer(name):
    """Seed 0, five times as long."""
    short = dict(measure=in_short, weights=False, worth=4.0)
    return network(name, 0, longer=5, label="-longer", **short)


# %% tags=["hide-input", "runs"]
def noisy(sigma):
    """Seed 0 of the VAE with pixels of another deviation."""
    if sigma == 0.1:
        return compared("VAE", 0)
    how = dict(label=f"-sigma{sigma:g}", measure=rate, weights=False)
    return network("VAE", 0, sigma=sigma, **how)


def contracted(strength):
    """Seed 0 of the contractive network at another strength."""
    if strength == 0.04:
        return compared("Contractive", 0)
    how = dict(label=f"-{strength:g}", measure=repair, weights=False, minutes=3.0)
    return network("Contractive", 0, strength=strength, **how)


def relative(seed):
    """The penalty of this chapter's first edition, which can be fooled."""
    how = dict(strength=3.0, label="-contractive", weights=False, minutes=2.5)
    return network("Relative", seed, **how, worth=1.0)


@runs.declare
def variations():
    yield from (started(*one, seed) for seed in three for one in OTHER_STARTS)
    yield from (sized(name, size) for name in SYMBOLS for size in SIZES if size != K)
    yield from (longer(name) for name in LONG)
    yield from (noisy(sigma) for sigma in NOISES if sigma != 0.1)
    yield from (contracted(strength) for strength in STRENGTHS if strength != 0.04)
    yield from (relative(seed) for seed in three)


# %% tags=["hide-input", "runs"]
from aelib.metrics import bits_per_symbol
from aelib.models.pixelcnn import PixelCNN, SymbolLikelihood

long_run = profile(smoke=1, quick=2, full=8)


def grids(source, images, bits):
    """The symbols of the images; real numbers are rounded to so many bits each."""
    (model,) = source.load().modules.values()
    return code_grids(Rounded(model, some, bits) if bits else model, images)


@cache
def prior(name, size, seed=0, bits=0, whole=False, minutes=1.7, worth=3.0):
    """A prior for the symbols of seed 0, from the 20,000 digits or the whole set."""
    source = compared(name, 0) if bits else sized(name, size)
    source.load()  # where it is not recorded yet, neither can this be
    torch.manual_seed(seed)
    net = {"prior": PixelCNN(size, width=48 if whole else 32)}
    images = data.train if whole else digits
    codes = Derived(partial(grids, source, images, bits), source, len(images))
    phase = Phase(SymbolLikelihood(), adam(3e-3), one_cycle())
    fit = Fit(net, phase, codes, epochs=long_run, seed=seed)
    told = f"08-prior-{name}-K{size}" + ("-whole" if whole else "") + f"-seed{seed}"
    kept = dict(weights=whole and seed == 0, minutes=minutes, worth=worth)
    return Run(told, net, [fit], measure=partial(price, source, bits), **kept)


def price(source, bits, modules):
    """What a symbol of the test digits costs, in bits."""
    return {"bits": bits_per_symbol(modules["prior"], grids(source, data.test, bits))}


# %% tags=["hide-input", "runs"]
CODED = [(name, size, 0) for name in SYMBOLS for size in SIZES if size <= K]
CODED += [("Grid autoencoder", 8**bits, bits) for bits in (2, 3)]


def small_prior(name, size, bits):
    return prior(name, size, bits=bits)


def whole_prior(seed):
    return prior("VQ-VAE", K, seed, whole=True, minutes=8.0, worth=16 / (1 + seed))


@runs.declare
def whole_priors():
    yield from (whole_prior(seed) for seed in three)


@runs.declare
def small_priors():
    yield from (small_prior(*of) for of in CODED)


