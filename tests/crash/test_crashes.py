"""A writer that is killed, or whose writes fail, loses no sample that was written: see harness.py."""

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("crash_harness", Path(__file__).with_name("harness.py"))
harness = importlib.util.module_from_spec(spec)
spec.loader.exec_module(harness)

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("cc"), reason="faults are preloaded into Linux programs"
)


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    patched = pytest.MonkeyPatch()  # the harness has chunks and buffers shrink in this process, too
    from ddfast.writer import data_file, samples

    for module, name in [(samples, "CHUNK_BYTES"), (data_file, "DIRECT_FROM"), (data_file, "BUFFER_BYTES")]:
        patched.setattr(module, name, getattr(module, name))
    trials = harness.Harness(tmp_path_factory.mktemp("crash"))
    yield trials
    trials.close()
    patched.undo()


@pytest.mark.parametrize("mode", harness.MODES)
def test_killed_writer_leaves_old_or_new_and_a_draft(trials, mode):
    calls = trials.calls(mode)
    for at in range(1, calls + 1, max(1, calls // 9)):
        trials.trial(mode, "kill", at=at)
    for delay in (0.0, 0.01, 0.03, 0.1):
        trials.trial(mode, "none", delay=delay)


@pytest.mark.parametrize("fault", ["full", "broken", "short"])
@pytest.mark.parametrize("mode", harness.MODES)
def test_writer_whose_writes_fail_leaves_old_or_new_and_a_draft(trials, mode, fault):
    writes = trials.calls(mode, "short")
    for at in (1, writes // 2, writes):
        trials.trial(mode, fault, at=at)


def test_writer_that_is_killed_while_files_take_their_names_is_finished_by_a_reader(trials):
    for at in range(trials.calls("replace") - 14, trials.calls("replace") + 1):
        trials.trial("replace", "kill", at=at)
