"""DirectoryReader finds and returns the same files as that of datadings, and its errors name the file.

Datadings' order is that in which the file system lists folders. Here it lists them in natural order.
"""

import errno
import glob
import os
import pickle
import random
import shutil
import warnings
from pathlib import Path

import datadings.reader
import datadings.reader.directory
import pytest
from hypothesis import given
from hypothesis import strategies as st
from natsort import natsorted
from reading import assert_same_reader, outcome

from ddfast.errors import (
    DuplicateKeyError,
    EscapingPathError,
    MissingLabelError,
    ReadError,
    SampleFileNotFoundError,
    TextFileError,
    UnpackableSampleError,
)
from ddfast.reader import DirectoryReader, file_patterns
from ddfast.reader import directory as our_directory
from ddfast.reader.directory import check_included, glob_pattern, yield_directory, yield_file
from ddfast.reader.file_patterns import files, natural_order
from ddfast.testing import ReaderTests, assert_same_sample

FILES = [
    "top.txt",
    ".hidden.txt",
    "a/1.txt",
    "a/2.jpg",
    "a/.3.txt",
    "a/b/1.txt",
    "a/b/c/d/deep.txt",
    "b/a/1.txt",
    "b/10.txt",
    "b/9.txt",
    "b10/x y.txt",
    "b9/[x].txt",
    ".dot/a/1.txt",
    "ß/ä.txt",
    "{LABEL}/odd.txt",
]


def make_tree(top):
    for name in FILES:
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")
    (top / "empty").mkdir()
    (top / "a/to_file").symlink_to(top / "top.txt")
    (top / "to_folder").symlink_to("b")
    (top / "a/b/to_nowhere").symlink_to("nowhere")
    (top / "a/to_itself").symlink_to("to_itself")
    os.mkfifo(top / "a/fifo")
    return top


class Listing(list):
    """What `os.scandir` returns, but for its order."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.clear()


def listing(arrange):
    """An `os.scandir` that lists a folder in the order that a function of the entries gives."""
    scandir = os.scandir

    def arranged(path="."):
        with scandir(path) as entries:
            return Listing(arrange(list(entries)))

    return arranged


def natural(entries):
    return natsorted(entries, key=lambda entry: entry.name)


@pytest.fixture(scope="module", autouse=True)
def natural_listing():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "scandir", listing(natural))
        yield


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The tree; the current folder meanwhile."""
    top = make_tree(tmp_path_factory.mktemp("above") / "tree")
    before = Path.cwd()
    os.chdir(top)
    yield top
    os.chdir(before)


def both(*args, **kwargs):
    """Our reader and datadings', or the kinds of errors that they raise."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = outcome(DirectoryReader, *args, **kwargs)
    return ours, outcome(datadings.reader.DirectoryReader, *args, **kwargs)


def globbed(pattern):
    """Files that match a pattern, as datadings looks for them."""
    found = glob.iglob(pattern, recursive=True)  # noqa: PTH207
    return [path for path in found if os.path.isfile(path)]  # noqa: PTH113


def expected_samples(top):
    order = ["a", "b", "b9", "b10", "to_folder", "{LABEL}", "ß"]
    samples = []
    for path in globbed(f"{top}/*/**"):
        key = path[len(f"{top}/") :]
        label = key.split("/")[0]
        sample = {"key": key, "label": order.index(label), "path": path, "_additional_info": []}
        samples.append({**sample, "_label": label, "data": Path(path).read_bytes()})
    return samples


class TestDirectoryReader(ReaderTests):
    @pytest.fixture
    def samples(self, tree):
        return expected_samples(tree)

    @pytest.fixture(params=["fresh", "pickled"])
    def reader(self, tree, request):
        with DirectoryReader(f"{tree}/{{LABEL}}/**") as reader:
            yield pickle.loads(pickle.dumps(reader)) if request.param == "pickled" else reader


# -- which files, in which order

COMPONENT = st.sampled_from(
    [
        "*",
        "**",
        "a",
        "b",
        "b*",
        "?",
        ".*",
        "[ab]*",
        "*.txt",
        "[[]x].txt",
        "1.txt",
        "",
        ".",
        "..",
        "nowhere",
        "b**",
        "[",
    ]
)


@pytest.mark.parametrize("start", ["", "./", "//", "tree/"])
@given(parts=st.lists(COMPONENT, min_size=1, max_size=4))
def test_any_pattern_gives_the_files_of_glob_in_its_order(tree, start, parts):
    start = {"//": f"/{tree}/", "tree/": f"{tree}/"}.get(start, start)
    pattern = start + "/".join(parts)
    if pattern.startswith(("/*", "/[", "/?", "/.", "//*", "//[", "//?", "//.")) or ".." in parts[1:]:
        return  # the whole machine
    assert [path for path, _ in files(pattern)] == globbed(pattern)


LABELLED = [
    "{LABEL}/**",
    "./{LABEL}/**",
    "{LABEL}/*.txt",
    "{LABEL}/*/*",
    "{LABEL}/**/*.txt",
    "{LABEL}",
    "a/{LABEL}",
    "a/{LABEL}/**",
    "*/{LABEL}/**",
    "*/{LABEL}/*.txt",
    ".dot/{LABEL}/*",
    "{LABEL}/.*",
    "{LABEL}/{LABEL}",
    "{LABEL}/{LABEL}/*",
    "[ab]*/{LABEL}/**/*",
    "nowhere/{LABEL}/**",
    "**",
    "**/*.txt",
    "*",
    "a/1.txt",
    "no such file.txt",
]


@pytest.mark.parametrize("labels", [None, [None], ["b", "a", None, "ß", "b9", "1.txt"]])
@pytest.mark.parametrize("numeric", [True, False])
@pytest.mark.parametrize("pattern", LABELLED)
def test_any_pattern_gives_the_samples_of_datadings(tree, pattern, labels, numeric):
    assert_same_reader(*both(pattern, labels, numeric))


@pytest.mark.parametrize("pattern", ["{LABEL}/**", "*/{LABEL}/**"])
def test_absolute_patterns_give_the_samples_of_datadings(tree, pattern):
    assert_same_reader(*both(f"{tree}/{pattern}"))


@pytest.mark.parametrize("start", ["", "./", "tree/"])
@pytest.mark.parametrize(
    "patterns",
    [
        ["a/{LABEL}/**", "b/{LABEL}/**"],
        ["b9/{LABEL}", "b10/{LABEL}"],
        ["{LABEL}/1.txt", "{LABEL}/2.jpg"],
        ["a/*", "a/b/*"],
        ["{LABEL}/**", "{LABEL}/**"],
        ["{LABEL}/**"],
        (),
    ],
)
def test_several_patterns_give_the_samples_of_datadings(tree, patterns, start):
    start = start.replace("tree", str(tree))
    patterns = [start + pattern for pattern in patterns]
    assert_same_reader(*both(patterns, labels=None if "{LABEL}" in str(patterns) else [None]))


@pytest.mark.parametrize("include", [(), ["*.txt"], ["*/1.*", "b?/*"], ["[ab]*"], ["nothing"], ["*.TXT"]])
@pytest.mark.parametrize("exclude", [(), ["*1*"], ["*/b/*", "b*"], ["*"]])
def test_include_and_exclude_choose_as_in_datadings(tree, include, exclude):
    assert_same_reader(*both("{LABEL}/**", include=include, exclude=exclude))
    for name in FILES:
        assert check_included(name, include, exclude) == datadings.reader.directory.check_included(
            name, include, exclude
        )


def test_a_single_include_pattern_need_not_be_in_a_list(tree):
    assert len(DirectoryReader("{LABEL}/**", include="*.jpg", exclude="c*")) == 1


def test_patterns_may_be_paths(tree):
    assert len(DirectoryReader(Path("{LABEL}/*.jpg"))) == len(DirectoryReader([Path("{LABEL}/*.jpg")])) == 1


def test_the_helpers_give_what_those_of_datadings_give(tree):
    theirs = datadings.reader.directory
    assert list(glob_pattern("{LABEL}/**", "")) == list(theirs.glob_pattern("{LABEL}/**", ""))
    assert list(glob_pattern("a/**", "a")) == list(theirs.glob_pattern("a/**", "a"))
    patterns = ["a/{LABEL}/**", "b/*"]
    assert list(yield_directory(patterns, ",")) == list(theirs.yield_directory(patterns, ","))


@pytest.mark.parametrize("pattern", ["**", "{LABEL}/**", "*/*", "**/{LABEL}/1.txt", "[ab]*/**"])
@given(seed=st.integers(0, 2**32))
def test_the_order_does_not_depend_on_the_file_system(tree, pattern, seed):
    expected = list(files(pattern))
    shuffled = random.Random(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "scandir", listing(lambda entries: shuffled.sample(entries, len(entries))))
        assert list(files(pattern)) == expected


NAME = st.text(st.sampled_from("019aZ_. ß"), min_size=1, max_size=12)


@given(st.lists(NAME, unique=True))
def test_any_names_have_one_order(names):
    in_order = sorted(names, key=natural_order)
    backwards = names[::-1]
    assert sorted(backwards, key=natural_order) == in_order
    numbers = [name for name in in_order if name.isdecimal() and name.isascii()]
    assert list(map(int, numbers)) == sorted(map(int, numbers))


def test_numbers_in_names_count(tmp_path):
    names = ["a/1", "a/2", "a/02", "a/10", "a2/1", "a10/x9y10", "a10/x10y9", "a10/x010y10", "b/1" + 200 * "0"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    reader = DirectoryReader(f"{tmp_path}/{{LABEL}}/**")
    found = [reader.find_key(i) for i in range(len(reader))]
    assert found == ["a/1", "a/02", "a/2", *names[3:]]


def test_the_label_is_what_stands_at_its_place_in_the_pattern(tree):
    assert dict(files("**/{LABEL}/deep.txt")) == {"a/b/c/d/deep.txt": "d"}
    assert {label for _, label in files(f"{tree.parent}//{tree.name}///{{LABEL}}//1.txt")} == {"a"}


def test_keys_leave_out_the_prefix_only_where_they_begin(tmp_path):
    path = tmp_path / "a/banana/a/1"
    path.parent.mkdir(parents=True)
    path.touch()
    assert DirectoryReader(f"{tmp_path}/a/{{LABEL}}/**").find_key(0) == "banana/a/1"


def test_deep_folders_are_no_matter_of_recursion(tmp_path):
    deep = tmp_path
    for _ in range(300):
        deep /= "d"
        deep.mkdir()
    (deep / "x").touch()
    assert len(list(files(f"{tmp_path}/**"))) == 1


def test_a_symlink_to_a_folder_above_is_not_followed(tmp_path):
    (tmp_path / "top/a/b").mkdir(parents=True)
    (tmp_path / "top/a/b/1").touch()
    (tmp_path / "top/a/b/up").symlink_to(tmp_path / "top/a")
    (tmp_path / "top/a/here").symlink_to(".")
    with pytest.warns(UserWarning, match="(up|here) is a symlink to a folder that contains it") as caught:
        found = [path for path, _ in files(f"{tmp_path}/top/**")]
    assert found == [f"{tmp_path}/top/a/b/1"]
    assert len(caught) == 2
    with pytest.warns(UserWarning, match="is not followed"):
        assert [path for path, _ in files(f"{tmp_path}/top/**/1")] == found


@pytest.mark.parametrize("options", [{}, {"include": ["*.png"]}])
def test_a_pattern_without_files_gives_a_warning_that_names_it(tree, options):
    pattern = "{LABEL}/*.jpg" if options else "{LABEL}/*.gif"
    with pytest.warns(UserWarning, match=rf"no file matches '\{{LABEL\}}/\*{pattern[-4:]}'") as caught:
        reader = DirectoryReader(["{LABEL}/*.jpg", pattern] if not options else [pattern], **options)
    assert len(reader) == (0 if options else 1)
    assert caught[0].filename == __file__


def test_a_folder_as_a_pattern_is_told_to_be_one(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.warns(UserWarning, match=r"it is a folder, use '.*photos/\*\*' for its files"):
        assert len(DirectoryReader(str(tmp_path / "photos"))) == 0


def refuse(number, folder):
    """An `os.scandir` that fails for one folder."""
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith(folder):
            raise OSError(number, os.strerror(number), path)
        return scandir(path)

    return refusing


def test_a_folder_that_may_not_be_listed_is_left_out_with_a_warning(tree, monkeypatch):
    monkeypatch.setattr(os, "scandir", refuse(errno.EACCES, "a/b"))
    with pytest.warns(UserWarning, match=r"a/b/?: Permission denied; its files are left out"):
        found = [path for path, _ in files("a/**")]
    assert sorted(found) == ["a/1.txt", "a/2.jpg", "a/to_file"]


def test_a_folder_that_cannot_be_read_is_an_error(tree, monkeypatch):
    monkeypatch.setattr(os, "scandir", refuse(errno.EIO, "a/b"))
    with pytest.raises(ReadError, match=r"cannot list the folder.*a/b'"):
        DirectoryReader("{LABEL}/**")


def test_a_link_whose_target_cannot_be_told_is_an_error(tree, monkeypatch):
    class Entry:
        name, path = "x", "a/x"

        def is_dir(self):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(file_patterns, "_entries", lambda folder: [Entry()])
    with pytest.raises(ReadError, match=r"Input/output error: cannot determine the file type: 'a/x'"):
        list(files("a/**"))


# -- lists of files

LINES = [
    "a/1.txt\ta",
    "b/9.txt\tb\tmore\t\tand more",
    "b/10.txt\tb",
    " a/2.jpg \ta",
    "ß/ä.txt\tä ß\t",
    "top.txt\t7",
]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", ["", "end"])
@pytest.mark.parametrize(("separator", "numeric"), [("\t", True), (",", False), ("::", True)])
def test_lists_give_the_samples_of_datadings(tree, tmp_path, end, last, separator, numeric):
    path = tmp_path / "list.tsv"
    text = end.join(LINES) + (end if last else "")
    path.write_bytes(text.replace("\t", separator).encode())
    for infile in (str(path), path):
        assert_same_reader(
            *both(infile, separator=separator, numeric_labels=numeric, include=["*t*"], exclude=["b/9*"])
        )
    ours, theirs = (
        module.yield_file(path, "b/", separator) for module in (our_directory, datadings.reader.directory)
    )
    assert list(ours) == list(theirs)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../secret", ".."])
def test_a_list_of_files_cannot_leave_its_root(tmp_path, name):
    path = tmp_path / "list.txt"
    path.write_text(f"a/1.jpg,x\n{name},x\n")
    with pytest.raises(EscapingPathError, match=rf"lists '{name}', which is not in 'photos'.*omit root_dir"):
        DirectoryReader(path, separator=",", root_dir="photos")
    assert len(DirectoryReader(path, separator=",")) == 2


@pytest.fixture
def stranger(tmp_path):
    """A folder with links, some of which lead out of it."""
    root = tmp_path / "photos"
    (root / "a").mkdir(parents=True)
    (tmp_path / "photos-of-others").mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "photos-of-others/x").write_text("secret")
    (root / "a/file").write_text("content")
    (root / "a/link").symlink_to("../b/file")
    (root / "b").symlink_to("a")
    (root / "out").symlink_to("../secret")
    (root / "a/absolute").symlink_to(tmp_path / "secret")
    (root / "others").symlink_to("../photos-of-others")
    (root / "up").symlink_to(tmp_path)
    (root / "a/around").symlink_to("../../photos/a/file")
    (root / "loop").symlink_to("loop")
    return root


def listed(root, *names, **options):
    path = root.parent / "list.txt"
    path.write_text("".join(f"{name}\tx\n" for name in names))
    return DirectoryReader(path, **{"root_dir": root, **options})


@pytest.mark.parametrize("name", ["out", "a/absolute", "others/x", "up/secret", "b/../out", "b/absolute"])
@pytest.mark.parametrize("through", ["folder", "link", "relative", "slash"])
def test_links_do_not_lead_out_of_the_root(stranger, name, through, monkeypatch):
    root = stranger
    if through == "link":
        root = stranger.parent / "to_photos"
        root.symlink_to("photos")
    elif through == "relative":
        monkeypatch.chdir(stranger.parent)
        root = Path("photos")
    reader = listed(stranger, name, "a/file", root_dir=f"{root}/" if through == "slash" else root)
    with pytest.raises(EscapingPathError, match=r"symbolic link to .*secret|photos-of-others.*omit root_dir"):
        reader.get(0)
    assert reader.get(1)["data"] == b"content"
    with pytest.raises(EscapingPathError):
        list(pickle.loads(pickle.dumps(reader)))


def test_links_out_of_the_root_are_not_left_out_as_damaged(stranger):
    with pytest.raises(EscapingPathError):
        list(listed(stranger, "out", on_error="skip"))


@pytest.mark.parametrize(
    "name", ["a/link", "b/file", "b/link", "a/around", "up/photos/a/file", "a/../b/file"]
)
def test_links_within_the_root_are_followed(stranger, name):
    assert listed(stranger, name).get(0)["data"] == b"content"


def test_links_in_a_matched_folder_do_not_lead_out_of_the_root(stranger):
    (stranger / "loop").unlink()
    (stranger / "up").unlink()
    options = {"include": ["*/out"], "labels": [None]}
    with pytest.raises(EscapingPathError):
        DirectoryReader(f"{stranger}/**", root_dir=stranger, **options).get(0)
    assert DirectoryReader(f"{stranger}/**", **options).get(0)["data"] == b"secret"


@pytest.mark.parametrize("root_dir", [True, False])
@pytest.mark.parametrize(
    ("name", "reason"), [("pipe", "it is no regular file"), ("loop", "symbolic link"), ("a", "directory")]
)
def test_files_that_have_no_content_are_named(stranger, name, reason, root_dir):
    os.mkfifo(stranger / "pipe")
    reader = listed(stranger, name) if root_dir else None
    if reader is None:
        (stranger.parent / "list.txt").write_text(f"{stranger / name}\tx\n")
        reader = DirectoryReader(stranger.parent / "list.txt")
    with pytest.raises(ReadError, match=rf"(?i){reason}.*: cannot read sample '.*{name}'.*{name}'"):
        reader.get(0)


@pytest.mark.parametrize("as_path", [str, Path])
def test_root_dir_is_put_before_paths_but_not_before_keys(tree, tmp_path, as_path):
    path = tmp_path / "list.csv"
    path.write_text("1.txt,a\nb/1.txt,b\nb/../1.txt,c\n")
    ours, theirs = both(path, separator=",", root_dir=as_path("a"))
    assert_same_reader(ours, theirs)
    assert ours.get(0)["path"] == "a/1.txt"


def test_lists_and_patterns_may_be_mixed(tree, tmp_path):
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text(f"{name}/x,a\n{tmp_path}/y,b\n")
    patterns = [f"{tmp_path}/one.csv", f"{tree}/{{LABEL}}/**", f"{tmp_path}/two.csv"]
    ours, theirs = both(patterns, separator=",", exclude=["*/y"])
    assert_same_reader(ours, theirs)


def test_lines_without_a_label_have_none(tree, tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("a/1.txt\tx\na/2.jpg\n")
    with pytest.raises(MissingLabelError, match=r"sample 1 \('a/2.jpg'\) has None as label.*second column"):
        DirectoryReader(path)
    assert_same_reader(*both(path))
    assert_same_reader(*both(path, labels=["x", None]))


def test_empty_lines_are_skipped(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("\na\tx\n\n\nb\ty\n\n")
    assert [source[1:3] for source in yield_file(path, "", "\t")] == [("a", "x"), ("b", "y")]


def test_a_list_in_another_encoding_names_file_and_line(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"a\tx\nb\ty\n\xfc\tz\n")
    with pytest.raises(TextFileError, match=r"list\.txt is not UTF-8 text: byte 0xfc in line 3"):
        DirectoryReader(path)


def test_a_byte_order_mark_is_no_part_of_the_first_path(tree, tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("a/1.txt\tx\n", encoding="utf-8-sig")
    assert DirectoryReader(path).get(0)["data"] == b"content of a/1.txt"


def test_a_file_listed_twice_is_named(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("a\tx\nb\tx\na\ty\n")
    with pytest.raises(DuplicateKeyError, match="duplicate key 'a': samples 0 and 2"):
        DirectoryReader(path)


# -- loading


def test_convertfun_sees_the_content_and_the_bytes_are_counted(tree):
    def shorten(sample):
        sample["data"] = sample["data"][:7]

    readers = [
        module("{LABEL}/**", convertfun=shorten)
        for module in (DirectoryReader, datadings.reader.DirectoryReader)
    ]
    assert_same_reader(*readers)
    assert readers[0].get(0)["data"] == b"content"
    assert readers[0].bytes_read > 100


def test_initfun_may_set_the_path_and_the_key(tree):
    def redirect(sample):
        sample["key"], sample["path"] = sample["path"], "top.txt"

    readers = [
        module("a/{LABEL}", initfun=redirect)
        for module in (DirectoryReader, datadings.reader.DirectoryReader)
    ]
    assert_same_reader(*readers)


@pytest.fixture
def small(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x/1").write_bytes(b"one")
    return tmp_path


def test_a_file_that_is_gone_is_named_with_its_key(small):
    reader = DirectoryReader(f"{small}/{{LABEL}}/**")
    (small / "x/1").unlink()
    with pytest.raises(
        SampleFileNotFoundError,
        match=r"sample 'x/1' does not exist: it was removed, or its path is wrong: '/.*/x/1'",
    ) as caught:
        reader.get(0)
    assert isinstance(caught.value, FileNotFoundError)
    assert caught.value.filename == f"{small}/x/1"
    assert caught.value.errno == errno.ENOENT


def test_a_file_that_cannot_be_read_is_named_with_its_key(small):
    reader = DirectoryReader(f"{small}/{{LABEL}}/**")
    (small / "x/1").unlink()
    (small / "x/1").mkdir()
    with pytest.raises(ReadError, match=r"Is a directory: cannot read sample 'x/1': '/.*/x/1'"):
        reader.get(0)


def test_names_that_are_not_utf8_can_be_read_but_not_packed(small):
    shutil.copy(small / "x/1", os.fsencode(small / "x") + b"/\xff")
    reader = DirectoryReader(f"{small}/{{LABEL}}/[!0-9]")
    assert reader.get(0)["data"] == b"one"
    with pytest.raises(UnpackableSampleError, match=r"sample 0 \('x/\\udcff'\), field 'key'"):
        reader.get(0, raw=True)


def test_the_doc_example_reads_as_documented(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for label in "ab":
        Path("yourdataset", label).mkdir(parents=True)
        Path("yourdataset", label, f"{label}1").write_text(f"content of {label}1")
    samples = sorted(DirectoryReader("yourdataset/{LABEL}/**"), key=lambda sample: sample["key"])
    wanted = {"key": "b/b1", "label": 1, "path": "yourdataset/b/b1", "_additional_info": [], "_label": "b"}
    assert_same_sample(samples[1], {**wanted, "data": b"content of b1"})
