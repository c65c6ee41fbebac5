"""Writes the reports into a folder, under names that workflows rely on."""

from pathlib import Path

import orjson

from automation.core.files import write_whole
from automation.gates.reports.document import document
from automation.gates.reports.junit import junit
from automation.gates.reports.markdown import markdown
from automation.gates.reports.page import page
from automation.gates.reports.sarif import sarif
from automation.gates.verdicts import GateReport

FILES = ("gate.md", "gate.json", "gate.html", "gate.sarif", "junit.xml")


def write_reports(report: GateReport, folder: Path) -> None:
    """Write every form of the report; DependencyError if the disk refuses."""
    contents = (
        markdown(report).encode(),
        orjson.dumps(document(report), option=orjson.OPT_INDENT_2) + b"\n",
        page(report).encode(),
        orjson.dumps(sarif(report), option=orjson.OPT_INDENT_2) + b"\n",
        junit(report),
    )
    for name, content in zip(FILES, contents, strict=True):
        write_whole(folder / name, content)
