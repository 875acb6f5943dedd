#!/usr/bin/python
"""A module beside the playbook."""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lengths import length


def main():
    module = AnsibleModule(argument_spec={"text": {"type": "str", "required": True}}, supports_check_mode=True)
    module.exit_json(changed=False, length=length(module.params["text"]))


if __name__ == "__main__":
    main()
