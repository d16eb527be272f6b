"""The dwelling register: which dwellings there are, and which have applied."""
