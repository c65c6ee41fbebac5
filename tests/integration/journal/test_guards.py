"""Each guard is taken out in a copy of the code, and its tests must then fail."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Guard:
    """A line of the journal, what stands in its place without the guard, and what then fails."""

    file: str
    line: str
    without: str
    tests: str


GUARDS = {
    "chain": Guard(
        "verification.py",
        "or sha256(previous + digest + head).digest() != hashed",
        "or False",
        "integration/journal/test_tampering.py",
    ),
    "the hash before in the chain": Guard(
        "event.py",
        "hashed = sha256(previous + digest + head_of(sequence, entry)).digest()",
        "hashed = sha256(digest + head_of(sequence, entry)).digest()",
        "unit/journal/test_event.py",
    ),
    "checkpoint": Guard(
        "verification.py",
        "if signed != hashed:",
        "if False:",
        "unit/journal/test_checkpoints.py",
    ),
    "signature": Guard(
        "checkpoints.py",
        "if public is not None and not public.vouches_for(checkpoint):",
        "if False:",
        "unit/journal/test_checkpoints.py",
    ),
    "anchor": Guard(
        "checkpoints.py",
        "    if anchor is not None:\n        _add(",
        "    if False:\n        _add(",
        "unit/journal/test_checkpoints.py",
    ),
    "no signature over a broken chain": Guard(
        "checkpoints.py",
        "        if found.broken is not None:\n            self._say_broken",
        "        if False:\n            self._say_broken",
        "unit/journal/test_checkpoints.py",
    ),
    "seals": Guard(
        "verification.py",
        "bare = self._first_unsealed()",
        "bare = 0",
        "unit/journal/test_retention.py",
    ),
    "digest of an export": Guard(
        "export.py",
        "if line != expected or self._file.read(1):",
        "if False:",
        "unit/journal/test_export.py",
    ),
    "line breaks in fields": Guard(
        "event.py", "if not text.isprintable():", "if False:", "unit/journal/test_event.py"
    ),
    "masking": Guard(
        "event.py", "else mask(payload or {})", "else dict(payload or {})", "unit/journal"
    ),
    "append-only triggers": Guard(
        "sqlite.py",
        "for statement in (*schema(self.dialect), *_TRIGGERS):",
        "for statement in schema(self.dialect):",
        "unit/journal/test_journal.py",
    ),
    "the lock before the last hash": Guard(
        "sqlite.py",
        'self._writer.execute("BEGIN IMMEDIATE")',
        'self._writer.execute("BEGIN")',
        "contract/test_journal_store.py unit/journal/test_journal.py",
    ),
    "kept events": Guard(
        "writer.py",
        "kept = [waiting for waiting in group if waiting.is_kept]",
        "kept = []",
        "integration/journal/test_faults.py",
    ),
    "commits in doubt": Guard(
        "sql.py",
        "return {id(batch): done for batch, done in self._unsure}",
        "return {}",
        "integration/journal/test_doubt.py",
    ),
    "outbox: one key once": Guard(
        "sql.py",
        '" ON CONFLICT (key) DO NOTHING"',
        "\" ON CONFLICT (key) DO UPDATE SET state = 'pending'\"",
        "contract/test_journal_store.py unit/journal/test_outbox.py",
    ),
    "outbox: lease": Guard(
        "sql.py",
        "(now_us + lease_us, now_us, *kinds, limit)",
        "(now_us, now_us, *kinds, limit)",
        "contract/test_journal_store.py unit/journal/test_outbox.py",
    ),
    "outbox: written before, marked after": Guard(
        "outbox.py",
        'await self._settle(pending.key, "done", 0, answer)',
        "pass",
        "unit/journal/test_outbox.py",
    ),
    "outbox: back-off": Guard(
        "outbox.py",
        "due_us = self._journal.now_us() + round(pause_s * 1e6)",
        "due_us = 0",
        "unit/journal/test_outbox.py",
    ),
    "order per bot": Guard(
        "consumers.py",
        "lane = self._lanes.setdefault(event.bot, deque())",
        "lane = deque()",
        "unit/journal/test_consumers.py",
    ),
    "offset only behind what is done": Guard(
        "consumers.py",
        "return next(iter(self._open)) - 1 if self._open else self._read_to",
        "return self._read_to",
        "unit/journal/test_consumers.py",
    ),
    "snapshots of this very chain": Guard(
        "folds.py",
        "if at and at[0].hash == snapshot.hash:",
        "if at:",
        "unit/journal/test_folds.py",
    ),
    "what came while others wrote is in the group that fails": Guard(
        "writer.py",
        "        group += late\n",
        "",
        "unit/journal/test_writer.py",
    ),
    "a place that nobody takes back": Guard(
        "writer.py",
        "        if firm:\n",
        "        if False:\n",
        "unit/journal/test_writer.py",
    ),
    "fields that are declared public": Guard(
        "event.py",
        "plain[name] = mask(dumped[name])",
        "plain[name] = dumped[name]",
        "unit/journal/test_kinds.py",
    ),
    "no doubles in Redis": Guard(
        "forward/redis.py",
        'id=f"{event.sequence}-0",',
        'id="*",',
        "integration/journal/test_forward.py",
    ),
}


@pytest.mark.prove
@pytest.mark.parametrize("name", GUARDS)
def test_without_its_guard_the_suite_fails(name, root, tmp_path):
    guard = GUARDS[name]
    copy_project(root, tmp_path)
    file = tmp_path / "automation" / "journal" / guard.file
    text = file.read_text()
    assert text.count(guard.line) == 1, "the guard has moved; mend this table"
    file.write_text(text.replace(guard.line, guard.without))
    done = run_tests(tmp_path, guard.tests)
    assert done.returncode == 1, f"{name}: nothing fails without it\n{done.stdout[-2000:]}"


@pytest.mark.prove
def test_the_copy_passes_with_all_its_guards(root, tmp_path):
    copy_project(root, tmp_path)
    done = run_tests(tmp_path, "unit/journal contract/test_journal_store.py")
    assert done.returncode == 0, done.stdout[-2000:]


def copy_project(root, target):
    for name in ("automation", "tests/unit/journal", "tests/integration/journal"):
        shutil.copytree(root / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    (target / "tests/contract").mkdir(parents=True)
    for name in ("pyproject.toml", "tests/conftest.py", "README.md"):
        shutil.copy(root / name, target / name)
    for file in (root / "tests/contract").glob("*.py"):
        shutil.copy(file, target / "tests/contract")


def run_tests(folder, tests):
    places = [str(folder / "tests" / test) for test in tests.split()]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *places],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
