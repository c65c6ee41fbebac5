"""The kit the strategies share: indicators, signals, sizing, risk and metrics.

Everything but `tradekit.base` is pure and needs numpy, pandas and TA-Lib only, so that it runs in
the stock Freqtrade image (`PYTHONPATH=strategies`) as well as in the sidecar.
"""
