"""Households: from the form to passes, and what happens to them later."""
