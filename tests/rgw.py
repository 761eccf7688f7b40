"""A real S3 server on this machine, where it is installed: the RADOS gateway of Ceph, before a cluster in memory.

The cluster is one monitor and one OSD. Debian: ceph-mon, ceph-osd, radosgw, ceph-common; nothing of it has to run.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from email.utils import formatdate
from pathlib import Path

import requests
from servers import SECONDS, answers, await_start, free_port, kill, stop

TOOLS = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
KEY, SECRET = "reader", "a-secret-of-tests"
NAME, OUTPUT = "client.gateway", "output"
SHOWN = 2000

# paxos_*: with the defaults, every change of the cluster is delayed, and the start takes long.
# osd_*_update_on_start: an OSD may send these before it knows its cluster, is refused, and ends.
CONFIG = """
[global]
fsid = {cluster}
mon_host = v1:127.0.0.1:{port}
mon_initial_members = a
public_network = 127.0.0.0/8
ms_bind_msgr2 = false
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
auth_allow_insecure_global_id_reclaim = true
run_dir = {folder}
crash_dir = {folder}
admin_socket = {folder}/$name.$pid.asok
log_file = {folder}/$name.log
paxos_propose_interval = 0.02
paxos_min_wait = 0.02
mon_allow_pool_size_one = true
mon_data_avail_crit = 1
mon_data_avail_warn = 2
mon_max_pg_per_osd = 1000
mon_data = {folder}/$type
osd_data = {folder}/$type
osd_objectstore = memstore
memstore_device_bytes = 2147483648
osd_class_update_on_start = false
osd_crush_update_on_start = false
osd_crush_chooseleaf_type = 0
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pg_autoscale_mode = off
rgw_data = {folder}/gateway
rgw_frontends = beast endpoint=127.0.0.1:{web} tcp_nodelay=1
"""


def missing() -> str:
    """The programs that are not installed."""
    tools = [name for name in TOOLS if shutil.which(name) is None]
    return "needs " + ", ".join(tools) if tools else ""


class Gateway:
    """The server, which can be queried, stopped and started again.

    Attributes:
        endpoint: its URL.
        options: what a storage needs to know.
    """

    def __init__(self, command: list[str], port: int, folder: Path) -> None:
        self._command = command
        self._port = port
        self._folder = folder
        self._process = _started(command, folder / OUTPUT)
        self.endpoint = f"http://127.0.0.1:{port}"
        self.options = {
            "endpoint": self.endpoint,
            "access_key_id": KEY,
            "secret_access_key": SECRET,
            "region": "default",
        }

    def restart(self) -> None:
        """End it, and start it again; its objects are in the cluster."""
        stop(self._process)
        self._process = _started(self._command, self._folder / OUTPUT)
        self.await_start()

    def await_start(self) -> None:
        """Wait until it answers."""
        await_start(self._process, lambda: answers(self._port))

    def stop(self) -> None:
        """End it."""
        kill(self._process)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It accepts connections, but does not answer."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def counts(self) -> dict[str, int]:
        """Its counters since the start, such as ``req`` (requests) and ``get_b`` (bytes read)."""
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(str(self._folder / f"{NAME}.{self._process.pid}.asok"))
            control.sendall(b'{"prefix": "perf dump"}\0')
            with control.makefile("rb") as answer:
                size = int.from_bytes(answer.read(4), "big")
                counts: dict[str, int] = json.loads(answer.read(size))["rgw"]
        return counts

    def ask(self, method: str, bucket: str, query: str = "") -> str:
        """Its answer to a request for a bucket, signed as in version 2 of the protocol."""
        date, path = formatdate(usegmt=True), f"/{bucket}{query}"
        text = f"{method}\n\n\n{date}\n{path}"
        signature = base64.b64encode(hmac.digest(SECRET.encode(), text.encode(), hashlib.sha1)).decode()
        headers = {"Date": date, "Authorization": f"AWS {KEY}:{signature}"}
        answer = requests.request(method, self.endpoint + path, headers=headers, timeout=SECONDS)
        answer.raise_for_status()
        return answer.text


class Cluster:
    """A monitor and an OSD; all of their files are removed in the end.

    Parameters:
        folder: for all of it.
        stack: ends what was started.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self.web, self._port, self._id = free_port(), free_port(), str(uuid.uuid4())
        text = CONFIG.format(cluster=self._id, port=self._port, web=self.web, folder=folder)
        (folder / "ceph.conf").write_text(text)
        for name in ("mon", "osd", "gateway"):
            (folder / name).mkdir()

    def start(self) -> None:
        """Create and start both, and create a user."""
        monitors, address = str(self.folder / "monmap"), f"[v1:127.0.0.1:{self._port}]"
        self._run("monmaptool", "--create", "--fsid", self._id, "--addv", "a", address, monitors)
        self._run("ceph-mon", "-i", "a", "--mkfs", "--monmap", monitors)
        self._serve("ceph-mon", "-i", "a")
        osd = str(uuid.uuid4())
        self._run("ceph", "osd", "new", osd)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._serve("ceph-osd", "-i", "0")
        self._run("ceph", "osd", "crush", "add", "osd.0", "1", "root=default", "host=here")
        keys = ("--access-key", KEY, "--secret-key", SECRET)
        self._run(
            "radosgw-admin", "-n", NAME, "user", "create", "--uid", "tests", "--display-name", "tests", *keys
        )

    def command(self, name: str, *arguments: str) -> list[str]:
        """A command with the options for this cluster."""
        return [name, "-c", str(self.folder / "ceph.conf"), *arguments]

    def _serve(self, name: str, *arguments: str) -> None:
        process = _started(self.command(name, *arguments, "-f"), self.folder / OUTPUT)
        self._stack.callback(kill, process)

    def _run(self, name: str, *arguments: str) -> None:
        process = _started(self.command(name, *arguments), self.folder / OUTPUT)
        try:
            status = process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            kill(process)
        if status != 0:
            said = (self.folder / OUTPUT).read_text(errors="replace")[-SHOWN:]
            raise RuntimeError(f"{name} {' '.join(arguments[:2])} ended with {status}: {said}")


def _started(command: list[str], output: Path) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CEPH_")}
    with output.open("ab") as file:
        return subprocess.Popen(command, stdout=file, stderr=file, env=environment)


@contextmanager
def gateway() -> Iterator[Gateway]:
    """Start everything; RuntimeError if that fails. All files are removed afterwards."""
    with ExitStack() as stack:
        # not in a folder of the tests: names of sockets are 107 bytes at most
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rgw-")))
        cluster = Cluster(folder, stack)
        cluster.start()
        server = Gateway(cluster.command("radosgw", "-n", NAME, "-f"), cluster.web, folder)
        stack.callback(server.stop)
        server.await_start()
        yield server
