"""Passes and compounds: issue, change, draw, and wider scopes."""
