"""Where the analyse step runs. ``local``: this machine."""
