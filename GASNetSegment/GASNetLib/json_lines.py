"""Files of one JSON value a line that one process writes while others follow them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def read_json_lines(path: Path, offset: int = 0, limit: int | None = None) -> tuple[list[Any], int]:
    """The values of the whole lines from a byte offset on, and the offset to go on from.

    A line that is still being written waits for the next call; a damaged one is left out. A file that has
    become shorter is read anew (the new offset is then below the old one). A missing file has no lines, and
    one that cannot be read just now has no new ones.

    Args:
        limit: bytes to read at most, so that a look at a long file takes no longer than its caller can wait;
            a single line may be longer. None: to the end.

    Returns:
        Values, and the offset behind the last of their lines: call again with it, until it stays.
    """
    try:
        with path.open("rb") as file:
            if offset > file.seek(0, os.SEEK_END):
                offset = 0
            file.seek(offset)
            content = file.read(-1 if limit is None else limit)
            if limit is not None and b"\n" not in content:
                content += file.readline()
    except FileNotFoundError:
        return [], 0
    except OSError:
        return [], offset
    whole = content[: content.rfind(b"\n") + 1]
    values = []
    for line in whole.splitlines():
        try:
            values.append(json.loads(line))
        except ValueError:
            continue
    return values, offset + len(whole)
