"""The compiled candle loop: Freqtrade's backtest, rule by rule, in numba.

It knows arrays and numbers only: no strategy, no DataFrame, no file. Its rules are those of
`freqtrade/optimize/backtesting.py`, `persistence/trade_model.py`, `wallets.py`,
`exchange/binance.py` and `plugins/protections/`, version 2026.9; each module names what it mirrors.
Every function runs unchanged as plain Python as well (`NUMBA_DISABLE_JIT=1`), which is how the
rule-removal table is made. Called by `automation.worker.engine`.
"""
