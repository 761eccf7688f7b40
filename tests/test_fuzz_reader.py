"""A short run of what tests/fuzz/fuzz_reader.py does for as long as it is asked to."""

from pathlib import Path

FUZZER = Path(__file__).parent / "fuzz" / "fuzz_reader.py"


def test_damaged_datasets_give_samples_or_errors(run_python):
    done = run_python(str(FUZZER), "--seconds", "3")
    assert (done.returncode, done.stderr) == (0, "")
    assert "damaged datasets read" in done.stdout
