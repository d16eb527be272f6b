"""The pages of residents, who have no account."""
