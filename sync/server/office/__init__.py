"""The pages of signed-in staff."""
