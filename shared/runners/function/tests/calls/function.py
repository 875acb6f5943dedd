#!/usr/bin/env python3
"""A function for AWS Lambda's runtime API that returns what it gets."""

import json
import os
from urllib.request import Request, urlopen

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"

while True:
    with urlopen(f"{API}/next") as invocation:
        event, name = json.load(invocation), invocation.headers["Lambda-Runtime-Aws-Request-Id"]
    answer = json.dumps({"got": event}).encode()
    urlopen(Request(f"{API}/{name}/response", answer)).close()
