"""Everything learned in ``assets/`` is alive: no dead ReLU, no stuck sigmoid, no input without influence."""

import pytest
import torch

import classifiers
from classifiers.builtin import builtin_files, builtin_names
from classifiers.fitted import fitted_card
from defenses.automatic import FOLDER as AUTOMATIC
from denoisers import installed, load, uncertainty
from evaluation.one_photo.adversarial_score import read_suspicion, signs
from photos import gallery, gallery_photo
from training.health import Activity, UnhealthyError, check_inputs

CPU = torch.device("cpu")
NAMES = tuple(name for name in builtin_names() if builtin_files(name).installed)


def crops(side):
    """The gallery's photos, (N, 3, side, side) in [0, 1]."""
    return torch.cat([gallery_photo(name).working(side) for name in gallery()])


@pytest.fixture(scope="module", params=NAMES)
def model(request):
    return classifiers.load(request.param, device=CPU)


@pytest.mark.skipif(not NAMES, reason="no weights are installed")
class TestClassifiers:
    def test_nothing_is_dead(self, model):
        with torch.no_grad(), Activity() as activity:
            model(crops(model.working_size))
        assert activity.alive
        activity.check(model.name)

    def test_every_colour_matters(self, model):
        check_inputs(model.name, model, crops(model.working_size)[:4])

    def test_adversarial_score(self, model):
        suspicion = read_suspicion(model)
        assert all(suspicion.weights)
        seen = signs(crops(model.working_size), model)
        with Activity() as activity:
            suspicion.of(seen)
        activity.check(f"the adversarial score of {model.name}")
        check_inputs("the adversarial score", suspicion.of, seen)

    def test_automatic_lam(self, model):
        card = fitted_card(AUTOMATIC, model)
        for stairs in card["methods"].values():
            assert len(set(stairs["lams"])) > 1


@pytest.mark.parametrize("variant", installed())
class TestDenoisers:
    def photos(self):
        """Without noise, and with more and more of it."""
        clean = crops(96)
        noise = torch.rand(clean.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
        return torch.cat([(clean + eps * noise).clamp(0, 1) for eps in (0, 0.01, 0.1, 0.5)])

    def test_nothing_is_dead(self, variant):
        network = load(variant, device=CPU)
        with torch.no_grad(), Activity() as activity:
            outputs = network.outputs(self.photos())
            if network.fusion is not None:
                network.weight([uncertainty(output) for output in outputs])
        assert activity.alive
        activity.check(variant)

    def test_every_colour_matters_to_every_output(self, variant):
        network, photos = load(variant, device=CPU), self.photos()[::5]
        for number in range(len(network.config.heads)):
            check_inputs(variant, lambda x, number=number: network.outputs(x)[number], photos)

    def test_both_uncertainties_matter_to_the_weight(self, variant):
        network = load(variant, device=CPU)
        if network.fusion is None:
            return
        with torch.no_grad():
            unsure = torch.cat([uncertainty(output) for output in network.outputs(self.photos())], 1)
        check_inputs(f"{variant}'s fusion", lambda maps: network.weight(maps.split(1, 1)), unsure)


class TestHealth:
    def test_a_dead_relu_is_named(self):
        layers = torch.nn.Sequential(
            torch.nn.Conv2d(3, 2, 1), torch.nn.ReLU(), torch.nn.Conv2d(2, 2, 1), torch.nn.ReLU6()
        )
        torch.nn.init.constant_(layers[0].weight, 1)
        torch.nn.init.constant_(layers[2].weight, 0)
        torch.nn.init.constant_(layers[2].bias, -1)
        with Activity() as activity:
            layers(torch.rand(2, 3, 4, 4) + 1)
        assert activity.alive == [1, 0]
        with pytest.raises(UnhealthyError, match="it: ReLU 2 of 2 is nowhere over 0 on any photo"):
            activity.check("it")

    def test_channels_and_the_largest_number_by_hand(self):
        maps = torch.tensor([[[[-1.0, 2.0]], [[-3.0, -4.0]]], [[[0.0, 1.0]], [[-1.0, -1.0]]]])
        with Activity() as activity:
            maps.relu()
        assert activity.alive == [0.5]
        assert activity.largest == 2
        activity.check("it")

    def test_a_saturated_sigmoid_is_named(self):
        with Activity() as activity:
            torch.tensor([-7000.0, -20.0]).sigmoid()
        with pytest.raises(UnhealthyError, match=r"it: sigmoid 1 of 1 is saturated .* at 0\.000"):
            activity.check("it")
        with Activity() as activity:
            torch.tensor([-7000.0, 0.0]).sigmoid()
        activity.check("it")
        assert activity.between == [0.5]
        assert activity.means == [0.25]

    def test_an_input_without_influence_is_named(self):
        inputs = torch.rand(2, 3, 4, 4)
        check_inputs("it", lambda x: x.sum(1), inputs)
        with pytest.raises(UnhealthyError, match="it: input 1 has no influence"):
            check_inputs("it", lambda x: x[:, ::2], inputs)
        with pytest.raises(UnhealthyError, match="not finite"):
            check_inputs("it", lambda x: (0 * x).sqrt(), inputs)
