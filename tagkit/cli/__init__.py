"""The command line: parse, call, render. One file a command; heavy imports live inside commands."""
