"""A story's files: names, numbers, strict JSON, the same bytes each time, nothing left of an earlier one."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from story import Step, by_name
from story.export import (
    attacked_npz,
    describe,
    file_name,
    finite,
    is_output,
    patch_npz,
    report_json,
    steps_npz,
    versions,
    write_story,
)
from story.render import render


@pytest.fixture
def steps():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, 3, 6, 8, generator=generator)
    return [
        Step("photo", x, "photo"),
        Step("local gradient", x[:, :1] * 3, "heat", own_scale=True),
        Step("difference", x - 0.5, "signed"),
    ]


def report_of(steps):
    return {"steps": [describe(step, index) for index, step in enumerate(steps)]}


def test_by_name(steps):
    assert by_name(steps, "difference") is steps[2]
    with pytest.raises(KeyError, match="no step 'result' among photo, local gradient, difference"):
        by_name(steps, "result")


@pytest.mark.parametrize(
    ("index", "name", "expected"),
    [
        (0, "photo", "00-photo.png"),
        (3, "smoothing weight", "03-smoothing-weight.png"),
        (12, "R-CAM", "12-r-cam.png"),
        (4, "where |pixels| moved (σ)", "04-where-pixels-moved.png"),
    ],
)
def test_file_names(index, name, expected):
    assert file_name(index, Step(name, torch.zeros(1, 1, 1, 1), "heat")) == expected
    assert is_output(expected)


def test_other_names_are_no_output():
    for name in ("cat.png", "1-cat.png", "00-Cat.png", "../00-cat.png", "00-cat.jpg", "a.npz"):
        assert not is_output(name)


def test_describe(steps):
    values = steps[1].map[0].double()
    assert describe(steps[1], 1) == {
        "index": 1,
        "name": "local gradient",
        "kind": "heat",
        "file": "01-local-gradient.png",
        "min": values.min().item(),
        "max": values.max().item(),
        "mean": pytest.approx(values.mean().item()),
    }


def test_what_json_cannot_hold_is_null():
    assert finite(float("inf")) is finite(float("nan")) is finite(None) is None
    assert finite(0.25) == 0.25
    broken = describe(Step("broken", torch.tensor([[[[float("nan"), 1.0]]]]), "heat"), 0)
    assert broken["mean"] is None
    report_json(broken)
    with pytest.raises(ValueError, match="JSON"):
        report_json({"psnr": float("inf")})


def test_steps_npz_holds_the_maps(steps):
    with np.load(io.BytesIO(steps_npz(steps))) as arrays:
        assert arrays.files == [step.name for step in steps]
        for step in steps:
            assert arrays[step.name].dtype == np.float32
            assert np.array_equal(arrays[step.name], step.map[0].numpy())


@pytest.mark.parametrize("masked", [True, False])
def test_attacked_npz(masked):
    x, attacked = torch.rand(1, 3, 4, 5), torch.rand(1, 3, 4, 5)
    mask = (torch.rand(1, 1, 4, 5) > 0.5).float() if masked else None
    with np.load(io.BytesIO(attacked_npz(x, attacked, mask))) as arrays:
        assert np.array_equal(arrays["photo"], x[0].numpy())
        assert np.array_equal(arrays["attacked"], attacked[0].numpy())
        expected = np.ones((1, 4, 5)) if mask is None else mask[0].numpy()
        assert np.array_equal(arrays["mask"], expected)
        assert {array.dtype for array in arrays.values()} == {np.dtype(np.float32)}


def test_versions():
    found = versions()
    assert found["torch"] == torch.__version__.split("+")[0] or torch.__version__.startswith(found["torch"])
    assert {"unfool", "python", "numpy", "scikit-image", "pillow"} <= found.keys()


def test_the_folder_holds_pictures_numbers_and_the_report(tmp_path, steps):
    folder = tmp_path / "new" / "out"
    write_story(folder, report_of(steps), steps, attacked=b"numbers")
    names = ["00-photo.png", "01-local-gradient.png", "02-difference.png"]
    assert sorted(file.name for file in folder.iterdir()) == [
        *names,
        "attacked.npz",
        "steps.npz",
        "story.json",
    ]
    for name, step in zip(names, steps, strict=True):
        assert np.array_equal(np.asarray(Image.open(folder / name)), render(step))
    assert json.loads((folder / "story.json").read_text()) == report_of(steps)


def test_the_same_story_gives_the_same_bytes(tmp_path, steps):
    for folder in ("first", "second"):
        write_story(
            tmp_path / folder, report_of(steps), steps, attacked_npz(steps[0].map, steps[0].map, None)
        )
    for file in (tmp_path / "first").iterdir():
        assert file.read_bytes() == (tmp_path / "second" / file.name).read_bytes()


def test_an_earlier_story_goes_and_other_files_stay(tmp_path, steps):
    write_story(tmp_path, report_of(steps), steps, attacked=b"numbers")
    (tmp_path / "07-mine.png").write_bytes(b"mine")
    write_story(tmp_path, report_of(steps[:1]), steps[:1], attacked=None)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "00-photo.png",
        "07-mine.png",
        "steps.npz",
        "story.json",
    ]


@pytest.mark.parametrize(
    "earlier",
    [
        "no json",
        "[]",
        "{}",
        '{"steps": 3}',
        '{"steps": [{"file": "../precious.png"}]}',
        '{"steps": [1]}',
        "\udcff",
    ],
)
def test_a_strange_report_costs_nobody_a_file(tmp_path, steps, earlier):
    precious = tmp_path / "precious.png"
    precious.write_bytes(b"precious")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "story.json").write_bytes(earlier.encode(errors="surrogateescape"))
    write_story(folder, report_of(steps), steps, attacked=None)
    assert precious.read_bytes() == b"precious"
    assert json.loads((folder / "story.json").read_text()) == report_of(steps)


def test_an_unwritable_folder_is_an_os_error(tmp_path, steps):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        write_story(tmp_path / "file", report_of(steps), steps, attacked=None)


def test_a_patch_is_written_with_what_is_known_of_it():
    pixels = torch.rand(3, 5, 5, generator=torch.Generator().manual_seed(0))
    known = np.load(io.BytesIO(patch_npz(pixels, 0.1, "golf ball")))
    assert {name: known[name].dtype.kind for name in known} == {"patch": "f", "share": "f", "target": "U"}
    np.testing.assert_array_equal(known["patch"], pixels.numpy())
    assert (float(known["share"]), str(known["target"])) == (0.1, "golf ball")
    assert set(np.load(io.BytesIO(patch_npz(pixels, 0.1, None)))) == {"patch", "share"}
