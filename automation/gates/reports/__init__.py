"""One answer in six forms: terminal, Markdown, JUnit, JSON, SARIF, a page.

All are made from a `GateReport` alone; equal reports give equal bytes.
"""

from automation.gates.reports.document import document
from automation.gates.reports.files import FILES, write_reports
from automation.gates.reports.markdown import markdown
from automation.gates.reports.table import table

__all__ = ["FILES", "document", "markdown", "table", "write_reports"]
