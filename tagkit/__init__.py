"""tagkit listens to a music library and writes what it hears into the files' own tags."""

__version__ = "0.1.0"
