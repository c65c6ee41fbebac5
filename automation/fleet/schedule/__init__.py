"""Runs freqfleet commands at their times: when, and how."""
