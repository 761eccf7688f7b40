"""Command lines are parsed as datadings parses them."""

from __future__ import annotations

import argparse
import os

import datadings.tools.argparse as reference
import pytest

import ddfast.tools
import ddfast.tools.argparse as tools

PARSERS = {
    "all": lambda module: module.make_parser("text"),
    "none": lambda module: module.make_parser_simple("text"),
    "some": lambda module: module.make_parser(None, shuffle=False, indir=False, prog="x", epilog="end"),
    "few": lambda module: module.make_parser_simple("text", shuffle=True, no_confirm=True),
}
ARGUMENTS = [name for name in dir(reference) if name.startswith("argument_") and name != "argument_threads"]


def parse(parser, argv):
    """What comes of it: the namespace, or the status that the program ends with."""
    try:
        return vars(parser.parse_args(argv))
    except SystemExit as end:
        return end.code


def options(parser):
    return [
        {name: value for name, value in vars(action).items() if name not in ("help", "container", "type")}
        for action in parser._actions
    ]


@pytest.mark.parametrize(
    "argv",
    [
        "", "in", "in -y -s", "in --no-confirm --skip-verification", "in -o out", "in --outdir=out", "in --shuffle no",
        "in --shuffle yes", "in --shuffle maybe", "in --unknown", "in more", "-y", "--shuffle no -y", "-h",
    ],
)  # fmt: skip
@pytest.mark.parametrize("make", PARSERS.values(), ids=PARSERS)
def test_parser_gives_what_that_of_datadings_gives(make, argv, capsys):
    assert parse(make(tools), argv.split()) == parse(make(reference), argv.split())


@pytest.mark.parametrize("make", PARSERS.values(), ids=PARSERS)
def test_help_has_the_same_usage_and_options(make):
    ours, theirs = make(tools), make(reference)
    assert ours.format_usage() == theirs.format_usage()
    for option in theirs._option_string_actions:
        assert option in ours.format_help()
    assert [ours.description, ours.epilog, ours.formatter_class] == [
        theirs.description,
        theirs.epilog,
        theirs.formatter_class,
    ]


@pytest.mark.parametrize("name", ARGUMENTS)
@pytest.mark.parametrize("overrides", [{}, {"default": "x", "help": "other"}], ids=["usual", "overridden"])
def test_argument_is_that_of_datadings(name, overrides):
    described = []
    for module in (tools, reference):
        parser = argparse.ArgumentParser(prog="x")
        getattr(module, name)(parser, **overrides)
        text = repr(options(parser))
        described.append(text.replace("ddfast", "datadings"))
        assert all(action.help for action in parser._actions)
    assert described[0] == described[1].replace("ddfast", "datadings")
    assert "parser.add_argument(" in getattr(tools, name).__doc__


@pytest.mark.parametrize("argv", ["a", "-o a b c", "-o", "-x a"])
def test_argument_takes_more_names(argv, capsys):
    results = []
    for module in (tools, reference):
        parser = module.make_parser_simple("text")
        module.argument_outfiles(parser, "-x", dest="files")
        results.append(parse(parser, argv.split()))
    assert results[0] == results[1]


@pytest.mark.parametrize(
    "settings", [{}, {"default": 8}, {"default": 3, "max_threads": 2}, {"max_threads": -2}], ids=str
)
@pytest.mark.parametrize("argv", ["", "-t 0", "-t 1", "--threads 2", "-t 100000", "-t -5", "-t x"])
def test_threads_are_limited_as_in_datadings(settings, argv, capsys):
    results = []
    for module in (tools, reference):
        parser = module.make_parser_simple("text")
        module.argument_threads(parser, **settings)
        results.append((parse(parser, argv.split()), parser.format_usage()))
    assert results[0] == results[1]


def test_zero_threads_are_as_many_as_processors():
    parser = tools.make_parser_simple("text")
    ddfast.tools.argument_threads(parser)
    assert parser.parse_args(["-t", "0"]).threads == os.cpu_count()
    assert "(default: 1)" in parser.format_help()


def test_limits_come_from_a_subclass():
    results = []
    for module in (tools, reference):
        limits = type("Action", (module.MinMaxAction,), {"min_value": 2, "max_value": 7})
        parser = argparse.ArgumentParser()
        parser.add_argument("n", type=int, action=limits)
        results.append([parser.parse_args([str(n)]).n for n in (0, 1, 2, 5, 7, 8)])
    assert results[0] == results[1] == [7, 2, 2, 5, 7, 7]
