"""A stdout callback that answers for every method itself, as ansible.posix.json does."""

from functools import partial

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
    name: answers_itself
    type: stdout
    short_description: answers for every method itself
    description: says which method was called
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "answers_itself"

    def _say(self, name, *_args, **_kwargs):
        print(f"called: {name}")

    def __getattribute__(self, name):
        if name.startswith(("v2_runner", "v2_playbook")):
            return partial(self._say, name)
        return object.__getattribute__(self, name)
