"""A parameter is checked, shown and read the same way at every door."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass

import pytest

from story import Parameter, Parametrised, param

EPS = Parameter("eps", 4 / 255, "", low=0, high=128 / 255, step=0.5 / 255, shown_as=255, unit="/255")


@dataclass(frozen=True)
class Method(Parametrised):
    title = "A method"
    source = "nowhere"

    eps: float = param(8 / 255, low=0, high=64 / 255, shown_as=255, unit="/255", help="size")
    block: int = param(15, low=3, high=63, step=2, unit="px", help="side")
    seed: int = param(0, low=0, high=2**31 - 1, help="start of the draws")
    lam: float = param(2.3, low=0, high=5, help="strength")
    clamp: bool = param(False, help="whether")
    channels: str = param("luma", choices=("luma", "each"), help="which")
    share: float | str = param(0.5, low=0, high=1, unit="of all", auto=True, help="how much")


BY_NAME = {parameter.name: parameter for parameter in Method.parameters()}


def test_fields_are_described_in_their_order():
    assert list(BY_NAME) == ["eps", "block", "seed", "lam", "clamp", "channels", "share"]
    assert [parameter.type for parameter in BY_NAME.values()] == [float, int, int, float, bool, str, float]
    assert Method().values() == {parameter.name: parameter.default for parameter in BY_NAME.values()}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("eps", "8", 8 / 255),
        ("eps", "8/255", 8 / 255),
        ("eps", "0.5", 0.5 / 255),
        ("eps", "64/255", 64 / 255),
        ("block", " 21 ", 21),
        ("block", "21.0", 21),
        ("seed", "2147483647", 2147483647),
        ("lam", "3.5", 3.5),
        ("lam", "1e0", 1.0),
        ("lam", "7/2", 3.5),
        ("clamp", "on", True),
        ("clamp", "False", False),
        ("channels", "each", "each"),
        ("share", "0.25", 0.25),
        ("share", " auto ", "auto"),
    ],
)
def test_text_becomes_a_value(name, text, value):
    parsed = Method.parsed({name: text})
    assert parsed == {name: value}
    assert type(parsed[name]) is type(value)
    assert getattr(Method(**parsed), name) == value


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("eps", "65", "eps must be 0 to 64 /255; 65 is not"),
        ("eps", "-1", "eps must be 0 to 64 /255; -1 is not"),
        ("eps", "8/0", "eps is a number, 0 to 64 /255, not '8/0'"),
        ("block", "16", "block must be 3 to 63 px in steps of 2; 16 is not"),
        ("block", "15.5", "block is a whole number, 3 to 63 px in steps of 2, not 15.5"),
        ("block", "", "block is a number, 3 to 63 px in steps of 2, not ''"),
        ("seed", "2147483648", "seed must be 0 to 2147483647; 2147483648 is not"),
        ("lam", "nan", "lam is a number, 0 to 5, not nan"),
        ("lam", "inf", "lam is a number, 0 to 5, not inf"),
        ("lam", "1e999999999", "lam is a number, 0 to 5, not inf"),
        ("lam", "strong", "lam is a number, 0 to 5, not 'strong'"),
        ("clamp", "maybe", "clamp is on or off, not 'maybe'"),
        ("channels", "red", "channels is one of luma, each, not 'red'"),
        ("share", "2", "share must be 0 to 1 of all or auto; 2 is not"),
        ("share", "Auto", "share is a number, 0 to 1 of all or auto, not 'Auto'"),
        ("lam", "auto", "lam is a number, 0 to 5, not 'auto'"),
        (
            "sigma",
            "1",
            "A method has no parameter sigma; it has eps, block, seed, lam, clamp, channels, share",
        ),
    ],
)
def test_bad_text_gets_one_sentence_with_the_range(name, text, words):
    with pytest.raises(ValueError) as error:
        Method.parsed({name: text})
    assert str(error.value) == words


@pytest.mark.parametrize(
    "values",
    [
        *({"lam": 6}, {"lam": True}, {"lam": "2"}, {"lam": "auto"}),
        *({"clamp": 1}, {"block": 4}, {"channels": "red"}, {"share": "2"}),
    ],
)
def test_the_constructor_checks(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        Method(**values)


def test_a_whole_number_stands_for_a_real_one_and_the_other_way_round():
    method = Method(lam=2, block=15.0)
    assert type(method.lam) is float
    assert type(method.block) is int


def test_every_value_survives_being_shown_and_read_again():
    method = Method(eps=2 / 255, block=9, seed=12345678, clamp=True, channels="each", share="auto")
    texts = {name: BY_NAME[name].show(value) for name, value in method.values().items()}
    assert Method(**Method.parsed(texts)) == method


def test_a_method_is_frozen_and_hashable():
    assert hash(Method()) == hash(Method(lam=2.3))
    with pytest.raises(FrozenInstanceError):
        Method().lam = 1.0


def test_a_parameter_must_be_described():
    with pytest.raises(TypeError, match="low and high"):
        param(1.0, help="no range")
    with pytest.raises(TypeError, match="choices"):
        param("word", help="no choices")
    with pytest.raises(TypeError):
        param(1.0, low=0, high=2)
    with pytest.raises(TypeError, match="only a number"):
        param(True, auto=True, help="a switch")


@pytest.mark.parametrize(
    ("text", "value"), [("0.5", 0.5 / 255), ("0", 0.0), ("8", 8 / 255), ("0.03/255", 0.03 / 255)]
)
def test_a_plausible_number_is_in_the_unit_of_the_screen(text, value):
    assert EPS.parse(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["0.03", "0.0157", "0.3", "0.49"])
def test_a_number_that_may_be_meant_in_the_unit_of_the_code_is_asked_about(text):
    meant = f"for {text} of the full range write {float(text) * 255:g}, and for so little write {text}/255"
    with pytest.raises(ValueError, match=f"eps {text} means {text}/255") as refused:
        EPS.parse(text)
    assert meant in str(refused.value)
    assert EPS.parse(f"{float(text) * 255:.10g}") == pytest.approx(float(text))


def test_a_pure_number_may_be_as_small_as_its_range_allows():
    assert Parameter("gamma", 1.0, "", low=0, high=5, step=0.5).parse("0.01") == 0.01


@pytest.mark.parametrize("value", [8 / 255, 0.0157, 0.01 / 255, 1 / 3, 0.0, 0.1 + 0.2, 1e-7])
def test_a_flag_gives_exactly_the_value_back(value):
    assert EPS.parse(EPS.flag(value)) == value


def test_titles_name_the_unit_and_symbols():
    titles = [parameter.title for parameter in BY_NAME.values()]
    assert titles == ["ε (/255)", "Block (px)", "Seed", "λ", "Clamp", "Channels", "Share (of all)"]
