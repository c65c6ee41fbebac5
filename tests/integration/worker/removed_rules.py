"""Takes one rule of the kernel away at a time and looks for a case in which Freqtrade disagrees.

A program, not a test: run by `test_removed_rules` with numba switched off, so that the rules can be
switched in one process. Prints one JSON object: for every rule the number of the case that gave it
away and the first difference, or null.
"""

import importlib.util
import json
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import numba
from hypothesis import HealthCheck, Phase, given, seed, settings

from automation.core.errors import ConfigError
from automation.worker.compare import differences
from automation.worker.engine import evaluate
from automation.worker.kernel import (
    closing,
    entry,
    exact,
    exits,
    guards,
    loop,
    policy,
    sizes,
    stops,
    value,
)
from automation.worker.kernel.switches import Switches

MODULES = (closing, entry, exact, exits, guards, loop, policy, sizes, stops, value)


def neighbour(name: str) -> ModuleType:
    """Import a file of this folder, which is no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def switch(on: Switches) -> None:
    for module in MODULES:
        if hasattr(module, "ON"):
            module.ON = on


def main(most: int, number: int) -> dict[str, dict[str, object] | None]:
    """Draw up to `most` cases a strategy, seeded by `number`, until every rule was missed once."""
    assert numba.config.DISABLE_JIT, "run with NUMBA_DISABLE_JIT=1"
    tools, random = neighbour("conftest"), neighbour("test_parity_random")
    folder = Path(tempfile.mkdtemp())
    arenas = {name: tools.Arena(name, folder) for name in random.MODEL}
    found: dict[str, dict[str, object] | None] = dict.fromkeys(Switches._fields)
    count = 0

    @seed(number)
    @settings(
        max_examples=most,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=random.cases(tools.Case))
    def look(case) -> None:
        nonlocal count
        count += 1
        missing = [rule for rule, gave in found.items() if gave is None]
        for name, arena in arenas.items() if missing else ():
            switch(Switches())
            try:
                ours, theirs = arena.run(case)
            except ConfigError:
                continue
            assert not differences(ours, theirs, tolerance=0.0)
            for rule in missing:
                if found[rule] is None:
                    switch(Switches()._replace(**{rule: False}))
                    unlike = differences(
                        evaluate(arena.last, arena.parameters(case)), theirs, tolerance=0.0
                    )
                    if unlike:
                        found[rule] = {
                            "case": count,
                            "strategy": name,
                            "difference": str(unlike[0]),
                        }

    look()
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))
