"""Short runs of what the fuzzers in tests/fuzz do for as long as they are asked to."""

from pathlib import Path

FUZZER = Path(__file__).parent / "fuzz" / "fuzz_reader.py"


def test_damaged_datasets_give_samples_or_errors(run_python):
    done = run_python(str(FUZZER), "--seconds", "3")
    assert (done.returncode, done.stderr) == (0, "")
    assert "damaged datasets read" in done.stdout


def test_damaged_datasets_are_recovered_verified_and_indexed(run_python):
    done = run_python(str(FUZZER.with_name("fuzz_recovery.py")), "--seconds", "3")
    assert (done.returncode, done.stderr) == (0, "")
    assert "damaged datasets recovered" in done.stdout
