"""What this tree trusts: nothing is unpickled, evaluated or unpacked; what is installed and what CI runs is pinned."""

import ast
import re
from pathlib import Path

import pytest
import yaml
from unsafe import faults

ROOT = Path(__file__).parents[2]
FOLDERS = ("aelib", "notebooks", "scripts", "benchmarks", "tests", "book/_ext")
FILES = [ROOT / "conftest.py", *sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))]
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))

RESTRICTED_UNPICKLER = "aelib/data/fetch/formats.py"  # reads arrays only; tests/support/faults.py attacks it
# Tests make the pickles that it must read, and those that it must refuse.
TESTS = ("data/test_data.py", "data/test_data_faults.py", "support/faults.py", "support/tiny_mnist.py")
JOBLIB = "tests/test_estimators.py"  # reads what it has just written, as scikit-learn's users do
PICKLES = {RESTRICTED_UNPICKLER, *(f"tests/{name}" for name in TESTS)}


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("import pickle", "1: imports pickle"),
        ("from pickle import loads", "1: imports pickle"),
        ("x = 1\neval('x')", "2: calls eval"),
        ("torch.load(f)", "1: torch.load without weights_only=True"),
        ("torch.load(f, weights_only=False)", "1: torch.load without weights_only=True"),
        ("tarfile.open(f).extractall(d)", "1: calls tarfile.open(f).extractall"),
        ("archive.extractall(d, filter='fully_trusted')", "1: calls archive.extractall"),
        ("np.load(f, allow_pickle=True)", "1: numpy.load of pickles"),
        ("subprocess.run(c, shell=True)", "1: runs a shell"),
        ("requests.get(u, verify=False)", "1: trusts any server"),
    ],
)
def test_the_search_finds_what_it_looks_for(source: str, fault: str) -> None:
    assert faults(source) == [fault]


@pytest.mark.parametrize(
    "source",
    ["model.eval()", "torch.load(f, weights_only=True)", "archive.extractall(d, filter='data')", "re.compile('x')"],
)
def test_the_search_lets_the_rest_pass(source: str) -> None:
    assert faults(source) == []


@each_file
def test_nothing_unsafe_is_called(path: Path) -> None:
    found = faults(path.read_text(encoding="utf-8"))
    if str(path.relative_to(ROOT)) in PICKLES:
        found = [line for line in found if not line.endswith("imports pickle")]
    if str(path.relative_to(ROOT)) == JOBLIB:
        found = [line for line in found if not line.endswith("joblib.load makes any object")]
    assert found == []


def test_whoever_may_unpickle_does() -> None:
    assert [name for name in sorted(PICKLES) if "import pickle" not in (ROOT / name).read_text(encoding="utf-8")] == []


def test_the_one_unpickler_can_name_nothing_but_arrays() -> None:
    tree = ast.parse((ROOT / RESTRICTED_UNPICKLER).read_text(encoding="utf-8"))
    used = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert {name for name in used if name.startswith("pickle.")} == {"pickle.Unpickler", "pickle.UnpicklingError"}


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda path: path.name)
def test_actions_are_pinned_and_have_no_more_rights_than_they_need(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    used = re.findall(r"uses: *(.*)", text)
    assert used
    assert [one for one in used if not re.fullmatch(r"[\w-]+/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one)] == []
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        assert job.get("permissions", {}).get("contents", "read") == "read", name
        for step in job["steps"]:
            assert "${{ github.event" not in str(step.get("run", "")), "what a stranger wrote would run"
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_the_tools_that_ci_installs_are_pinned() -> None:
    scripts = [*(ROOT / ".github" / "workflows").glob("*.yml"), *(ROOT / ".ci").iterdir()]
    text = "\n".join(path.read_text(encoding="utf-8") for path in scripts)
    tools = re.findall(r"(?:pip install|pipx run|uvx) +([^-\s]\S*)", text)
    assert {re.split("[=@]", tool)[0] for tool in tools} == {"uv", "pip-audit"}
    assert [tool for tool in tools if not re.fullmatch(r"[a-z-]+(==|@)[0-9.]+", tool)] == []


def test_how_to_report_a_weakness_is_said() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    for word in ("Report", "safetensors", "SHA-256", ".ci/audit"):
        assert word in text
