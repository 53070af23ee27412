"""The software version, in one place: written into every result and every model package."""

VERSION = "0.1.0"
