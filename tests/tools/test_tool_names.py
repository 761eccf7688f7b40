"""Programs find the names and parameters of datadings.tools at the same places."""

from __future__ import annotations

import importlib
import inspect
import types

import pytest

MODULES = ["", ".argparse", ".compression", ".matlab", ".msgpack"]
# Takes no queue: parent and child share a pipe.
OTHER_PARAMETERS = {"YielderProc"}


def own_names(module):
    """What a module defines: neither what it imports nor what it hides."""
    for name, value in vars(module).items():
        imported = isinstance(value, types.ModuleType) or not (
            getattr(value, "__module__", module.__name__).startswith("datadings.")
            or isinstance(value, (str, dict))
        )
        if not name.startswith("_") and not imported:
            yield name


def parameters(function):
    signature = inspect.signature(function)
    names = [name for name in signature.parameters if not name.startswith("_")]
    return {name: signature.parameters[name].default for name in names if signature.parameters[name].kind < 2}


@pytest.mark.parametrize("name", MODULES)
def test_module_has_the_names_of_datadings(name):
    theirs, ours = (importlib.import_module(f"{package}.tools{name}") for package in ("datadings", "ddfast"))
    names = list(own_names(theirs))
    assert not [name for name in names if not hasattr(ours, name)]
    assert names


@pytest.mark.parametrize("name", [name for name in MODULES if name != ".msgpack"])
def test_functions_take_the_parameters_of_datadings_first(name):
    theirs, ours = (importlib.import_module(f"{package}.tools{name}") for package in ("datadings", "ddfast"))
    for function in set(own_names(theirs)) - OTHER_PARAMETERS:
        reference = getattr(theirs, function)
        if isinstance(reference, types.FunctionType):
            wanted = parameters(reference)
            got = parameters(getattr(ours, function))
            assert list(got.items())[: len(wanted)] == list(wanted.items()), function


def test_names_are_exported_once():
    tools = importlib.import_module("ddfast.tools")
    assert sorted(tools.__all__) == sorted(set(tools.__all__))
    assert all(hasattr(tools, name) for name in tools.__all__)
