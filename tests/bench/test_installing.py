"""What is missing is installed, and nothing that is there is replaced."""

import pytest

from bench import installing


@pytest.fixture
def requirements(tmp_path):
    file = tmp_path / "requirements.txt"
    file.write_text("# what it needs\ntorch>=99,<100\nno-such-package-of-ours>=2,<3\n\n")
    return file


@pytest.fixture
def pip(monkeypatch):
    """What pip was asked for; wheels with "bad" in their names fail."""
    asked = []

    def run(wanted, options):
        asked.append((list(wanted), list(options)))
        return int(any("bad" in one for one in wanted))

    monkeypatch.setattr(installing, "_pip", run)
    return asked


def test_what_is_lacking(requirements):
    assert installing.lacking(requirements) == ["no-such-package-of-ours>=2,<3"]
    assert installing.lacking() == []


def test_from_the_index(requirements, pip):
    assert installing.install(None, requirements) == "1 of 1 packages were installed."
    assert pip == [(["no-such-package-of-ours>=2,<3"], [])]


def test_from_a_folder_of_wheels(tmp_path, requirements, pip):
    for name in ("torch-99-py3-none-any.whl", "no_such_one-1-py3-none-any.whl", "bad_one-1-cp9-cp9-any.whl"):
        (tmp_path / name).touch()
    said = installing.install(tmp_path, requirements)
    assert said == "1 of 2 packages were installed. pip failed on bad_one-1-cp9-cp9-any.whl."
    assert [len(wanted) for wanted, _ in pip] == [2, 1, 1]
    assert all(options == ["--no-index", "--no-deps"] for _, options in pip)


def test_nothing_to_install(tmp_path, requirements, pip):
    assert installing.install(tmp_path, requirements) == "There was nothing to install."
    assert pip == []
