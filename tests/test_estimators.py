"""Autoencoders as scikit-learn estimators: its own checks, pipelines, searches, joblib, and known answers."""

import io
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from aelib.estimators import AutoencoderDetector, AutoencoderTransformer
from aelib.sharing.path_to_onnx import path_to_onnx

QUICK = {"epochs": 2, "batch_size": 64, "hidden": 4, "random_state": 0}


@parametrize_with_checks([AutoencoderTransformer(**QUICK), AutoencoderDetector("variational", **QUICK)])
def test_scikit_learns_own_checks(estimator, check) -> None:
    check(estimator)


@pytest.mark.long
@parametrize_with_checks(
    [
        AutoencoderTransformer("variational", **QUICK),
        AutoencoderTransformer("denoising", **QUICK),
        AutoencoderTransformer("sequence", **QUICK),
        AutoencoderDetector("dense", **QUICK),
        AutoencoderDetector("denoising", **QUICK),
        AutoencoderDetector("sequence", **QUICK),
    ]
)
def test_scikit_learns_own_checks_of_the_other_kinds(estimator, check) -> None:
    check(estimator)


def curve(n: int = 400) -> np.ndarray:
    """Points on a bent line in space, in columns of very different units."""
    random = np.random.default_rng(0)
    t = random.uniform(-1, 1, n)
    return np.stack([1000 * t, t**2, np.sin(3 * t) / 100], 1) + random.normal(size=(n, 3)) * [5, 0.005, 0.00005]


@pytest.mark.slow
def test_a_bent_line_is_one_number() -> None:
    """What a straight line, PCA's, cannot do."""
    X = curve()
    ae = AutoencoderTransformer(latent=1, epochs=300, batch_size=50, learning_rate=3e-3, random_state=0).fit(X[:300])
    scale = X.std(0)
    left = (((ae.inverse_transform(ae.transform(X[300:])) - X[300:]) / scale) ** 2).mean()
    pca = PCA(1).fit(X[:300] / scale)
    straight = ((pca.inverse_transform(pca.transform(X[300:] / scale)) - X[300:] / scale) ** 2).mean()
    assert left < 0.25 * straight
    assert ae.get_feature_names_out().tolist() == ["autoencodertransformer0"]


@pytest.mark.slow
def test_tumors_are_strange_to_whom_knows_benign_ones() -> None:
    X, benign = load_breast_cancer(return_X_y=True)
    known, other = X[benign == 1][:250], np.concatenate([X[benign == 1][250:], X[benign == 0]])
    malignant = np.repeat([0, 1], [(benign == 1).sum() - 250, (benign == 0).sum()])
    for kind in ("dense", "variational"):
        detector = AutoencoderDetector(kind, 4, epochs=40, batch_size=32, random_state=0).fit(known)
        assert roc_auc_score(malignant, -detector.score_samples(other)) > 0.85
        assert (detector.predict(known) == -1).mean() == pytest.approx(0.1, abs=0.01)
        assert (detector.decision_function(known) < 0).sum() == (detector.predict(known) == -1).sum()


@pytest.mark.parametrize("kind", ["dense", "denoising", "variational", "sequence"])
def test_joblib_keeps_them(kind: str, tmp_path: Path) -> None:
    X = curve(60)
    for made in (AutoencoderTransformer, AutoencoderDetector):
        estimator = made(kind, **QUICK).fit(X)
        joblib.dump(estimator, tmp_path / "own.joblib")
        content = (tmp_path / "own.joblib").read_bytes()
        assert b"encoder" in content and b"torch" not in content  # safetensors, and nothing of PyTorch's own pickles
        again = joblib.load(io.BytesIO(content))
        method = "transform" if made is AutoencoderTransformer else "score_samples"
        assert np.array_equal(getattr(again, method)(X), getattr(estimator, method)(X))
        assert not hasattr(clone(again), "network_")


def test_a_pipeline_and_a_search(recwarn: pytest.WarningsRecorder) -> None:
    X = curve(90)
    y = X[:, 0] > 0
    pipeline = make_pipeline(AutoencoderTransformer(**QUICK), LogisticRegression())
    search = GridSearchCV(pipeline, {"autoencodertransformer__latent": [1, 2]}, cv=2, error_score="raise").fit(X, y)
    assert set(search.cv_results_["param_autoencodertransformer__latent"]) == {1, 2}
    assert search.predict(X).shape == (90,)


def test_channels_of_a_sequence() -> None:
    X = np.random.default_rng(0).normal(size=(40, 12))
    detector = AutoencoderDetector("sequence", channels=3, **QUICK).fit(X)
    assert detector.network_.shape == (4, 3) and detector.score_samples(X).shape == (40,)
    with pytest.raises(ValueError, match=r"each of 5 channels; these rows have 12 numbers"):
        AutoencoderDetector("sequence", channels=5, **QUICK).fit(X)


def test_arguments_that_cannot_be() -> None:
    X = curve(20)
    with pytest.raises(ValueError, match="kind is one of dense, denoising, variational, sequence; it is 'sparse'"):
        AutoencoderTransformer("sparse").fit(X)
    for contamination in (0, 0.6):
        with pytest.raises(ValueError, match=r"contamination is a fraction above 0, at most 0\.5"):
            AutoencoderDetector(contamination=contamination).fit(X)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dense", "variational", "sequence"])
def test_onnxruntime_scores_raw_rows_without_torch(kind: str, tmp_path: Path) -> None:
    X = curve(50)
    detector = AutoencoderDetector(kind, **QUICK).fit(X)
    rows = torch.tensor(X)
    path_to_onnx(detector.scoring(), rows, tmp_path / "score.onnx")
    np.save(tmp_path / "rows.npy", rows.numpy())
    code = """
import sys
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession("score.onnx")
np.save("scores.npy", session.run(["score"], {"raw": np.load("rows.npy")})[0])
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), detector.score_samples(X), rtol=1e-4, atol=1e-4)
