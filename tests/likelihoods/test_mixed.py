"""A likelihood for each column of a table: the parts are those of torch's distributions, and missing counts nothing."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Categorical, Normal

from aelib.likelihoods import Gaussian, Mixed

MIXED = Mixed((("gaussian", 2), ("missing", 4), ("bernoulli", 2), ("categorical", 3), ("categorical", 4)), sigma=0.7)


def rows(n: int = 50) -> torch.Tensor:
    random = torch.Generator().manual_seed(0)

    def bits(width: int) -> torch.Tensor:
        return torch.randint(2, (n, width), generator=random).float()

    def one_of(width: int) -> torch.Tensor:
        return torch.eye(width)[torch.randint(width, (n,), generator=random)]

    numbers = torch.randn(n, 4, generator=random)
    return torch.cat([numbers, bits(2), bits(2), one_of(3), one_of(4)], 1)


def parameters(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, 15, generator=torch.Generator().manual_seed(1))


def test_each_columns_term_is_that_of_torchs_distributions() -> None:
    x, p = rows(), parameters(50)
    terms = MIXED.terms(p, x)
    assert terms.shape == (50, 8) and MIXED.width == 15
    there = 1 - x[:, 4:6]
    wanted = [
        -Normal(p[:, :2], 0.7).log_prob(x[:, :2]),
        -there * Normal(p[:, 2:4], 0.7).log_prob(x[:, 2:4]) - Bernoulli(logits=p[:, 4:6]).log_prob(x[:, 4:6]),
        -Bernoulli(logits=p[:, 6:8]).log_prob(x[:, 6:8]),
        -Categorical(logits=p[:, 8:11]).log_prob(x[:, 8:11].argmax(1))[:, None],
        -Categorical(logits=p[:, 11:]).log_prob(x[:, 11:].argmax(1))[:, None],
    ]
    torch.testing.assert_close(terms, torch.cat(wanted, 1))
    torch.testing.assert_close(MIXED.log_prob(p, x), -terms.sum(1))
    torch.testing.assert_close(MIXED.nll(p, x), terms.sum(1).mean())


def test_numbers_alone_are_the_gaussian() -> None:
    x, p = torch.randn(9, 5), torch.randn(9, 5)
    torch.testing.assert_close(Mixed((("gaussian", 5),), 0.3).log_prob(p, x), Gaussian(0.3).log_prob(p, x))


def test_what_stands_in_a_missing_numbers_place_counts_nothing() -> None:
    x, p = rows(), parameters(50)
    other = x.clone()
    other[:, 2:4] = torch.where(x[:, 4:6] == 1, 1e3, x[:, 2:4])
    torch.testing.assert_close(MIXED.log_prob(p, other), MIXED.log_prob(p, x))
    p.requires_grad_()
    MIXED.log_prob(p, x).sum().backward()
    assert (p.grad[:, 2:4][x[:, 4:6] == 1] == 0).all() and (p.grad[:, 2:4][x[:, 4:6] == 0] != 0).all()


def test_the_probabilities_of_all_rows_add_up_to_one() -> None:
    bits_and_categories = Mixed((("bernoulli", 2), ("categorical", 3)))
    every = torch.cat(
        [torch.cartesian_prod(torch.arange(2.0), torch.arange(2.0)).repeat_interleave(3, 0), torch.eye(3).repeat(4, 1)],
        1,
    )
    p = torch.randn(5).expand(12, 5)
    assert bits_and_categories.log_prob(p, every).exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_several_samples_stand_in_front() -> None:
    x, p = rows(), parameters(6, 50)
    log_prob = MIXED.log_prob(p, x)
    assert log_prob.shape == (6, 50)
    torch.testing.assert_close(log_prob[3], MIXED.log_prob(p[3], x))


def test_samples_have_the_means_and_are_rows() -> None:
    torch.manual_seed(0)
    p = parameters(1).expand(40_000, 15)
    drawn = MIXED.sample(p)
    MIXED.check(drawn)
    assert (drawn.mean(0) - MIXED.mean(p)[0]).abs().max() < 5 / math.sqrt(40_000)
    assert drawn[:, 0].std().item() == pytest.approx(0.7, rel=0.02)
    torch.testing.assert_close(MIXED.output()(p), MIXED.mean(p))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x[:, 1:], "rows of 15 numbers; these have 14"),
        (lambda x: x.index_fill(1, torch.tensor([0]), math.nan), "finite numbers; 50 of these are not"),
        (lambda x: x.index_fill(1, torch.tensor([6]), 2.0), r"Bernoulli takes pixels in \[0, 1\]"),
        (lambda x: x.index_fill(1, torch.tensor([4]), -1.0), r"Bernoulli takes pixels in \[0, 1\]"),
        (lambda x: x.index_fill(1, torch.tensor([8, 9, 10]), 1.0), "numbers that sum to 1"),
    ],
)
def test_what_cannot_be_a_row(change, message) -> None:
    MIXED.check(rows())
    with pytest.raises(ValueError, match=message):
        MIXED.check(change(rows()))


@pytest.mark.parametrize("blocks", [(), (("gaussian", 0),), (("missing", 3),), (("categorical", 1),), (("normal", 2),)])
def test_blocks_that_cannot_be(blocks) -> None:
    with pytest.raises(ValueError, match="Mixed takes blocks of gaussian, missing, bernoulli, categorical"):
        Mixed(blocks)
    with pytest.raises(ValueError, match="positive, finite standard deviation"):
        Mixed((("gaussian", 1),), sigma=0.0)
