"""One file per version, written once and never changed."""
