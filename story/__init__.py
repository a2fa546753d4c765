"""What every method tells: named maps from the photo to the result, and the parameters behind them."""

from story.param import Parameter, Parametrised, param
from story.step import Kind, Step, by_name

__all__ = ["Kind", "Parameter", "Parametrised", "Step", "by_name", "param"]
