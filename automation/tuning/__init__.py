"""The search for parameters: which to try next, what is kept of every trial, and which to choose.

Decides what to ask of an engine and what its answers mean. Refuses to know how a backtest is done:
engines are reached through `core.tunings.Engines`. Called by `automation.app.tuning`.

`space`     parameters as vectors on grids            `study`    what one study is, what a trial is
`sampling`  which vectors to try next (`tpe`, `evolution`)
`stopping`  when a trial is hopeless                  `storage`  SQLite or PostgreSQL
`search`    the loop that ties them together          `pool`     engines in processes of their own
`ranking`   the best, the front, importance           `report`   the result as Markdown

A trial is a function of the study's seed and of the batches before it, not of who evaluated what
when: so a study comes out equal to the digit however many workers took part, and after any crash.
"""
