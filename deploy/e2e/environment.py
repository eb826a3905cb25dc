"""Python environments of their own, below `var`, for what the tests need from PyPI."""

import hashlib
import os
import subprocess
import sys

from report import Stop

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def python(requirements):
    """A Python with the packages of a list: made when the list has changed."""
    with open(requirements, "rb") as file:
        mark = hashlib.sha256(file.read() + sys.version.encode()).hexdigest()[:16]
    folder = os.path.join(ROOT, "var", f"e2e-python-{mark}")
    program = f"{folder}/bin/python"
    if not os.path.exists(f"{folder}/complete"):
        for command in (
                [sys.executable, "-m", "venv", "--clear", folder],
                [program, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "-r", requirements]):
            done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
            if done.returncode != 0:
                raise Stop(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-500:]}")
        with open(f"{folder}/complete", "w", encoding="ascii"):
            pass
    return program
