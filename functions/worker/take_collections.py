"""Unpacks the collections that a requirements file names from the wheel of the ``ansible`` package.

A collection that the wheel holds in another version, or not at all, is left to ansible-galaxy.
"""

from __future__ import annotations

import json
import sys
from zipfile import ZipFile

import yaml

UNUSED = (
    ".github/",
    "CHANGELOG",
    "FILES.json",
    "changelogs/",
    "docs/",
    "hacking/",
    "tests/",
)


def main(requirements: str, wheel: str, target: str) -> None:
    """Unpacks into ``target``, which becomes a collections path."""
    with open(requirements) as file:
        wanted = {entry["name"]: entry["version"] for entry in yaml.safe_load(file)["collections"]}
    with ZipFile(wheel) as source:
        for name, version in wanted.items():
            folder = f"ansible_collections/{name.replace('.', '/')}/"
            if version == version_in(source, folder):
                unused = tuple(folder + start for start in UNUSED)
                found = [path for path in source.namelist() if path.startswith(folder)]
                source.extractall(target, [path for path in found if not path.startswith(unused)])
                print(f"{name} {version}: {len(found)} files")


def version_in(source: ZipFile, folder: str) -> str | None:
    """Returns the version of the collection in a folder of the wheel."""
    try:
        manifest = json.loads(source.read(f"{folder}MANIFEST.json"))
    except KeyError:
        return None
    version: str = manifest["collection_info"]["version"]
    return version


if __name__ == "__main__":
    main(*sys.argv[1:])
