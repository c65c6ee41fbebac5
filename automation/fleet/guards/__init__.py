"""Stops entries when an account loses too much: limits, judgement, and the one that enforces it."""
