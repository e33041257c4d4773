"""Which worker of `pytest -n` gets which file.

A folder's files share servers, which every worker that has one of them must start: a worker goes on in the folder
where it is. It begins with folders that take long, so that in the end there are short ones left to share out.
"""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

LONGEST_FIRST = (
    "outages",
    "admin_api",
    "limits",
    "data_plane",
    "metering",
    "dashboard",
    "supervisor",
    "chaos",
    "benchmarks",
    "operations",
    "promises",
    "commands",
)


class FolderByFolder(LoadFileScheduling):
    """As `--dist loadfile`, in another order."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        self.workqueue.move_to_end(self._next(node), last=False)
        super()._assign_work_unit(node)

    def _next(self, node: WorkerController) -> str:
        """A file of the folder where this worker is, else of one that nobody has begun, else any."""
        here = [_folder(file) for file in self.assigned_work[node]][-1:]
        begun = {_folder(file) for files in self.assigned_work.values() for file in files}
        return min(
            self.workqueue,
            key=lambda file: (_folder(file) not in here, _folder(file) in begun, _place(_folder(file))),
        )


def _folder(file: str) -> str:
    return file.removeprefix("tests/").partition("/")[0]


def _place(folder: str) -> int:
    return LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else len(LONGEST_FIRST)
