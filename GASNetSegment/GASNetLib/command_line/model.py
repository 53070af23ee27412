"""``gasnet model show``."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from ..model import read_model_info


def add_commands(subparsers: argparse._SubParsersAction) -> None:
    """Add ``model`` to the command line."""
    parser = subparsers.add_parser(
        "model", help="look at a model package", description="Look at a model package."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    show = commands.add_parser(
        "show",
        help="print what a model package says of itself, as JSON",
        description="Print what a model package says of itself, as JSON: architecture, preprocessing, "
        "threshold, what it was trained on, figures, licence and hashes.",
    )
    show.add_argument("model", type=Path, metavar="M", help="model package (.safetensors)")
    show.set_defaults(run=run_show)


def run_show(arguments: argparse.Namespace) -> int:
    """Print the description of a package."""
    print(json.dumps(asdict(read_model_info(arguments.model)), indent=2, ensure_ascii=False))
    return 0
