"""
The services about single memories: `~/forget`, `~/import_memory`, `~/export_memory`, `~/inspect`.

They take milliseconds of disk work, so they run in the service callback, beside a query that is
being answered. Each refusal comes back as `success: false` with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from universal_memory_msgs.srv import ExportMemory, ForgetMemory, ImportMemory, InspectMemory

from universal_memory.experience.event import Pose
from universal_memory.memory.errors import StoreError
from universal_memory.memory.file import MAX_FILE_BYTES
from universal_memory.memory.ledger import Provenance
from universal_memory.memory.signing import Signer
from universal_memory.memory.store import MemoryStore
from universal_memory.nodes.conversions import to_pose, to_stamp
from universal_memory.nodes.managed import explained
from universal_memory.routing.index import PassportIndex, path_in


@dataclass(frozen=True)
class Memories:
    """What the services work on: `dropped(id)` is told when a memory is gone, `signer` exports.

    `taken_in(ids)` is told of imported memories.
    """

    store: MemoryStore
    index: PassportIndex
    dropped: Callable[[str], None]
    signer: Signer | None = None
    taken_in: Callable[[list[str]], object] = list


class MemoryServices:
    """Offers the services; `memories()` is None while the node is not configured."""

    def __init__(self, node: Node, memories: Callable[[], Memories | None]) -> None:
        """Create the services on `node`."""
        self._memories = memories
        self._logger = node.get_logger()
        group = ReentrantCallbackGroup()
        for kind, name, work in (
            (ForgetMemory, "forget", self._forget),
            (ImportMemory, "import_memory", self._import),
            (ExportMemory, "export_memory", self._export),
            (InspectMemory, "inspect", self._inspect),
        ):
            node.create_service(kind, f"~/{name}", self._guarded(work), callback_group=group)

    def _guarded(self, work: Callable[[Memories, Any, Any], None]) -> Callable[[Any, Any], Any]:
        @wraps(work)
        def handle(request: Any, response: Any) -> Any:
            memories = self._memories()
            if memories is None:
                response.message = "memory_server is not configured: configure it first"
                return response
            try:
                work(memories, request, response)
                response.success = True
            except Exception as error:
                response.message = explained(error, self._logger)
            return response

        return handle

    def _forget(
        self, memories: Memories, request: ForgetMemory.Request, response: ForgetMemory.Response
    ) -> None:
        memory_id = memories.store.resolve(request.id)
        # First what answers questions, then the file: a failure never leaves it half known.
        for one in memories.store.merged.parted_with(memory_id):
            memories.index.remove(one)
            memories.dropped(one)
        memories.store.forget(memory_id)
        # The saved index still holds its passport, and this one what others have forgotten since.
        memories.index.synchronise(memories.store)
        memories.index.save(path_in(memories.store), memories.store.cipher)
        response.id = memory_id

    def _import(
        self, memories: Memories, request: ImportMemory.Request, response: ImportMemory.Response
    ) -> None:
        data = _read(Path(request.path).expanduser()) if request.path else bytes(request.data)
        source = request.path or "import_memory service"
        memory_id, _ = memories.store.import_bytes(data, source, source)
        memories.index.add([memory_id], memories.store.get(memory_id).passport[None])
        memories.taken_in([memory_id])
        response.id = memory_id

    def _export(
        self, memories: Memories, request: ExportMemory.Request, response: ExportMemory.Response
    ) -> None:
        memory_id = memories.store.resolve(request.id)
        if request.path:
            memories.store.export([memory_id], request.path, memories.signer)
        response.id = memory_id
        response.data = memories.store.handed_out(memory_id, memories.signer).to_bytes()

    def _inspect(
        self, memories: Memories, request: InspectMemory.Request, response: InspectMemory.Response
    ) -> None:
        memory_id = memories.store.resolve(request.id)
        file, record = memories.store.get(memory_id), memories.store.record(memory_id)
        response.id, response.space_id = memory_id, file.space_id
        response.counter, response.key_id = file.counter, file.key_id
        origin = record.provenance if record else Provenance(imported=True)
        response.imported, response.source = origin.imported, origin.source
        response.streams = list(origin.streams)
        response.compiled_stamp = to_stamp(origin.compiled_stamp)
        response.start, response.end = to_stamp(origin.start_stamp), to_stamp(origin.end_stamp)
        response.text = origin.text or ""
        if origin.pose is not None:
            response.has_pose = True
            response.pose = to_pose(pose_of(origin.pose), origin.start_stamp)


def pose_of(row: Any) -> Pose:
    """Return the pose of a ledger row: an object with frame_id, position and orientation."""
    return Pose(row["frame_id"], tuple(row["position"]), tuple(row["orientation"]))


def _read(path: Path) -> bytes:
    """Read a file that somebody named; a memory file is small, so nothing large is read."""
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}; remedy: check the path") from error
