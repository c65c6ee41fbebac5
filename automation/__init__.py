"""Freqfleet's sidecar: it runs beside Freqtrade and speaks to bots only from outside."""
