"""A reader's own table: what is learned is learned from training rows, comes back, and is kept as JSON."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from aelib.data import Columns, DataError, table
from aelib.data.columns import MISSING, OTHER
from aelib.likelihoods import Mixed
from aelib.models.vae import ELBO, DenseVAE
from aelib.training import Phase, fit

N = 400


def frame() -> pd.DataFrame:
    """Columns of every kind, with and without missing values."""
    random = np.random.default_rng(0)
    income = random.lognormal(3, 1, N)
    born = pd.Timestamp("1950-01-01") + pd.to_timedelta(random.integers(0, 20_000, N), unit="D")
    seen = pd.Series(pd.Timestamp("2024-03-01 12:00:00") + pd.to_timedelta(random.integers(0, 10**6, N), unit="s"))
    return pd.DataFrame(
        {
            "age": random.integers(18, 90, N),
            "income": np.where(random.random(N) < 0.1, np.nan, income),
            "rooms": pd.Series(random.integers(1, 7, N)).astype("Int64").mask(pd.Series(random.random(N) < 0.2)),
            "born": born,
            "seen": seen.mask(pd.Series(random.random(N) < 0.1)),
            "smoker": random.random(N) < 0.3,
            "owner": random.integers(0, 2, N),
            "insured": pd.Series(random.choice([True, False, None], N), dtype=object),
            "town": random.choice(["Bergen", "Oslo", "Tromsø"], N, p=[0.2, 0.7, 0.1]),
            "grade": pd.Categorical(random.choice(["low", "high"], N)),
            "note": random.choice(["a", "b", None], N),
            "ill": random.choice(["no", "yes"], N),
        }
    )


def test_kinds_are_found_out() -> None:
    found = table(frame(), label="ill")
    kinds = {column.name: (column.kind, column.missing, column.whole) for column in found.columns.columns}
    assert kinds == {
        "age": ("number", False, True),
        "born": ("date", False, True),
        "income": ("number", True, False),
        "rooms": ("number", True, True),
        "seen": ("date", True, False),
        "smoker": ("yes/no", False, False),
        "owner": ("yes/no", False, False),
        "insured": ("category", False, False),
        "town": ("category", False, False),
        "grade": ("category", False, False),
        "note": ("category", False, False),
    }
    assert found.columns.names == tuple(kinds)
    assert found.classes == ("no", "yes") and set(found.train.y.tolist()) == {0, 1}
    assert len(found.train) == 320 and len(found.test) == 80
    assert sorted([*found.train_rows, *found.test_rows]) == list(range(N))


def test_it_is_scikit_learns_scaling_and_encoding_of_the_training_rows() -> None:
    whole = frame()
    found = table(whole, label="ill")
    rows = whole.iloc[found.train_rows]
    x = found.columns.transform(whole)
    age = StandardScaler().fit(rows[["age"]]).transform(whole[["age"]])[:, 0]
    torch.testing.assert_close(x[:, 0], torch.from_numpy(age).float())
    income = StandardScaler().fit(rows[["income"]]).transform(whole[["income"]])[:, 0]
    torch.testing.assert_close(x[:, 2], torch.from_numpy(np.nan_to_num(income)).float())  # the mean where it is missing
    assert torch.equal(x[:, 5] == 1, torch.tensor(whole["income"].isna().tolist()))
    town = OneHotEncoder(sparse_output=False).fit(rows[["town"]]).transform(whole[["town"]])
    at = 2 + 6 + 2 + 4
    assert torch.equal(x[:, at : at + 3], torch.from_numpy(town).float())
    assert torch.equal(found.train.x, x[found.train_rows]) and torch.equal(found.test.x, x[found.test_rows])
    # Of the training rows, and of them alone, the mean is 0 and the variance 1.
    assert found.train.x[:, :2].mean(0).abs().max() < 1e-5
    assert (found.train.x[:, :2].std(0, correction=0) - 1).abs().max() < 1e-5
    assert found.test.x[:, :2].mean(0).abs().max() > 1e-3


def test_the_blocks_are_those_of_the_likelihood() -> None:
    found = table(frame(), label="ill")
    likelihood = Mixed(found.columns.blocks)
    assert likelihood.width == found.columns.width == found.train.x.shape[1]
    likelihood.check(found.train.x)
    assert likelihood.terms(torch.zeros_like(found.train.x), found.train.x).shape == (320, len(found.columns.names))


def test_it_all_comes_back() -> None:
    whole = frame()
    found = table(whole, label="ill")
    back = found.columns.inverse(found.columns.transform(whole))
    assert list(back.columns) == list(found.columns.names)
    for name in ("age", "born", "rooms", "smoker", "owner", "town"):
        pd.testing.assert_series_equal(back[name], whole[name], check_dtype=False, check_names=False)
    pd.testing.assert_series_equal(back["income"], whole["income"], rtol=1e-5)
    assert (back["seen"] - whole["seen"]).abs().max() <= pd.Timedelta(seconds=1)
    for name in ("seen", "insured", "note"):
        assert (back[name].isna() == whole[name].isna()).all()
    there = whole["insured"].notna()
    assert (back["insured"][there] == whole["insured"][there]).all()
    assert (back["grade"] == whole["grade"].astype(str)).all()
    assert pd.api.types.is_integer_dtype(back["age"].dtype) and back["rooms"].dtype == "Int64"


def test_what_was_not_seen_is_another() -> None:
    whole = frame()
    columns = table(whole, label="ill").columns
    strange = whole.iloc[:3].assign(town=["Paris", None, "Oslo"], age=[np.nan, 20, 30], note=["a", None, "zzz"])
    x = columns.transform(strange)
    town = next(column for column in columns.columns if column.name == "town")
    at = columns.width - sum(len(c.values) for c in columns.columns if c.name in ("town", "grade", "note"))
    assert [town.values[i] for i in x[:, at : at + 4].argmax(1)] == [OTHER, OTHER, "Oslo"]
    note = next(column for column in columns.columns if column.name == "note")
    assert [note.values[i] for i in x[:, -4:].argmax(1)] == ["a", MISSING, OTHER]
    assert x[0, 0] == 0  # an age that is missing, as none was in training, is taken at the mean
    assert columns.inverse(x)["town"].tolist() == [OTHER, OTHER, "Oslo"]


def test_it_is_kept_as_json() -> None:
    whole = frame()
    columns = table(whole, label="ill").columns
    again = Columns.from_state(json.loads(json.dumps(columns.state())))
    assert again == columns and torch.equal(again.transform(whole), columns.transform(whole))


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "tsv", "parquet"])
def test_files(tmp_path: Path, suffix: str) -> None:
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    whole = frame()
    path = tmp_path / f"own.{suffix}"
    if suffix == "parquet":
        whole.to_parquet(path)
    else:
        whole.to_csv(path, index=False, sep="\t" if suffix == "tsv" else ",")
    found, wanted = table(path, label="ill"), table(whole, label="ill")
    assert {c.name: c.kind for c in found.columns.columns} == {c.name: c.kind for c in wanted.columns.columns}
    torch.testing.assert_close(found.train.x, wanted.train.x)


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    (tmp_path / "ragged.csv").write_text("a,b\n1,2\n1,2,3\n")
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    for name, message in [
        ("empty.csv", "cannot be read as a table: No columns"),
        ("ragged.csv", "cannot be read as a table: Error tokenizing"),
        ("binary.csv", "cannot be read as a table"),
        ("nowhere.csv", "cannot be read as a table.*No such file"),
        ("table.xlsx", r"is no \.csv, \.tsv or \.parquet file"),
    ]:
        with pytest.raises(DataError, match=message):
            table(tmp_path / name)
    with pytest.raises(TypeError, match="it got a list"):
        table([1, 2])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda f: f.assign(name=[f"person {i}" for i in range(N)]), {}, "'name' has 320 different texts in 320 rows"),
        (lambda f: f.assign(empty=np.nan), {}, "'empty' has no value in the training rows: leave it out"),
        (lambda f: f.assign(mixed=[1, "a"] * 200), {}, "'mixed' holds int and str: make it"),
        (lambda f: f.assign(lists=[[1]] * N), {}, "'lists' holds list: make it"),
        (lambda f: f.assign(far=np.inf), {}, "'far' is of finite numbers; row 0 has inf"),
        (lambda f: f, {"kinds": {"town": "number"}}, "'town' is of finite numbers; row 0 has '"),
        (lambda f: f, {"kinds": {"town": "date"}}, "'town' is of dates such as 2024-01-31; row 0 has '"),
        (lambda f: f, {"kinds": {"town": "yes/no"}}, "'town' is no yes/no: it has 3 values"),
        (
            lambda f: f,
            {"kinds": {"insured": "yes/no"}},
            "'insured' is no yes/no: it has 2 values, and some are missing",
        ),
        (lambda f: f, {"kinds": {"town": "text"}}, "it has 'town': 'text'"),
        (lambda f: f, {"kinds": {"city": "category"}}, "it has 'city': 'category'"),
        (lambda f: f, {"label": "city"}, "no column 'city'; its columns are"),
        (lambda f: f, {"label": "note"}, "The label 'note' is missing in row"),
        (lambda f: f, {"leave_out": ["city"]}, "no column 'city'"),
        (lambda f: f[["age"]], {"leave_out": ["age"]}, "needs a column to learn"),
        (lambda f: f.iloc[:1], {}, "two training rows at least; this one has 1 of 1"),
        (lambda f: f, {"test": 1.0}, "from 0 to below 1; it is 1"),
        (lambda f: f, {"train": [True]}, r"each of the 400 rows whether it is one; it is bool of shape \(1,\)"),
        (lambda f: pd.concat([f, f[["age"]]], axis=1), {}, "'age' is there twice"),
    ],
)
def test_what_cannot_be_learned(change, options, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        table(change(frame()), **options)


def test_another_table_without_a_column_or_with_a_strange_bit() -> None:
    columns = table(frame(), label="ill").columns
    with pytest.raises(ValueError, match="has no column 'age'"):
        columns.transform(frame().drop(columns="age"))
    with pytest.raises(ValueError, match=r"'owner' is one of \[0, 1\]; row 0 has 7"):
        columns.transform(frame().assign(owner=7))
    with pytest.raises(ValueError, match="Rows of this table have"):
        columns.inverse(torch.zeros(2, 3))


def test_rows_that_were_chosen() -> None:
    chosen = np.arange(N) < 100
    found = table(frame(), label="ill", train=chosen)
    assert found.train_rows.tolist() == list(range(100)) and len(found.test) == 300
    assert len(table(frame(), test=0.0).test) == 0


def test_whole_numbers_from_a_csv_train(tmp_path: Path) -> None:
    """Asked for in public: columns of integers, which a network does not take as they are."""
    random = np.random.default_rng(0)
    pd.DataFrame(random.integers(0, 1000, (200, 5)), columns=list("abcde")).to_csv(tmp_path / "own.csv", index=False)
    found = table(tmp_path / "own.csv")
    likelihood = Mixed(found.columns.blocks)
    torch.manual_seed(0)
    vae = DenseVAE((5, 16, 2), torch.nn.ReLU, (5,), likelihood)
    history = fit({"vae": vae}, Phase(ELBO()), found.train, epochs=2)
    assert history.value.notna().all()
    back = found.columns.inverse(vae.decode(vae.encode(found.test.x)))
    assert back.dtypes.map(pd.api.types.is_integer_dtype).all() and len(back) == 40


def test_an_anomaly_in_one_column_is_found_in_that_column() -> None:
    whole = frame()
    found = table(whole, label="ill")
    likelihood = Mixed(found.columns.blocks)
    x = found.columns.transform(whole.iloc[[0]].assign(age=500))
    terms = likelihood.terms(torch.zeros_like(x), x)[0]
    assert found.columns.names[terms.argmax()] == "age"
