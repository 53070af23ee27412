"""The command ``gasnet``. Each group of commands is a module with ``add_commands(subparsers)``."""

from __future__ import annotations

import argparse
import os
import sys

from ..errors import Cancelled, in_words
from ..version import VERSION

FAILED = 2  # nothing was done; 1 means that some cases failed
INTERRUPTED = 130
UNREAD = 141  # as shells say of a command whose output nobody reads any more


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit status: 0 done, 1 done but some cases failed, 2 failed, 130 interrupted, 141 the reader of
        the output, such as ``head``, went away.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a console that knows no "±" is no reason to fail
    wants_traceback = "--traceback" in (sys.argv if arguments is None else arguments)
    try:
        parsed = _parser().parse_args(arguments)
        status = parsed.run(parsed)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at its end
        return UNREAD
    except (KeyboardInterrupt, Cancelled):
        print("gasnet: interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if wants_traceback:
            raise
        print(f"gasnet: {in_words(error)}", file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    from . import check, cohort, evaluate, model, segment, train

    parser = argparse.ArgumentParser(
        prog="gasnet",
        description="Find COVID-19 lesions in chest CTs, and train the network that finds them. "
        "For research; not a medical device.",
    )
    parser.add_argument("--version", action="version", version=f"gasnet {VERSION}")
    parser.add_argument("--traceback", action="store_true", help="show where in the program an error arose")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for group in (segment, evaluate, train, cohort, model, check):
        group.add_commands(subparsers)
    return parser
