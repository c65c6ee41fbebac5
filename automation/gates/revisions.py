"""The other side of a comparison: a commit of the repository, exported into a folder.

Reads git and never changes it: no checkout, no worktree, no stash. A commit that does not exist is
an expected refusal, so that the strategies can still be judged without a comparison. Refuses to
know strategies. Called by `selection`.
"""

import io
import os
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from automation.core.errors import DependencyError, Refusal

_MAIN = ("main", "origin/main", "master", "origin/master")


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit, and how the user named it."""

    commit: str
    name: str


@dataclass(frozen=True, slots=True)
class Repository:
    """The git repository that holds the strategies; `root` is its top folder."""

    root: Path

    def base(self, ref: str | None) -> Revision | Refusal:
        """Find the commit to compare with: `ref`, or where this branch left main."""
        if ref is not None:
            commit = self._commit(ref)
            return Revision(commit, ref) if commit else Refusal(f"there is no commit {ref!r}")
        for main in _MAIN:
            if self._commit(main):
                found = self._git("merge-base", "HEAD", main)
                if found is not None:
                    return Revision(found.strip(), f"merge-base with {main}")
                return Refusal(f"HEAD and {main} have no commit in common; fetch more history")
        return Refusal("there is no branch main to compare with; name a commit with --base")

    def export(self, revision: Revision, paths: Sequence[Path], target: Path) -> None:
        """Write the files under `paths` (relative) as they were; paths that were not there stay out."""
        known = [str(path) for path in paths if self._has(revision, path)]
        if not known:
            return
        content = _run(self.root, "archive", "--format=tar", revision.commit, "--", *known)
        if content is None:
            raise DependencyError(f"git cannot export {revision.name}", where=str(self.root))
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            archive.extractall(target, filter="data")

    def renamed(self, revision: Revision, path: Path) -> Path | None:
        """Tell the name that a file had at `revision`, if it was renamed since (similar by half)."""
        options = ("--find-renames=50%", "--diff-filter=R", "--name-status", "-z")
        content = self._git("diff", *options, revision.commit, "--")
        fields = (content or "").split("\0")
        for old, new in zip(fields[1::3], fields[2::3], strict=False):
            if Path(new) == path:
                return Path(old)
        return None

    def changed(self, revision: Revision, paths: Sequence[Path]) -> tuple[str, ...]:
        """Name those of the files `paths` (relative) that differ from `revision`."""
        named = [path.as_posix() for path in paths]
        content = self._git("diff", "--name-only", "-z", revision.commit, "--", *named)
        return tuple(filter(None, (content or "").split("\0"))) if named else ()

    def head(self) -> str | None:
        """Tell the commit that is checked out."""
        return self._commit("HEAD")

    def _has(self, revision: Revision, path: Path) -> bool:
        return self._git("cat-file", "-e", f"{revision.commit}:{path.as_posix()}") is not None

    def _commit(self, ref: str) -> str | None:
        found = self._git(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"
        )
        return found.strip() if found else None

    def _git(self, *arguments: str) -> str | None:
        content = _run(self.root, *arguments)
        return None if content is None else content.decode("utf-8", "replace")


def find_repository(folder: Path) -> Repository | None:
    """Find the repository around `folder`; None if there is none."""
    content = _run(folder, "rev-parse", "--show-toplevel")
    return Repository(Path(content.decode().strip())) if content else None


def _run(folder: Path, *arguments: str) -> bytes | None:
    """Run git; None where it answers no. Raises DependencyError if git is not installed."""
    # A repository's own configuration must not run programs or page output.
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_PAGER": "cat", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            check=False,
            env=environment,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DependencyError(f"git cannot be run: {error}", cure="install git") from None
    return done.stdout if done.returncode == 0 else None
