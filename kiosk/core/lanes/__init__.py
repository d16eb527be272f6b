"""A lane: its pure state machine, the parts it moves, and the presentations it still remembers."""
