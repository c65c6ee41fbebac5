"""Forwarding the journal to other systems, off by default: readers like any other."""
