#!/usr/bin/python
import sys

from ansible.module_utils.basic import AnsibleModule  # noqa: F401

print("well, er")
sys.stderr.write("lost the thread\n")
