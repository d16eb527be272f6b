"""For the technician and for machines: how the gate is, in figures, in words, and by the camera's own picture."""
