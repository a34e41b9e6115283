"""A batch of one example has no variance: the loop makes none, and what needs two says so."""

import pytest
import torch
from blobs import blobs
from torch import Tensor, nn

from aelib.models.adversarial import AdversarialAutoencoder, ReconstructionLoss
from aelib.models.beta_vae import TotalCorrelation
from aelib.models.contractive import ContractiveOutput, DeepContractive, RelativeContractive
from aelib.models.vae import ELBO, DenseVAE
from aelib.training import Phase, fit
from aelib.training.batches import batches, number_of_batches, part
from aelib.training.optimizers import adam, one_cycle, sgd

SHAPE = (1, 8, 8)


def tcvae(examples: int) -> ELBO:
    return ELBO(divergence=TotalCorrelation(examples=examples))


@pytest.mark.parametrize(
    ("examples", "batch_size", "sizes"),
    [
        (96, 32, [32, 32, 32]),
        (97, 32, [32, 32, 33]),
        (98, 32, [32, 32, 32, 2]),
        (33, 32, [33]),
        (31, 32, [31]),
        (3, 2, [3]),
        (3, 1, [1, 1, 1]),
        (1, 32, [1]),
    ],
)
def test_one_example_that_is_left_joins_the_last_batch(examples, batch_size, sizes):
    order = torch.randperm(examples, generator=torch.Generator().manual_seed(0))
    found = batches(order, batch_size)
    assert [len(batch) for batch in found] == sizes
    assert torch.equal(torch.cat(found), order)
    assert number_of_batches(examples, batch_size) == len(sizes)


@pytest.mark.parametrize("processes", [1, 2, 3, 4, 8])
def test_a_process_sees_two_examples_or_none(processes):
    for size in range(1, 30):
        batch = torch.arange(size)
        parts = [part(batch, rank, processes) for rank in range(processes)]
        assert sorted(torch.cat(parts).tolist()) == batch.tolist()
        assert all(len(one) != 1 for one in parts) or size == 1
        shared = [len(one) for one in parts if len(one)]
        assert max(shared) - min(shared) <= 1
        assert len(parts[0])  # the first process's vectors and statistics are those that all take


def deep() -> DeepContractive:
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 3))
    return DeepContractive(encoder, nn.Sequential(nn.Linear(3, 64), nn.Unflatten(1, SHAPE)), SHAPE, probes=50)


def test_the_relative_penalty_is_that_of_the_data_whatever_is_left():
    """97 examples in batches of 32 as 96: a batch of one would divide by a variance of zero."""
    found = []
    for examples in (96, 97):
        ae = deep()
        before = [p.detach().clone() for p in ae.encoder.parameters()]
        history = fit(
            {"ae": ae}, Phase(RelativeContractive(1.0), adam(3e-3)), blobs(examples, 8), epochs=20, batch_size=32
        )
        moved = sum(((p - q).norm() for p, q in zip(ae.encoder.parameters(), before, strict=True)), torch.zeros(()))
        found.append((history.value[history.term == "loss"].iloc[-1], moved.item()))
    assert found[1] == pytest.approx(found[0], rel=0.1)


class Steps:
    """Counts the steps of its schedule, and knows how many it was promised."""

    promised = taken = 0

    def __call__(self, optimizer, steps: int, steps_per_epoch: int):
        self.promised = steps
        schedule = one_cycle()(optimizer, steps, steps_per_epoch)
        optimizer.register_step_post_hook(lambda *_: setattr(self, "taken", self.taken + 1))
        return schedule


@pytest.mark.parametrize("examples", [31, 32, 33, 34, 64, 65])
def test_the_schedule_is_promised_the_steps_that_are_taken(examples):
    steps = Steps()
    ae = deep()
    fit({"ae": ae}, Phase(RelativeContractive(), sgd(1e-3), steps), blobs(examples, 8), epochs=2, batch_size=32)
    assert steps.taken == steps.promised == 2 * len(batches(torch.arange(examples), 32))


def test_batch_normalization_and_the_aggregate_posterior_bear_what_is_left():
    torch.manual_seed(0)
    ae = AdversarialAutoencoder(2, 0, (20,), SHAPE, normalize=True)
    fit(ae.nets(), Phase(ReconstructionLoss(), updates=("encoder", "decoder")), blobs(33, 8), epochs=1, batch_size=16)
    vae = DenseVAE((64, 20, 3), nn.Tanh, SHAPE)
    options = dict(epochs=1, batch_size=16, validation=17)
    history = fit({"vae": vae}, Phase(tcvae(examples=33)), blobs(50, 8), **options)
    assert history.value.notna().all()


def test_what_needs_two_examples_says_so():
    one = ContractiveOutput(*[torch.zeros(1, 3)] * 3, torch.ones(1))
    with pytest.raises(ValueError, match="the variance of two codes or more; this batch has 1"):
        RelativeContractive().penalty(one)
    two = ContractiveOutput(*[torch.eye(2, 3)] * 3, torch.tensor([1.0, 3.0]))
    expected: Tensor = torch.tensor(2.0 / 0.5)  # a mean of 2 over variances of 1/4, 1/4 and 0
    torch.testing.assert_close(RelativeContractive().penalty(two), expected)
