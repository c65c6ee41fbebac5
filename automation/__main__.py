"""The `freqfleet` command: run it, turn expected errors into one sentence and an exit code."""

import os
import sys

from automation.app.jobs import run_contained
from automation.cli import program
from automation.core.errors import FreqfleetError
from automation.core.leash import main as hold_job

OURS = frozenset({"automation", "tradekit"})


def main() -> None:
    """Run the command line; the only place where errors end."""
    try:
        if sys.argv[1:2] == ["--leash"]:
            sys.exit(hold_job(sys.argv[2:]))
        code = run_contained(sys.argv[1:])
        if code is not None:
            sys.exit(code)
        program()
    except FreqfleetError as error:
        for line in str(error).splitlines():
            sys.stderr.write(f"freqfleet: {line}\n")
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in OURS:
            raise
        sys.stderr.write(
            f"freqfleet: {error.name} is not installed here, and this command needs it: "
            "run make setup, or run it in the bot image\n"
        )
        sys.exit(3)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader (head, less) went away; python would complain while closing stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


if __name__ == "__main__":
    main()
