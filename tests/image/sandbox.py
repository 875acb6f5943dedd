"""The worker's image as Lambda runs it: its root file system in the sandbox, under the emulator."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import rie
from image import Image

SCRIPT = Path(__file__).with_name("sandbox.sh")
EMULATOR = "var/rapid/aws-lambda-rie"
LAMBDA = (993, 990)


def install_emulator(root: Path) -> None:
    """Puts the emulator into the root file system, where the SAM CLI puts it as well."""
    target = root / EMULATOR
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(os.environ["CALLBOARD_RIE"], target)


class Sandbox(rie.Function):
    """A worker in the sandbox. It has a foreign user; the emulator, which is Lambda's side, keeps root."""

    def __init__(
        self,
        image: Image,
        root: Path,
        environment: dict[str, str],
        playbooks: Path | None = None,
        user: tuple[int, int] = LAMBDA,
    ) -> None:
        port, runtime_port = rie.free_ports()
        uid, gid = map(str, user)
        variables = [*image.environment, *(f"{name}={value}" for name, value in environment.items())]
        isolate = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", str(SCRIPT)]
        place = [str(root), uid, gid, str(playbooks or "")]
        emulator = ["env", "-i", "-C", image.folder, *variables, f"/{EMULATOR}", *rie.emulator(port, runtime_port)]
        function = ["/usr/bin/setpriv", "--reuid", uid, "--regid", gid, "--clear-groups", *image.entrypoint]
        super().__init__("worker", [*isolate, *place, *emulator, *function], dict(os.environ))
        self.connect(port)

    def temporary_files(self) -> set[str]:
        """Lists everything in the sandbox's /tmp."""
        tmp = Path(f"/proc/{self._inside()}/root/tmp")
        return {str(path.relative_to(tmp)) for path in tmp.rglob("*")}

    def processes(self) -> set[str]:
        """Lists the sandbox's processes, as `pid name`."""
        return {f"{path.parent.name} {path.read_text().strip()}" for path in self._comms() if path.exists()}

    def _comms(self) -> Iterator[Path]:
        return Path(f"/proc/{self._inside()}/root/proc").glob("[0-9]*/comm")

    def _inside(self) -> int:
        """Returns the outer id of the sandbox's first process: the child of `unshare`."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(children.read_text().split()[0])
