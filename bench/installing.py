"""What the app needs and this Python lacks, and how to bring it."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

REQUIREMENTS = Path(__file__).parents[1] / "requirements.txt"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


def lacking(requirements: Path = REQUIREMENTS) -> list[str]:
    """The lines of ``requirements`` whose package is not installed in any version."""
    lines = [line.strip() for line in requirements.read_text(encoding="utf-8").splitlines()]
    names = {line: match[0] for line in lines if (match := _NAME.match(line))}
    return [line for line, name in names.items() if not _is_installed(name)]


def install(wheels: Path | None, requirements: Path = REQUIREMENTS) -> str:
    """Installs what is lacking, and says in a sentence what came of it.

    What is installed stays as it is, whatever its version: a GPU's PyTorch is never replaced.

    Args:
        wheels: a folder of wheel files, each of which is installed if its package is not, without a network
            and without looking for what it needs in turn; None asks the package index for all that
            ``requirements`` names, and what that needs.
        requirements: the file that says what the app needs.
    """
    if wheels is None:
        wanted, options = lacking(requirements), []
    else:
        files = sorted(wheels.glob("*.whl"))
        wanted = [str(file) for file in files if not _is_installed(file.name.partition("-")[0])]
        options = ["--no-index", "--no-deps"]
    if not wanted:
        return "There was nothing to install."
    # One by one where not all at once: a single wheel for another Python would keep all others away.
    failed = wanted if _pip(wanted, options) else []
    if failed and wheels is not None:
        failed = [one for one in wanted if _pip([one], options)]
    importlib.invalidate_caches()
    said = f"{len(wanted) - len(failed)} of {len(wanted)} packages were installed."
    return said + (f" pip failed on {', '.join(Path(one).name for one in failed)}." if failed else "")


def _is_installed(package: str) -> bool:
    try:
        metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def _pip(wanted: Sequence[str], options: Sequence[str]) -> int:
    """The exit status; what pip has to say goes to the standard error stream."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    return subprocess.run([*command, *options, *wanted], stdout=sys.stderr, check=False).returncode
