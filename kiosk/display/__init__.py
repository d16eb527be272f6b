"""The display that hangs on this device: a compositor, a browser in it, and a watch over what they show."""
