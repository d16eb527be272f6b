"""The device's side of sync: lists come down, events go up."""
