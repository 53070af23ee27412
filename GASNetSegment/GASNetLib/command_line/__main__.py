"""``python -m GASNetLib.command_line`` is ``gasnet``, where the command is not on the path (in Slicer)."""

import sys

from . import main

sys.exit(main())
