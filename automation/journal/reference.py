"""The reference page of all event kinds, made from what the rooms defined."""

from automation.journal.kinds import KINDS, Kind, Kinds


def kinds_page(kinds: Kinds = KINDS) -> str:
    """Write the page as Markdown; the caller has imported every room that defines kinds."""
    lines = [
        "# Kinds of events",
        "",
        "Generated from the code. Every event also has its number, time, actor, address, source,",
        "bot and cause; see [the journal](journal.md).",
    ]
    for kind in kinds:
        lines += ["", *_section(kind)]
    return "\n".join(lines) + "\n"


def _section(kind: Kind) -> list[str]:
    meaning = " ".join((kind.model.__doc__ or "").split())
    topics = f" In the report under: {', '.join(sorted(kind.topics))}." if kind.topics else ""
    lines = [f"## `{kind.name}`", "", f"{meaning} Version {kind.version}.{topics}", ""]
    if isinstance(kind.sentence, str):
        lines += [f"Told as: “{kind.sentence}”", ""]
    fields = kind.model.model_json_schema().get("properties", {})
    if not fields:
        return [*lines, "No fields."]
    lines += ["| field | type | default | meaning |", "|---|---|---|---|"]
    required = {n for n, f in kind.model.model_fields.items() if f.is_required()}
    for name, field in fields.items():
        default = "" if name in required else f"`{field.get('default')}`"
        lines.append(f"| `{name}` | {_type(field)} | {default} | {field.get('description', '')} |")
    return lines


def _type(field: dict[str, object]) -> str:
    if isinstance(options := field.get("anyOf"), list):
        return " or ".join(_type(option) for option in options)
    return str(field.get("type") or str(field.get("$ref", "any")).rsplit("/", 1)[-1])
