"""The exchange as a deterministic state machine: orders, accounts, exact money. No sockets, no JSON.

Decides what becomes of every order and of every unit of money. Refuses to know HTTP, signatures
and wall clocks: each command comes with the instant at which it arrived. Called by `signed` (REST),
by the server, by streams and faults, and by tests.

What others use of `Exchange` (instants: epoch ms of the served time; account: its name):

`subscribe(callback) -> unsubscribe`     each `events.Event`, at once and in order of `seq`
`advance(to_ms)`                         carry the market on; the same log however often it is called
`accounts[name]`, `contracts[symbol]`    `Account` (wallet, positions), `Contract` (grid and text)
`now_ms`, `log`                          how far it is; what it has consumed
`place(account, OrderRequest, at_ms) -> Order`, `amend`, `cancel`, `cancel_all`, `place_algo`,
`cancel_algo`, `cancel_all_algo`, `countdown`, `set_leverage`, `set_margin_type`, `change_margin`,
`deposit`                                commands; `Rejected(code, message)` where Binance refuses
"""
