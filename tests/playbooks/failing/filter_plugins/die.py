import os
import signal


class FilterModule:
    def filters(self):
        return {"die": lambda _: os.kill(os.getpid(), signal.SIGKILL)}
