"""The borders between the folders, read from the sources: who may import whom, and who alone may do what."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

GROUND = {"story", "ops", "photos", "classifiers", "denoisers"}
METHODS = {"explain", "defenses", "attacks"}
MAY_IMPORT = {
    "story": set(),
    "ops": set(),
    "photos": set(),
    "classifiers": set(),
    "denoisers": {"ops", "classifiers"},
    "explain": {"story", "ops", "classifiers"},
    "defenses": {"story", "ops", "classifiers", "explain", "denoisers"},
    "attacks": {"story", "ops", "classifiers", "explain"},
    "evaluation": GROUND | METHODS,
    "experiments": GROUND | METHODS | {"evaluation", "training", "bench"},
    "training": GROUND | METHODS | {"evaluation"},
    "bench": GROUND | METHODS | {"evaluation", "ui"},
    "terminal": GROUND | METHODS | {"evaluation", "bench"},
    "cli": GROUND | METHODS | {"evaluation", "terminal"},
    "ui": GROUND | METHODS | {"evaluation"},
    "pages": {"ui", "story", "defenses", "attacks"},
    "app": {"ui"},
}
ROOMS = {
    "evaluation": ("measures", "one_photo", "many_photos"),
    "ui": ("session", "charts", "browser", "frame", "attack", "defense", "side_by_side", "runs"),
}
"""Rooms of a folder; each may import itself and what stands before it."""
IN_THE_BROWSER = {"app", "pages", "ui"}
SHARED_MODEL = {"ops", "denoisers", *METHODS}  # what they get is used by others at the same time
ARITHMETIC = {"torch", "torchvision", "numpy", "scipy", "skimage", "PIL", "captum", "pywt", "zennit"}
EMPTY_NAMES = {"utils", "helpers", "common", "core", "manager", "misc", "data"}
DECODERS = {"imread", "imdecode", "decode_image", "decode_jpeg", "decode_png", "read_image"}
READ_WHAT_THEY_WROTE = {Path("ops/coding.py"), Path("bench/defense_peers.py")}  # nobody else's bytes
DRAWS = {"rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial"}
GLOBAL_DRAWS = {"rand_like", "randn_like", "randint_like", "manual_seed", "seed"}
IMAGENET = {0.485, 0.456, 0.406, 0.229}
COLOUR = re.compile(r"#[0-9a-fA-F]{6}\b|\brgba?\(")


def violations(root: Path) -> list[str]:
    """Every crossing of a border in the sources under ``root``: file, line, what is wrong."""
    return [
        f"{file.relative_to(root)}:{line}: {sentence}"
        for file in sorted(root.rglob("*.py"))
        if not re.match(r"tests\b|\.|.*\bsite-packages\b", str(file.relative_to(root)))
        for line, sentence in crossings(file.relative_to(root), ast.parse(file.read_text(encoding="utf-8")))
    ]


def crossings(file: Path, tree: ast.Module) -> Iterator[tuple[int, str]]:
    top = file.parts[0].removesuffix(".py")
    for part in {*file.with_suffix("").parts} & EMPTY_NAMES:
        yield 1, f"{part} names nothing"
    if top not in MAY_IMPORT:
        yield 1, f"{top} has no place in the borders"
        return
    rooms = ROOMS.get(top, ())
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if len(file.parts) > 2 and file.parts[1] in rooms:
            above = rooms[rooms.index(file.parts[1]) + 1 :]
            for module in imported_modules(node):
                if (
                    module.split(".")[:1] == [top]
                    and module.split(".")[1:2]
                    and module.split(".")[1] in above
                ):
                    yield line, f"{top}/{file.parts[1]} imports {top}/{module.split('.')[1]}"
        for name in imported(node):
            if name in MAY_IMPORT and name != top and name not in MAY_IMPORT[top]:
                yield line, f"{top} imports {name}"
            if name == "streamlit" and top not in IN_THE_BROWSER:
                yield line, f"{top} imports streamlit"
            if name in ARITHMETIC and top in {"app", "pages"}:
                yield line, f"{top} imports {name}, but pages never compute"
        if isinstance(node, ast.Constant):
            if isinstance(node.value, float) and node.value in IMAGENET and top != "classifiers":
                yield line, f"{node.value} normalises outside classifiers"
            if isinstance(node.value, str) and COLOUR.search(node.value) and file != Path("story/render.py"):
                yield line, f"{node.value!r} picks a colour outside story/render.py"
        if isinstance(node, ast.Call):
            yield from ((line, sentence) for sentence in forbidden_calls(top, file, node))


def imported(node: ast.AST) -> list[str]:
    """The packages that an import statement names."""
    return list(dict.fromkeys(module.split(".")[0] for module in imported_modules(node)))


def imported_modules(node: ast.AST) -> list[str]:
    """All that an import statement may name, modules and what is in them, in dotted words."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def forbidden_calls(top: str, file: Path, call: ast.Call) -> Iterator[str]:
    owner, _, name = ast.unparse(call.func).rpartition(".")
    may_decode = top in {"photos", "training"} or file in READ_WHAT_THEY_WROTE
    if not may_decode and (name in DECODERS or (owner.endswith("Image") and name == "open")):
        yield f"{owner}.{name} decodes a file outside photos"
    if name == "Normalize" and top != "classifiers":
        yield "Normalize normalises outside classifiers"
    if owner and name == "working" and len(call.args) + len(call.keywords) < 2:
        yield f"{owner}.working() does not say how much the classifier is shown"
    if top not in SHARED_MODEL:
        return
    if owner and name in {"backward", "train", "eval", "zero_grad"}:
        yield f"{owner}.{name}() changes a model that others share"
    draws = name in DRAWS and not any(keyword.arg == "generator" for keyword in call.keywords)
    of_numpy = owner in {"random", "np.random", "numpy.random"} and name != "default_rng"
    if of_numpy or (owner == "torch" and (draws or name in GLOBAL_DRAWS)):
        yield f"{owner}.{name} draws from the global generator"


def test_no_border_is_crossed():
    assert violations(ROOT) == []


def test_every_folder_has_a_place():
    folders = {file.parent.name for file in ROOT.glob("[a-z]*/*.py")} - {"tests"}
    assert folders <= MAY_IMPORT.keys()
    assert {"ops", "explain", "defenses"} <= folders
    assert not MAY_IMPORT.keys() & sys.stdlib_module_names


@pytest.mark.parametrize(
    ("file", "source", "sentence"),
    [
        ("ops/a.py", "import explain", "ops imports explain"),
        ("ops/a.py", "def f():\n    from classifiers.base import Classifier", "ops imports classifiers"),
        ("explain/a.py", "from defenses.lgs import LGS", "explain imports defenses"),
        ("defenses/a.py", "import attacks.base as b", "defenses imports attacks"),
        ("denoisers/a.py", "from defenses import DEFENSES", "denoisers imports defenses"),
        ("attacks/a.py", "import denoisers", "attacks imports denoisers"),
        ("attacks/a.py", "from defenses import DEFENSES", "attacks imports defenses"),
        ("evaluation/a.py", "import ui.frame.sidebar", "evaluation imports ui"),
        ("ui/a.py", "import terminal", "ui imports terminal"),
        ("pages/a.py", "from explain import saliency", "pages imports explain"),
        ("pages/a.py", "import numpy as np", "pages imports numpy, but pages never compute"),
        ("app.py", "import torch", "app imports torch, but pages never compute"),
        ("cli.py", "import streamlit as st", "cli imports streamlit"),
        ("bench/a.py", "import streamlit as st", "bench imports streamlit"),
        ("evaluation/a.py", "import bench.moving", "evaluation imports bench"),
        ("ui/a.py", "import bench.moving", "ui imports bench"),
        ("story/a.py", "from streamlit import cache_data", "story imports streamlit"),
        ("ui/deep/a.py", "COLOUR = '#0072B2'", "'#0072B2' picks a colour outside story/render.py"),
        ("story/a.py", "x = f'rgb({1},2,3)'", "'rgb(' picks a colour outside story/render.py"),
        ("evaluation/a.py", "mean = (0.485,)", "0.485 normalises outside classifiers"),
        ("ui/a.py", "T.Normalize(m, s)", "Normalize normalises outside classifiers"),
        ("ui/a.py", "PIL.Image.open(f)", "PIL.Image.open decodes a file outside photos"),
        ("evaluation/a.py", "io.imread(f)", "io.imread decodes a file outside photos"),
        ("ops/a.py", "Image.open(f)", "Image.open decodes a file outside photos"),
        ("attacks/a.py", "loss.backward()", "loss.backward() changes a model that others share"),
        ("explain/a.py", "model.eval()", "model.eval() changes a model that others share"),
        ("ui/a.py", "photo.working(224)", "photo.working() does not say how much the classifier is shown"),
        ("ops/a.py", "torch.randn(3)", "torch.randn draws from the global generator"),
        ("attacks/a.py", "torch.randn_like(x)", "torch.randn_like draws from the global generator"),
        ("attacks/a.py", "torch.manual_seed(0)", "torch.manual_seed draws from the global generator"),
        (
            "defenses/a.py",
            "np.random.rand(0)",
            "np.random.rand draws from the global generator",
        ),
        (
            "evaluation/one_photo/a.py",
            "import evaluation.many_photos.b",
            "evaluation/one_photo imports evaluation/many_photos",
        ),
        (
            "evaluation/measures/a.py",
            "from evaluation import one_photo",
            "evaluation/measures imports evaluation/one_photo",
        ),
        ("ui/session/a.py", "from ui.frame import verdict", "ui/session imports ui/frame"),
        ("utils/a.py", "", "utils names nothing"),
        ("ops/helpers.py", "", "helpers names nothing"),
        ("extras/a.py", "", "extras has no place in the borders"),
    ],
)
def test_a_crossing_is_found(tmp_path, file, source, sentence):
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(source, encoding="utf-8")
    assert any(line.endswith(f": {sentence}") for line in violations(tmp_path))


@pytest.mark.parametrize(
    ("file", "source"),
    [
        (
            "ops/a.py",
            "from ops.b import c\nimport torch\ntorch.rand(3, generator=g)\ntorch.Generator().manual_seed(0)",
        ),
        ("attacks/a.py", "np.random.default_rng(0)"),
        ("defenses/a.py", "from explain import saliency\nfrom . import base"),
        ("story/render.py", "CLEAN = '#0072B2'"),
        ("classifiers/a.py", "MEAN = (0.485,)"),
        ("photos/a.py", "Image.open(f)"),
        ("training/a.py", "Image.open(f)"),
        ("ops/coding.py", "Image.open(f)"),
        ("training/a.py", "model.train()\nloss.backward()\ntorch.manual_seed(0)"),
        ("ui/a.py", "import streamlit"),
        ("tests/ops/a.py", "import streamlit, attacks"),
    ],
)
def test_what_is_allowed_is_let_through(tmp_path, file, source):
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(source, encoding="utf-8")
    assert violations(tmp_path) == []
