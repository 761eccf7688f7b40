"""Programs that end right after a read end without errors."""

import asyncio
import os
import shutil
import subprocess

import pytest
from rangeserver import serving

from ddfast.storage import open_storage
from ddfast.storage.backends.stores import pending

BURST = """
import asyncio, sys
from ddfast.storage import open_storage

async def main():
    async with open_storage(sys.argv[1]) as storage:
        into = [memoryview(bytearray(1000)) for _ in range(100)]
        reads = [asyncio.create_task(storage.read_async([(i, i + 1000)], [into[i]])) for i in range(100)]
        if sys.argv[2] == "cancel":
            await asyncio.sleep(0.02)
            for read in reads:
                read.cancel()
        await asyncio.gather(*reads, return_exceptions=sys.argv[2] == "cancel")
asyncio.run(main())
print("done")
"""


def test_requests_that_were_cancelled_are_soon_known_to_be_over(arun):
    async def cancel(storage):
        into = [memoryview(bytearray(10)) for _ in range(4)]
        reads = [asyncio.create_task(storage.read_async([(i, i + 10)], [into[i]])) for i in range(4)]
        await asyncio.sleep(0.002)
        for read in reads:
            read.cancel()
        await asyncio.wait(reads)
        await pending.settle()
        return pending._has_cancelled()

    with serving({"/x": bytes(5000)}) as site, open_storage(f"{site.url}/x") as storage:
        site.act = lambda number: "stall"
        assert not any(arun(cancel(storage)) for _ in range(20))


@pytest.mark.parametrize("end", ["wait", "cancel"])
def test_program_that_ends_after_many_reads_ends_well(run_python, end):
    with serving({"/x": bytes(5000)}) as site:
        for _ in range(3):
            done = run_python("-c", BURST, f"{site.url}/x", end)
            assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_program_that_ends_in_the_middle_of_reads_ends_well(run_python):
    code = BURST.replace("await asyncio.gather", "sys.exit(0)\n        await asyncio.gather")
    with serving({"/x": bytes(5000)}) as site:
        site.act = lambda number: "pause"
        assert run_python("-c", code, f"{site.url}/x", "wait").returncode == 0


@pytest.mark.parametrize("name", ["fork", "exit"])
def test_child_of_a_program_that_reads_ends_at_once(run_python, name):
    code = BURST + "\nimport os\nif os.fork() == 0: " + ("os._exit(0)" if name == "fork" else "sys.exit(0)")
    code += "\nassert os.wait()[1] == 0"
    with serving({"/x": bytes(5000)}) as site:
        done = run_python("-W", "ignore", "-c", code, f"{site.url}/x", "wait")
        assert done.returncode == 0, done.stderr


FORK = """
import os, sys
from ddfast.errors import ClosedError, UnsupportedIOError
from ddfast.storage import expand, open_storage, open_upload

storage = open_storage(sys.argv[1])
if sys.argv[2] == "used":
    storage.stat()
child = os.fork()
if child == 0:
    status = 1
    try:
        try:
            storage.beside(".keys")
        except ClosedError:
            print(open_storage(sys.argv[1]).stat().size, flush=True)
            status = 0
    except UnsupportedIOError as error:
        for call in (lambda: expand("memory://x/*"), lambda: open_upload("memory://x/y")):
            try:
                call()
            except UnsupportedIOError:
                continue
            os._exit(2)
        print(error, flush=True)
        status = 0
    finally:
        os._exit(status)
assert os.wait()[1] == 0
"""


@pytest.mark.parametrize(("use", "shown"), [("unused", "5000"), ("used", "'spawn' or 'forkserver'")])
def test_forked_program_reads_or_says_why_it_cannot(run_python, use, shown):
    with serving({"/x": bytes(5000)}) as site:
        done = run_python("-W", "ignore", "-c", FORK, f"{site.url}/x", use)
        assert done.returncode == 0, done.stderr
        assert shown in done.stdout


def test_nginx_is_read(tmp_path, arun):
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("needs nginx")
    (tmp_path / "x.bin").write_bytes(bytes(range(256)) * 40)
    with serving({}) as site:
        port = int(site.url.rpartition(":")[2])  # free again below
    folders = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    (tmp_path / "conf").write_text(
        f"{user} daemon off; pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; {folders} "
        f"server {{ listen 127.0.0.1:{port}; root {tmp_path}; }} }}"
    )
    running = subprocess.Popen([nginx, "-p", tmp_path, "-c", tmp_path / "conf"], stderr=subprocess.DEVNULL)
    options = {"retry_config": {"max_retries": 10}, "client_options": {"timeout": 5}}
    try:
        with open_storage(f"http://127.0.0.1:{port}/x.bin", **options) as storage:
            assert storage.stat().size == 10240
            assert storage.seen.version.startswith('"')
            into = [memoryview(bytearray(10)), memoryview(bytearray(256))]
            arun(storage.read_async([(10, 20), (256, 512)], into))
            assert bytes(into[0]) == bytes(range(10, 20))
            assert bytes(into[1]) == bytes(range(256))
    finally:
        running.terminate()
        running.wait(10)
