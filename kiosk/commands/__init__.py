"""Commands for people: what ``python -m kiosk`` offers beside the four processes."""
