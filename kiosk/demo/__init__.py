"""A town on one machine, for whoever tries the kiosk; nothing here runs at a real gate."""
