"""The front end without a browser: its modules under node, and the script that they are joined into."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from aelib import explorer
from aelib.explorer.joining import join
from aelib.explorer.network.layers import Step, read
from aelib.explorer.network.packing import pack_codes, pack_images
from aelib.explorer.network.quantize import rounded
from aelib.explorer.script import ENTRY, FORMAT, element, embedded, renewed, script
from aelib.explorer.tokens import scan

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="no node: apt-get install nodejs")
TESTS = sorted(Path(__file__).with_name("js").glob("*.test.mjs"))
MODULES = sorted(ENTRY.parent.rglob("*.js"))


def node(*arguments: str | Path, **environment: str) -> str:
    """What node prints; it must end well."""
    command = [str(NODE), *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ | environment)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def written(folder: Path, **modules: str) -> Path:
    """Modules in a folder, by name; the path of the one called main."""
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text, encoding="utf-8")
    (folder / "package.json").write_text('{"type": "module"}')
    return folder / "main.js"


def on_a_grid(module: nn.Module, bits: int) -> nn.Module:
    """The module with weights that so many bits hold exactly, so that its own answer is the truth."""
    most = 2 ** (bits - 1) - 1
    for layer in module:
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            weight = torch.randint(-most, most + 1, layer.weight.shape).float()
            (weight if isinstance(layer, nn.ConvTranspose2d) else weight.flatten(1).T)[0] = most  # in each row
            layer.weight.data = weight / (most * layer.weight[0].numel() ** 0.5)
        if isinstance(layer, nn.BatchNorm2d):
            for values in (layer.weight.data, layer.running_var):
                values.uniform_(0.5, 2)
            for values in (layer.bias.data, layer.running_mean):
                values.normal_()
    return module.eval()


def payloads(steps: list[Step], bits: int) -> list[dict]:
    return [rounded(step, bits).payload() for step in steps]


NETWORKS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "a dense layer of five rows": (nn.Sequential(nn.Linear(6, 5)), (6,)),
    "dense layers and their activations": (
        nn.Sequential(nn.Linear(6, 8), nn.SiLU(), nn.Linear(8, 3), nn.Sigmoid()),
        (6,),
    ),
    "a dense layer without bias, and tanh": (nn.Sequential(nn.Linear(3, 2, bias=False), nn.Tanh()), (3,)),
    "a padded, strided convolution": (nn.Sequential(nn.Conv2d(2, 5, 3, stride=2, padding=1), nn.ReLU()), (2, 7, 6)),
    "a convolution of another height than width": (nn.Sequential(nn.Conv2d(1, 3, (2, 3), (2, 1), (0, 2))), (1, 6, 5)),
    "a convolution with batch normalization": (nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4)), (2, 5, 5)),
    "a transposed convolution": (nn.Sequential(nn.ConvTranspose2d(3, 2, 4, stride=2, padding=1)), (3, 4, 3)),
    "a transposed convolution with output padding": (
        nn.Sequential(nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=1)),
        (2, 3, 3),
    ),
    "batch normalization alone": (nn.Sequential(nn.Upsample(scale_factor=2), nn.BatchNorm2d(3)), (3, 2, 3)),
    "bilinear resizing": (nn.Sequential(nn.Upsample(size=(7, 5), mode="bilinear")), (2, 4, 3)),
    "bilinear resizing, corners aligned": (
        nn.Sequential(nn.Upsample(size=(7, 5), mode="bilinear", align_corners=True)),
        (2, 4, 3),
    ),
    "shrinking to the nearest": (nn.Sequential(nn.Upsample(size=(2, 3), mode="nearest")), (1, 5, 7)),
}


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """What network.test.mjs reads: networks, inputs and PyTorch's outputs."""
    torch.manual_seed(0)
    networks = []
    for name, (module, shape) in NETWORKS.items():
        for bits in (4, 8, 16):
            on_a_grid(module, bits)
            steps, _ = read(module, shape)
            x = torch.randn(3, *shape)
            with torch.no_grad():
                outputs = module(x).flatten(1).tolist()
            row = {"steps": payloads(steps, bits), "inputs": x.flatten(1).tolist(), "outputs": outputs}
            networks.append({"name": f"{name}, {bits} bits", **row})
    entry = ENTRY.parent / "network" / "network.js"
    joined = tmp_path / "network.mjs"
    joined.write_text(join(entry), encoding="utf-8")
    codes, images = torch.randn(50, 3) * 5, torch.rand(4, 3, 2, 5)
    path = tmp_path / "cases.json"
    path.write_text(
        json.dumps(
            {
                "modules": {"as it is written": entry.as_uri(), "joined": joined.as_uri()},
                "networks": networks,
                "codes": {"packed": pack_codes(codes), "values": codes.flatten().tolist(), "range": extent(codes)},
                "images": {"packed": pack_images(images), "values": images.flatten(1).tolist()},
            }
        )
    )
    return path


def extent(codes: Tensor) -> float:
    return float((codes.amax(0) - codes.amin(0)).max())


@needs_node
@pytest.mark.slow
def test_the_modules_pass_their_own_tests(cases):
    assert TESTS
    said = node("--test", *TESTS, AELIB_CASES=str(cases))
    assert "# fail 0" in said
    assert "# skipped 0" in said


@needs_node
def test_the_joined_script_is_a_module_with_the_front_end_of_the_widget(tmp_path):
    path = tmp_path / "script.mjs"
    path.write_text(script(), encoding="utf-8")
    code = f"console.log((await import({json.dumps(path.as_uri())})).default)"
    assert node("--input-type=module", "--eval", code) == "{ render: [AsyncFunction: render] }\n"


def test_the_script_is_no_larger_than_a_page_can_spare():
    assert len(script().encode()) <= 54_000


def test_every_module_is_small_says_what_it_is_for_and_is_used():
    for path in MODULES:
        lines = path.read_text(encoding="utf-8").splitlines()
        assert lines[0].startswith("// "), path.name
        assert len(lines) <= 170, path.name
        assert max(map(len, lines)) <= 120, path.name
    assert script().count("=(()=>{") >= len(MODULES) - 1  # all but the entry


def test_python_and_the_script_agree_on_the_format_of_data():
    assert f"const FORMAT={FORMAT};" in script()


TRICKY = {
    "strings": r"""
// "a comment with quotes ' and `
export const strings = ["http://a.b/c", '// no comment', "/* none */", 'it\'s', "a\\"]; // a comment
""",
    "patterns": r"""
/* a block
   comment */
const half = (a) => (a) / 2 / 1; // divides
export const patterns = ["a//b".split(/\/\//), /[/"'`]\/*/.test('x"'), half(8), [8][0] / 2, "x".replace(/x/g, "//")];
""",
    "templates": r"""
const inner = (x) => `<${x}>`;
export const templates = `  // kept ${inner(`}${{ a: "`" }.a}`)} \` \${no}
    /* kept as well */  ${1 / 2} `;
""",
    "signs": """
const a = 1, b = 2;
let i = 1
let j = i
++i
export const signs = [a - -b, a + +b, a+ +i, j, 1 .toFixed(1), !a, typeof a, -(-a), i in [0, 1], "a" in { a }, void 0];
export async function later() { return await signs }
""",
    "main": """
import { strings } from "./strings.js";
import {
  patterns,
} from "./patterns.js";
import { templates } from "./templates.js";
import { later, signs } from "./signs.js";
const inner = "a name of another module";
class Thing { #secret = 1; static of = 2; get secret() { return this.#secret } }
console.log(JSON.stringify([strings, patterns, templates, signs, await later(), inner, new Thing().secret, Thing.of]))
export default { strings };
""",
}


@needs_node
def test_joined_modules_do_what_they_do_apart(tmp_path):
    entry = written(tmp_path, **TRICKY)
    joined = tmp_path / "joined.js"
    joined.write_text(join(entry), encoding="utf-8")
    apart = node(entry)
    assert '"http://a.b/c"' in apart
    assert node(joined) == apart
    assert "comment with" not in joined.read_text("utf-8")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_nothing_is_lost_in_scanning(path):
    text = path.read_text(encoding="utf-8")
    assert "".join(token.text for token in scan(text, path.name)) == text


TAKES_A, TAKES_B = ('import { a } from "./a.js";', 'import { b } from "./b.js";')


@pytest.mark.parametrize(
    ("modules", "sentence"),
    [
        ({"main": 'import { a as b } from "./a.js";'}, 'main.js says "import { a as b }'),
        ({"main": 'import a from "./a.js";'}, "imports are written import"),
        ({"main": 'const a = await import("./a.js");'}, "imports are written import"),
        ({"main": 'import { a } from "./a.js";'}, "There is no module a.js"),
        ({"main": 'import { b } from "./a.js";', "a": "export const a = 1;"}, "imports b, which a.js does not export"),
        ({"main": 'import { x } from "./a.js";', "a": "export let x = 1;"}, 'a.js says "export let x ='),
        ({"main": 'import { x } from "./a.js";', "a": "export { x };"}, "where it is declared"),
        ({"main": 'import { x } from "./a.js";', "a": "export const { x } = {};"}, "where it is declared"),
        ({"main": 'import { x } from "./a.js";', "a": "export const x = [1, 2], y = 2;"}, "second name after const x"),
        (
            {"main": TAKES_A, "a": TAKES_B, "b": TAKES_A},
            "cannot be joined: a.js → b.js → a.js",
        ),
        ({"main": TAKES_A, "a": "export const a = 1; export default a;"}, "a.js has an export default"),
        ({"main": "a = { }\n/ 2"}, "main.js, line 2: a slash after }"),
        ({"main": "\nconst a = 'open"}, "main.js, line 2: a string that does not end"),
        ({"main": "const a = `open ${"}, "main.js, line 1: a template that does not end"),
        ({"main": "const a = /open"}, "main.js, line 1: a regular expression that does not end"),
    ],
)
def test_what_the_joiner_does_not_read_is_refused_by_name(tmp_path, modules, sentence):
    with pytest.raises((ValueError, FileNotFoundError)) as raised:
        join(written(tmp_path, **modules))
    assert sentence in str(raised.value)


def test_an_old_output_is_given_the_present_script_and_keeps_its_data():
    html = explorer.texts([["a", 'b </aelib-explorer><script type="module">x</script>']])._repr_html_()
    assert embedded(html) == [element()]
    assert renewed(html) == html
    old = html.replace(element(), '<script type="module">// an old one\nlet a = 1;</script>').replace('"format":1,', "")
    assert embedded(old) != [element()]
    assert renewed(old) == html.replace('"format":1,', "")
    assert renewed("<p>no explorer</p>" + old * 2) == "<p>no explorer</p>" + renewed(old) * 2
    with pytest.raises(ValueError, match="data of format 99, the script reads 1: execute its cell again"):
        renewed(html.replace('"format":1,', '"format":99,'))
