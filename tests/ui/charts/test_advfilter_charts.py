from dataclasses import replace

import numpy as np
import pytest
import torch

from evaluation.one_photo.advfilter import AtStrength, PixelKernel
from ui.charts.advfilter import pixel_kernel_figure, quality_figure


def at(eps, attacked, result):
    names = ("attacked", "result")
    photo = torch.zeros(1, 3, 4, 4)
    return AtStrength(
        eps,
        dict.fromkeys(names, photo),
        {"attacked": attacked, "result": result},
        {"attacked": attacked / 100, "result": result / 100},
        {"attacked": "cat", "result": "dog"},
    )


def test_curves_of_quality():
    figure = quality_figure([at(0.0, 100.0, 40.0), at(1e-4, 80.0, 39.0), at(0.5, 9.0, 18.0)])
    told = [(line.name, tuple(line.y)) for line in figure.data]
    assert told == [
        ("attacked", (100, 80, 9)),
        ("attacked", (1, 0.8, 0.09)),
        ("result", (40, 39, 18)),
        ("result", (0.4, 0.39, 0.18)),
    ]
    assert list(figure.data[0].x) == ["0", "0.0001", "0.5"]
    assert [line.line.dash for line in figure.data[::2]] == ["dot", "solid"]
    assert list(figure.data[2].customdata) == ["dog"] * 3
    assert figure.layout.yaxis.title.text == "PSNR, dB"
    assert figure.layout.yaxis2.title.text == "SSIM"


def test_a_result_on_another_curve_leaves_gaps():
    both = replace(at(0.1, 30.0, 20.0), psnr={"attacked": 30.0, "m": 20.0, "result": 20.0})
    both = replace(
        both, photos=dict.fromkeys(both.psnr), ssim=both.psnr, labels=dict.fromkeys(both.psnr, "cat")
    )
    assert [line.line.dash for line in quality_figure([both]).data[::2]] == ["dot", "solid", "dash"]


@pytest.mark.parametrize(("side", "written"), [(5, True), (7, False)])
def test_three_kernels_on_one_scale(side, written):
    kernel = torch.linspace(-1, 2, 3 * side**2).view(3, side, side)
    figure = pixel_kernel_figure(PixelKernel(kernel, kernel, kernel))
    assert [heat.name for heat in figure.data] == ["red", "green", "blue"]
    for heat, weights in zip(figure.data, kernel.numpy(), strict=True):
        np.testing.assert_array_equal(heat.z, weights)
        assert (heat.zmin, heat.zmax) == (-2, 2)
        assert bool(heat.texttemplate) == written
        assert [colour for _, colour in heat.colorscale if colour.startswith("#")] == []
    axes = [figure.layout[name] for name in ("yaxis", "yaxis2", "yaxis3")]
    assert [axis.showticklabels for axis in axes] == [True, False, False]
    assert {axis.tickvals for axis in axes} == {(-(side // 2), 0, side // 2)}


def test_a_kernel_of_zeros():
    kernel = torch.zeros(3, 5, 5)
    assert pixel_kernel_figure(PixelKernel(kernel, kernel, kernel)).data[0].zmax == 1
