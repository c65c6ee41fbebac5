"""The alerts: what matters reaches a person, once, and nobody else.

Rules over the journal's events raise alerts; a pure core decides who hears of what and when; an
outbox delivers it. This room reads the journal and writes to it, and imports no other room.
"""
