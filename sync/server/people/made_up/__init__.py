"""A town of invented people, for demonstrations and measurements."""
