"""What comes from strangers: a model, a recipe, a plan, a data set, a name, a server. One file a kind of harm.

Each promise here has its row in ``docs/security.md``.
"""
