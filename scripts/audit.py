"""Looks up the packages of requirements-dev.lock among known vulnerabilities, with pip-audit.

Fails for what is found there and for nothing else: where the database cannot be reached, one line says so.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

LOCK = Path(__file__).resolve().parent.parent / "requirements-dev.lock"
PROBE_S = 4.0
"""Within this time the database says something of one package, or it is not there."""
WHOLE_S = 60.0


def asked(pins: list[str], limit_s: float) -> list[str] | None:
    """What is known against these packages; None if the database does not tell."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(pins))
        file.flush()
        command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "--requirement", file.name]
        command += ["--format", "json", "--progress-spinner", "off", "--timeout", "2"]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
            packages = json.loads(answer.stdout)["dependencies"]
        except (subprocess.TimeoutExpired, ValueError):
            return None
    told = [package for package in packages if "vulns" in package]
    found = [f"{each['name']} {each['version']}: {vuln['id']}" for each in told for vuln in each["vulns"]]
    return found if told else None


def main() -> int:
    pins = re.findall(r"^[\w.-]+==[\w.]+", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    if asked(pins[:1], PROBE_S) is None or (found := asked(pins, WHOLE_S)) is None:
        print("audit: skipped: the database of vulnerabilities cannot be reached")
        return 0
    print(f"audit: {len(pins)} packages, {len(found)} known vulnerabilities", *found, sep="\n  ")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
