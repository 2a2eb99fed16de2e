"""edge-harness: may this model go out?"""

__version__ = "0.1.0"
