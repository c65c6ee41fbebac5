"""Remedies: what is done about a failing rung of the health ladder, and what forbids it.

    plan        the remedies of each rung, cheapest first, and which is next, pure
    breakers    dependencies that fail: nobody is restarted for them, pure
    budget      how many restarts the whole fleet may have, pure
    account     the open trades before and after a restart must be the same, pure
    memory      what of it outlives a supervisor

Refuses to do anything: `fleet.act` acts. Called by `decide` and by the supervisor.
"""
