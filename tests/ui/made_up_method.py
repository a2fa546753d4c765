"""A method with a parameter of every kind."""

from dataclasses import dataclass

from story import Parametrised, param


@dataclass(frozen=True)
class Method(Parametrised):
    title = "Made up"
    source = "nowhere"

    eps: float = param(8 / 255, low=0, high=1, step=0.5 / 255, shown_as=255, unit="/255", help="how much")
    seed: int = param(0, low=0, high=2**31 - 1, step=1, help="draws", advanced=True)
    on: bool = param(True, help="a switch", moves=("a", "b"))
    lam: float | str = param(2.0, low=0, high=5, step=0.1, auto=True, help="strength")
    few: str = param("x", choices=("x", "y"), help="two words")
    many: str = param("x", choices=("x", "y", "z", "w"), help="four words", moves=("a", "b", "c", "d", "e"))
