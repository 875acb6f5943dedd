"""Changes what the process of a playbook has: environment, working folder, umask, modules."""

import os
import sys


def change_process(marker):
    os.environ["LEFT_BY_A_PLUGIN"] = marker
    os.chdir("/")
    os.umask(0)
    sys.path.insert(0, f"/{marker}")
    sys.modules["left_by_a_plugin"] = sys
    return "changed"


def tell_process(_):
    return {
        "environment": dict(os.environ),
        "cwd": os.getcwd(),
        "umask": os.umask(0o022),
        "path": sys.path,
        "modules": "left_by_a_plugin" in sys.modules,
    }


class FilterModule:
    def filters(self):
        return {"change_process": change_process, "tell_process": tell_process}
