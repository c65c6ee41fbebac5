"""The fleet room: starts bots, keeps them trading, and tells what happened.

    supervisor = Supervisor(fleet, home, journal, Surroundings(...))
    await supervisor.run(watch)          until the fleet was taken down; `watch` gets a FleetStatus
    start_detached(home, supervise)      the same in the background; returns its pid
    status(home) · stop(home)            from any other process
    bot_action(home, bot, action)        start, stop, restart, pause, resume, drain, reload
    bot_status(home, bot)                one bot, with its health ladder
    bot_login(home, bot) · bot_log(home, bot)
    doctor(site)                         what would keep the fleet from flying
    check_live · confirm_live            real money asks a person
    init_fleet(answers)                  a fleet file from three answers
    render_table(status, events)         what rich draws

One loop, in one direction: `observe` (runner, REST) → `FleetSnapshot` → `assess` and `decide`,
pure → `Action`s, each with its reason → `act` → the journal. What is looked at is in `ladder`, what
may be done about it in `remedies`, bots in containers in `containers`. The modules are imported one by one,
so that `freqfleet status` need not load an HTTP client. Called by `app`.
"""
