import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

import pytest
import torch
from torch import nn

from explain.memo import Memo, forgetting, kept_with_it, remember, remembered, remembering


class Model(nn.Module):
    def __init__(self, identity="one"):
        super().__init__()
        if identity:
            self.identity = identity


calls = []


@remembered
def scaled(x, model, *, factor):
    calls.append(factor)
    return factor * x


@remembered
def doubled(x, model, *, factor):
    calls.append(factor)
    return 2 * factor * x


@pytest.fixture(autouse=True)
def _no_calls_yet():
    calls.clear()


@pytest.fixture
def memo():
    return Memo(max_bytes=10_000)


@pytest.fixture
def x():
    return torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(0))


def test_the_second_time_costs_nothing(memo, x):
    with remembering(memo):
        first = scaled(x, Model(), factor=3)
        second = scaled(x.clone(), Model(), factor=3)
    assert calls == [3]
    assert torch.equal(first, 3 * x)
    assert torch.equal(second, 3 * x)


def test_without_a_memo_it_just_works(memo, x):
    scaled(x, Model(), factor=3)
    with remembering(memo):
        scaled(x, Model(), factor=3)
    scaled(x, Model(), factor=3)
    assert calls == [3, 3, 3]


def one_pixel(x):
    changed = x.clone()
    changed[0, 1, 2, 3] += 1 / 255
    return changed


@pytest.mark.parametrize(
    "other",
    [
        lambda x: scaled(one_pixel(x), Model(), factor=3),
        lambda x: scaled(x, Model("two"), factor=3),
        lambda x: scaled(x, Model(), factor=4),
        lambda x: doubled(x, Model(), factor=3),
        lambda x: scaled(x.reshape(1, 3, 5, 4), Model(), factor=3),
        lambda x: scaled(x.view(torch.int32), Model(), factor=3),
    ],
    ids=["one pixel", "model", "option", "function", "shape", "type"],
)
def test_anything_else_misses(memo, x, other):
    with remembering(memo):
        scaled(x, Model(), factor=3)
        before = len(calls)
        other(x)
    assert len(calls) == before + 1


def test_a_change_in_place_is_another_photo(memo, x):
    with remembering(memo):
        first = scaled(x, Model(), factor=3)
        x[0, 0, 0, 0] += 1
        assert torch.equal(scaled(x, Model(), factor=3), 3 * x)
    assert calls == [3, 3]
    assert first[0, 0, 0, 0] != 3 * x[0, 0, 0, 0]


def test_the_order_in_memory_makes_no_other_photo(memo, x):
    with remembering(memo):
        scaled(x, Model(), factor=3)
        scaled(x.contiguous(memory_format=torch.channels_last), Model(), factor=3)
    assert calls == [3]


def test_a_function_without_a_model_is_remembered_too(memo, x):
    @remembered
    def shifted(x, *, by):
        calls.append(by)
        return x + by

    with remembering(memo):
        for by in (1, 1, 2):
            assert torch.equal(shifted(x.clone(), by=by), x + by)
    assert calls == [1, 2]


def test_what_is_known_need_not_be_asked(memo, x):
    @remembered
    def halved(x, model):
        calls.append("asked")
        return x / 2

    with remembering(memo):
        remember(halved, x + 7, x, Model())
        assert torch.equal(halved(x.clone(), Model()), x + 7)
        remember(halved, x, x, Model(None))
        halved(x, Model("another"))
    assert calls == ["asked"]
    remember(halved, x, x, Model("another"))
    assert len(memo) == 2


class TestKeptWithIt:
    @staticmethod
    @kept_with_it
    def summed(x, *, factor=1):
        calls.append(factor)
        return {"sum": factor * float(x.sum())}

    def test_the_very_tensor_is_looked_at_once(self, x):
        assert self.summed(x, factor=2) is self.summed(x, factor=2)
        assert calls == [2]
        assert self.summed(x.clone(), factor=2) == self.summed(x, factor=2)
        assert calls == [2, 2]

    def test_options_and_changes_in_place_count(self, x):
        first = self.summed(x)
        assert self.summed(x, factor=3) != first
        x += 1
        assert self.summed(x, factor=3)["sum"] == pytest.approx(3 * float(x.sum()))
        assert calls == [1, 3, 3]

    def test_it_goes_with_the_tensor(self, x):
        doubled = kept_with_it(lambda x: 2 * x)
        photo = x.clone()
        result = weakref.ref(doubled(photo))
        assert result() is not None
        del photo
        gc.collect()
        assert result() is None

    def test_a_wanted_gradient_is_computed(self, x):
        leaf = x.clone().requires_grad_()
        doubled = kept_with_it(lambda x: 2 * x)
        with torch.no_grad():
            assert not doubled(leaf).requires_grad
        assert torch.equal(torch.autograd.grad(doubled(leaf).sum(), leaf)[0], torch.full_like(x, 2))


def test_a_model_without_identity_is_never_remembered(memo, x):
    with remembering(memo):
        scaled(x, Model(None), factor=3)
        scaled(x, Model(None), factor=3)
    assert calls == [3, 3]
    assert len(memo) == 0


def test_a_wanted_gradient_is_never_answered_from_memory(memo, x):
    leaf = x.clone().requires_grad_()
    with remembering(memo):
        scaled(x, Model(), factor=3)
        value = scaled(leaf, Model(), factor=3)
        assert torch.equal(torch.autograd.grad(value.sum(), leaf)[0], torch.full_like(x, 3))
        assert calls == [3, 3]
        with torch.no_grad():
            scaled(leaf, Model(), factor=3)
    assert calls == [3, 3]


def test_what_is_remembered_cannot_be_spoilt(memo, x):
    with remembering(memo):
        scaled(x, Model(), factor=3).zero_()
        scaled(x, Model(), factor=3).zero_()
        assert torch.equal(scaled(x, Model(), factor=3), 3 * x)
    assert calls == [3]


def test_what_is_remembered_holds_no_graph(memo, x):
    model = Model()
    model.weight = nn.Parameter(torch.ones(()))

    @remembered
    def weighed(x, model):
        return model.weight * x

    with remembering(memo):
        assert not weighed(x, model).requires_grad
        assert not weighed(x, model).requires_grad


def test_the_longest_unused_goes_first(x):
    memo = Memo(max_bytes=2 * x.nbytes)
    with remembering(memo):
        for factor in (1, 2, 1, 3, 1, 2):  # 3 pushes out 2, then 2 pushes out 3
            scaled(x, Model(), factor=factor)
        assert calls == [1, 2, 3, 2]
        assert len(memo) == 2
        assert memo.bytes == 2 * x.nbytes


def test_what_is_larger_than_the_memo_is_not_kept_and_pushes_nothing_out(x):
    memo = Memo(max_bytes=x.nbytes)
    with remembering(memo):
        scaled(x, Model(), factor=3)
        scaled(torch.cat((x, x)), Model(), factor=3)
        scaled(x, Model(), factor=3)
    assert calls == [3, 3]


def test_the_same_key_twice_counts_once(memo, x):
    memo.put(("key",), x)
    memo.put(("key",), 2 * x)
    assert (len(memo), memo.bytes) == (1, x.nbytes)
    assert torch.equal(memo.get(("key",)), 2 * x)


def test_clear(memo, x):
    memo.put(("key",), x)
    memo.clear()
    assert (len(memo), memo.bytes, memo.get(("key",))) == (0, 0, None)


def test_the_memo_is_let_go_after_an_error(memo, x):
    with pytest.raises(RuntimeError), remembering(memo):
        raise RuntimeError
    scaled(x, Model(), factor=3)
    assert len(memo) == 0


def test_another_thread_has_its_own_memo(memo, x):
    with remembering(memo):
        thread = Thread(target=scaled, args=(x, Model()), kwargs={"factor": 3})
        thread.start()
        thread.join()
    assert calls == [3]
    assert len(memo) == 0


def test_many_threads_share_one(x):
    memo = Memo(max_bytes=5 * x.nbytes)
    model = Model()

    def work(number):
        with remembering(memo):
            factor = number % 9
            assert torch.equal(scaled(x, model, factor=factor), factor * x)
            assert memo.bytes <= memo.max_bytes

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(600)))
    assert memo.bytes == len(memo) * x.nbytes == 5 * x.nbytes


def test_forgetting_looks_nothing_up_and_keeps_nothing(memo):
    x, model = torch.ones(3), Model()
    with remembering(memo):
        scaled(x, model, factor=2)
        with forgetting():
            assert torch.equal(scaled(x, model, factor=2), 2 * x)
            scaled(x, model, factor=3)
        scaled(x, model, factor=2)
    assert calls == [2, 2, 3]
    assert len(memo) == 1
