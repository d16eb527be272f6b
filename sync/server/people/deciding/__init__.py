"""Review: what an officer sees of an application, and what the officer decides."""
