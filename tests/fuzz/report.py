"""Figures of many tries."""

from __future__ import annotations

from typing import Any

from tests.fuzz.judge import Try


def summary(done: list[Try], seconds: float) -> dict[str, Any]:
    """Count tries, how they ended, and findings: of all, by reader and by command."""

    def count(tries: list[Try]) -> dict[str, int]:
        kinds = [finding.partition(":")[0] for one in tries for finding in one.findings]
        return {
            "tries": len(tries),
            "read": sum(one.code == 0 for one in tries),
            "refused": sum(one.code in (2, 4) for one in tries),
            "failed": sum(one.code in (1, 3) for one in tries),
            "handled": sum(not one.findings for one in tries),
            **{kind: kinds.count(kind) for kind in sorted(set(kinds))},
        }

    def by(key: Any) -> dict[str, dict[str, int]]:
        return {
            name: count([one for one in done if key(one) == name])
            for name in sorted({key(one) for one in done})
        }

    def command(one: Try) -> str:
        words = one.command.split()
        return " ".join(words[: 2 if words[0] == "export" else 1])

    return {
        **count(done),
        "seconds": round(seconds),
        "slowest_refusal_cpu_s": round(
            max((one.cpu for one in done if one.code in (2, 4)), default=0), 2
        ),
        "most_memory_bytes": max((one.memory for one in done), default=0),
        "by_reader": by(lambda one: one.reader),
        "by_command": by(command),
        "findings": [one.json() for one in done if one.findings],
    }
