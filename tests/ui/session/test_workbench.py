import threading
import time
from dataclasses import dataclass

import pytest
import torch

from attacks import ATTACKS
from attacks.base import Cancelled
from attacks.noise import Noise
from attacks.universal_patch import Patch
from defenses import DEFENSES, LGS, THREATS, Looking
from evaluation.one_photo.adversarial_score import read_suspicion
from story import param
from ui.defense.adversarial_score import scores
from ui.defense.gazes import gazes_of
from ui.defense.gradient_smoothing import ribbon_of, strength_of
from ui.session.background import Background
from ui.session.device import on_device
from ui.session.scene import Attempt, Scene
from ui.session.shelf import Shelf
from ui.session.workbench import Workbench


@pytest.fixture
def passes(classifier):
    """Sizes of the batches that go through the classifier."""
    seen = []
    hook = classifier.register_forward_pre_hook(lambda _module, inputs: seen.append(len(inputs[0])))
    yield seen
    hook.remove()


def everything(bench: Workbench, scene: Scene, attempt: Attempt | None, defense):
    """All that the page of a defense asks for."""
    story = bench.story(scene, attempt, defense)
    if isinstance(defense, LGS):
        ribbon_of(bench, scene, attempt, story)
    scores(bench, scene, story, read_suspicion(scene.classifier))
    if isinstance(defense, Looking):
        gazes_of(bench, scene, story)
    return story


@pytest.mark.parametrize("name", [name for name, cls in DEFENSES.items() if issubclass(cls, LGS)])
@pytest.mark.parametrize("attacked", [True, False])
def test_moving_lambda_costs_no_pass_where_the_ribbon_has_been(bench, scene, attempt, passes, name, attacked):
    tried = attempt if attacked else None
    everything(bench, scene, tried, DEFENSES[name](lam=2.3))
    passes.clear()
    found = [everything(bench, scene, tried, DEFENSES[name](lam=lam)) for lam in (2.4, 0.5, 4.9)]
    assert passes == []
    for story in found:
        alone = scene.classifier(story.defended.x)
        torch.testing.assert_close(story.defended.logits, alone, rtol=0, atol=1e-5)
    passes.clear()
    for lam in (2.41, 0.53, 4.99):
        everything(bench, scene, tried, DEFENSES[name](lam=lam))
    assert passes == [1, 1, 1]


def test_going_back_to_a_lambda_costs_nothing(bench, scene, attempt, passes):
    everything(bench, scene, attempt, DEFENSES["slgs"](lam=2.3))
    everything(bench, scene, attempt, DEFENSES["slgs"](lam=2.41))
    everything(bench, scene, attempt, DEFENSES["slgs"](lam=2.4))
    passes.clear()
    everything(bench, scene, attempt, DEFENSES["slgs"](lam=2.41))
    assert passes == []


def test_what_lies_before_the_saliency_does_not_ask_for_it_again(bench, scene, attempt, passes):
    everything(bench, scene, attempt, DEFENSES["slgs"]())
    passes.clear()
    bench.story(scene, attempt, DEFENSES["slgs"](threshold=0.05))
    assert passes == [1]


def test_an_attack_runs_once(bench, scene, attempt, passes):
    first = bench.story(scene, attempt)
    passes.clear()
    again = bench.story(scene, attempt)
    assert passes == []
    assert torch.equal(first.attacked.x, again.attacked.x)
    assert bench.has_run(scene, attempt)
    assert bench.last(scene) is attempt


def knowing(attempt, defense, threat="bpda"):
    return Attempt(attempt.name, attempt.attack, None, THREATS[threat](), defense)


def test_an_attack_through_a_defense_is_another_attack(bench, scene, attempt, passes):
    lgs, other = DEFENSES["lgs"](threshold=0.05), DEFENSES["lgs"](threshold=0.05, lam=1.0)
    bench.story(scene, attempt, lgs)
    through = knowing(attempt, lgs)
    assert not bench.has_run(scene, through)
    story = bench.story(scene, through)
    assert story.defense == lgs
    assert bench.has_run(scene, through)
    assert not bench.has_run(scene, knowing(attempt, other))
    assert not bench.has_run(scene, knowing(attempt, lgs, "exact"))
    assert bench.last(scene) is attempt
    assert bench.last(scene, knows=True) is through
    assert not through.instant
    passes.clear()
    moved = bench.story(scene, through, other)
    assert len(passes) == 2, "defended, and defended after rounding"
    assert torch.equal(moved.attacked.x, story.attacked.x)
    assert moved.defense == other


def test_one_who_knows_goes_through_what_he_knows(bench, scene, attempt):
    lgs, jpeg = DEFENSES["lgs"](threshold=0.05), DEFENSES["jpeg"]()
    first = bench.story(scene, knowing(attempt, lgs), jpeg)
    again = Workbench().story(scene, knowing(attempt, lgs), lgs)
    assert torch.equal(first.attacked.x, again.attacked.x)
    assert first.defense == jpeg


def test_an_automatic_lambda_is_told(bench, scene, attempt):
    story = bench.story(scene, attempt, DEFENSES["lgs"](lam="auto"))
    own = DEFENSES["lgs"](lam="auto").lam_of(story.attacked.x, scene.classifier)
    assert strength_of(bench, scene, story) == own
    assert strength_of(bench, scene, bench.story(scene, attempt, DEFENSES["lgs"](lam=1.5))) == 1.5


def test_a_cancelled_attack_leaves_what_was_there(bench, scene, attempt):
    bench.story(scene, attempt)
    other = Attempt("pgd", ATTACKS["pgd"](eps=2 / 255), None)

    def cancel(_report):
        raise Cancelled

    with pytest.raises(Cancelled):
        bench.story(scene, other, progress=cancel)
    assert not bench.has_run(scene, other)
    assert bench.last(scene) is attempt
    bench.story(scene, other)  # the device is free again


def test_others_get_the_device_while_an_attack_reports(bench, scene, attempt):
    done = threading.Event()

    def other():
        with on_device():
            done.set()

    def report(_report):
        threading.Thread(target=other).start()
        assert done.wait(10)

    bench.story(scene, attempt, progress=report)


def test_iterates_are_kept_as_pictures(bench, scene, attempt):
    story = bench.story(scene, attempt)
    iterates = bench.iterates(scene, attempt)
    assert iterates.numbers == (0, 1, 2, 3, 4)
    assert len(iterates.pictures) == 5
    assert all(picture.startswith(b"\x89PNG") for picture in iterates.pictures)
    assert len(iterates.series) == 5
    assert iterates.watched == story.labels[story.source]
    assert iterates.series[-1] == pytest.approx(float(story.attacked.probabilities[story.source]))


def test_the_ribbon_is_the_defense_at_every_lambda(bench, scene, attempt):
    story = bench.story(scene, attempt, DEFENSES["wlgs"](lam=1.0))
    ribbon = ribbon_of(bench, scene, attempt, story)
    assert ribbon.lams[0] == 0
    assert ribbon.lams[-1] == 5
    for number in (0, 10, 50):
        lam = round(float(ribbon.lams[number]), 6)
        expected = bench.story(scene, attempt, DEFENSES["wlgs"](lam=lam)).defended.probabilities
        torch.testing.assert_close(
            torch.from_numpy(ribbon.probabilities[number]), expected, atol=1e-5, rtol=1e-4
        )


def test_gazes_say_how_much_lies_on_the_patch(bench, scene):
    tried = Attempt("lavan", ATTACKS["lavan"](iterations=1), None)
    story = bench.story(scene, tried, DEFENSES["slgs"]())
    for gaze in gazes_of(bench, scene, story):
        assert gaze.png.startswith(b"\x89PNG")
        assert gaze.on_patch is None or 0 <= gaze.on_patch <= 1


def test_without_a_patch_no_share_is_claimed(bench, scene, attempt):
    story = bench.story(scene, attempt, DEFENSES["slgs"]())
    assert [gaze.on_patch for gaze in gazes_of(bench, scene, story)] == [None, None]


@pytest.mark.parametrize(
    "failure",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_too_little_memory_is_said_in_a_sentence(failure):
    with pytest.raises(ValueError, match="not enough memory"), on_device():
        raise failure
    with on_device():  # free again
        pass


def test_other_failures_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shapes"), on_device():
        raise RuntimeError("shapes do not match")


def test_a_shelf_forgets_the_longest_unused():
    shelf: Shelf[int] = Shelf(2)
    shelf.put("a", 1)
    shelf.put("b", 2)
    shelf.get("a")
    shelf.put("c", 3)
    assert (shelf.get("a"), shelf.get("b"), shelf.get("c")) == (1, None, 3)


def test_attacks_without_iterations_need_no_button():
    instant = {name: Attempt(name, known(), None).instant for name, known in ATTACKS.items()}
    assert instant["noise"]
    assert instant["fgsm"]
    assert not instant["pgd"]
    assert not instant["lavan"]


def test_an_attack_is_asked_for_where_it_says_that_it_takes_a_while():
    @dataclass(frozen=True)
    class Patient(Noise):
        title = "Patient noise"
        iterative = True
        rounds: int = param(100, low=1, high=1000, step=1, help="how often noise is added")

    assert not Attempt("patient", Patient(), None).instant
    assert Attempt("noise", Noise(), None).instant


def patch(value: float) -> Patch:
    return Patch(torch.full((3, 4, 4), value), 0.1, None)


def test_a_name_of_the_library_never_stands_for_two_patches(bench):
    assert bench.keep_patch(" red\n one ", patch(0.1)) == "red one"
    assert bench.keep_patch("red one", patch(0.2)) == "red one 2"
    bench.drop_patch("red one")
    assert bench.keep_patch("red one", patch(0.3)) == "red one 3"
    assert list(bench.patches) == ["red one 2", "red one 3"]
    assert bench.keep_patch("golf-ball", patch(0.4)) == "golf-ball 2"
    assert bench.keep_patch("", patch(0.5)) == "patch"
    assert len(bench.keep_patch("x" * 400, patch(0.5))) < 60


def test_ones_own_patches_are_choices_of_the_attack_as_long_as_they_are_there(bench):
    name = bench.keep_patch("mine", patch(0.25))
    chosen = bench.attacks["universal-patch"](patch=name)
    assert torch.equal(chosen.pasted_patch.pixels, patch(0.25).pixels)
    bench.drop_patch(name)
    assert bench.attacks is ATTACKS


def test_work_in_the_background_can_be_stopped_and_what_is_there_stays(bench):
    go_on = threading.Semaphore(2)

    def parts():
        for number in range(100):
            assert go_on.acquire(timeout=30)
            yield number

    work = Background(100).start(parts, bench.memo)
    wait_for(lambda: len(work.parts) == 2)
    bench.training = work
    bench.close()
    go_on.release()
    wait_for(lambda: work.finished)
    assert work.parts in ([0, 1], [0, 1, 2])  # it may be told in the middle of a part
    assert work.error is None


def wait_for(condition):
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_the_watched_label_is_the_one_that_the_attack_is_after(bench, scene):
    for seed in range(4):
        attempt = Attempt("lavan", ATTACKS["lavan"](iterations=1, seed=seed), None)
        watched = bench.watched(scene, attempt)
        story = bench.story(scene, attempt)
        assert watched == story.labels[story.target]
