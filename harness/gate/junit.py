"""A verdict as JUnit XML, for CI services: one test case a rule × row, and one a head.

A rule that does not hold is a failure; one with nothing to judge (invalid, missing, not comparable) is an error.
An inconclusive finding under a rule that only warns is skipped, as is one that need not hold because another variant
ships.
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from harness.gate.verdict_text import head_words, interval, outcome, value_and_limit
from harness.records import Finding, HeadVerdict, Verdict
from harness.records.names import row_name
from harness.records.terms import Outcome

NOT_JUDGED = ("invalid", "missing", "not_comparable")
NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(verdict: Verdict, timestamp: str) -> bytes:
    """Return the XML. timestamp: when the run was made, ISO 8601; the schema has no place for a time zone."""
    suite = Element("testsuite", name=f"harness gate {verdict.run_id}", hostname="harness")
    if timestamp:
        suite.set("timestamp", timestamp[:19])
    cases = [test_case(suite, finding, verdict) for finding in verdict.findings]
    cases += [head_case(suite, head, verdict) for head in verdict.heads]
    root = Element("testsuites", name="harness gate")
    root.append(suite)
    counts = {plural: sum(case.find(tag) is not None for case in cases) for tag, plural in COUNTED.items()}
    for key, count in {"tests": len(cases), **counts, "time": 0}.items():
        suite.set(key, str(count))
        root.set(key, str(count))
    indent(root)
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


COUNTED = {"failure": "failures", "error": "errors", "skipped": "skipped"}


def test_case(suite: Element, finding: Finding, verdict: Verdict) -> Element:
    name = clean(f"{row_name(finding.case)}: {finding.words}")
    case = SubElement(suite, "testcase", classname=f"policy.rule-{finding.rule}", name=name, time="0")
    tag = tag_of(finding.outcome, finding.holds, verdict)
    if tag:
        result = SubElement(case, tag, message=clean(f"{outcome(finding)}: {finding.reason or numbers(finding)}"))
        if tag != "skipped":
            result.set("type", finding.outcome)
            result.text = clean(numbers(finding))
    return case


def head_case(suite: Element, head: HeadVerdict, verdict: Verdict) -> Element:
    case = SubElement(suite, "testcase", classname="policy.outputs", name=clean(f"output {head.output}"), time="0")
    tag = tag_of(head.outcome or "inconclusive", not head.outcome, verdict)  # "": no rule judges it
    if tag:
        result = SubElement(case, tag, message=clean(head_words(head)))
        if tag != "skipped":
            result.set("type", head.outcome)
    return case


def tag_of(outcome: Outcome, holds: bool, verdict: Verdict) -> str:
    """Choose the tag of a test case; "" for one that passes."""
    if outcome == "pass":
        return ""
    need_not_hold = verdict.mode == "any" and verdict.outcome == "pass"
    if holds or need_not_hold:
        return "skipped"
    return "error" if outcome in NOT_JUDGED else "failure"


def numbers(finding: Finding) -> str:
    value, limit = value_and_limit(finding)
    return "; ".join(filter(None, (f"value {value}", interval(finding), f"limit {limit}", finding.method)))


def clean(text: str) -> str:
    """Remove the characters that XML does not allow, such as those that colour a terminal."""
    return " ".join(NOT_IN_XML.sub("", text).split())
