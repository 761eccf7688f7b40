"""Compose: which parameters a transform gets, and what is said when it does not get them."""

import functools
import pickle
import random
import warnings

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from ddfast.errors import MissingParameterError, TransformError  # noqa: E402
from ddfast.torch import Compose, no_rng  # noqa: E402


def add(v, number):
    return v + number


def sub(x, value):
    return x - value


def scale(v, factor=10, *, shift=0):
    return v * factor + shift


class Plus:
    def __call__(self, v, number):
        return v + number

    def method(self, v, number):
        return v - number


class Module(torch.nn.Module):
    def forward(self, v, number=1):
        return v + number


PARAMS = {"number": 3, "value": 5, "factor": 2, "shift": 7, "other": 11}


@pytest.mark.parametrize(
    "transforms", [(add,), (sub,), (scale,), (add, sub, scale), ((add, sub),), ([scale, add],), (Plus(),), ()]
)
@pytest.mark.parametrize("params", [PARAMS, {"number": 1, "value": 2}])
def test_values_are_those_of_datadings(transforms, params):
    reference = pytest.importorskip("datadings.torch", reason="datadings.torch needs PIL and simplejpeg")
    ours, theirs = Compose(*transforms), reference.Compose(*transforms)
    assert ours(100, params) == theirs(100, params)
    assert ours.param_names == theirs.param_names
    assert ours.transforms == theirs.transforms


@pytest.mark.parametrize(
    ("transform", "value"),
    [
        (Plus().method, 97),
        (functools.partial(scale, shift=1), 201),
        (functools.partial(scale, factor=3), 307),
        (functools.partial(scale, factor=3, shift=1), 301),
        (functools.partial(add, number=-1), 99),
        (functools.partial(sub, 1000), 900),
        (Module(), 103),
        (torch.nn.Sequential(Module(), Module()), 106),
        (float, 100.0),
        (torch.tensor, torch.tensor(100)),
        (lambda v, /, other: v + other, 111),
        (lambda v, **rest: (v, rest), (100, {})),
    ],
)
def test_a_transform_gets_what_its_signature_names(transform, value):
    assert Compose(transform)(100, PARAMS) == value


def test_an_iterator_of_transforms_is_used_up_once():
    compose = Compose(f for f in (add, sub))
    assert compose(10, PARAMS) == compose(10, PARAMS) == 8


def test_prefix_is_where_parameters_are_looked_up():
    compose = Compose(add, scale, prefix="mask_")
    assert compose.param_names == [("mask_number",), ("mask_factor", "mask_shift")]
    assert compose.prefix == "mask_"
    assert compose(1, {"number": 100, "mask_number": 1, "mask_shift": 5}) == 25


def test_what_partial_sets_is_constant():
    assert Compose(add, functools.partial(add, number=3))(1, {"number": 10}) == 14


def test_a_missing_parameter_is_named_with_its_transform():
    with pytest.raises(MissingParameterError, match=r"^sub requires 'value', .* are 'number'\. .*partial"):
        Compose(add, sub)(1, {"number": 2})
    with pytest.raises(KeyError, match=r"^add requires 'mask_number', but the parameters are none"):
        Compose(add, prefix="mask_")(1, no_rng({}))


def test_a_type_error_inside_a_transform_stays_one():
    with pytest.raises(TypeError, match="concatenate"):
        Compose(add)("text", {"number": 2})
    with pytest.raises(TypeError):
        Compose(add, lambda v: v.missing())([], {"number": 2})


@pytest.mark.parametrize("wrong", [5, None, "text"])
def test_what_cannot_be_called_is_no_transform(wrong):
    with pytest.raises(TransformError, match="is not callable"):
        Compose(add, wrong)


def test_a_function_that_takes_no_value_is_no_transform():
    for function in (lambda: 5, lambda *, v: v, lambda **v: v):
        with pytest.raises(ValueError, match=r"lambda.*is not a transform: it has no positional argument"):
            Compose(function)


def test_varargs_warn_where_the_transform_is_composed():
    with pytest.warns(UserWarning, match="lambda.*has only varargs") as caught:
        compose = Compose(lambda *v: v)
    assert caught[0].filename == __file__
    assert compose(1, PARAMS) == (1,)
    with pytest.warns(UserWarning, match="its varargs remain empty"):
        compose = Compose(lambda v, number, *more: (v, number, more))
    assert compose(1, PARAMS) == (1, 3, ())


def test_the_example_of_the_documentation_runs_without_a_warning():
    samples = [{"a": 0, "b": 0, "c": 0} for _ in range(10)]
    rng = random.Random(7)
    params = {"number": rng.randrange(1, 10), "value": rng.randrange(1, 10)}
    transforms = {"a": Compose(add), "b": Compose(sub), "c": Compose((add, sub))}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results = [{k: f(sample[k], params) for k, f in transforms.items()} for sample in samples]
    number, value = params["number"], params["value"]
    assert results == [{"a": number, "b": -value, "c": number - value}] * 10


def test_a_compose_pickles():
    compose = pickle.loads(pickle.dumps(Compose(add, scale, prefix="p_")))
    assert compose(1, {"p_number": 2}) == 30
    assert repr(compose) == "Compose(add, scale, prefix='p_')"
