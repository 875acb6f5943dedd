"""A callback beside the playbook: it counts results and tells at the end."""

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
    name: tally
    type: aggregate
    short_description: counts results
    description: Counts results.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "tally"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self.results = 0

    def v2_runner_on_ok(self, result, **kwargs):
        self.results += 1

    def v2_playbook_on_stats(self, stats):
        self._display.display(f"tally: {self.results} results")
