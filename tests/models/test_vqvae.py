"""Vector quantization: which gradient goes where, the codebook's update by hand, restarts, and FSQ's codebook."""

import math

import pytest
import torch
import two_codebooks
from safetensors.torch import load_file
from torch import nn

from aelib.data import Batch, ImageSet
from aelib.likelihoods import code_counts, perplexity, symbols_in_use
from aelib.metrics import codes, reconstructions
from aelib.models.autoencoder import SquaredError
from aelib.models.quantizers import (
    FSQ,
    EMAQuantizer,
    VectorQuantizer,
    straight_through,
)
from aelib.models.vqvae import VQVAE, VQLoss, small_vqvae
from aelib.training import Phase, fit

QUANTIZERS = {
    "vq": lambda: VectorQuantizer(16, 3),
    "ema": lambda: EMAQuantizer(16, 3),
    "fsq": lambda: FSQ((4, 2, 2)),
}
every = pytest.mark.parametrize("make", QUANTIZERS.values(), ids=QUANTIZERS)


def grid(n: int = 5, dim: int = 3) -> torch.Tensor:
    return torch.randn(n, dim, 2, 4, generator=torch.Generator().manual_seed(2))


def images(n: int = 6) -> torch.Tensor:
    return torch.rand(n, 1, 28, 28, generator=torch.Generator().manual_seed(3))


def known(quantizer: VectorQuantizer, vectors: list[list[float]]) -> VectorQuantizer:
    with torch.no_grad():
        quantizer.vectors.copy_(torch.tensor(vectors))
        quantizer.share.fill_(1 / len(vectors))
        if isinstance(quantizer, EMAQuantizer):
            quantizer.sums.copy_(quantizer.vectors)
    return quantizer


def test_straight_through_is_the_identity_in_gradient():
    z, e = torch.randn(4, 3, requires_grad=True), torch.randn(4, 3, requires_grad=True)
    passed = straight_through(z, e)
    torch.testing.assert_close(passed, e)
    upstream = torch.randn(4, 3)
    passed.backward(upstream)
    assert torch.equal(z.grad, upstream)
    assert e.grad is None or not e.grad.any()


@every
def test_the_decoders_gradient_reaches_the_encoder_unchanged(make):
    torch.manual_seed(0)
    z = grid().requires_grad_()
    quantizer = make().eval()
    out = quantizer(z)
    torch.testing.assert_close(out.passed, out.e)
    upstream = torch.randn_like(z)
    (gradient,) = torch.autograd.grad(out.passed, z, upstream)
    # FSQ's bound is not passed over: tanh has its own slope.
    slope = 1 - z.tanh().square() if isinstance(quantizer, FSQ) else torch.ones_like(z)
    torch.testing.assert_close(gradient, upstream * slope)


def test_the_nearest_vector_is_chosen():
    torch.manual_seed(0)
    quantizer, z = VectorQuantizer(16, 3), grid()
    with torch.no_grad():
        quantizer.vectors.normal_()
    nearest = torch.cdist(z.movedim(1, -1).reshape(-1, 3), quantizer.codebook).argmin(1)
    assert torch.equal(quantizer.indices(z).flatten(), nearest)
    torch.testing.assert_close(quantizer.lookup(quantizer.indices(z)), quantizer(z).e)


def test_each_term_moves_its_own_side():
    torch.manual_seed(0)
    model, batch = small_vqvae(VectorQuantizer(8, 4), width=4), Batch(images(), None)
    terms = VQLoss()({"ae": model}, batch)
    encoder, codebook, decoder = [*model.encoder.parameters()], [model.quantizer.vectors], [*model.decoder.parameters()]

    def moved(term, parameters):
        found = torch.autograd.grad(terms[term], parameters, retain_graph=True, allow_unused=True)
        return any(g is not None and bool(g.any()) for g in found)

    sides = {term: [moved(term, p) for p in (encoder, codebook, decoder)] for term in terms if terms[term].grad_fn}
    assert sides == {
        "loss": [True, True, True],
        "reconstruction": [True, False, True],
        "codebook": [False, True, False],
        "commitment": [True, False, False],
    }


def test_the_codebooks_gradient_by_hand():
    quantizer = known(VectorQuantizer(2, 1), [[0.0], [10.0]])
    model = VQVAE(nn.Sequential(nn.Identity()), quantizer, nn.Sequential(nn.Identity()), (1, 1, 3))
    x = torch.tensor([[[[1.0, 2.0, 9.0]]]])
    terms = VQLoss()({"ae": model}, Batch(x, None))
    assert terms["codebook"].item() == terms["commitment"].item() == pytest.approx(1 + 4 + 1)
    terms["codebook"].backward()
    # d/de of (1 - e)² + (2 - e)² at 0 and of (9 - e)² at 10.
    assert quantizer.vectors.grad.tolist() == [[-6.0], [2.0]]


def test_the_terms_add_up_with_their_weights():
    torch.manual_seed(0)
    model, batch = small_vqvae(VectorQuantizer(8, 4), width=4), Batch(images(), None)
    t = VQLoss(beta=0.25)({"ae": model}, batch)
    torch.testing.assert_close(t["loss"], t["reconstruction"] + t["codebook"] + 0.25 * t["commitment"])
    t = VQLoss(beta=2.0, codebook=0.0)({"ae": model}, batch)
    torch.testing.assert_close(t["loss"], t["reconstruction"] + 2 * t["commitment"])


def test_the_ema_update_by_hand():
    quantizer = known(EMAQuantizer(3, 1, restart=0.0, decay=0.9), [[0.0], [10.0], [50.0]]).train()
    quantizer.sizes.copy_(torch.tensor([1.0, 2.0, 4.0]))
    quantizer.sums.copy_(torch.tensor([[0.0], [20.0], [200.0]]))
    out = quantizer(torch.tensor([1.0, 2.0, 9.0, 12.0, 12.0]).view(1, 1, 1, 5))
    assert out.indices.flatten().tolist() == [0, 0, 1, 1, 1]
    assert out.e.flatten().tolist() == [0, 0, 10, 10, 10]  # quantized by the codebook from before the update
    assert quantizer.sizes.tolist() == pytest.approx([0.9 + 0.2, 1.8 + 0.3, 3.6])
    assert quantizer.sums.flatten().tolist() == pytest.approx([0.3, 18 + 3.3, 180])
    assert quantizer.codebook.flatten().tolist() == pytest.approx([0.3 / 1.1, 21.3 / 2.1, 50])
    assert quantizer.share.tolist() == pytest.approx([0.3 + 0.04, 0.3 + 0.06, 0.3])


@every
def test_evaluation_and_indices_change_nothing(make):
    torch.manual_seed(0)
    quantizer = make()
    before = {k: v.clone() for k, v in quantizer.state_dict().items()}
    quantizer.eval()(grid())
    quantizer.train().indices(grid())
    assert all(torch.equal(v, before[k]) for k, v in quantizer.state_dict().items())


@pytest.mark.parametrize("make", [VectorQuantizer, EMAQuantizer])
def test_a_dead_code_restarts_at_an_answer_of_the_encoder(make):
    torch.manual_seed(0)
    quantizer = known(make(3, 2, restart=0.5, decay=0.5), [[0.0, 0.0], [1.0, 1.0], [100.0, 100.0]]).train()
    z = torch.randn(4, 2, 3, 3) * 0.4 + 0.5
    quantizer(z)
    assert quantizer.codebook[2].tolist() == [100.0, 100.0]  # its share has fallen to a half, not below
    quantizer(z)
    answers = z.movedim(1, -1).reshape(-1, 2)
    assert (answers == quantizer.codebook[2]).all(1).any()
    assert quantizer.share[2].item() == pytest.approx(1 / 3)
    if isinstance(quantizer, EMAQuantizer):
        torch.testing.assert_close(quantizer.sums[2] / quantizer.sizes[2], quantizer.codebook[2])


def test_the_first_batch_fills_a_codebook_that_restarts():
    torch.manual_seed(0)
    z = 5 + torch.randn(8, 2, 3, 3)
    for make in (VectorQuantizer, EMAQuantizer):
        quantizer = make(16, 2, restart=0.1)
        assert len(quantizer.indices(z).unique()) <= 3  # all answers are far from the start, on one side
        quantizer.train()(z)
        assert len(quantizer.indices(z).unique()) > 8


def test_without_restart_a_dead_code_stays():
    torch.manual_seed(0)
    quantizer = known(VectorQuantizer(3, 2), [[0.0, 0.0], [1.0, 1.0], [100.0, 100.0]]).train()
    for _ in range(50):
        quantizer(torch.rand(4, 2, 3, 3))
    assert quantizer.codebook[2].tolist() == [100.0, 100.0]


@pytest.mark.parametrize("levels", [(8,), (2, 2), (8, 5, 5, 5), (3, 4)])
def test_fsq_implies_its_codebook(levels):
    fsq = FSQ(levels)
    codebook = fsq.codebook
    assert codebook.shape == (math.prod(levels), len(levels))
    assert len(codebook.unique(dim=0)) == len(codebook)
    assert codebook.amin(0).tolist() == [-1.0] * len(levels)
    assert codebook.amax(0).tolist() == [1.0] * len(levels)
    # Every entry is found again from a vector that rounds to it, under the index at which it stands.
    z = codebook.clamp(-0.999, 0.999).atanh()[:, :, None, None]
    assert torch.equal(fsq.indices(z).flatten(), torch.arange(len(codebook)))
    torch.testing.assert_close(fsq(z).e, fsq.lookup(fsq.indices(z)))


def test_fsq_of_any_size_needs_no_table():
    torch.manual_seed(0)
    fsq = FSQ([4] * 16)
    assert fsq.codes == 4**16
    assert sum(b.numel() for b in fsq.buffers()) == 32
    z = 2 * torch.randn(3, 16, 2, 2)
    out = fsq(z)
    torch.testing.assert_close(fsq.lookup(out.indices), out.e)
    model = VQVAE(nn.Conv2d(1, 16, 14, 14), fsq, nn.ConvTranspose2d(16, 1, 14, 14)).eval()
    terms = VQLoss(codebook=0, beta=0)({"ae": model}, Batch(images(), None))
    different = len(model.indices(images()).unique())
    assert terms["usage"].item() == pytest.approx(different / 4**16)
    with pytest.raises(ValueError, match="4,294,967,296 vectors: look up"):
        fsq.codebook  # noqa: B018
    with pytest.raises(ValueError, match=r"numbers its codes by int64.*makes 3.4e\+38"):
        FSQ([4] * 64)
    assert FSQ([2] * 62).indices(torch.full((1, 62, 1, 1), 9.0)).item() == 2**62 - 1


def test_states_of_the_first_edition_hold_fsqs_table_and_are_read():
    fsq = FSQ((3, 2))
    assert sorted(fsq.state_dict()) == ["base", "steps"]
    FSQ((3, 2)).load_state_dict(fsq.state_dict() | {"implied": fsq.codebook})


@pytest.mark.parametrize("make", [VectorQuantizer, EMAQuantizer])
def test_a_codebook_starts_from_answers_that_lie_apart(make):
    """Four tight clouds and four codes: with a start of k-means++ each cloud gets one."""
    torch.manual_seed(0)
    clouds = torch.tensor([[0.0, 0.0], [20.0, 0.0], [0.0, 20.0], [20.0, 20.0]])
    z = clouds.repeat_interleave(90, 0)[torch.randperm(360)] + 0.01 * torch.randn(360, 2)
    grids = z.view(10, 6, 6, 2).movedim(-1, 1)
    quantizer = make(4, 2)
    assert quantizer.start_from(grids) is quantizer
    assert sorted(map(tuple, quantizer.codebook.round().int().tolist())) == [(0, 0), (0, 20), (20, 0), (20, 20)]
    assert all((z == e).all(1).any() for e in quantizer.codebook)
    assert quantizer.share.tolist() == [0.25] * 4
    before = quantizer.codebook.clone()
    quantizer.train()(grids)
    if make is EMAQuantizer:  # the averages start there too
        torch.testing.assert_close(quantizer.codebook, before, atol=0.05, rtol=0)
    with pytest.raises(ValueError, match="4 or more finite vectors of 2 numbers; it got 3 of 2"):
        quantizer.start_from(z[:3])
    same = make(4, 2).start_from(torch.ones(5, 2))  # fewer differ than there are codes
    assert same.codebook.tolist() == [[1.0, 1.0]] * 4


def test_from_a_start_at_the_answers_every_code_is_used_and_near_0_few_are(images):
    torch.manual_seed(0)
    model, x = small_vqvae(VectorQuantizer(64, 4), 8), images.images()
    few = len(model.indices(x).unique())
    model.quantizer.start_from(model.grid(x))
    assert len(model.indices(x).unique()) == 64 > 4 * few


def test_symbols_in_use_agree_with_the_table_of_counts():
    torch.manual_seed(0)
    indices = torch.randint(50, (7, 3, 3)) ** 2 % 97
    counts = code_counts(indices, 97)
    different, even = symbols_in_use(indices)
    assert different == (counts > 0).sum()
    torch.testing.assert_close(even, perplexity(counts))
    torch.testing.assert_close(torch.stack(symbols_in_use(torch.full((5, 1, 1), 2**40))), torch.ones(2))


def test_fsq_is_bounded_whatever_comes():
    z = torch.tensor([-1e6, -3.0, 0.0, 3.0, 1e6]).view(1, 1, 1, 5).expand(1, 2, 1, 5)
    out = FSQ((5, 4))(z)
    assert out.e.abs().max() == 1
    assert out.e[0, 0, 0].tolist() == pytest.approx([-1, -1, 0, 1, 1])
    assert out.indices.min() >= 0 and out.indices.max() == 19


def test_perplexity_knows_its_extremes():
    assert perplexity(torch.full((512,), 3.0)).item() == pytest.approx(512, rel=1e-5)
    assert perplexity(torch.tensor([0.0, 7.0, 0.0])).item() == 1
    assert perplexity(torch.tensor([1.0, 1.0, 0.0])).item() == pytest.approx(2)
    assert code_counts(torch.tensor([[0, 2], [2, 2]]), 4).tolist() == [1, 0, 3, 0]
    with pytest.raises(ValueError, match="no symbols"):
        perplexity(torch.zeros(3))


@every
def test_the_model_offers_indices_vectors_and_images(make):
    torch.manual_seed(0)
    model, x = small_vqvae(make(), width=4).eval(), images()
    out = model(x)
    indices = model.indices(x)
    assert indices.shape == (6, 7, 7) and indices.dtype == torch.int64 and torch.equal(indices, out.indices)
    assert model.codebook.shape == (16, 3)
    assert out.x_hat.shape == x.shape
    torch.testing.assert_close(model.decode_indices(indices), out.x_hat)
    torch.testing.assert_close(model.encode(x), out.e)
    assert 1 <= out.perplexity <= 16
    assert out.usage == len(indices.unique()) / 16
    data = ImageSet((255 * x).byte(), torch.zeros(6, dtype=torch.int64))
    assert codes(model, data).shape == (6, 3, 7, 7)
    assert reconstructions(model, data).shape == x.shape


@pytest.mark.parametrize(
    ("make", "objective"),
    [
        (lambda: VectorQuantizer(8, 4, restart=0.1), VQLoss()),
        (lambda: EMAQuantizer(8, 4), VQLoss(codebook=0.0)),
        (lambda: FSQ((4, 4)), SquaredError()),
    ],
    ids=["vq", "ema", "fsq"],
)
def test_training_reconstructs(make, objective):
    torch.manual_seed(0)
    flat = torch.arange(4).mul(80).byte()[torch.arange(64) % 4]
    data = ImageSet(flat[:, None, None, None].expand(64, 1, 28, 28).contiguous(), torch.zeros(64, dtype=torch.int64))
    model = small_vqvae(make(), width=8)
    history = fit({"ae": model}, Phase(objective), data, epochs=20, batch_size=8)
    losses = history[history.term.isin(["reconstruction"] if len(history.term.unique()) > 1 else ["loss"])].value
    assert losses.iloc[-1] < losses.iloc[0] / 3
    assert len(model.indices(data.images()).unique()) > 1


def test_clear_errors():
    with pytest.raises(ValueError, match="2 or more codes"):
        VectorQuantizer(1, 4)
    with pytest.raises(ValueError, match="2 or more"):
        FSQ((8, 1))
    model = small_vqvae(VectorQuantizer(8, 4), width=4)
    with pytest.raises(ValueError, match="Indices run from 0 to 7; these run from 0 to 8"):
        model.decode_indices(torch.arange(9).view(1, 3, 3))
    with pytest.raises(ValueError, match=r"int64 of shape \(B, h, w\)"):
        model.decode_indices(torch.zeros(1, 3, 3))
    with pytest.raises(ValueError, match=r"ends in a grid \(B, 5, h, w\)"):
        VQVAE(model.encoder, VectorQuantizer(8, 5), model.decoder)(images())


@pytest.mark.processes
@pytest.mark.slow
def test_two_processes_keep_one_codebook(tmp_path):
    torch.multiprocessing.spawn(two_codebooks.work, (str(tmp_path),), nprocs=2)
    one, other = (load_file(tmp_path / f"{rank}.safetensors") for rank in range(2))
    assert one.keys() == other.keys()
    assert all(torch.equal(value, other[key]) for key, value in one.items())
    alone = two_codebooks.quantizers()
    for batch in range(4):
        for quantizer in alone.values():
            quantizer.train()(two_codebooks.answers(batch))
    # Nothing was drawn by chance: the two did exactly what one process does with the whole batches.
    for key, value in alone["ema"].state_dict().items():
        torch.testing.assert_close(one[f"ema/{key}"], value)
    assert (one["ema, restart/vectors"] != two_codebooks.quantizers()["ema, restart"].vectors).all()
