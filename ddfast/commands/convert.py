"""Convert annotated datasets: any format into one ddfast file, and back into any format.

The format of SOURCE is detected, or named with --from. TARGET is a file that ends with .msgpack, or a folder; then --to
names its format. `ddfast formats` lists all formats. Options of a format are shown when it is named:
`ddfast convert --to coco --help`.

What the target has no place for is counted and shown at the end; --strict refuses instead, before anything is written.

Examples:
  ddfast convert coco/ train.msgpack
  ddfast convert train.msgpack out/ --to voc --save-media
  ddfast convert cvat.xml out/ --to coco --on-error skip
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from ddfast.annotated import Dataset, Report
from ddfast.annotated.registry import find_format
from ddfast.commands import _run
from ddfast.errors import UnknownFormatError
from ddfast.tools import make_printer

STORED = "ddfast"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("source", metavar="SOURCE", help="a folder, an annotation file, or a .msgpack file")
    add("target", metavar="TARGET", help="a .msgpack file, or a folder")
    add("--from", dest="source_format", metavar="FORMAT", help="format of SOURCE (default: detected)")
    add("--to", dest="target_format", metavar="FORMAT", help="format of TARGET (default: a .msgpack file)")
    add("--subset", metavar="NAME", action="append", help="convert only this subset; may be repeated")
    media = parser.add_mutually_exclusive_group()
    media.add_argument(
        "--save-media", action="store_true", default=None, dest="media", help="copy images, too"
    )
    media.add_argument("--no-media", action="store_false", dest="media", help="copy no images")
    add("--overwrite", action="store_true", help="replace TARGET if it exists")
    add("--strict", action="store_true", help="refuse if the target has no place for something")
    add(
        "--on-error",
        choices=("raise", "skip"),
        default="raise",
        help="what to do about annotations that make no sense (default: raise)",
    )
    add("--json", action="store_true", help="print the report as JSON")
    add("--quiet", action="store_true", help="show no progress")


def add_chosen_arguments(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """Add the options of the formats that the command line names."""
    chosen = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    chosen.add_argument("--from", dest="source_format")
    chosen.add_argument("--to", dest="target_format")
    names, _ = chosen.parse_known_args(argv)
    taken: set[str] = set()
    for name, kind, what in (
        (names.source_format, "ReadOptions", "reading"),
        (names.target_format, "WriteOptions", "writing"),
    ):
        if name and name != STORED:
            try:
                options = getattr(find_format(name), kind)
            except UnknownFormatError as error:
                parser.error(str(error))
            _add_options(parser.add_argument_group(f"options of {what} {name}"), options, kind, taken)


def _add_options(group: Any, options: type[Any], kind: str, taken: set[str]) -> None:
    """Add a flag for each option; one of writing that reading has, too, is ``--to-NAME``."""
    for field in dataclasses.fields(options):
        flag = f"--{'to-' if field.name in taken else ''}{field.name.replace('_', '-')}"
        taken.add(field.name)
        default = field.default if field.default is not dataclasses.MISSING else None
        settings: dict[str, Any] = {"dest": f"{kind}.{field.name}", "default": argparse.SUPPRESS}
        text = field.metadata.get("help", "")
        if isinstance(default, bool) or field.type == "bool | None":
            settings["action"] = argparse.BooleanOptionalAction
        elif isinstance(default, int | float):
            settings.update(type=type(default), metavar="N")
        elif field.metadata.get("choices"):
            settings["choices"] = field.metadata["choices"]
        else:
            settings["metavar"] = "VALUE"
        shown = f" (default: {default})" if default not in (None, "") and "default" not in text else ""
        group.add_argument(flag, help=f"{text}{shown}", **settings)


def chosen_options(args: argparse.Namespace, kind: str) -> dict[str, Any]:
    """The options of a format that were given."""
    prefix = f"{kind}."
    return {name[len(prefix) :]: value for name, value in vars(args).items() if name.startswith(prefix)}


def main(args: argparse.Namespace) -> int:
    """Convert a dataset. Returns the exit code."""
    with closing(_bar("reading", "B", args)) as bar:
        dataset = Dataset.import_from(
            args.source, args.source_format, on_error=args.on_error, progress=_progress(bar),
            **chosen_options(args, "ReadOptions"),
        )  # fmt: skip
    read = dataset.report
    if args.subset:
        kept = set(args.subset)
        for name in kept:
            dataset.get_subset(name)
        dataset = dataset.select_subsets(kept)
    with closing(_bar("writing", " items", args)) as bar:
        report = dataset.export(
            args.target, args.target_format, save_media=args.media, overwrite=args.overwrite, strict=args.strict,
            progress=_progress(bar), **chosen_options(args, "WriteOptions"),
        )  # fmt: skip
    _show(args, read, report)
    return 0


def _show(args: argparse.Namespace, read: Report, written: Report) -> None:
    if args.json:
        _run.say(json.dumps({"read": read.to_json(), "written": written.to_json()}, indent=2))
        return
    for verb, path, report in (("read", args.source, read), ("wrote", args.target, written)):
        counts = ", ".join(f"{count:,} {what}" for what, count in report.counts.items())
        _run.say(f"{verb} {path}: {counts}")
        for line in report.lines(args.target_format or STORED):
            _run.say(f"  {line}")


def _bar(what: str, unit: str, args: argparse.Namespace) -> Any:
    hidden = True if args.quiet or args.json else None
    return make_printer(desc=what, unit=unit, unit_scale=True, leave=False, disable=hidden)


def _progress(bar: Any) -> Callable[[int, int], None]:
    def advance(done: int, total: int) -> None:
        bar.total = total or None
        bar.update(done - bar.n)

    return advance


def entry() -> None:
    """The console script ``ddfast-convert``."""
    sys.exit(_run.run(sys.modules[__name__], "ddfast-convert"))


if __name__ == "__main__":
    entry()
