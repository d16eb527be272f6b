"""How a code is read: from a frame's brightness to the text. See README.md in this folder."""
