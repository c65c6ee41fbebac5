"""What is generated from the code is committed as the code makes it."""

import json

import pytest
import yaml

from automation.app.reference import pages
from automation.core import config


@pytest.mark.parametrize("path", pages(), ids=str)
def test_generated_page_is_current(root, path):
    assert (root / path).read_text(encoding="utf-8") == pages()[path], "run make docs"


def test_every_field_is_documented():
    models = [
        thing
        for thing in vars(config).values()
        if isinstance(thing, type) and issubclass(thing, config.Strict)
    ]
    assert len(models) > 5
    for model in models:
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name} has no description"


def test_schema_accepts_what_the_model_accepts(root):
    from jsonschema import Draft202012Validator

    schema = json.loads((root / "configs/fleet.schema.json").read_text(encoding="utf-8"))
    text = "fleet: a\ndefaults: {strategy: S, capital_usdt: 5}\nbots: [{name: b}]\n"
    Draft202012Validator(schema).validate(yaml.safe_load(text))
    wrong = yaml.safe_load(text.replace("capital_usdt", "captal_usdt"))
    assert not Draft202012Validator(schema).is_valid(wrong)
