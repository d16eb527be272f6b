"""Retention: how long each kind of record is kept, and how it is erased."""
