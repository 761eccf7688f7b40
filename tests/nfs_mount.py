"""A real NFS server, and its export as a folder, if all necessary programs are installed.

The server is nfs-ganesha, the client libnfs by way of FUSE, see ``far/nfs_mount.c``: neither needs anything of the
kernel but ``/dev/fuse``. Debian: nfs-ganesha-vfs, libnfs-dev, libfuse3-dev, fuse3, pkg-config, and a C compiler; for
root alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from servers import answers, await_start, free_port, stop

CONFIG = """
NFS_CORE_PARAM {{ NFS_Port = {port}; MNT_Port = {other}; Protocols = 4; Bind_addr = 127.0.0.1;
    Enable_NLM = false; Enable_RQUOTA = false; }}
NFSV4 {{ Graceless = true; Minor_Versions = 0, 1; RecoveryBackend = fs; RecoveryRoot = {folder}; }}
EXPORT {{ Export_Id = 1; Path = {data}; Pseudo = /data; Access_Type = RO; Squash = No_Root_Squash; SecType = sys;
    Protocols = 4; Transports = TCP; FSAL {{ Name = VFS; }} }}
"""


def missing() -> str:
    """The programs that are not installed."""
    tools = [
        name for name in ("ganesha.nfsd", "fusermount3", "pkg-config", "cc") if shutil.which(name) is None
    ]
    if tools:
        return "needs " + ", ".join(tools)
    if os.geteuid() != 0 or not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "needs root and /dev/fuse"
    return "" if _flags() else "needs the headers of FUSE 3 and libnfs"


def _flags() -> list[str]:
    asked = ["pkg-config", "--cflags", "--libs", "fuse3", "libnfs"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()


@contextmanager
def exported(data: Path, work: Path) -> Iterator[Path]:
    """The folder `data` as an NFS client sees it; `work` is for what server and client need."""
    port, folder, client = free_port(), work / "mount", work / "nfs_mount"
    source = Path(__file__).parent / "far" / "nfs_mount.c"
    subprocess.run(["cc", "-o", client, source, *_flags(), "-pthread"], check=True)
    config = work / "ganesha.conf"
    config.write_text(CONFIG.format(port=port, other=free_port(), data=data, folder=work))
    folder.mkdir()
    log, pid = work / "ganesha.log", work / "ganesha.pid"
    with ExitStack() as stack, (work / "output").open("wb") as output:
        server = subprocess.Popen(
            ["ganesha.nfsd", "-F", "-f", config, "-L", log, "-p", pid], stdout=output, stderr=output
        )
        stack.callback(stop, server)
        await_start(server, lambda: answers(port))
        url = f"nfs://127.0.0.1/data?version=4&nfsport={port}"
        mount = subprocess.Popen(
            [client, url, folder, "-f", "-o", "ro,max_threads=34"], stdout=output, stderr=output
        )
        stack.callback(stop, mount)
        stack.callback(subprocess.run, ["fusermount3", "-u", "-z", folder], check=False)
        await_start(mount, folder.is_mount)
        yield folder
