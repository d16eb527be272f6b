"""The reader process: cameras and decoders. It has no network, no keys and no databases."""
