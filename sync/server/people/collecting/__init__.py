"""Collection: slots at desks, printed cards, and the hand-over."""
