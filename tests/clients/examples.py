"""Checks each example of an OpenAPI document against the schema that it stands beside; prints what does not fit."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator


def main(path: str) -> int:
    """Returns 1 if an example does not fit, or there is none."""
    document = json.loads(Path(path).read_text())
    found = list(examples(document["paths"]))
    faults = [fault for schema, example in found for fault in check(document, schema, example)]
    print("\n".join(faults) or f"{len(found)} examples checked")
    return 1 if faults or not found else 0


def examples(part: Any) -> Iterator[tuple[Any, Any]]:
    """Finds schemas with their examples."""
    if isinstance(part, dict):
        if "schema" in part:
            own = [part["example"]] if "example" in part else []
            own += [example["value"] for example in part.get("examples", {}).values()]
            yield from ((part["schema"], example) for example in own)
        for value in part.values():
            yield from examples(value)
    elif isinstance(part, list):
        for item in part:
            yield from examples(item)


def check(document: Any, schema: Any, example: Any) -> list[str]:
    """Returns what is wrong with an example."""
    whole = {**schema, "components": document["components"]}
    errors = Draft202012Validator(whole).iter_errors(example)
    return [f"{json.dumps(example)[:200]}: {error.json_path}: {error.message}" for error in errors]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
