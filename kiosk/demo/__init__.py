"""A town on one machine, for anyone who tries the kiosk; nothing here runs at a real gate."""
