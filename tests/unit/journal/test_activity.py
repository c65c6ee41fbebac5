from automation.journal import Draft, Journal
from automation.journal.activity import Activity, BotActivity
from automation.journal.folds import current, rebuild, save_snapshot
from automation.journal.retention import seal


def test_it_knows_what_was_last_heard_of_each_bot_even_after_a_seal():
    with Journal.in_memory() as journal:
        kinds = ["bot.up", "bot.down", "bot.up"]
        journal.append_many(Draft(kind, "a", "s", bot="m1") for kind in kinds)
        state = current(journal, Activity()).state
        last = journal.last()
        counts = {"bot.up": 2, "bot.down": 1}
        assert state == {"m1": BotActivity(3, last.time_us, "bot.up", counts)}
        seal(journal, 3, actor="ann", folds=[Activity()])
        save_snapshot(journal, Activity(), current(journal, Activity()))
        assert current(journal, Activity()).state["m1"] == state["m1"]
        assert rebuild(journal, Activity()).agrees
