"""Take one guard of the accounting away at a time: the tests of this folder have to notice each."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# file, the guard, what stands there without it
GUARDS = {
    "profit has a counterparty": ("settlement", "    floor.funds.clearing -= realized\n", ""),
    "closing takes its cost along": ("settlement", "    position.cost -= cost\n", ""),
    "closing takes its steps along": ("settlement", "position.size += sign * closing\n", "pass\n"),
    "profit is added up": ("settlement", "    position.realized_total += realized\n", ""),
    "profit reaches the wallet": ("settlement", "    account.wallet += realized\n", ""),
    "fees are kept": ("settlement", "    floor.funds.fees += fee\n", ""),
    "fees are taken": ("settlement", "    account.wallet -= amount\n", ""),
    "funding has a counterparty": ("settlement", "    floor.funds.funding -= amount\n", ""),
    "clearance fees are kept": ("settlement", "    floor.funds.insurance += taken\n", ""),
    "insurance pays from its own": ("settlement", "    floor.funds.insurance -= amount\n", ""),
    "no margin below zero": (
        "settlement",
        "account.set_isolated(position, max(left, 0))",
        "account.set_isolated(position, left)",
    ),
    "funding stops at no margin": (
        "settlement",
        "max(position.isolated_wallet + amount, 0)",
        "position.isolated_wallet + amount",
    ),
    "margin follows an opening": (
        "settlement",
        "        account.set_isolated(position, position.isolated_wallet + margin)\n",
        "        pass\n",
    ),
    "a fill closes at most what is held": (
        "settlement",
        "return min(held, quantity) if held > 0 else 0",
        "return held if held > 0 else 0",
    ),
    "the fee takes at most what is left": (
        "settlement",
        "taken = max(min(fee, most), 0)",
        "taken = fee",
    ),
    "reserves replace each other": (
        "lifecycle",
        "        position.bids += wanted - order.held\n",
        "        position.bids += wanted\n",
    ),
    "ended orders reserve nothing": (
        "lifecycle",
        "    if order.is_open and not order.reduce_only",
        "    if not order.reduce_only",
    ),
    "ended orders leave the book": (
        "lifecycle",
        "    unrest(floor, order)\n    order.status",
        "    order.status",
    ),
    "reduce-only orders end with the position": (
        "matching",
        "        expire_reducing(floor, account, order.symbol)\n",
        "        pass\n",
    ),
    "reduce-only orders end when the side changes": (
        "matching",
        "    if held and held * position.size <= 0 ",
        "    if held and held * position.size == 0 ",
    ),
    "reduce-only orders only reduce": (
        "matching",
        "    return min(order.remaining, max(held, 0))\n",
        "    return order.remaining\n",
    ),
    "isolated margin is there before a fill": (
        "matching",
        "    return margin == 0 or account.cross_wallet >= margin\n",
        "    return True\n",
    ),
    "volume is spent once": (
        "matching",
        "            left -= order.filled - before\n",
        "            pass\n",
    ),
    "depth is spent once": (
        "matching",
        "            taken[price] = taken.get(price, 0) + quantity\n",
        "            pass\n",
    ),
    "nobody trades with himself": (
        "matching",
        "    if maker is account and ",
        "    if maker is None and ",
    ),
    "trades before an order do not fill it": ("matching", " and order.resting_ms <= since", ""),
    "margin is checked": ("entry", "    if cost > available(", "    if cost < 0 * available("),
    "leverage is checked": (
        "entry",
        "    if before + added > contract",
        "    if before + added < -contract",
    ),
    "amendments release what they replace": ("changes", "released=order.held", "released=0"),
}
MEMORY_BYTES = 4 << 30
"""A program without a guard may grow for ever: then memory ends, and a test with it."""

SAMPLE = ("profit has a counterparty", "ended orders leave the book", "volume is spent once")


def judged(root: Path, folder: Path) -> int:
    """Run the tests beside this one against the program in `folder`."""
    here = Path(__file__).parent
    files = [here / "test_exchange.py", here / "test_money.py"]
    command = [
        sys.executable,
        "-P",
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        "--timeout=60",
    ]
    done = subprocess.run(
        [*command, "--hypothesis-seed=1", *map(str, files)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(folder), "FREQFLEET_EXAMPLES": "100"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES)),
    )
    # 1: a test failed; below 0: a library died of the memory that had ended; else no judgement.
    assert done.returncode <= 1, done.stdout + done.stderr
    return done.returncode


@pytest.fixture
def program(root, tmp_path) -> Path:
    shutil.copytree(
        root / "automation", tmp_path / "automation", ignore=shutil.ignore_patterns("__pycache__")
    )
    return tmp_path


def notices(root: Path, program: Path, guard: str) -> None:
    name, old, new = GUARDS[guard]
    path = program / "automation" / "simulator" / "trading" / f"{name}.py"
    written = path.read_text()
    assert written.count(old) == 1, f"the guard has changed its words: {old!r}"
    path.write_text(written.replace(old, new))
    assert judged(root, program) != 0


def test_every_guard_stands_where_the_table_says(root):
    for name, old, _ in GUARDS.values():
        path = root / "automation" / "simulator" / "trading" / f"{name}.py"
        assert path.read_text().count(old) == 1, old


@pytest.mark.long
def test_untouched_program_passes(root, program):
    assert judged(root, program) == 0


@pytest.mark.long
@pytest.mark.parametrize("guard", SAMPLE)
def test_missing_guard_is_noticed_sample(root, program, guard):
    notices(root, program, guard)


@pytest.mark.prove
@pytest.mark.parametrize("guard", GUARDS)
def test_missing_guard_is_noticed(root, program, guard):
    notices(root, program, guard)
