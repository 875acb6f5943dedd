#!/usr/bin/python
"""A module of a collection."""

from ansible.module_utils.basic import AnsibleModule


def main():
    module = AnsibleModule(argument_spec={"text": {"type": "str", "required": True}}, supports_check_mode=True)
    module.exit_json(changed=False, text=module.params["text"][::-1])


if __name__ == "__main__":
    main()
