"""axe-core on a page as it stands in Chromium: which rules of WCAG 2.2 A and AA it breaks, and where."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

SOURCE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
RUN = """async (only) => {
    const rules = only.type === "tag" ? { "target-size": { enabled: true } } : {};
    const told = await axe.run(document, { runOnly: only, rules, resultTypes: ["violations"] });
    const brief = (rule) => [rule.id, rule.nodes.map((node) => `${node.target.join(" ")}: ${node.failureSummary}`)];
    return {
        violations: Object.fromEntries(told.violations.map(brief)),
        passed: told.passes.map((rule) => rule.id),
    };
}"""


def run(page: Page, *rules: str) -> Any:
    """What axe says: `violations` by rule, and the rules that `passed` on something.

    Args:
        page: Where to look.
        rules: Only these, where some are named.
    """
    page.wait_for_load_state("load")
    if not page.evaluate("'axe' in window"):
        page.evaluate(SOURCE)
    only = {"type": "rule", "values": list(rules)} if rules else {"type": "tag", "values": TAGS}
    return page.evaluate(RUN, only)
