"""Changing a file safely: on a copy, proven, put in place in one step."""
