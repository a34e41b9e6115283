"""The claims that the repository holds: where they come from, and that their targets were set before the run."""

import ast
import json
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from aelib.records.claims import load_all
from aelib.records.provenance import RESULTS

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted(ROOT.glob("notebooks/[0-9][0-9]_*.py"))


def git(*arguments: str) -> str:
    return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=True).stdout.strip()


def commits_of_records() -> dict[str, str]:
    """The commit that each recorded run names, by the record's file; the first edition's prove nothing, and say so."""
    found = {}
    for path in sorted((RESULTS / "runs").glob("*.safetensors")):
        if path.name.endswith(".cpu.safetensors"):
            continue
        with safe_open(path, framework="pt") as file:
            found[path.name] = json.loads(file.metadata()["run"])["attrs"]["commit"]
    return found


def constants(tree: ast.Module) -> set[str]:
    """Names that a chapter assigns once, at its top level, and whose values hold nothing but literals."""
    assigned: dict[str, list[ast.expr]] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            assigned.setdefault(node.targets[0].id, []).append(node.value)
    return {name for name, values in assigned.items() if len(values) == 1 and is_literal(values[0])}


def is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except ValueError:
        return False
    return True


def typed(node: ast.expr, known: set[str]) -> bool:
    """Whether a target can be read off the source: a literal, an entry of a constant, a choice among such."""
    if is_literal(node):
        return True
    if isinstance(node, ast.IfExp):
        return typed(node.body, known) and typed(node.orelse, known)
    if isinstance(node, ast.Subscript):
        return isinstance(node.value, ast.Name) and node.value.id in known
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
        return isinstance(node.func.value, ast.Name) and node.func.value.id in known
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "profile":
        return all(typed(keyword.value, known) for keyword in node.keywords)
    return isinstance(node, ast.Name) and node.id in known


def looped(tree: ast.Module) -> set[str]:
    """Names that a loop takes from a tuple of literals written in the loop's own head, or a zip of such."""
    return {
        name.id
        for loop in ast.walk(tree)
        if isinstance(loop, ast.For)
        for name in ast.walk(loop.target)
        if isinstance(name, ast.Name) and any(isinstance(part, ast.Constant) for part in ast.walk(loop.iter))
    } | {"target"}


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_no_target_is_computed_from_the_run_that_it_judges(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    known = constants(tree) | looped(tree)
    computed = [
        ast.unparse(keyword.value)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("claims.")
        for keyword in call.keywords
        if keyword.arg == "target" and not typed(keyword.value, known)
    ]
    assert not computed, f"set before the run, as a number in the source: {computed}"


def test_the_published_records_are_in_order():
    """Every record of the repository reads, is finite, and says what it was measured on."""
    for recorded in load_all():
        assert torch.tensor(recorded.values).isfinite().all(), recorded.key
        assert recorded.hardware
        assert recorded.protocol
        assert recorded.profile in ("quick", "full")
        assert recorded.paper is None or recorded.paper_source, recorded.key


def test_every_recorded_commit_is_in_the_history():
    """A number of which nobody can find the code is worth little. What a shallow clone lacks is not looked for."""
    if git("rev-parse", "--is-shallow-repository") == "true":
        pytest.skip("a shallow clone has no history to look into")
    named = {f"{c.chapter}: {c.claim}, {c.model}": c.commit for c in load_all()} | commits_of_records()
    known = set(git("log", "--format=%h", "--abbrev=10").split())
    lost = sorted(f"{what} ({commit})" for what, commit in named.items() if commit.rstrip("+") not in known)
    assert not lost, f"{len(lost)} records name a commit that is not in the history: {lost[:5]}"


def test_every_claim_of_a_chapter_has_a_line_of_its_own_to_link_to():
    anchors = [(c.chapter, c.profile, c.anchor) for c in load_all()]
    assert len(set(anchors)) == len(anchors)
