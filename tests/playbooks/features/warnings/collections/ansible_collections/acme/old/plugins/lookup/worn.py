"""A plugin with a deprecated option."""

from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        Display().deprecated("The option x of worn is deprecated", version="5.0.0")
        return terms
