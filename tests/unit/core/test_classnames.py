"""What Freqtrade's loader would find by its name."""

from automation.core.classnames import class_names


def test_classes_with_bases_at_the_beginning_of_a_line():
    text = "class One(IStrategy):\n    class Inner(One): pass\nclass  Two(\n    One): pass\nclass Bare: pass\n"
    assert class_names(text) == ["One", "Two"]
    assert class_names("") == []
