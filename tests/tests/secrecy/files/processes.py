"""Tells which processes show a secret in their environment or command line, by their names alone."""

import glob
import json
import sys

with open(sys.argv[1]) as file:
    secrets = [secret.encode() for secret in json.load(file).values()]
seen = 0
for place in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
    try:
        with open(place, "rb") as file:
            content = file.read()
        with open(place.rsplit("/", 1)[0] + "/comm") as file:
            name = file.read().strip()
    except OSError:
        continue
    seen += bool(content)
    if any(secret in content for secret in secrets):
        print(f"shown by {place} of {name}")
print(f"looked at {seen > 10}")
