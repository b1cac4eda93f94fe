"""The command line of Portillon, thin: each command imports its house when it is called."""

__version__ = "0.1.0"
