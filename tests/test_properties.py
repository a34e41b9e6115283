"""Public functions under inputs that nobody chose: each gives an answer of the right shape, or says what was wrong.

"Says" means a ValueError or a TypeError, raised on purpose (by this package, or by scikit-learn or scikit-image for
what it passes on to them), never an error from the depths of PyTorch.
"""

import base64
import traceback
import zlib
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from zoo import TRAININGS

from aelib import likelihoods as lk
from aelib import metrics
from aelib.data import Binarized, ImageSet, Splits, binarize, whiten
from aelib.data.fetch import formats
from aelib.explorer.network.layers import Step
from aelib.explorer.network.packing import as_bytes, pack, pack_codes, to_json
from aelib.explorer.network.quantize import quantize, rounded
from aelib.metrics import clusters, matching, parzen
from aelib.metrics.reconstruction import per_pixel
from aelib.models.autoencoder import Autoencoder
from aelib.models.boltzmann import RBM
from aelib.models.sparse import SparseAutoencoder
from aelib.models.sparse_activations import TopK
from aelib.models.vae import DenseVAE
from aelib.nets import count_parameters, mlp
from aelib.training import fit

settings.register_profile(
    "book", derandomize=True, deadline=None, database=None, max_examples=40, suppress_health_check=list(HealthCheck)
)
settings.load_profile("book")

EXTREMES = [0.0, 1.0, 0.5, -1.0, -0.0, 1e-45, 1e-20, 255.0, 1e30, -1e30, float("inf"), float("-inf"), float("nan")]
FLOATS = [torch.float32, torch.float64]
TYPES = [*FLOATS, torch.float16, torch.int64, torch.uint8, torch.bool]
sizes = st.integers(0, 4)
singles, pairs = st.tuples(sizes), st.tuples(sizes, sizes)
shapes = st.lists(sizes, max_size=4).map(tuple)


@st.composite
def tensors(draw: st.DrawFn, shape: Any = shapes, dtypes: list[torch.dtype] = TYPES, extreme: bool = True) -> Tensor:
    """A tensor of any shape and type, of ordinary numbers with some extreme ones among them."""
    wanted = draw(shape) if isinstance(shape, st.SearchStrategy) else shape
    dtype = draw(st.sampled_from(dtypes))
    random = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    x = torch.randn(wanted, generator=random, dtype=torch.float64)
    if extreme and x.numel() and draw(st.booleans()):
        x.view(-1)[draw(st.integers(0, x.numel() - 1))] = draw(st.sampled_from(EXTREMES))
    if draw(st.booleans()):
        x = x.sigmoid()
    if not dtype.is_floating_point:
        x = (3 * x).nan_to_num(0, 200, 0).clamp(0, 200)
    return x.to(dtype)


def clear(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What the function gives, or None where it says clearly why it gives nothing."""
    try:
        return function(*arguments, **options)
    except (ValueError, TypeError) as error:
        where = traceback.extract_tb(error.__traceback__)[-1].filename
        assert "aelib" in where or "sklearn" in where or "skimage" in where, f"{where}: {error}"
        assert len(str(error)) > 30, f"it says too little: {error}"
        return None


def finite(*tensors: Tensor) -> bool:
    return all(bool(x.isfinite().all()) for x in tensors)


def within(x: Tensor, low: float, high: float) -> bool:
    """Whether all numbers are in the range, and precise enough for a sum."""
    return x.dtype in FLOATS and bool(((x >= low) & (x <= high)).all())


# Likelihoods


@given(tensors(), tensors(), st.booleans())
def test_losses_of_two_batches(a: Tensor, b: Tensor, same: bool) -> None:
    b = torch.zeros_like(a) + 0.5 if same and a.is_floating_point() else b
    for loss in (lk.squared_error, lk.bernoulli_nll, lk.gaussian_kl):
        value = clear(loss, a, b)
        if value is None:
            assert (
                a.shape != b.shape or a.ndim < 2 or len(a) == 0 or not (a.is_floating_point() and b.is_floating_point())
            )
        else:
            assert value.shape == () and value.is_floating_point()
            if same and within(a, -1e4, 1e4):
                assert value.isfinite() and value >= 0


@given(tensors(), tensors(), sizes)
def test_log_probabilities_keep_the_batch(a: Tensor, b: Tensor, samples: int) -> None:
    for x in (b, a.sigmoid() if a.is_floating_point() else a):
        for several in (a, a.expand(samples, *a.shape)):
            value = clear(lk.bernoulli_log_prob, several, x)
            assert value is None or value.shape == several.shape[: several.ndim - x.ndim + 1]
            value = clear(lk.gaussian_log_prob, several, x, x)
            assert value is None or value.shape == several.shape[: several.ndim - x.ndim + 1]


@given(tensors(), st.floats())
def test_divergences_of_one_batch(q: Tensor, rho: float) -> None:
    entropy = clear(lk.binary_entropy, q)
    if entropy is not None and within(q, 0, 1):
        assert 0 <= entropy <= q[0].numel() * np.log(2) * (1 + 1e-6)
    kl = clear(lk.bernoulli_kl, rho, q)
    if kl is not None and within(q, 0, 1):
        assert kl >= -1e-6 * q.numel() and kl.isfinite()
    terms = clear(lk.gaussian_kl_terms, q, q)
    if terms is not None and within(q, -50, 50):
        assert terms.shape == q.shape and (terms >= 0).all()


# Models


MODELS: dict[str, Callable[[], nn.Module]] = {
    "Autoencoder": lambda: Autoencoder((16, 5, 2), nn.ReLU, (1, 4, 4)),
    "DenseVAE": lambda: DenseVAE((16, 5, 2), nn.Tanh, (1, 4, 4)),
    "tied, top-k": lambda: SparseAutoencoder(6, lambda: TopK(2), (1, 4, 4), "tied"),
}


@pytest.mark.parametrize("name", MODELS)
@given(tensors(st.one_of(shapes, st.sampled_from([(n, 1, 4, 4) for n in range(4)]))), tensors(), st.booleans())
def test_models_encode_decode_and_call(name: str, x: Tensor, z: Tensor, train: bool) -> None:
    """Also an empty batch and one image, in training and in evaluation."""
    model = MODELS[name]().train(train)
    fits = x.shape[1:] == (1, 4, 4) and x.dtype == torch.float32
    code = clear(model.encode, x)
    assert (code is not None) == fits
    if code is not None:
        assert len(code) == len(x) and code.ndim == 2
        out = model(x)
        assert out.x_hat.shape == x.shape
        assert finite(out.x_hat, code) or not within(x, -1e4, 1e4)
        assert model.decode(code).shape == x.shape
    decoded = clear(model.decode, z)
    latent = {"tied, top-k": 6}.get(name, 2)
    assert (decoded is not None) == (z.shape[1:] == (latent,) and z.dtype == torch.float32)
    for stranger in ([[0.0]], None, np.zeros((1, 1, 4, 4), np.float32)):
        assert clear(model.encode, stranger) is None
        assert clear(model.decode, stranger) is None


@given(tensors(st.one_of(shapes, st.tuples(sizes, st.just(3)))))
def test_an_rbm_takes_its_own_units_only(v: Tensor) -> None:
    rbm = RBM(3, 3)
    fits = v.ndim == 2 and v.shape[1] == 3 and v.dtype == torch.float32
    for way in (rbm.encode, rbm.decode):
        found = clear(way, v)
        assert (found is not None) == fits
        assert found is None or found.shape == v.shape


@pytest.mark.parametrize("name", TRAININGS)
def test_every_model_takes_an_empty_batch_and_one_image(name: str) -> None:
    """In evaluation mode, where nothing is averaged over the batch."""
    for key, module in TRAININGS[name].make().items():
        if hasattr(module, "encode") and hasattr(module, "shape"):
            for n in (0, 1):
                x = torch.rand(n, *module.shape)
                with torch.no_grad():
                    assert module.eval()(x).x_hat.shape == x.shape, key


@given(st.lists(st.integers(-1, 5), max_size=4))
def test_mlp(widths: list[int]) -> None:
    net = clear(mlp, widths, nn.ReLU)
    assert (net is not None) == (len(widths) > 1 and min(widths, default=0) > 0)
    if net is not None:
        assert net(torch.zeros(2, widths[0])).shape == (2, widths[-1])
        assert count_parameters(net) == sum((a + 1) * b for a, b in pairwise(widths))


@given(tensors(st.tuples(sizes, st.integers(1, 4)), FLOATS, extreme=False), st.integers(-1, 6), st.booleans())
def test_top_k(a: Tensor, k: int, negative: bool) -> None:
    top = clear(TopK, k, negative)
    if top is not None:
        z = top(a)
        assert z.shape == a.shape and ((z != 0).sum(1) <= k).all() and (negative or (z >= 0).all())
        assert torch.equal(z[z != 0], a[z != 0])


# Metrics


@given(tensors(), tensors(), st.booleans())
def test_errors_of_reconstructions(a: Tensor, b: Tensor, same: bool) -> None:
    b = a if same else b
    for metric in (metrics.image_errors, metrics.per_image, per_pixel, metrics.psnr, metrics.ssim, metrics.unexplained):
        value = clear(metric, a, b)
        if value is not None and finite(a.double(), b.double()) and metric is not metrics.psnr:
            assert isinstance(value, Tensor | float)
            if same and metric is not metrics.ssim:
                assert not torch.as_tensor(value).any()


@given(tensors(pairs), tensors(st.one_of(shapes, singles), [torch.int64, torch.uint8]), tensors())
def test_clusters_and_matching(p: Tensor, y: Tensor, z: Tensor) -> None:
    for name in (clusters.surest_labels, clusters.majority_labels):
        labels = clear(name, p, y)
        if labels is not None:
            assert labels.shape == p.shape[1:]
            assert 0 <= clear(clusters.cluster_error, p, y, labels) <= 100
    clear(clusters.cluster_error, p, y, z)
    ratio = clear(matching.density_ratio, p.double(), cells=3)
    if ratio is not None:
        assert ratio.shape == (3, 3) and ratio.mean().item() == pytest.approx(1)
        assert 0 <= matching.jensen_shannon(ratio) <= np.log(2) + 1e-9
        assert 0 <= matching.hole_fraction(ratio) <= 1
    clear(matching.mmd, p, z)
    clear(matching.mmd, p, p, width=float(y.numel()))


@given(tensors(), tensors(), st.lists(st.floats(-1, 2), max_size=2))
def test_parzen(samples: Tensor, x: Tensor, bandwidths: list[float]) -> None:
    value = clear(parzen.parzen_log_likelihoods, samples, x, bandwidths)
    assert value is None or value.shape == (len(bandwidths), len(x))


@given(tensors(pairs), tensors(singles, [torch.int64]), st.lists(st.integers(-1, 5), max_size=2))
def test_probes(z: Tensor, y: Tensor, retrieved: list[int]) -> None:
    value = clear(metrics.retrieval_precision, z, y, z, y, retrieved)
    assert value is None or (len(value) == len(retrieved) and all(0 <= one <= 1 for one in value))
    for k in retrieved:
        value = clear(metrics.knn, z, y, z, y, k)
        assert value is None or 0 <= value.percent <= 100
        value = clear(metrics.one_class, z, y, z, k)
        assert value is None or 0 <= value <= 1
    for probe in (metrics.svm, metrics.logistic_regression):
        clear(probe, z, y, z[:, 1:], y)


@given(tensors(), tensors())
def test_sparsity(z: Tensor, d: Tensor) -> None:
    for metric in (metrics.l0, metrics.dead_units):
        value = clear(metric, z)
        assert value is None or 0 <= value <= z.shape[1]
    clear(metrics.refit, z, d, z)
    if z.ndim == 2:
        x = torch.zeros(len(z), 3, dtype=z.dtype)
        found = clear(metrics.refit, z, torch.ones(3, z.shape[1], dtype=z.dtype), x)
        assert found is None or found.shape == z.shape


@given(st.integers(0, 3), st.integers(-1, 2), st.integers(-1, 4))
def test_measures_of_a_vae(n: int, samples: int, on: int) -> None:
    vae = DenseVAE((16, 5, 2), nn.Tanh, (1, 4, 4))
    images = ImageSet(torch.zeros(n, 1, 4, 4, dtype=torch.uint8), torch.zeros(n, dtype=torch.int64))
    for measure in (metrics.elbo, metrics.log_likelihood):
        value = clear(measure, vae, images, samples)
        assert (value is not None) == (n > 0 and samples > 0)
        assert value is None or value.shape == (n,)
    assert (clear(metrics.nll, vae, images, samples, on) is not None) == (2 <= on <= n and samples > 0)
    assert (clear(metrics.active_units, vae, images) is not None) == (n > 1)
    assert (clear(metrics.codes, vae, images, samples) is not None) == (n > 0 and samples > 0)


# Data


@given(tensors(), tensors())
def test_an_image_set_is_made_of_bytes_and_labels(x: Tensor, y: Tensor) -> None:
    images = clear(ImageSet, x, y)
    fits = x.dtype == torch.uint8 and x.ndim == 4 and y.dtype == torch.int64 and y.shape == (len(x),)
    assert (images is not None) == fits
    if images is not None:
        floats = images.batch().x
        assert floats.dtype == torch.float32 and floats.shape == x.shape
        assert torch.equal(as_bytes(floats), x)  # nothing is lost on the way


@given(st.integers(0, 5), st.integers(-1, 7), st.data())
def test_parts_of_image_sets(n: int, size: int, data: st.DataObject) -> None:
    random = torch.Generator().manual_seed(n)
    images = ImageSet(torch.randint(0, 256, (n, 1, 2, 3), generator=random, dtype=torch.uint8), torch.arange(n))
    index = data.draw(st.lists(st.integers(0, n - 1), max_size=6)) if n else []
    assert images[index].y.tolist() == index == images.batch(index).y.tolist()
    assert images[size:].y.tolist() == list(range(n))[size:]
    part = clear(Splits(images, images, "here", True).subset, size)
    assert (part is not None) == (1 <= size <= n)
    bits = binarize(images)
    assert bits.x.shape == images.x.shape and set(bits.x.unique().tolist()) <= {0, 255}
    drawn = Binarized(images).batch(index).x
    assert drawn.shape == (len(index), 1, 2, 3) and set(drawn.unique().tolist()) <= {0.0, 1.0}


@given(st.binary(max_size=60), st.lists(st.integers(0, 3), max_size=4))
def test_no_bytes_break_the_readers(content: bytes, shape: list[int]) -> None:
    for text in (content, b"\0\0\x08" + content, b"\0\0\x08\x01" + content):
        found = clear(formats.idx, text, "the file of this test")
        assert found is None or found.size == len(text) - 4 - 4 * found.ndim
    for start in (b"", b"\x80\x04", b"cnumpy\nndarray\n", b"cnumpy\ndtype\n(S'f4'\ntR"):
        clear(formats.pickled_arrays, start + content)
    header = b"\0\0\x08" + bytes([len(shape)]) + np.array(shape, ">u4").tobytes()
    array = clear(formats.idx, header + bytes(int(np.prod(shape))), "the file of this test")
    assert array is not None and array.shape == tuple(shape)


@given(tensors(st.one_of(shapes, st.tuples(st.integers(1, 4), st.integers(1, 4))), [torch.float64]))
def test_whiten(image: Tensor) -> None:
    white = clear(whiten, image.numpy())
    assert white is None or white.shape == tuple(image.shape)


# Explorers


@given(tensors(st.tuples(st.integers(1, 4), st.integers(1, 4)), [torch.float32], extreme=False), st.integers(4, 16))
def test_rounded_weights_are_within_half_a_step(weight: Tensor, bits: int) -> None:
    step = Step("linear", {}, weight, torch.zeros(len(weight)))
    found = rounded(step, bits)
    assert found.levels is not None and found.scale is not None
    assert (found.step.weight - weight).abs().le(0.5001 * found.scale[:, None]).all()
    assert found.levels.abs().max() <= 2 ** (bits - 1) - 1
    bound = 0.01 * float(weight.abs().max()) + 1e-9

    def error(steps: Any) -> float:
        return float((steps[0].weight - weight).abs().max())

    (chosen,) = quantize([step], error, bound)
    assert error([chosen.step]) <= bound
    assert chosen.bits == 4 or error([rounded(step, chosen.bits - 1).step]) > bound


@given(tensors(st.tuples(st.integers(1, 5), st.integers(1, 3)), [torch.float32], extreme=False))
def test_codes_are_packed_to_half_a_step(codes: Tensor) -> None:
    packed = pack_codes(codes)
    planes = np.frombuffer(zlib.decompress(base64.b64decode(packed["data"])), np.uint8)
    numbers = planes.reshape(2, -1).T.copy().view("<u2").reshape(codes.shape)
    back = torch.tensor(packed["low"]) + torch.tensor(packed["step"]) * torch.from_numpy(numbers.astype(np.float32))
    assert torch.allclose(back, codes, atol=0.51 * max(packed["step"]) + 1e-6)
    assert np.array_equal(np.frombuffer(zlib.decompress(base64.b64decode(pack(codes))), "<f4"), codes.numpy().ravel())


@given(st.recursive(st.none() | st.booleans() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_no_text_ends_a_script(data: Any) -> None:
    assert not set("<>&") & set(to_json(data))


# Training


@given(st.integers(-1, 2), st.integers(-1, 3), st.integers(-2, 8), st.integers(0, 6))
@settings(max_examples=25)
def test_fit(epochs: int, batch_size: int, validation: int, n: int) -> None:
    assume(n or validation)
    training = TRAININGS["00 dense, squared error"]
    images = ImageSet(torch.zeros(n, 1, 8, 8, dtype=torch.uint8), torch.zeros(n, dtype=torch.int64))
    options = dict(epochs=epochs, batch_size=batch_size, validation=validation)
    history = clear(fit, training.make(), training.phases, images, **options)
    assert (history is not None) == (epochs > 0 and batch_size > 0 and 0 <= validation < n)
