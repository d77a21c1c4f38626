"""Looks every phone up with pyiikocloudapi in a loop, as its documentation shows."""

import json
import sys
import time
from pathlib import Path

from pyiikocloudapi import IikoTransport

work = json.loads(Path(sys.argv[1]).read_text())
started = time.perf_counter()
api = IikoTransport("demo-login", base_url=work["url"])
found = sum(
    getattr(api.customer_info(work["organization_id"], phone, "phone"), "id", None) is not None
    for phone in work["phones"]
)
seconds = time.perf_counter() - started
assert found == len(work["phones"])
print(json.dumps({"done": found, "seconds": seconds}))
