"""Detections -> what a screen shows of them: pictures, place, time, the photographs around them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.images.infrared import is_infrared
from pipeline.label_studio.files import ServedFiles
from pipeline.label_studio.screen.content import CropShown, Neighbour
from pipeline.steps.labelling.likeliest import Likeliest
from pipeline.steps.labelling.originals import original_address
from pipeline.store import neighbours, tasks
from pipeline.store.neighbours import SequenceFrame
from pipeline.store.tasks import TaskContent
from pipeline.workspace import Workspace

NEIGHBOURS = 9  # photographs of a sequence that a screen shows, the crop's own among them


@dataclass(frozen=True, kw_only=True)
class ShownCrops:
    """What screens show of some crops."""

    workspace: Workspace
    served: ServedFiles
    contents: Mapping[str, TaskContent]  # by detection id
    sequences: Mapping[str, Sequence[SequenceFrame]]  # by `seq_id`

    def crop(self, detection_id: str, likeliest: Likeliest = ()) -> CropShown:
        """The crop as a screen shows it."""
        content = self.contents[detection_id]
        return CropShown(
            detection_id=detection_id,
            crop=self.served.address(content.crop_path),
            frame=self.served.address(content.frame_path or content.crop_path),
            original=original_address(self.served, self.workspace.data_dir, content),
            place=content.location or "",
            time=content.datetime.isoformat(" ", "minutes") if content.datetime else "",
            infrared=is_infrared(self.workspace.data_dir / content.crop_path),
            confidence=content.bbox_confidence,
            likeliest=likeliest,
            box=content.box,
        )

    def around(self, detection_id: str) -> tuple[Neighbour, ...]:
        """The photographs around the crop's own in its sequence; none if it is alone."""
        content = self.contents[detection_id]
        frames = self.sequences.get(content.sequence or "", ())
        here = next((place for place, each in enumerate(frames) if each.image_id == content.image_id), None)
        if here is None or len(frames) < 2:
            return ()
        start = max(0, min(here - NEIGHBOURS // 2, len(frames) - NEIGHBOURS))
        return tuple(
            Neighbour(
                url=self.served.address(frame.frame_path),
                time=frame.datetime.isoformat(" ", "seconds") if frame.datetime else "",
                is_this=frame.image_id == content.image_id,
            )
            for frame in frames[start : start + NEIGHBOURS]
        )


def read_shown(
    workspace: Workspace, served: ServedFiles, alone: Iterable[str], together: Iterable[str]
) -> ShownCrops:
    """Read what is needed for crops that are shown `alone`, with their neighbours, and `together`."""
    alone = set(alone)
    with workspace.database.read() as conn:
        contents = tasks.contents(conn, alone | set(together))
        sequences = {
            content.sequence for crop, content in contents.items() if crop in alone and content.sequence
        }
        return ShownCrops(
            workspace=workspace,
            served=served,
            contents=contents,
            sequences=neighbours.of_sequences(conn, sequences),
        )
