"""Clusters: their names, and how often these are wrong."""

import pytest
import torch

from aelib.metrics.clusters import cluster_error, majority_labels, surest_labels


def test_clusters_are_named_and_scored_as_by_hand():
    p = torch.tensor([[0.9, 0.1, 0.0], [0.6, 0.4, 0.0], [0.8, 0.2, 0.0], [0.1, 0.9, 0.0], [0.3, 0.7, 0.0]])
    y = torch.tensor([5, 2, 2, 7, 7])
    # Cluster 0 holds images 0 to 2: surest of image 0, a five, but most are twos. Cluster 2 holds none.
    assert surest_labels(p, y).tolist()[:2] == [5, 7]
    assert majority_labels(p, y).tolist() == [2, 7, 2]
    assert cluster_error(p, y, surest_labels(p, y)) == pytest.approx(40)
    assert cluster_error(p, y, majority_labels(p, y)) == pytest.approx(20)
    with pytest.raises(ValueError, match="a name for each of 3 clusters"):
        cluster_error(p, y, y)
    with pytest.raises(ValueError, match="at least one image"):
        majority_labels(p, y[:2])
