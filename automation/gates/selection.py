"""Which strategies are judged, and what each is compared with.

A strategy is touched if the fingerprint of its code or of the configurations differs from the
base's: its own file, its parameters, the kit it imports, the layers it runs under. All are touched
where the gate's own file or its bundle differs. Refuses to know how anything is run. Called by `app`.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from automation.core.errors import ConfigError, Refusal
from automation.gates.config import GateSettings
from automation.gates.revisions import Repository, Revision
from automation.gates.sources import Source, find_sources

_INCLUDES = re.compile(rb'"add_config_files"')


@dataclass(frozen=True, slots=True)
class Side:
    """One version of a strategy: its sources, the configurations it runs under, a key of both."""

    source: Source
    configs: tuple[Path, ...]
    key: str


@dataclass(frozen=True, slots=True)
class Subject:
    """A strategy to judge. `base` is None without a base; `base_note` says why.

    `base_refused` means that there should have been one: the comparison is then not judged.
    """

    name: str
    path: Path
    new: Side
    base: Side | None
    base_note: str = ""
    base_refused: bool = False

    @property
    def is_touched(self) -> bool:
        """Whether its outcome can differ from the base's."""
        return self.base is None or self.base.key != self.new.key


@dataclass(frozen=True, slots=True)
class Selection:
    """What is judged, in order of names; what is not, as notes; and what the base is called."""

    subjects: tuple[Subject, ...]
    notes: tuple[str, ...]
    base: str


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked to judge, in the checkout at `root`.

    `names` and `files` restrict it; `is_all` takes untouched strategies too; without
    `with_base` nothing is compared. `measures` are the gate's own file and its bundle.
    """

    root: Path
    ref: str | None = None
    is_all: bool = False
    with_base: bool = True
    names: Collection[str] = ()
    files: Collection[Path] = ()
    measures: Collection[Path] = ()


def select(
    request: Request,
    settings: GateSettings,
    repository: Repository | None,
    exported: Path,
    default_configs: Sequence[Path],
) -> Selection:
    """Choose the strategies; the base is exported into the folder `exported`.

    Raises ConfigError for folders, configurations or names that are not there.
    """
    new = _sides(request.root, settings, default_configs)
    revision = _revision(request, repository)
    base: dict[str, Side] = {}
    measures: tuple[str, ...] = ()
    if isinstance(revision, Revision) and repository is not None:
        inside = request.root.relative_to(repository.root)
        paths = [inside / path for path in (*settings.strategies, *settings.configs)]
        repository.export(revision, [*paths, *_config_folders(paths, settings)], exported)
        base = _base_sides(exported / inside, settings, default_configs)
        measures = repository.changed(revision, _inside(request.measures, repository.root))
    _check_names(request.names, new)
    subjects = [
        _subject(side, base, revision, request.root, repository)
        for name, side in new.items()
        if name not in settings.skip and _is_asked(side, request)
    ]
    is_all = request.is_all or bool(measures)
    kept = tuple(one for one in subjects if is_all or one.is_touched)
    notes = [f"{name} differs from the base's: every strategy is judged" for name in measures]
    notes += [f"{name} is not judged: {reason}" for name, reason in sorted(settings.skip.items())]
    notes += [f"{name} was removed" for name in sorted(base.keys() - new.keys())]
    if settings.without:
        notes.append(f"left out by the configuration: {', '.join(settings.without)}")
    return Selection(kept, tuple(notes), _describe(revision))


def _inside(paths: Collection[Path], root: Path) -> list[Path]:
    """Keep the paths inside the repository, relative to it; others have no history."""
    whole = [path.resolve() for path in paths]
    return [path.relative_to(root) for path in whole if path.is_relative_to(root)]


def _revision(request: Request, repository: Repository | None) -> Revision | Refusal | None:
    if not request.with_base:
        return None
    if repository is None:
        return (
            Refusal(f"there is no commit {request.ref!r}: no repository") if request.ref else None
        )
    return repository.base(request.ref)


def _describe(revision: Revision | Refusal | None) -> str:
    if isinstance(revision, Revision):
        return f"{revision.commit[:12]} ({revision.name})"
    return revision.reason if isinstance(revision, Refusal) else "none"


def _subject(
    side: Side,
    base: dict[str, Side],
    revision: Revision | Refusal | None,
    root: Path,
    repository: Repository | None,
) -> Subject:
    name, path = side.source.name, side.source.path.relative_to(root)
    if isinstance(revision, Refusal):
        return Subject(name, path, side, None, revision.reason, base_refused=True)
    if revision is None or repository is None:
        return Subject(name, path, side, None, "compared with nothing")
    found = base.get(name)
    if found is None:
        old = repository.renamed(revision, path)
        found = next((one for one in base.values() if old and _ends_with(one, old)), None)
    if found is None:
        return Subject(name, path, side, None, "new: there was no such strategy in the base")
    note = "" if found.source.name == name else f"was {found.source.name} in the base"
    return Subject(name, path, side, found, note)


def _ends_with(side: Side, path: Path) -> bool:
    return side.source.path.parts[-len(path.parts) :] == path.parts


def _is_asked(side: Side, request: Request) -> bool:
    if not request.names and not request.files:
        return True
    files = {path.resolve() for path in request.files}
    return side.source.name in request.names or side.source.path.resolve() in files


def _check_names(names: Collection[str], known: dict[str, Side]) -> None:
    for name in names:
        if name not in known:
            cure = f"there are: {', '.join(sorted(known)) or 'none'}"
            raise ConfigError(f"no strategy is named {name}", cure=cure)


def _sides(root: Path, settings: GateSettings, default_configs: Sequence[Path]) -> dict[str, Side]:
    configs = tuple(root / path for path in settings.configs) or tuple(default_configs)
    for path in configs:
        if not path.is_file():
            raise ConfigError("there is no such configuration", where=str(path))
    return _make(configs, root, settings, find_sources)


def _base_sides(
    root: Path, settings: GateSettings, default_configs: Sequence[Path]
) -> dict[str, Side]:
    """The base's strategies; folders and layers that it did not have are no fault."""
    there = tuple(root / path for path in settings.configs if (root / path).is_file())
    configs = there if settings.configs else tuple(default_configs)
    return _make(configs, root, settings, lambda one: find_sources(one) if one.is_dir() else [])


def _make(
    configs: tuple[Path, ...],
    root: Path,
    settings: GateSettings,
    find: Callable[[Path], list[Source]],
) -> dict[str, Side]:
    hashed = _hash_configs(configs)
    found: dict[str, Side] = {}
    for folder in settings.strategies:
        for source in find(root / folder):
            key = hashlib.sha256(f"{source.fingerprint}{hashed}".encode()).hexdigest()
            if source.name in found and find is find_sources:
                other = found[source.name].source.path
                raise ConfigError(f"{source.name} is also in {other}", where=str(source.path))
            found[source.name] = Side(source, configs, key)
    return dict(sorted(found.items()))


def _hash_configs(configs: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in configs:
        content = path.read_bytes()
        digest.update(hashlib.sha256(content).digest())
        if _INCLUDES.search(content):
            for other in sorted(path.parent.glob("*.json")):
                digest.update(hashlib.sha256(other.read_bytes()).digest())
    return digest.hexdigest()


def _config_folders(paths: Sequence[Path], settings: GateSettings) -> list[Path]:
    """Configurations may include their neighbours, so these are exported too."""
    count = len(settings.configs)
    return list({path.parent for path in paths[-count:] if path.parent != Path()}) if count else []
