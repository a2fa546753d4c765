"""The terminal door keeps its contract: commands, files, JSON, flags, and one sentence with exit code 2."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import torchvision
from PIL import Image

from attacks import ATTACKS
from classifiers import default_name, load
from cli import main
from defenses import DEFENSES
from evaluation.many_photos.measuring import right_photos
from ops.coding import eight_bit
from photos import gallery, gallery_photo, open_source, read_photo
from story.render import render
from story.step import Step
from terminal import commands

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[1]
PHOTO = gallery()[0]
SMALL = ["--size", "64", "--device", "cpu"]


@pytest.fixture
def cat(tmp_path):
    file = tmp_path / "in" / "my cat.png"
    file.parent.mkdir()
    Image.fromarray(gallery_photo(PHOTO).pixels[:90, :120]).save(file)
    return file


@pytest.fixture
def out(tmp_path):
    return tmp_path / "a" / "story"


@pytest.fixture
def cli(capsys):
    def call(*arguments, code=0):
        assert main([str(argument) for argument in arguments]) == code
        return capsys.readouterr()

    return call


@pytest.fixture
def sentence(cli):
    """The one sentence on stderr after bad input."""

    def call(*arguments):
        printed = cli(*arguments, code=2)
        assert printed.out == ""
        found = re.fullmatch(r"cli\.py: (.+)\n", printed.err)
        assert found, printed.err
        return found[1]

    return call


def fewer(name):
    return ["--iterations", "2"] if any(p.name == "iterations" for p in ATTACKS[name].parameters()) else []


def from_flags(registry, facts):
    """The method that recorded parameters make when they are given as flags."""
    cls = registry[facts["name"]]
    return cls(**cls.parsed({name: str(value) for name, value in facts["parameters"].items()}))


def strict(text):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def report_in(folder):
    return strict((folder / "story.json").read_text(encoding="utf-8"))


# classify


def test_classify_prints_five_labels_for_each_photo(cli, cat):
    printed = cli("classify", cat, PHOTO, *SMALL)
    lines = printed.out.splitlines()
    assert printed.err == ""
    assert len(lines) == 12
    sure_from = 100 * load(default_name(), device="cpu").sure_from
    for line, most, start in ((0, 1, "my cat.png (120 × 90 px)"), (6, 7, f"{PHOTO} (")):
        assert lines[line].startswith(start)
        assert lines[line].endswith(", not sure") == (float(lines[most].partition("%")[0]) < sure_from)
    assert all(re.fullmatch(r" +\d+\.\d%  \S.*", line) for line in lines[1:6] + lines[7:])


def test_a_photo_of_ones_own_gallery_has_its_name_there(cli, sentence, tmp_path, monkeypatch):
    folder = tmp_path / "mine"
    (folder / "cat").mkdir(parents=True)
    Image.fromarray(gallery_photo(PHOTO).pixels[:90, :120]).save(folder / "cat" / "tom.png")
    monkeypatch.setenv("UNFOOL_GALLERY", str(folder))
    assert cli("classify", "cat/tom.png", *SMALL).out.startswith("tom.png (120 × 90 px)")
    assert sentence("classify", "cat/tim.png").endswith("nor a gallery photo of that name (cat/tom.png)")
    monkeypatch.setenv("UNFOOL_GALLERY", str(folder / "cat" / "nowhere"))
    assert "nowhere, which UNFOOL_GALLERY names, does not exist" in sentence("classify", "cat/tom.png")


def test_classify_by_the_imagenet_classifier(cli):
    assert "espresso" in cli("classify", "coffee", "--classifier", "imagenet").out.splitlines()[1]


def test_classify_as_json(cli, cat):
    (answer,) = strict(cli("classify", cat, "--json", *SMALL).out)
    assert answer["photo"]["name"] == "my cat.png"
    assert answer["photo"]["sha256"] == hashlib.sha256(cat.read_bytes()).hexdigest()
    assert (answer["photo"]["width"], answer["photo"]["height"]) == (120, 90)
    assert answer["photo"]["working_size"] == 64
    assert answer["classifier"] == default_name()
    model = load(default_name(), device="cpu")
    expected = model.top(model(read_photo(cat.read_bytes(), "cat").working(64, model.crop_share)))[0]
    assert answer["sure"] == (expected[0].probability >= model.sure_from)
    assert [line["label"] for line in answer["top"]] == [line.label for line in expected]
    probabilities = [line["probability"] for line in answer["top"]]
    assert probabilities == pytest.approx([line.probability for line in expected], abs=1e-6)


def test_the_working_size_is_the_classifiers_own_unless_told(cli):
    (answer,) = strict(cli("classify", PHOTO, "--json").out)
    assert answer["photo"]["working_size"] == load(default_name()).working_size


def test_many_photos_get_a_bar_unless_quiet(cli, cat):
    many = [cat] * (commands.BATCH + 1)
    assert f"{len(many)}/{len(many)}" in cli("classify", *many, *SMALL).err
    assert cli("classify", *many, *SMALL, "--quiet").err == ""


# attack and defend: the files


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_writes_its_story(cli, cat, out, name):
    printed = cli("attack", cat, "--attack", name, *fewer(name), *SMALL, "--out", out, "--quiet")
    assert printed.err == ""
    assert "→" in printed.out
    report = report_in(out)
    assert report["photo"]["sha256"] == hashlib.sha256(cat.read_bytes()).hexdigest()
    assert (report["photo"]["height"], report["photo"]["width"]) == (90, 120)
    assert report["classifier"] == default_name()
    for stage in ("clean", "attacked"):
        assert len(report[stage]["top"]) == 5
        assert all(line.keys() == {"label", "probability"} for line in report[stage]["top"])
    assert report["clean"]["ssim"] is report["clean"]["psnr"] is report["clean"]["ndcg"] is None
    assert 0 <= report["attacked"]["ndcg"] <= 1
    assert f"nDCG {report['attacked']['ndcg']:.3f} against the clean photo" in printed.out
    assert 0 < report["attacked"]["ssim"] <= 1
    assert report["attacked"]["psnr"] > 0
    assert report["defended"] is report["defense"] is None
    attack = report["attack"]
    assert attack["name"] == name
    assert from_flags(ATTACKS, attack).values().keys() == attack["parameters"].keys()
    assert not fewer(name) or attack["parameters"]["iterations"] == 2
    assert isinstance(attack["success"], bool)
    assert isinstance(attack["success_8bit"], bool)
    assert isinstance(attack["iterations"], int)
    assert report["seconds"].keys() == {"attack", "defense", "classifier"}
    assert {"python", "torch"} <= report["versions"].keys()
    check_files(out, report)
    with np.load(out / "attacked.npz") as arrays:
        assert set(arrays.files) == {"photo", "attacked", "mask"}
        attacked = torch.from_numpy(arrays["attacked"])
        assert arrays["photo"].shape == attacked.shape == (3, 64, 64)
        assert arrays["mask"].shape == (1, 64, 64)
        outside = arrays["mask"] == 0
        change = np.abs(arrays["attacked"] - arrays["photo"])
    assert not (change * outside).any()
    result = Image.open(out / report["steps"][-1]["file"])
    picture = torch.from_numpy(np.array(result)).permute(2, 0, 1).float() / 255
    assert torch.equal(picture, eight_bit(attacked))


@pytest.mark.parametrize("name", DEFENSES)
def test_defend_writes_its_story(cli, cat, out, name):
    attack = ["--attack", "fgsm", "--eps", "16"]
    first = DEFENSES[name].parameters()[0]
    value = first.choices[-1] if first.choices else first.type((first.low + first.high) / 2)
    given = [f"--{first.name}", first.show(value)]
    cli("defend", cat, "--defense", name, *given, *attack, *SMALL, "--out", out)
    report = report_in(out)
    assert report["defense"]["name"] == name
    assert from_flags(DEFENSES, report["defense"]) == DEFENSES[name](**{first.name: value})
    assert report["attack"]["parameters"]["eps"] == 16
    assert len(report["defended"]["top"]) == 5
    assert report["defended"]["ssim"] <= 1
    check_files(out, report)
    with np.load(out / "attacked.npz") as attacked, np.load(out / "steps.npz") as maps:
        assert np.array_equal(maps["photo"], attacked["attacked"])
        x = torch.from_numpy(attacked["attacked"])[None]
    steps = DEFENSES[name](**{first.name: value}).steps(x, load(default_name(), device="cpu"))
    assert [step["name"] for step in report["steps"]] == [step.name for step in steps]


def check_files(folder, report):
    """Names, pictures and arrays agree with the report, and nothing else is there."""
    names = [f"{step['index']:02d}-{step['name'].replace(' ', '-')}.png" for step in report["steps"]]
    assert [step["file"] for step in report["steps"]] == names
    others = {"story.json", "steps.npz"} | ({"attacked.npz"} if report["attack"] else set())
    assert {file.name for file in folder.iterdir()} == {*names, *others}
    with np.load(folder / "steps.npz") as arrays:
        assert arrays.files == [step["name"] for step in report["steps"]]
        for step in report["steps"]:
            map_ = arrays[step["name"]]
            assert map_.dtype == np.float32
            assert map_.ndim == 3
            assert (step["min"], step["max"]) == (map_.min(), map_.max())
            assert step["mean"] == pytest.approx(map_.astype(float).mean(), abs=1e-6)
            picture = Image.open(folder / step["file"])
            assert (picture.format, picture.mode) == ("PNG", "RGB")
            if step["kind"] in ("photo", "mask"):
                drawn = render(Step(step["name"], torch.from_numpy(map_)[None], step["kind"]))
                assert np.array_equal(np.array(picture), drawn)


def test_defend_without_an_attack(cli, out):
    printed = cli("defend", PHOTO, "--defense", "lgs", *SMALL, "--out", out)
    report = report_in(out)
    assert report["attack"] is report["attacked"] is None
    assert report["seconds"]["attack"] == 0
    assert "label kept" in printed.out or "label lost" in printed.out
    check_files(out, report)


def test_an_earlier_story_leaves_nothing_behind(cli, out):
    cli("defend", PHOTO, "--defense", "slgs", "--attack", "noise", *SMALL, "--out", out)
    (out / "notes.txt").write_text("mine")
    cli("defend", PHOTO, "--defense", "lgs", *SMALL, "--out", out)
    (out / "notes.txt").unlink()
    check_files(out, report_in(out))


def test_two_runs_write_the_same_pictures_and_arrays(cli, tmp_path):
    for name in ("first", "second"):
        line = ["defend", PHOTO, "--defense", "wlgs", "--attack", "pgd", "--iterations", "2"]
        cli(*line, *SMALL, "--out", tmp_path / name)
    for file in (tmp_path / "first").iterdir():
        if file.name != "story.json":  # which holds seconds
            assert file.read_bytes() == (tmp_path / "second" / file.name).read_bytes()


def test_json_is_all_that_stands_on_standard_output(cli, out):
    printed = cli("attack", PHOTO, "--attack", "pgd", "--iterations", "2", *SMALL, "--out", out, "--json")
    assert strict(printed.out) == report_in(out)
    assert "2/2" in printed.err


# attack and defend: the flags


def test_epsilon_is_in_units_of_255(cli, out):
    for text in ("8", "8/255"):
        cli("attack", PHOTO, "--attack", "fgsm", "--eps", text, *SMALL, "--out", out)
        assert report_in(out)["attack"]["parameters"]["eps"] == 8


@pytest.mark.parametrize(
    "line",
    [
        "defend {} --attack lavan --iterations 2 --attack.seed 3 --defense slgs --lam 1.5",
        "defend {} --attack fgsm --eps 0.5 --defense pixel-deflection --defense.seed 4",
        "attack {} --attack pgd --eps 2/255 --iterations 2 --random-start off",
    ],
)
def test_the_recorded_command_makes_the_story_again(cli, cat, out, line):
    words = [str(cat) if word == "{}" else word for word in line.split()]
    cli(*words, *SMALL, "--out", out)
    first = report_in(out)
    arrays = (out / "attacked.npz").read_bytes(), (out / "steps.npz").read_bytes()
    words = shlex.split(first["command"])
    assert words[:2] == ["python", "cli.py"]
    cli(*words[2:])
    again = report_in(out)
    assert first | {"seconds": None} == again | {"seconds": None}
    assert arrays == ((out / "attacked.npz").read_bytes(), (out / "steps.npz").read_bytes())


@pytest.mark.parametrize("name", ["fgsm", "pgd"])
def test_the_recorded_parameters_given_as_flags_are_the_same_attack(cli, out, name):
    line = ["attack", PHOTO, "--attack", name, *SMALL, "--out", out]
    cli(*line, "--eps", "4.0035/255", *fewer(name))
    parameters = report_in(out)["attack"]["parameters"]
    before = (out / "attacked.npz").read_bytes()
    cli(*line, *(f"--{flag}={value}" for flag, value in parameters.items()))
    assert (out / "attacked.npz").read_bytes() == before


def test_an_implausibly_small_strength_is_asked_about(sentence, out):
    words = sentence("attack", PHOTO, "--attack", "fgsm", "--eps", "0.03", "--out", out)
    assert "for 0.03 of the full range write 7.65, and for so little write 0.03/255" in words


def test_a_target_that_the_photo_has_is_not_reached(cli, out):
    cli("attack", PHOTO, "--attack", "noise", *SMALL, "--out", out)
    label = report_in(out)["clean"]["top"][0]["label"]
    line = ["attack", PHOTO, "--attack", "lavan", "--iterations", "2", "--target", label]
    printed = cli(*line, *SMALL, "--out", out)
    assert report_in(out)["attack"]["success"] is report_in(out)["attack"]["success_8bit"] is False
    assert f"{label} was there before the attack" in printed.out
    assert "reached" not in printed.out


def test_a_target_makes_an_attack_targeted(cli, out):
    cli(
        "attack", PHOTO, "--attack", "pgd", "--iterations", "1", "--target", "GOLF ball", *SMALL, "--out", out
    )
    attack = report_in(out)["attack"]
    assert attack["target"] == "golf ball"
    assert attack["parameters"]["goal"] == "targeted"
    assert attack["source"] == report_in(out)["clean"]["top"][0]["label"]


def test_the_seed_reaches_the_attack_and_fixes_the_random_label(cli, out):
    targets = {}
    for seed in (0, 0, 1, 2):
        for name in ("lavan", "fgsm"):
            goal = ["--goal", "targeted"] if name == "fgsm" else fewer(name)
            cli("attack", PHOTO, "--attack", name, *goal, "--seed", seed, *SMALL, "--out", out)
            attack = report_in(out)["attack"]
            assert attack["parameters"].get("seed", seed) == seed
            assert attack["target"] == targets.setdefault(seed, attack["target"])
    assert len(set(targets.values())) > 1


def test_shared_parameters_are_told_apart(cli, out, sentence):
    line = ["defend", PHOTO, "--defense", "slgs", "--attack", "noise", *SMALL, "--out", out]
    cli(*line, "--attack.seed", "3", "--defense.seed", "4", "--sigma", "0.1", "--defense.lam", "2")
    assert report_in(out)["attack"]["parameters"] == {"sigma": 0.1, "seed": 3}
    assert report_in(out)["defense"]["parameters"]["seed"] == 4
    assert report_in(out)["defense"]["parameters"]["lam"] == 2
    assert "--attack.seed or --defense.seed" in sentence(*line, "--seed", "3")


def test_a_seed_that_only_the_defense_has_needs_no_prefix(cli, out):
    line = ["defend", PHOTO, "--defense", "slgs", "--attack", "fgsm", *SMALL, "--out", out]
    cli(*line, "--seed", "7", "--attack.seed", "2", "--goal", "targeted")
    assert report_in(out)["defense"]["parameters"]["seed"] == 7


@pytest.mark.parametrize("command", ["attack", "defend"])
def test_help_has_every_parameter(capsys, command):
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    registries = {"attack": ATTACKS} | ({"defense": DEFENSES} if command == "defend" else {})
    for role, registry in registries.items():
        for name, method in registry.items():
            section = text.split(f"\n{role} {name}: ")[1].split("\n\n")[0]
            for parameter in method.parameters():
                assert f"--{parameter.name} " in section or f"--{parameter.name}\n" in section
    for option in ("--target", "--out", "--classifier", "--size", "--device", "--quiet", "--json"):
        assert option in text


# bad input


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "COMMAND"),
        ("explode", "invalid choice: 'explode'"),
        ("classify", "PHOTO"),
        ("classify nowhere.png", "no file nowhere.png"),
        ("classify chelsea --classifier resnet1", "classifier is one of imagenet"),
        (
            "classify chelsea --classifier timm/resnet1",
            "did you mean timm/resnet",
        ),
        ("classify chelsea --device abacus", "no device 'abacus'"),
        ("classify chelsea --size 63", "64 to 512"),
        ("classify chelsea --size 100000", "64 to 512"),
        ("classify chelsea --size big", "invalid int value: 'big'"),
        ("classify chelsea --lam 2", "--lam is not understood"),
        ("classify chelsea --weights w.pt", "both --weights and --labels"),
        ("classify chelsea --weights w.pt --labels l.txt", "label file"),
        ("attack chelsea --attack pgd", "--out"),
        ("attack chelsea --out OUT", "--attack"),
        ("attack chelsea --attack punch --out OUT", "no attack 'punch', only"),
        ("attack chelsea --attack pgd --out OUT --eps 300", "eps must be 0 to"),
        ("attack chelsea --attack pgd --out OUT --eps=-1", "eps must be 0 to"),
        ("attack chelsea --attack pgd --out OUT --eps -1", "eps must be 0 to"),
        ("attack chelsea --attack pgd --out OUT --eps nan", "eps is a number"),
        ("attack chelsea --attack pgd --out OUT --eps", "expected one argument"),
        ("attack chelsea --attack pgd --out OUT --sigma 0.1", "has no --sigma, only --eps"),
        ("attack chelsea --attack pgd --out OUT --strength 1", "--strength is not understood"),
        ("attack chelsea --attack pgd --out OUT --lam 1", "--lam is not understood"),
        ("attack chelsea coffee --attack pgd --out OUT", "coffee is not understood"),
        ("attack chelsea --attack fgsm --out OUT --seed -1", "seed must be 0 to 2147483647"),
        ("attack chelsea --attack fgsm --out OUT --attack.seed x", "seed is a number"),
        ("attack chelsea --attack lavan --out OUT --target zebu", "no label 'zebu'"),
        ("attack chelsea --attack noise --out OUT --target pizza", "takes no target"),
        ("attack chelsea --attack pgd --out OUT --target pizza --goal untargeted", "takes no target unless"),
        ("attack chelsea --attack lavan --target pizza --goal untargeted --out OUT", "no target unless"),
        ("attack chelsea --attack pgd --out OUT --goal sideways", "one of untargeted, targeted"),
        ("defend chelsea --out OUT", "--defense"),
        ("defend chelsea --defense pray --out OUT", "no defense 'pray', only lgs"),
        ("defend chelsea --defense lgs --out OUT --lam 6", "lam must be 0 to 5"),
        ("defend chelsea --defense lgs --out OUT --block 16", "steps of 2"),
        ("defend chelsea --defense lgs --out OUT --block 7 --overlap 7", "overlap must be less than block"),
        ("defend chelsea --defense lgs --out OUT --erosions 1", "has no --erosions"),
        ("defend chelsea --defense lgs --out OUT --eps 1", "has no --eps, only --lam"),
        ("defend chelsea --defense lgs --out OUT --attack.eps 1", "--attack.eps needs --attack"),
        ("defend chelsea --defense lgs --out OUT --target pizza", "give --attack too"),
        ("defend chelsea --defense wlgs --out OUT --clamp perhaps", "on or off"),
        ("defend chelsea --defense lgs --out OUT --lam 1 --defense.lam 2", "the same parameter"),
    ],
)
def test_bad_words_on_the_command_line(sentence, out, line, words):
    assert words in sentence(*[str(out) if word == "OUT" else word for word in line.split()])
    assert not out.exists()


@pytest.mark.parametrize(
    "command", [["classify"], ["attack", "--attack", "noise"], ["defend", "--defense", "lgs"]]
)
def test_bad_files(sentence, tmp_path, out, command):
    (tmp_path / "text.png").write_text("I am no picture")
    (tmp_path / "empty.png").touch()
    (tmp_path / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(20))
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(3_000_000_000)
    where = [] if command[0] == "classify" else ["--out", out]

    def refused(name):
        return sentence(command[0], tmp_path / name, *command[1:], *where)

    assert "is not a PNG" in refused("text.png")
    assert "is empty" in refused("empty.png")
    assert "cut.jpg" in refused("cut.jpg")
    assert "3000.0 MB; at most 10" in refused("huge.png")
    assert "is a folder" in refused(".")
    assert "no file" in refused("text.png/deeper.png")
    assert not out.exists()


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no /dev/zero here")
def test_an_endless_file(sentence):
    assert "10 MB" in sentence("classify", "/dev/zero")


def test_one_bad_photo_among_good_ones(sentence, cat):
    assert "nowhere.png" in sentence("classify", cat, "nowhere.png", *SMALL)


LGS = ["defend", PHOTO, "--defense", "lgs", *SMALL, "--out"]


def test_out_is_a_file(sentence, cat):
    before = cat.read_bytes()
    assert "is a file" in sentence(*LGS, cat)
    assert "is a file" in sentence(*LGS, cat / "deeper")
    assert cat.read_bytes() == before


def test_out_is_nothing(sentence):
    assert "--out" in sentence(*LGS, "")


def test_out_may_not_be_written(sentence, out, monkeypatch):
    out.mkdir(parents=True)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != out)
    assert "no permission" in sentence(*LGS, out)
    assert list(out.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc here")
def test_out_lies_where_no_folder_can_be_made(sentence):
    assert sentence(*LGS, "/proc/story")


def test_the_disk_is_full(sentence, out, monkeypatch):
    def full(self, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    assert "No space left on device" in sentence(*LGS, out)


def test_a_photo_is_never_written_over(sentence, cli, out):
    cli(*LGS, out)
    result = out / "00-photo.png"
    before = result.read_bytes()
    assert "written over" in sentence("defend", result, "--defense", "lgs", *SMALL, "--out", out)
    assert "written over" in sentence(
        "defend", result, "--defense", "lgs", *SMALL, "--out", f"{out}/../story"
    )
    assert result.read_bytes() == before
    cli("defend", result, "--defense", "lgs", *SMALL, "--out", out / "next")


def test_too_little_memory(sentence, out, monkeypatch):
    def fail(*arguments, **options):
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 20 GiB.")

    monkeypatch.setattr(commands, "run_story", fail)
    assert "smaller --size" in sentence(*LGS, out)


def test_ctrl_c(cli, out, monkeypatch):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "run_story", stop)
    assert cli(*LGS, out, code=130).err == "cli.py: stopped\n"
    assert not out.exists()


# the same through a real process


def start(*arguments, **options):
    line = [sys.executable, "cli.py", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "encoding": "utf-8"}
    return subprocess.Popen(line, cwd=ROOT, **(pipes | options))


def test_a_process_that_succeeds(out):
    process = start("defend", PHOTO, "--defense", "lgs", "--attack", "noise", *SMALL, "--out", out, "--quiet")
    printed, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    assert "story.json" in printed
    check_files(out, report_in(out))


def test_a_process_with_bad_input_and_an_old_terminal():
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    process = start("classify", "nichts-über-λ.png", env=environment)
    printed, errors = process.communicate(timeout=120)
    assert (process.returncode, printed) == (2, "")
    assert errors.startswith("cli.py: ")
    assert "Traceback" not in errors


@pytest.fixture
def _heeds_ctrl_c():
    """What a shell runs in the background ignores Ctrl-C, and so would every process that it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name == "nt", reason="no signals to send there")
@pytest.mark.usefixtures("_heeds_ctrl_c")
@pytest.mark.parametrize("where", ["at the start", "in the attack"])
def test_ctrl_c_in_a_process(out, where):
    process = start("attack", PHOTO, "--attack", "pgd", "--iterations", "1000", "--size", "512", "--out", out)
    if where == "in the attack":
        assert process.stderr is not None
        process.stderr.read(10)  # the bar's first letters
    else:
        time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert errors.endswith("cli.py: stopped\n")
    assert "Traceback" not in errors
    assert not out.exists()


@pytest.mark.skipif(os.name == "nt", reason="no /dev/full there")
def test_a_closed_or_full_output():
    process = start("classify", PHOTO, *SMALL)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(timeout=120) == 0
    if Path("/dev/full").exists():
        with Path("/dev/full").open("w") as full:
            process = start("classify", PHOTO, *SMALL, stdout=full)
            _, errors = process.communicate(timeout=120)
        assert process.returncode == 2
        assert errors == "cli.py: No space left on device\n"


# the vote


def test_a_vote_is_told(cli, cat, out):
    text = cli("defend", cat, "--defense", "smoothing-vote", *SMALL, "--out", out).out
    defended = report_in(out)["defended"]
    assert len(defended["votes"]) == 3
    most = max(defended["votes"].count(vote) for vote in defended["votes"])
    assert defended["outcome"] == ("accepted" if most > 1 else "rejected")
    assert ("rejected" in text) == (most == 1)
    assert "outcome" not in report_in(out)["clean"]


# what the attacker knows

THROUGH = ["--attack", "pgd", "--iterations", "2", "--eps", "16", "--step", "8"]


def test_an_attack_through_the_defense_is_told(cli, cat, out):
    line = ["defend", cat, "--defense", "lgs", "--threshold", "0.05", *THROUGH, *SMALL, "--out", out]
    cli(*line)
    assert report_in(out)["attack"]["threat"] == {"name": "oblivious", "parameters": {}}
    assert report_in(out)["attack"]["over_draws"] is None
    with np.load(out / "attacked.npz") as arrays:
        oblivious = arrays["attacked"]
    text = cli(*line, "--threat", "bpda").out
    assert "through the defense" in text
    assert "BPDA: Forwards through the defense" in text
    attack = report_in(out)["attack"]
    assert (attack["threat"]["name"], attack["threat"]["parameters"]) == ("bpda", {"draws": 1})
    assert attack["success"] == (report_in(out)["defended"]["top"][0]["label"] != attack["source"])
    check_files(out, report_in(out))
    with np.load(out / "attacked.npz") as arrays:
        assert not np.array_equal(arrays["attacked"], oblivious)


def test_a_random_defense_is_drawn_again(cli, cat, out):
    random = ["--defense", "pixel-deflection", "--map", "none", "--trials", "4"]
    line = ["defend", cat, *random, *THROUGH, "--threat", "eot", "--draws", "3", *SMALL, "--out", out]
    text = cli(*line).out
    attack = report_in(out)["attack"]
    assert (attack["threat"]["name"], attack["threat"]["parameters"]) == ("eot", {"draws": 3})
    over = attack["over_draws"]
    assert over["draws"] == 4
    assert 0 <= over["success_low"] <= over["success"] / 4 <= over["success_high"] <= 1
    assert f"{over['success']} of 4 other draws" in text
    assert "averaged over 3 fresh draws" in text


def test_compare_can_attack_through_each_defense(cli, cat, out):
    pair = ["--defense", "lgs", "--defense", "jpeg", "--lgs.threshold", "0.05"]
    cli("compare", cat, *pair, *THROUGH, *SMALL, "--out", out)
    cli("compare", cat, *pair, *THROUGH, "--threat", "exact", *SMALL, "--out", out / "knowing")
    report = json.loads((out / "knowing" / "compare.json").read_text(encoding="utf-8"))
    assert report["attack"]["threat"] == {"name": "exact", "parameters": {}}
    for name in ("lgs-clean", "none-attacked"):
        file = f"{name}.png"
        assert (out / file).read_bytes() == (out / "knowing" / file).read_bytes()
    assert (out / "lgs-attacked.png").read_bytes() != (out / "knowing" / "lgs-attacked.png").read_bytes()


def test_lambda_may_be_automatic(cli, cat, out):
    cli("defend", cat, "--defense", "slgs", "--lam", "auto", *SMALL, "--out", out)
    assert report_in(out)["defense"]["parameters"]["lam"] == "auto"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("defend chelsea --defense lgs --threat bpda", "--threat is the attack's"),
        ("defend chelsea --defense lgs --attack pgd --threat psychic", "no threat 'psychic', only oblivious"),
        ("defend chelsea --defense lgs --attack pgd --threat exact --draws 2", "Exact has no --draws"),
        ("defend chelsea --defense lgs --attack pgd --threat eot --draws 0", "draws must be 1 to 100"),
        ("defend chelsea --defense lgs --attack pgd --trials -1", "--trials must be 0 to 1000"),
        ("defend chelsea --defense lgs --lam automatic", "0 to 5 × or auto"),
        ("attack chelsea --attack pgd --threat bpda", "--threat is not understood"),
        ("sweep chelsea --over lam --defense lgs --attack pgd --threat bpda", "its attacker is oblivious"),
        ("compare chelsea --threat bpda", "--threat is the attack's"),
    ],
)
def test_bad_threats_are_one_sentence(sentence, tmp_path, monkeypatch, line, words):
    monkeypatch.chdir(tmp_path)
    assert words in sentence(*line.split(), "--out", "o")
    assert not (tmp_path / "o").exists()


# side by side


def test_compare_has_a_cell_for_every_defense_and_picture(cli, cat, out):
    cli("compare", cat, "--attack", "fgsm", "--eps", "16", "--lgs.lam", "3.5", *SMALL, "--out", out)
    report = json.loads((out / "compare.json").read_text(encoding="utf-8"))
    cells = report["cells"]
    assert [(cell["defense"], cell["on"]) for cell in cells] == [
        (name, on) for name in ("none", *DEFENSES) for on in ("clean", "attacked")
    ]
    assert {cell["outcome"] for cell in cells} <= {"right", "wrong", "rejected"}
    assert next(cell for cell in cells if cell["defense"] == "lgs")["parameters"]["lam"] == 3.5
    assert report["attack"]["parameters"]["eps"] == 16
    for cell in cells:
        assert Image.open(out / cell["file"]).size == (64, 64)
        assert 0 <= cell["ndcg"] <= 1
    assert cells[0]["ndcg"] == 1
    lines = (out / "compare.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(cells) + 2
    assert all(line.count("|") == lines[0].count("|") for line in lines)


def test_compare_can_be_narrowed(cli, cat, out):
    text = cli("compare", cat, "--defense", "jpeg", "--defense", "lgs", *SMALL, "--out", out).out
    assert [line.split("|")[1].strip() for line in text.splitlines()[2:]] == ["none", "jpeg", "lgs"]


def test_sweep_has_a_point_for_every_value(cli, cat, out):
    arguments = ["--defense", "slgs", "--defense", "lgs", "--over", "lam", "--attack", "fgsm"]
    cli("sweep", cat, *arguments, *SMALL, "--out", out)
    points = json.loads((out / "sweep.json").read_text(encoding="utf-8"))["points"]
    assert [point["defense"] for point in points] == ["slgs"] * 26 + ["lgs"] * 26
    assert [float(point["value"]) for point in points[:26]] == pytest.approx([0.2 * n for n in range(26)])
    assert all(0 <= point["clean_label"] <= 1 and point["ssim"] <= 1 for point in points)
    assert all(0 <= point["ndcg"] <= 1 for point in points)
    with (out / "sweep.csv").open(encoding="utf-8") as file:
        assert len(file.read().splitlines()) == 53


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sweep chelsea --defense lgs --over lambda --out o", "has no parameter lambda, only lam"),
        ("sweep chelsea --defense lgs --out o", "--over"),
        ("compare chelsea --defense prayer --out o", "there is no defense 'prayer', only lgs"),
        ("compare chelsea --lam 3 --out o", "write --lgs.lam or --slgs.lam"),
        ("compare chelsea --target pizza --out o", "give --attack too"),
        ("compare chelsea --jpeg.quality 0 --out o", "quality must be 1 to 100"),
    ],
)
def test_bad_comparisons_are_one_sentence(cli, tmp_path, monkeypatch, line, words):
    monkeypatch.chdir(tmp_path)
    told_ = cli(*line.split(), code=2)
    assert words in told_.err
    assert told_.err.count("\n") == 1
    assert not (tmp_path / "o").exists()


# many photos


@pytest.fixture
def many(tmp_path):
    folder = tmp_path / "many"
    for label, shade in (("pizza", 60), ("strawberry", 90)):
        (folder / label).mkdir(parents=True)
        Image.new("RGB", (70, 64), (shade, 20, 80)).save(folder / label / "a.png")
    return folder


def test_evaluate_writes_its_run_and_goes_on_with_it(cli, sentence, many, out):
    line = ["evaluate", many, "--attack", "pgd", "--attack", "fgsm", "--defense", "lgs", "--out", out]
    line += ["--pgd.eps", "16", "--lam", "3", "--pgd.iterations", "2", "--batch", "1", *SMALL]
    printed = cli(*line)
    assert "2/2" in printed.err
    assert "| fgsm | lgs |" in printed.out
    assert sorted(path.name for path in out.iterdir()) == [
        "photos.parquet",
        "run.json",
        "summary.json",
        "table.md",
    ]
    report = strict((out / "run.json").read_text(encoding="utf-8"))
    assert report["source"] == str(many)
    assert report["settings"]["attacks"]["pgd"]["parameters"]["eps"] == 16 / 255
    assert report["settings"]["defenses"]["lgs"]["parameters"]["lam"] == 3
    before = (out / "photos.parquet").read_bytes()
    printed = cli(*line, "--json", "--quiet")
    assert printed.err == ""
    assert strict(printed.out) == strict((out / "summary.json").read_text(encoding="utf-8"))
    assert (out / "photos.parquet").read_bytes() == before
    assert "holds a run with seed 0, not 4" in sentence(*line, "--seed", "4")


def test_the_same_seed_gives_the_same_target_by_every_door(cli, many, out):
    """For photos that are right when clean: the true and the predicted label are one."""
    classifier = load(default_name(), device="cpu")
    photo = gallery_photo(PHOTO)
    label = classifier.labels[int(classifier(photo.working(64, classifier.crop_share)).argmax())]
    folder = out.parent / "photos" / label
    folder.mkdir(parents=True)
    Image.fromarray(photo.pixels).save(folder / "one.png")
    file, lavan = folder / "one.png", ["--attack", "lavan", "--iterations", "1", "--quiet"]
    for seed in ("0", "5"):
        cli("attack", file, *lavan, "--seed", seed, *SMALL, "--out", out)
        run = out.parent / f"run {seed}"
        cli("evaluate", folder.parent, *lavan, "--seed", seed, *SMALL, "--out", run)
        (row,) = (row for row in rows_of(run) if row["attack"] == "lavan")
        assert row["target"] == report_in(out)["attack"]["target"]
        photos = right_photos(open_source(str(folder.parent)), classifier, 64, 1, int(seed))
        assert [
            classifier.labels[number] for number in photos.targets(len(classifier.labels), int(seed))
        ] == [row["target"]]


def test_a_photo_that_is_wrong_is_attacked_only_on_demand(cli, many, out):
    line = ["evaluate", many, "--attack", "fgsm", *SMALL, "--quiet"]
    cli(*line, "--out", out)
    attacked = {row["attacked"] for row in rows_of(out) if row["attack"] == "fgsm"}
    right = {row["outcome"] == "right" for row in rows_of(out) if row["attack"] == "none"}
    assert attacked == right
    cli(*line, "--attack-wrong", "--out", out.parent / "all")
    assert all(row["attacked"] for row in rows_of(out.parent / "all") if row["attack"] == "fgsm")
    settings = strict((out / "run.json").read_text(encoding="utf-8"))["settings"]
    assert (settings["truth"], settings["attack_wrong"]) == ("true label", False)


def test_photos_that_have_the_target_are_left_out_and_counted(cli, many, out):
    label = next(path.name for path in many.iterdir() if path.is_dir())
    line = ["evaluate", many, "--attack", "lavan", "--iterations", "1", "--target", label, "--quiet"]
    cli(*line, *SMALL, "--out", out)
    rows = [row for row in rows_of(out) if row["attack"] == "lavan"]
    assert {row["outcome"] == "left out" for row in rows if row["label"] == label} == {True}
    cells = strict((out / "summary.json").read_text(encoding="utf-8"))["cells"]
    left_out = sum(row["label"] == label for row in rows)
    assert next(cell for cell in cells if cell["attack"] == "lavan")["outcomes"]["left out"] == left_out


def rows_of(run):
    return pq.read_table(run / "photos.parquet").to_pylist()


@pytest.fixture
def broken_checkpoint(tmp_path):
    """A state dict of MobileNet v3 small whose last sums overflow, and its labels."""
    network = torchvision.models.mobilenet_v3_small(num_classes=3)
    with torch.no_grad():
        for layer in (network.classifier[0], network.classifier[-1]):
            layer.weight *= 1e30
    torch.save(network.state_dict(), tmp_path / "broken.pt")
    (tmp_path / "labels.txt").write_text("one\ntwo\nthree\n")
    architecture = ["--classifier", "mobilenet_v3_small", "--labels", tmp_path / "labels.txt"]
    return [*architecture, "--weights", tmp_path / "broken.pt"]


@pytest.mark.parametrize("command", ["classify", "attack", "evaluate"])
def test_logits_that_are_no_numbers_are_one_sentence(sentence, many, out, broken_checkpoint, command):
    (many / "one").mkdir(exist_ok=True)
    Image.fromarray(gallery_photo(PHOTO).pixels[:90, :120]).save(many / "one" / "1.png")
    what = {
        "classify": [PHOTO],
        "attack": [PHOTO, "--attack", "fgsm", "--out", out],
        "evaluate": [many, "--out", out],
    }[command]
    line = [command, *what, *broken_checkpoint, *SMALL, "--quiet"]
    assert "answers with something that is not a number" in sentence(*line)
    assert not (out / "story.json").exists()
    assert not (out / "summary.json").exists()


def test_a_method_comes_at_several_settings(cli, many, out):
    line = ["evaluate", many, "--attack", "pgd:eps=2,iterations=1", "--attack", "pgd:random-start=off"]
    line += [
        "--pgd.iterations",
        "2",
        "--defense",
        "slgs:lam=1.5",
        "--defense",
        "slgs:lam=3.5",
        "--block",
        "9",
    ]
    cli(*line, "--out", out, *SMALL, "--quiet")
    settings = strict((out / "run.json").read_text(encoding="utf-8"))["settings"]
    assert list(settings["attacks"]) == ["pgd:eps=2,iterations=1", "pgd:random-start=off"]
    first, second = (facts["parameters"] for facts in settings["attacks"].values())
    assert (first["eps"], first["iterations"], first["random_start"]) == (2 / 255, 1, True)
    assert (second["iterations"], second["random_start"]) == (2, False)
    strengths = [facts["parameters"] for facts in settings["defenses"].values()]
    assert [(values["lam"], values["block"]) for values in strengths] == [(1.5, 9), (3.5, 9)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("nowhere", "nor a data set of that name"),
        ("{} --defense slgs:1.5", "slgs:1.5 names parameters as slgs:parameter=value, not 1.5"),
        ("{} --defense slgs:lam=900", "lam must be"),
        ("{} --defense slgs:prayer=1", "has no parameter prayer"),
        ("{} --attack prayer", "there is no attack 'prayer', only"),
        ("{} --defense prayer", "there is no defense 'prayer', only lgs"),
        ("{} --attack fgsm --eps 900", "eps must be"),
        ("{} --defense lgs --defense slgs --lam 3", "write --lgs.lam or --slgs.lam"),
        ("{} --attack noise --target pizza", "give an --attack that takes one"),
        ("{} --attack lavan --target unicorn", "has no label 'unicorn'"),
        ("{} --limit 0", "--limit is a number of photos, at least 1, not 0"),
        ("{} --batch -3", "--batch is a number of photos"),
        ("{} --seed minus", "seed is a number"),
        ("{} --size 9", "--size is 64 to 512 px, not 9"),
        ("{}/pizza", "holds no photos"),
    ],
)
def test_bad_evaluations_are_one_sentence(sentence, many, tmp_path, monkeypatch, line, words):
    monkeypatch.chdir(tmp_path)
    assert words in sentence("evaluate", *line.format(many).split(), "--out", "o")
    assert not (tmp_path / "o").exists()


def test_a_full_disk_ends_an_evaluation_and_spares_what_is_there(cli, sentence, many, out, monkeypatch):
    line = ["evaluate", many, "--defense", "lgs", "--batch", "1", *SMALL, "--quiet", "--out", out]
    written, sync = [], os.fsync

    def full(number):
        written.append(number)
        if len(written) > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(number)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        assert "No space left on device" in sentence(*line)
    assert sorted(path.name for path in out.rglob("*") if path.is_file()) == ["000000.parquet", "run.json"]
    cli(*line)
    assert (out / "photos.parquet").exists()
