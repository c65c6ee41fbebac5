"""The answer as JUnit XML: a suite a strategy, a case a check."""

from xml.etree import ElementTree as ET  # written, never parsed

from automation.gates.verdicts import GateReport, Status


def junit(report: GateReport) -> bytes:
    """Write the report as JUnit XML; what was not judged is an error, what is off is skipped."""
    root = ET.Element("testsuites", name="freqfleet gate")
    for one in report.strategies:
        checks = one.checks
        suite = ET.SubElement(
            root,
            "testsuite",
            name=one.name,
            tests=str(len(checks)),
            failures=_count(checks, Status.FAIL),
            errors=_count(checks, Status.NOT_JUDGED),
            skipped=_count(checks, Status.OFF),
        )
        for check in checks:
            case = ET.SubElement(
                suite, "testcase", classname=one.name, name=check.name, file=one.path
            )
            if check.status is Status.PASS:
                continue
            tags = {Status.FAIL: "failure", Status.NOT_JUDGED: "error", Status.OFF: "skipped"}
            ET.SubElement(case, tags[check.status], message=_plain(check.sentence))
    ET.indent(root)
    content: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def _count(checks: object, status: Status) -> str:
    assert isinstance(checks, tuple)
    return str(sum(check.status is status for check in checks))


def _plain(sentence: str) -> str:
    """Leave out what XML forbids."""
    return "".join(one for one in sentence if one in "\t\n" or ord(one) >= 32)
