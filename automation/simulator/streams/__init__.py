"""What the exchange tells without being asked: market streams and user data over websockets.

Decides what is told when, to whom, and how connections live. Refuses to know matching, accounts and
how prices come about. The server owns one `hub.Hub`:

`hub.pump()`              send what is due by now: after each step of a clock moved by hand
`hub.run()`               the same ten times a second, until cancelled
`hub.outgoing`            `(message, connection) -> [(delay_s, message), ...]`: where faults are put
`hub.rules`               `StreamRules`: pings, age, limits; for connections from then on
`hub.connections`         everyone who is connected; `.number`, `.account`, `.streams`, `.cut()`
`hub.listen_keys`         `ListenKeys`, which the signed endpoints share
`user_data.connect_exchange(hub, exchange)`   tell an exchange's events to its accounts
"""
