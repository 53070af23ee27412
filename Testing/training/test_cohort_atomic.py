"""A file is there whole or not at all: also when its writer is killed, or the disk does not take it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from GASNetLib import atomic
from GASNetLib.atomic import write_atomically
from GASNetLib.errors import ResourceError

ENGINE = Path(atomic.__file__).parents[1]
WRITER = """
import sys
from pathlib import Path
from GASNetLib.atomic import write_atomically
for content in (b"A" * 3_000_000, b"B" * 3_000_000) * 10_000:
    write_atomically(Path(sys.argv[1]), content)
    print("written", flush=True)
"""


def test_new_content_replaces_the_old_and_makes_its_folder(tmp_path):
    path = tmp_path / "a" / "b" / "file.bin"
    for content in (b"old", b"new"):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("delay", [0.0, 0.003, 0.011])
def test_a_killed_writer_leaves_old_or_new(tmp_path, delay):
    path = tmp_path / "file.bin"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, path], cwd=ENGINE, stdout=subprocess.PIPE)
    writer.stdout.readline()
    time.sleep(delay)
    writer.kill()
    writer.wait()
    writer.stdout.close()
    content = path.read_bytes()
    assert content in (b"A" * 3_000_000, b"B" * 3_000_000)


def test_what_cannot_be_written_says_why(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match=r"cannot be written: .+\. Free disk space"):
        write_atomically(tmp_path / "file" / "below", b"content")


@pytest.mark.skipif(os.name == "nt", reason="file sizes cannot be limited here")
def test_a_disk_that_takes_no_more_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.bin"
    write_atomically(path, b"old")
    code = """
import resource, signal, sys
from pathlib import Path
from GASNetLib.atomic import write_atomically
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
write_atomically(Path(sys.argv[1]), b"new" * 100_000)
"""
    done = subprocess.run([sys.executable, "-c", code, path], cwd=ENGINE, capture_output=True, text=True)
    assert "file.bin cannot be written: File too large. Free disk space" in done.stderr.splitlines()[-1]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
