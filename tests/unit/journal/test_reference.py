from automation.journal.reference import kinds_page


def test_the_page_of_kinds_tells_all_of_the_journals_own():
    page = kinds_page()
    assert "## `journal.sealed`" in page
    assert "| `first` | integer |" in page
    assert "In the report under: retention." in page
