"""What every attack in the registry keeps to, whatever it does inside."""

import copy

import pytest
import torch
from torch import nn

from attacks import ATTACKS, Attack, Cancelled, succeeded
from attacks.base import probability_of

ITERATIONS = 6
CASES = [
    pytest.param(name, goal, id=f"{name}-{goal}")
    for name, attack in ATTACKS.items()
    for goal in (("targeted", "untargeted") if attack.targeted == "either" else (attack().aim,))
]


def made(name: str, goal: str | None = None, **fields) -> Attack:
    """The attack, short enough for a test; fields that it lacks are left out."""
    wanted = {"iterations": ITERATIONS, "stop_at": 1.0, "goal": goal, **fields}
    names = {parameter.name for parameter in ATTACKS[name].parameters()}
    return ATTACKS[name](
        **{key: value for key, value in wanted.items() if key in names and value is not None}
    )


@pytest.fixture
def y(photos, tiny_classifier):
    """Labels to leave or to reach, none of them predicted for all photos."""
    return torch.tensor([1, 2, 4])


@pytest.mark.parametrize(("name", "goal"), CASES)
class TestEveryAttack:
    def test_result_is_a_photo(self, name, goal, photos, y, tiny_classifier):
        trace = made(name, goal).run(photos, y, tiny_classifier)
        assert trace.attacked.shape == photos.shape
        assert trace.attacked.dtype == photos.dtype
        assert trace.attacked.min() >= 0
        assert trace.attacked.max() <= 1
        assert not trace.attacked.requires_grad
        assert trace.attacked.data_ptr() != photos.data_ptr()
        assert not torch.equal(trace.attacked, photos)

    def test_stays_in_its_ball(self, name, goal, photos, y, tiny_classifier):
        photos = photos.clone()
        photos[0, :, :9], photos[1, :, :9] = 0, 1
        eps = {parameter.name: parameter for parameter in ATTACKS[name].parameters()}.get("eps")
        if eps is None:
            pytest.skip("no ball")
        attack = made(name, goal, step=eps.default, frames=100)
        trace = attack.run(photos, y, tiny_classifier)
        for iterate in (*trace.frames, trace.attacked):
            change = iterate - photos
            assert iterate.min() >= 0
            assert iterate.max() <= 1
            if eps.unit == "L2 norm":
                assert (change.flatten(1).norm(dim=1) <= attack.eps * (1 + 1e-5)).all()
            else:
                assert change.abs().max() <= attack.eps + 1e-7

    def test_writes_only_inside_its_mask(self, name, goal, photos, y, tiny_classifier):
        attack = made(name, goal)
        trace = attack.run(photos, y, tiny_classifier)
        if trace.mask is None:
            return
        assert trace.mask.shape == (3, 1, 44, 53)
        assert set(trace.mask.unique().tolist()) == {0.0, 1.0}
        outside = (trace.mask == 0).expand_as(photos)
        for iterate in (*trace.frames, trace.attacked):
            assert torch.equal(iterate[outside], photos[outside])
        assert torch.equal(trace.mask, attack.mask(photos))

    def test_leaves_input_and_model_as_they_were(self, name, goal, photos, y, tiny_classifier):
        for weight in tiny_classifier.parameters():
            weight.requires_grad_(True)
        kept_photos, kept_y = photos.clone(), y.clone()
        kept_state = copy.deepcopy(tiny_classifier.state_dict())
        made(name, goal).run(photos, y, tiny_classifier)
        assert torch.equal(photos, kept_photos)
        assert torch.equal(y, kept_y)
        assert not photos.requires_grad
        assert photos.grad is None
        for key, value in tiny_classifier.state_dict().items():
            assert torch.equal(value, kept_state[key]), key
        for module in tiny_classifier.modules():
            assert not module.training
            assert not module._forward_hooks
            assert not module._forward_pre_hooks
            assert not module._backward_hooks
        for weight in tiny_classifier.parameters():
            assert weight.requires_grad
            assert weight.grad is None

    def test_alone_equals_in_a_batch(self, name, goal, photos, y, tiny_classifier):
        photos, model = photos.double(), tiny_classifier.double()
        together = made(name, goal).run(photos, y, model)
        for i in range(3):
            alone = made(name, goal).run(photos[i : i + 1], y[i : i + 1], model)
            torch.testing.assert_close(alone.attacked[0], together.attacked[i], rtol=0, atol=1e-9)
            torch.testing.assert_close(alone.probability[:, 0], together.probability[:, i])
            torch.testing.assert_close(alone.loss[:, 0], together.loss[:, i])

    def test_same_seed_same_result_and_no_global_draws(self, name, goal, photos, y, tiny_classifier):
        torch.manual_seed(1)
        before = torch.get_rng_state()
        first = made(name, goal).run(photos, y, tiny_classifier)
        assert torch.equal(torch.get_rng_state(), before)
        torch.manual_seed(2)
        assert torch.equal(made(name, goal).run(photos, y, tiny_classifier).attacked, first.attacked)
        if hasattr(ATTACKS[name], "seed"):
            other = made(name, goal, seed=7).run(photos, y, tiny_classifier)
            assert not torch.equal(other.attacked, first.attacked)

    def test_progress_is_told_each_iteration(self, name, goal, photos, y, tiny_classifier):
        reports = []
        trace = made(name, goal).run(photos, y, tiny_classifier, reports.append)
        assert [report.done for report in reports] == list(range(1, trace.iterations + 1))
        assert {report.total for report in reports} <= {trace.iterations}
        for report, row in zip(reports, trace.probability, strict=True):
            assert torch.equal(report.probability, row)

    def test_trace_says_what_the_model_saw(self, name, goal, photos, y, tiny_classifier):
        trace = made(name, goal).run(photos, y, tiny_classifier)
        assert trace.frame_iterations == tuple(range(trace.iterations + 1))
        assert trace.frames.shape == (trace.iterations + 1, *photos.shape)
        assert trace.loss.shape == trace.probability.shape == (trace.iterations, 3)
        assert torch.equal(trace.frames[-1], trace.attacked)
        for frame, probability in zip(trace.frames, trace.probability, strict=False):
            expected = probability_of(y, tiny_classifier(frame))
            torch.testing.assert_close(probability, expected, rtol=1e-5, atol=1e-6)

    def test_moves_the_label_as_it_should(self, name, goal, photos, y, tiny_classifier):
        attack = made(name, goal)
        if attack.targeted == "none":
            pytest.skip("labels play no part")
        trace = attack.run(photos, y, tiny_classifier)
        before = probability_of(y, tiny_classifier(photos))
        after = probability_of(y, tiny_classifier(trace.attacked))
        assert (after > before if goal == "targeted" else after < before).all()
        assert attack.aim == goal
        reached = succeeded(tiny_classifier(trace.attacked), y, attack.aim)
        assert torch.equal(reached, (tiny_classifier(trace.attacked).argmax(1) == y) == (goal == "targeted"))

    def test_keeps_no_frames_on_request(self, name, goal, photos, y, tiny_classifier):
        trace = made(name, goal).run(photos, y, tiny_classifier, frames=0)
        assert trace.frames.shape == (0, *photos.shape)
        assert trace.frame_iterations == ()
        assert torch.equal(trace.attacked, made(name, goal).run(photos, y, tiny_classifier).attacked)

    def test_cancelled_comes_through_and_leaves_nothing(self, name, goal, photos, y, tiny_classifier):
        attack = made(name, goal)
        if not attack.run(photos, y, tiny_classifier).iterations:
            pytest.skip("no iterations")

        def cancel(report):
            raise Cancelled

        grad_enabled = torch.is_grad_enabled()
        with pytest.raises(Cancelled):
            attack.run(photos, y, tiny_classifier, cancel)
        assert torch.is_grad_enabled() == grad_enabled
        assert all(weight.grad is None for weight in tiny_classifier.parameters())

    def test_story_ends_in_the_result(self, name, goal, photos, y, tiny_classifier):
        attack = made(name, goal)
        steps = attack.steps(photos, y, tiny_classifier)
        trace = attack.run(photos, y, tiny_classifier)
        patch = ["patch mask"] if trace.mask is not None else []
        assert [step.name for step in steps] == ["photo", *patch, "perturbation", "result"]
        assert torch.equal(steps[0].map, photos)
        assert torch.equal(steps[-1].map, trace.attacked)
        assert torch.equal(steps[-2].map, trace.attacked - photos)
        assert all(step.empty for step in steps if step.kind != "photo")
        assert torch.equal(attack(photos, y, tiny_classifier), trace.attacked)

    @pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 3), (20, 300)])
    def test_any_size(self, name, goal, size, tiny_classifier):
        x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
        attacked = made(name, goal).run(x, torch.tensor([0, 3]), tiny_classifier).attacked
        assert attacked.shape == x.shape
        assert attacked.isfinite().all()

    @pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
    def test_constant_photos_give_no_nan(self, name, goal, value, tiny_classifier):
        x = torch.full((2, 3, 24, 24), value)
        trace = made(name, goal).run(x, torch.tensor([0, 3]), tiny_classifier)
        for kept in (trace.attacked, trace.loss, trace.probability, trace.frames):
            assert kept.isfinite().all()

    def test_model_without_any_gradient_gives_no_nan(self, name, goal, photos, y):
        class Blind(nn.Module):
            def forward(self, x):
                return torch.zeros(x.shape[0], 5) + 0 * x.sum((1, 2, 3))[:, None]

        trace = made(name, goal).run(photos, y, Blind())
        assert trace.attacked.isfinite().all()
        assert trace.probability.isfinite().all()

    def test_works_where_gradients_are_switched_off(self, name, goal, photos, y, tiny_classifier):
        expected = made(name, goal).run(photos, y, tiny_classifier).attacked
        with torch.no_grad():
            assert torch.equal(made(name, goal).run(photos, y, tiny_classifier).attacked, expected)

    def test_photos_with_a_graph_are_cut_off_it(self, name, goal, photos, y, tiny_classifier):
        traced = photos.clone().requires_grad_()
        attacked = made(name, goal).run(traced * 1, y, tiny_classifier).attacked
        assert not attacked.requires_grad
        assert traced.grad is None

    def test_bad_photos_and_labels_are_named(self, name, goal, photos, y, tiny_classifier):
        attack = made(name, goal)
        with pytest.raises(ValueError, match=r"\(B, 3, H, W\).*\(3, 44, 53\)"):
            attack.run(photos[0], y, tiny_classifier)
        with pytest.raises(ValueError, match="uint8"):
            attack.run((photos * 255).byte(), y, tiny_classifier)
        with pytest.raises(ValueError, match="0 to 1"):
            attack.run(photos * 255, y, tiny_classifier)
        with pytest.raises(ValueError, match="0 to 1"):
            attack.run(photos * torch.nan, y, tiny_classifier)
        with pytest.raises(ValueError, match=r"each of 3.*\(2,\)"):
            attack.run(photos, y[:2], tiny_classifier)
        with pytest.raises(ValueError, match="float32"):
            attack.run(photos, y.float(), tiny_classifier)

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
    def test_cpu_and_gpu_agree(self, name, goal, photos, y, tiny_classifier):
        photos, model = photos.double(), tiny_classifier.double()
        expected = made(name, goal).run(photos, y, model)
        actual = made(name, goal).run(photos.cuda(), y, copy.deepcopy(model).cuda())
        torch.testing.assert_close(actual.attacked.cpu(), expected.attacked, rtol=0, atol=1e-7)
        assert actual.frames.device.type == actual.probability.device.type == "cpu"


@pytest.mark.parametrize("name", ATTACKS)
class TestEveryField:
    def test_is_described(self, name):
        assert ATTACKS[name].title
        assert ATTACKS[name].source
        assert ATTACKS[name].targeted in ("targeted", "untargeted", "either", "none")
        for parameter in ATTACKS[name].parameters():
            assert parameter.help, parameter.name
            if parameter.type in (int, float):
                assert parameter.step, parameter.name

    def test_refuses_bad_values_by_name_and_range(self, name):
        for parameter in ATTACKS[name].parameters():
            bad = ["nonsense", None]
            if parameter.type in (int, float):
                bad += [parameter.low - 1, parameter.high + 1, float("nan"), True]
            for value in bad:
                with pytest.raises(ValueError, match=parameter.name) as caught:
                    ATTACKS[name](**{parameter.name: value})
                if parameter.type is not bool:
                    assert parameter.range in str(caught.value)

    def test_does_not_hide_a_method(self, name):
        for parameter in ATTACKS[name].parameters():
            assert not callable(getattr(Attack, parameter.name, None)), parameter.name

    def test_two_ends_of_its_range_work(self, name, photos, y, tiny_classifier):
        for parameter in ATTACKS[name].parameters():
            if parameter.type in (int, float) and parameter.name != "iterations":
                for value in (parameter.low, parameter.high):
                    attacked = made(name, **{parameter.name: value}).run(photos, y, tiny_classifier).attacked
                    assert attacked.isfinite().all(), (parameter.name, value)
