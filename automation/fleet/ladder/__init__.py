"""The health ladder: what is looked at, from the ground up, and how sure one has to be.

    sensors    logwatch (the bot's log) · orders (its open trades) · usage (its process)
    climb      facts → one `Finding` a rung, pure
    settle     hysteresis: what is believed of each rung, pure
    limits     every threshold, with its reason

Refuses to act: `fleet.remedies` decides what to do about a failing rung.
"""
