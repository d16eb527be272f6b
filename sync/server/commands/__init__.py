"""The commands of ``python -m sync.server``, by what they are about."""
