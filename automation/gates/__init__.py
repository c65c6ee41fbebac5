"""Judges strategies by backtests that anybody can repeat, and says pass, fail, or not judged.

Refuses to know exchanges, simulators and Freqtrade's internals: data, an exchange to point at and
a `core.backtests.Backtester` come from `app`; what needs Freqtrade runs in `automation.worker`.

`manifest` `cut` `bundle`      the data, content-addressed, verified at every use
`config` `settings`            gate.yaml
`sources` `revisions` `selection`   which strategies a change touches, and the base they come from
`limits` `bench` `cache`       how a question is asked, under which limits, and kept
`results` `figures` `comparison` `judgement`   pure: trades to figures, intervals, checks
`run`                          all of it for every strategy
`verdicts` `reports`           the answer, and its six forms
"""
