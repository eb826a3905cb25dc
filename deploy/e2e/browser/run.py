"""Runs the steps in Chromium, with what the part before it knows as JSON on standard input.

Each line on standard output is a kind, a tab and a text: `ok` and `no` for checks, `say` for the rest.
"""

import json
import sys
import traceback

from playwright.sync_api import sync_playwright

import files_steps
import people_steps
import upload_steps
from place import Place

STEPS = [*files_steps.STEPS, *upload_steps.STEPS, *people_steps.STEPS]


def main():
    place = Place(json.load(sys.stdin))
    wished = [name for name in place.told["steps"].split(",") if name]
    failed = False
    with sync_playwright() as play:
        place.browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        for step in STEPS:
            if wished and step.__name__ not in wished:
                continue
            place.say(step.__doc__)
            try:
                step(place)
            except Exception:  # A step that breaks is a finding; the others still run.
                failed = True
                place.check(False, f"{step.__name__}: {traceback.format_exc(limit=-3).strip()}".replace("\n", " | "))
                place.picture_of_failure(step.__name__)
            finally:
                place.close()
        place.browser.close()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
