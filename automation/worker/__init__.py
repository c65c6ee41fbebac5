"""The only room that imports Freqtrade or strategies; it runs in processes of its own.

Importing this package imports neither. The compiled backtest engine:

`jobs`     `EngineJob`, `Parameters`, `Trailing`: what is asked; plain values, cheap to import
`results`  `EngineResult` and the trades' dtype: what is answered
`engine`   `prepare(job)`, `evaluate(prepared, parameters)`: the compiled backtest, columns once
`reference` `evaluate_with_freqtrade(prepared, parameters)`: Freqtrade's own, for parity
`compare`  `differences(ours, theirs)`: trade by trade
`reports`  `statistics(result)`, `trade_frame(result)` for Freqtrade's losses

    prepared = prepare(EngineJob("TrendFollowingStrategy", data, "20240801-20240901", pairs))
    result = evaluate(prepared, Parameters(values={"exit_hours": 12}, stoploss=-0.2))

What the kernel cannot reproduce it names (`capability`); `evaluate` then runs Freqtrade's own
`Backtesting` in this process and says so in `EngineResult.engine` and `.reasons`.
"""
