"""What a guard does for people who come without a pass of their own."""
