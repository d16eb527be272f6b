"""The core process: decides, drives relay and lights, keeps the journal. The only one with pins and keys."""
