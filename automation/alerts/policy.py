"""The settings, compiled for the core: rules by kind, the routing tree, timings by route.

Pure and immutable in use. Decides where labels lead; refuses to know what was told already.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from automation.alerts.calendars import person_on_call
from automation.alerts.channel_settings import Limit
from automation.alerts.duration import in_us, parse_duration
from automation.alerts.matching import Tests, all_pass
from automation.alerts.settings import ON_CALL, Route, Rule, Settings, When
from automation.alerts.severity import Severity

ESCALATION = "escalation:"
_WAIT, _INTERVAL, _REPEAT = (parse_duration(text) for text in ("30s", "5m", "4h"))


@dataclass(frozen=True, slots=True)
class Timing:
    """How a route's groups gather, follow up and repeat, in microseconds."""

    wait_us: int
    interval_us: int
    repeat_us: int


@dataclass(frozen=True, slots=True)
class Node:
    """A route with everything it inherits."""

    id: str
    match: Tests
    channels: tuple[str, ...]
    group_by: tuple[str, ...]
    timing: Timing
    goes_on: bool
    nodes: tuple["Node", ...]


class Policy:
    """Answers what the settings say of events, labels and routes."""

    def __init__(self, settings: Settings) -> None:
        """Compile settings that `lint` found sound."""
        self.settings = settings
        self.rules = {rule.name: rule for rule in settings.rules}
        self._nodes: dict[str, Node] = {}
        self.root = self._compile(settings.route, None, "0")
        self._raising: dict[str, list[tuple[Rule, When]]] = {}
        self._ending: dict[str, list[tuple[Rule, When]]] = {}
        if settings.escalation is not None:
            for name, step in settings.escalation.steps.items():
                route = Route(
                    channels=step.channels, group_by=("rule",), group_wait=parse_duration("0")
                )
                self._compile(route, self.root, f"{ESCALATION}{name}")

    @cached_property
    def digest(self) -> str:
        """A fingerprint of what decides where alerts go."""
        return sha256(self.settings.model_dump_json(by_alias=True).encode()).hexdigest()[:16]

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of events that the rules listen to."""
        whens = (when for rule in self.rules.values() for when in (*rule.when, *rule.until))
        return tuple(sorted({kind for when in whens for kind in when.kind}))

    def raising(self, kind: str) -> list[tuple[Rule, When]]:
        """List the rules that events of a kind may raise."""
        if kind not in self._raising:
            self._raising[kind] = self._listening(kind, lambda rule: rule.when)
        return self._raising[kind]

    def ending(self, kind: str) -> list[tuple[Rule, When]]:
        """List the rules whose alerts events of a kind may end."""
        if kind not in self._ending:
            self._ending[kind] = self._listening(kind, lambda rule: rule.until)
        return self._ending[kind]

    def nodes_for(self, labels: Mapping[str, str]) -> list[Node]:
        """Find the routes that an alert takes."""
        return list(_descend(self.root, labels))

    def targets(self, labels: Mapping[str, str], now_us: int) -> tuple[str, ...]:
        """Name the groups that an alert joins, `route|channel|labels in common`."""
        return tuple(
            dict.fromkeys(
                key
                for node in self.nodes_for(labels)
                for key in self._targets_of(node, labels, now_us)
            )
        )

    def step_targets(self, step: str, labels: Mapping[str, str], now_us: int) -> tuple[str, ...]:
        """Name the groups that an alert joins when it escalates to a step."""
        return tuple(self._targets_of(self._nodes[f"{ESCALATION}{step}"], labels, now_us))

    def steps(self) -> list[str]:
        """List the steps of escalation in their order."""
        escalation, found = self.settings.escalation, []
        step = escalation.first if escalation is not None else None
        while escalation is not None and step is not None and step not in found:
            found.append(step)
            step = escalation.steps[step].then
        return found

    def delay_us(self, severity: Severity) -> int:
        """Tell how long a step of escalation waits."""
        assert self.settings.escalation is not None
        return in_us(self.settings.escalation.delay(severity))

    def timing(self, route: str) -> Timing:
        """Give a route's timing; a route that is gone has that of the topmost."""
        return self._nodes.get(route.removesuffix(f"@{ON_CALL}"), self.root).timing

    def limit(self, channel: str) -> Limit:
        """Tell how many messages a channel takes."""
        found = self.settings.channels.get(channel)
        return found.limit if found is not None else Limit()

    def tells_resolved(self, channel: str) -> bool:
        """Tell whether a channel wants to hear of ends."""
        found = self.settings.channels.get(channel)
        return found.tells_resolved if found is not None else True

    def _targets_of(self, node: Node, labels: Mapping[str, str], now_us: int) -> Iterator[str]:
        common = ",".join(f"{name}={labels[name]}" for name in node.group_by if name in labels)
        for channel in node.channels:
            if channel != ON_CALL:
                yield f"{node.id}|{channel}|{common}"
            elif self.settings.on_call is not None:
                person = person_on_call(self.settings.on_call, now_us)
                for own in person.channels:
                    yield f"{node.id}@{ON_CALL}|{own}|{common}"

    def _compile(self, route: Route, above: Node | None, route_id: str) -> Node:
        everything = tuple(self.settings.channels)
        timing = above.timing if above else Timing(in_us(_WAIT), in_us(_INTERVAL), in_us(_REPEAT))
        node = Node(
            id=route_id,
            match=route.match,
            channels=_first(route.channels, above.channels if above else everything),
            group_by=_first(route.group_by, above.group_by if above else ("rule",)),
            timing=Timing(
                timing.wait_us if route.group_wait is None else in_us(route.group_wait),
                timing.interval_us if route.group_interval is None else in_us(route.group_interval),
                timing.repeat_us if route.repeat_interval is None else in_us(route.repeat_interval),
            ),
            goes_on=route.goes_on,
            nodes=(),
        )
        below = [
            self._compile(child, node, f"{route_id}.{number}")
            for number, child in enumerate(route.routes)
        ]
        compiled = Node(
            node.id, node.match, node.channels, node.group_by, node.timing, node.goes_on,
            tuple(below),
        )  # fmt: skip
        self._nodes[route_id] = compiled
        return compiled

    def _listening(
        self, kind: str, part: Callable[[Rule], tuple[When, ...]]
    ) -> list[tuple[Rule, When]]:
        return [
            (rule, when)
            for rule in self.rules.values()
            for when in part(rule)
            if any(covers(pattern, kind) for pattern in when.kind)
        ]


def covers(pattern: str, kind: str) -> bool:
    """Tell whether a pattern (`bot.exited`, `bot.*`) means a kind."""
    return kind.startswith(pattern[:-1]) if pattern.endswith(".*") else kind == pattern


def _descend(node: Node, labels: Mapping[str, str]) -> Iterator[Node]:
    if not all_pass(node.match, labels):
        return
    is_taken = False
    for child in node.nodes:
        found = list(_descend(child, labels))
        yield from found
        is_taken = is_taken or bool(found)
        if found and not child.goes_on:
            break
    if not is_taken:
        yield node


def _first(one: Iterable[str] | None, other: tuple[str, ...]) -> tuple[str, ...]:
    return other if one is None else tuple(one)
