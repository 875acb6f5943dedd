#!/usr/bin/python
"""Warns, and says that it is deprecated."""

from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule(argument_spec={})
module.warn("careful")
module.deprecate("old", version="9.9", collection_name="ansible.builtin")
module.exit_json(changed=True)
