"""One inventory in the forms that the server has: two web servers and a database, all of them this machine."""

from __future__ import annotations

import json
from typing import Any

LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
HOSTS: dict[str, dict[str, dict[str, Any]]] = {
    "web": {"web1": {"rank": 1}, "web2": {"rank": 2}},
    "db": {"db1": {"rank": 3}},
}
GROUP_VARS = {"web": {"tier": "front"}, "db": {"tier": "back"}}
YAML = """all:
  vars:
    site: cmdb
    ansible_connection: local
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  children:
    web:
      vars:
        tier: front
      hosts:
        web1:
          rank: 1
        web2:
          rank: 2
    db:
      vars:
        tier: back
      hosts:
        db1:
          rank: 3
"""
INI = """[web]
web1 rank=1
web2 rank=2

[db]
db1 rank=3

[web:vars]
tier=front

[db:vars]
tier=back

[all:vars]
site=cmdb
ansible_connection=local
ansible_python_interpreter="{{ ansible_playbook_python }}"
"""


def static() -> str:
    """Returns the structure that the YAML form has, as JSON."""
    children = {name: {"vars": GROUP_VARS[name], "hosts": hosts} for name, hosts in HOSTS.items()}
    return json.dumps({"all": {"vars": {"site": "cmdb", **LOCAL}, "children": children}})


def listed() -> str:
    """Returns what ``ansible-inventory --list`` would print, which is what an inventory program prints too."""
    groups = {name: {"hosts": list(hosts), "vars": GROUP_VARS[name]} for name, hosts in HOSTS.items()}
    variables = {host: values for hosts in HOSTS.values() for host, values in hosts.items()}
    everything = {"children": ["ungrouped", *HOSTS], "vars": {"site": "cmdb", **LOCAL}}
    return json.dumps({"_meta": {"hostvars": variables}, "all": everything, **groups})


def aliases() -> str:
    """Returns variables of a few lines that stand for a thousand million values."""
    levels = [f"    x{level}: &x{level} [{', '.join([f'*x{level - 1}'] * 10)}]\n" for level in range(1, 9)]
    return "all:\n  vars:\n    x0: &x0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(levels)
