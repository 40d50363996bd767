"""The planning suite: large enough, judged by a truth that the planner cannot see."""

import ast
from pathlib import Path

from benchmarks import planning


def test_the_suite_has_at_least_thirty_workloads_and_our_choice_is_near_hindsight():
    found = [planning.outcome(workload) for workload in planning.workloads()]
    assert len(found) >= 30
    possible = [o for o in found if o.best is not None]
    near = [o for o in possible if o.ours is not None and o.ours <= 1.1 * (o.best or 0)]
    assert len(near) >= 0.9 * len(possible)


def test_no_rule_can_see_the_truth():
    root = Path(planning.__file__).parent.parent
    for file in (root / "mlops").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert "throughputs" not in text
        modules = [n.module for n in ast.walk(ast.parse(text)) if isinstance(n, ast.ImportFrom)]
        assert not any(module and module.startswith("benchmarks") for module in modules)
