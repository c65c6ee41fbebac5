"""How a changed strategy, configuration or fleet file reaches bots that run.

`kept` holds what each bot runs, so that files may change beside it; `changes` takes one change from
its notice to its effect; `difference` compares two fleet files; `renewal` applies the difference;
`events` are the kinds written. Called by supervisor, operator and act.
"""
