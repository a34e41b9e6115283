"""One protocol for many models: what is held out, what is watched, which rate loses, what seconds are counted."""

import math

import pandas as pd
import pytest
import torch
from torch import nn

from aelib.comparison import Comparison, Entry, seconds_to, single_phase
from aelib.data import ImageSet
from aelib.metrics import per_pixel, reconstructions
from aelib.models.autoencoder import Autoencoder, SquaredError
from aelib.models.pca import pca

WIDTHS = (64, 16, 4)


def small_entry(**changes) -> Entry:
    given = dict(make=lambda: Autoencoder(WIDTHS, nn.ReLU, (1, 8, 8)), train=single_phase(SquaredError()))
    return Entry("00_first_three", **given | changes)


def protocol(images: ImageSet, **changes) -> Comparison:
    given = dict(data=images[:100], held=images[100:], epochs=3, rates=(1e-3, 1e-2), trial=50)
    return Comparison(**given | changes)


def test_a_seed_decides_the_start_and_he_can_be_declined():
    one, same, other = (small_entry().start(seed).encoder[1].weight for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    kept = small_entry(he_start=False).start(0)
    torch.manual_seed(0)
    assert torch.equal(kept.encoder[1].weight, Autoencoder(WIDTHS, nn.ReLU, (1, 8, 8)).encoder[1].weight)


def test_a_run_watches_the_held_out_images_after_each_epoch(small):
    rules = protocol(small)
    model, history = rules.run(small_entry(), 1e-2, seed=0)
    curve = history.attrs["curve"]
    assert len(curve) == len(history.attrs["seconds"]) == 3
    assert curve[-1] == pytest.approx(per_pixel(reconstructions(model, rules.held), rules.held.images()))
    assert curve[-1] < curve[0]
    assert set(history.split) == {"train"}


def test_watching_does_not_change_the_training(small):
    watched, _ = protocol(small).run(small_entry(), 1e-2, seed=0)
    alone_ = small_entry().start(0)
    single_phase(SquaredError())(alone_, 1e-2, data=small[:100], epochs=3, seed=0)
    assert torch.equal(watched.encoder[1].weight, alone_.encoder[1].weight)


def test_what_is_finished_when_made_is_measured_once(small):
    entry = small_entry(make=lambda: pca(small.images(), 5), train=None)
    model, history = protocol(small).run(entry, 0.0, seed=0)
    assert history.empty
    assert history.attrs["curve"] == [
        pytest.approx(per_pixel(reconstructions(model, small[100:]), small[100:].images()))
    ]
    with pytest.raises(ValueError, match="no learning rate to choose"):
        protocol(small).losses(entry)


def test_a_rate_that_diverges_loses_to_any_that_does_not(small):
    class Explodes(SquaredError):
        def __call__(self, nets, batch):
            return {"loss": super().__call__(nets, batch)["loss"] / (0.0 if nets["ae"].fatal else 1.0)}

    def train(model, rate, **options):
        model.fatal = rate > 1
        return single_phase(Explodes())(model, rate, **options)

    fine, fatal = protocol(small, rates=(1e-2, 10.0)).losses(small_entry(train=train))
    assert fine < math.inf == fatal


def test_rates_are_tried_on_a_part_of_the_data_a_fifth_of_it_held_out(small):
    seen = []

    def train(model, rate, **options):
        seen.append((rate, len(options["data"]), options["validation"], options["epochs"], options["seed"]))
        return single_phase(SquaredError())(model, rate, **options)

    losses = protocol(small).losses(small_entry(train=train))
    assert seen == [(1e-3, 50, 10, 2, 100), (1e-2, 50, 10, 2, 100)]
    assert losses[1] < losses[0]  # two epochs at a thousandth change little


def test_of_several_phases_the_first_ones_loss_counts(small):
    def train(model, rate, **options):
        rows = [(1, "validation", "first", "loss", 3.0), (1, "validation", "second", "loss", 1.0)]
        rows += [(2, "validation", "first", "loss", 2.0), (2, "validation", "second", "loss", 9.0)]
        rows += [(2, "train", "first", "loss", 0.5), (2, "validation", "first", "penalty", 7.0)]
        return pd.DataFrame(rows, columns=["epoch", "split", "phase", "term", "value"])

    assert protocol(small).losses(small_entry(train=train)) == [2.0, 2.0]


def test_seconds_are_counted_to_the_first_epoch_below_the_line_and_pretraining_counts():
    run = {"curve": [0.5, 0.3, 0.1, 0.2], "seconds": [1.0, 2.0, 4.0, 8.0]}
    assert seconds_to(run, 0.3) == 3
    assert seconds_to(run | {"before": 10.0}, 0.25) == 17
    assert math.isnan(seconds_to(run, 0.05))
