"""The examples of CONTRIBUTING.md, added to a copy of the tree, pass everything that a method has to pass."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILE = re.compile(r"`([\w/]+\.py)`[^`]*?:\n\n(?P<margin> *)```python\n(.*?)\n(?P=margin)```", re.DOTALL)
LINE = re.compile(
    r"`(?P<registry>[\w/]+)/__init__\.py`[^`]*: "
    r'`(?P<line>"(?P<name>[\w-]+)": (?P<cls>\w+)[^`]*)`'
)
LEFT_OUT = shutil.ignore_patterns("__pycache__")
NEEDED_TESTS = ("attacks", "defenses", "denoisers", "explain")

FILES = {
    path: re.sub(rf"^{margin}", "", text, flags=re.MULTILINE) + "\n"
    for path, margin, text in FILE.findall(DOCUMENT)
}
LINES = [match.groupdict() for match in LINE.finditer(DOCUMENT)]
NEW = [path for path in FILES if not path.startswith("tests/")]


def added(registry: str, line: dict[str, str], module: str) -> str:
    """The source of a registry with one more import and one more entry."""
    rows = registry.splitlines()
    package = line["registry"].replace("/", ".")
    statement = f"from {module} import {line['cls']}"
    imports = [number for number, row in enumerate(rows) if row.startswith(f"from {package}.")]
    after = [number for number in imports if rows[number] < statement]
    rows.insert(after[-1] + 1, statement)
    begin = next(number for number, row in enumerate(rows) if re.match(r"[A-Z]+: dict\[.*\{$", row))
    rows.insert(rows.index("}", begin), f"    {line['line']}")
    return "\n".join(rows) + "\n"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the sources, and of the tests that run over the registries, with the examples in it."""
    copy = tmp_path_factory.mktemp("tree")
    for folder in ROOT.iterdir():
        if folder.name not in ("tests", "assets") and folder.is_dir() and list(folder.glob("*.py")):
            shutil.copytree(folder, copy / folder.name, ignore=LEFT_OUT)
    for file in (*ROOT.glob("*.py"), ROOT / "pyproject.toml"):
        shutil.copy2(file, copy)
    (copy / "tests").mkdir()
    for file in (ROOT / "tests").glob("*.py"):
        shutil.copy2(file, copy / "tests")
    for name in NEEDED_TESTS:
        shutil.copytree(ROOT / "tests" / name, copy / "tests" / name, ignore=LEFT_OUT)
    (copy / "assets").symlink_to(ROOT / "assets")
    if (ROOT / ".mypy_cache").is_dir():  # what it knows of torch takes a minute to find out
        shutil.copytree(ROOT / ".mypy_cache", copy / ".mypy_cache")

    for path, text in FILES.items():
        (copy / path).write_text(text, encoding="utf-8")
    for line in LINES:
        registry = copy / line["registry"] / "__init__.py"
        file = next(path for path in NEW if f"class {line['cls']}(" in FILES[path])
        module = file.removesuffix(".py").replace("/", ".")
        registry.write_text(added(registry.read_text(encoding="utf-8"), line, module), encoding="utf-8")
    return copy


def run(tree, *arguments):
    """What ``python -m`` said in the tree, once it has ended well."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    return done.stdout


def test_there_is_an_example_of_each():
    assert {path.rpartition("/")[0] for path in NEW} == {"defenses", "attacks", "explain/saliencies"}
    assert {line["registry"] for line in LINES} == {"defenses", "attacks", "explain/saliencies"}


def test_they_pass_the_linter_and_the_layout(tree):
    run(tree, "-m", "ruff", "check", ".")
    run(tree, "-m", "ruff", "format", "--check", *FILES)


def test_they_pass_the_types(tree):
    assert "no issues found" in run(tree, "-m", "mypy", *NEW)


def test_they_pass_the_contracts(tree):
    contracts = [str(file.relative_to(tree)) for file in (tree / "tests").rglob("test_*contract.py")]
    assert len(contracts) == len(LINES)
    own = [path for path in FILES if path.startswith("tests/")]
    assert own
    # In one process, for most of the time goes into its start.
    names = " or ".join([*(line["name"] for line in LINES), *(Path(path).stem for path in own)])
    output = run(tree, "-m", "pytest", "-vv", "-p", "no:cacheprovider", "-k", names, *contracts, *own)
    for line in LINES:
        assert len(re.findall(rf"\[.*{line['name']}.*\] PASSED", output)) > 10
    for path in own:
        assert re.search(rf"{path}::\w+ PASSED", output)


def test_the_command_line_has_them(tree):
    command = re.search(r"`python (cli\.py defend [^`]*)`", DOCUMENT)[1].split()
    run(tree, *command, "--size", "64", "--device", "cpu")
    assert (tree / "out" / "story.json").exists()
