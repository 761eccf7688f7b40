"""How index files are opened."""

import errno
import mmap

from ddfast.format.files import map_file


def test_file_on_a_file_system_without_mappings_is_read(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(errno.ENODEV, "No such device")

    path = tmp_path / "x.offsets"
    path.write_bytes(bytes(range(100)))
    monkeypatch.setattr(mmap, "mmap", refuse)
    assert bytes(map_file(path)) == bytes(range(100))
