"""What is asked about spaces and what is shown of them."""

from datetime import date
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from cloud.api.route import Id, PageQuery, Request, View, view_of
from cloud.domain.attachment import TITLE_LENGTH_MAX
from cloud.domain.premises import SpaceKind
from cloud.domain.space_history import (
    AREA_BANDS_DM2,
    AREA_DM2_MAX,
    Orientation,
    SpaceCount,
    SpaceRecord,
    SpaceStatus,
    SpaceUse,
    SpaceVersion,
)
from cloud.services.spaces import CODE_LENGTH_MAX, NAME_LENGTH_MAX, REASON_LENGTH_MAX, SpaceDetail

Code = Annotated[str, Meta(min_length=1, max_length=CODE_LENGTH_MAX)]
Text = Annotated[str, Meta(max_length=NAME_LENGTH_MAX)]
Area = Annotated[int, Meta(ge=0, le=AREA_DM2_MAX)]
Floor = Annotated[int, Meta(ge=-20, le=200)]


class OnQuery(Request, frozen=True, kw_only=True):
    """Which day; today if it is left out."""

    on: date | None = None


class SpaceQuery(PageQuery, frozen=True, kw_only=True):
    """Which spaces, on which day; `text` is part of a number, a title, an account or a holder's name."""

    on: date | None = None
    text: Annotated[str, Meta(max_length=100)] = ""
    building_id: Id | None = None
    kind: SpaceKind | None = None
    status: SpaceStatus | None = None
    use: SpaceUse | None = None
    orientation: Orientation | None = None
    layout: Text = ""
    unit_code: Text = ""
    floor: Floor | None = None
    area_from_dm2: Area | None = None
    area_to_dm2: Area | None = None


class NewBuilding(Request, frozen=True, kw_only=True):
    """A building to be added."""

    code: Code
    name: Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH_MAX)]
    floors: Annotated[int, Meta(ge=1, le=200)]


class AddedBuildingView(View, frozen=True):
    """A building that was added."""

    building_id: str
    site_id: str
    code: str
    name: str
    floors: int


class NewSpace(Request, frozen=True, kw_only=True):
    """A space to be added; what is left out of its facts is not known."""

    code: Code
    unit_code: Annotated[str, Meta(max_length=CODE_LENGTH_MAX)] = ""
    floor: Floor
    kind: SpaceKind
    built_area_dm2: Area = 0
    inner_area_dm2: Area | None = None
    layout: Text = ""
    orientation: Orientation | None = None
    use: SpaceUse | None = None
    title_number: Text = ""
    status: SpaceStatus | None = None
    handed_over_on: date | None = None


class SpaceName(Request, frozen=True, kw_only=True):
    """What a space is called and where it lies."""

    code: Code
    unit_code: Annotated[str, Meta(max_length=CODE_LENGTH_MAX)] = ""
    floor: Floor


class SpaceChange(Request, frozen=True, kw_only=True):
    """What a space is like from a day on, and why; what is left out stays as it is."""

    from_on: date
    reason: Annotated[str, Meta(min_length=1, max_length=REASON_LENGTH_MAX)]
    built_area_dm2: Area | UnsetType = UNSET
    inner_area_dm2: Area | UnsetType | None = UNSET
    layout: Text | UnsetType = UNSET
    orientation: Orientation | UnsetType | None = UNSET
    use: SpaceUse | UnsetType = UNSET
    title_number: Text | UnsetType = UNSET
    status: SpaceStatus | UnsetType | None = UNSET
    handed_over_on: date | UnsetType | None = UNSET


class AttachmentQuery(Request, frozen=True, kw_only=True):
    """What a paper is called."""

    title: Annotated[str, Meta(min_length=1, max_length=TITLE_LENGTH_MAX)]


class SpaceFactsView(View, frozen=True):
    """What a space is like; areas in square decimetres. `status` is null where its account tells."""

    built_area_dm2: int
    inner_area_dm2: int | None
    layout: str
    orientation: Orientation | None
    use: SpaceUse
    title_number: str
    status: SpaceStatus | None
    handed_over_on: date | None


class SpaceRecordView(View, frozen=True):
    """A space on a day, and whose it was; `status` is what was said of it or what its account shows."""

    space_id: str
    building_id: str
    building_code: str
    code: str
    unit_code: str
    floor: int
    kind: SpaceKind
    status: SpaceStatus
    facts: SpaceFactsView
    account_id: str | None
    account_number: str
    holder_name: str


class SpaceVersionView(View, frozen=True):
    """That a space was like this from a day on; of one day the version recorded last counts."""

    number: int
    from_on: date
    facts: SpaceFactsView
    reason: str
    recorded_at_ms: int
    recorded_by: str | None


class AttachmentView(View, frozen=True):
    """A paper; fetch it under `…/attachments/{attachment_id}`."""

    attachment_id: str
    title: str
    media_type: str
    sha256: str
    size_bytes: int
    added_at_ms: int


class SpaceDetailView(View, frozen=True):
    """A space on a day, every version of it, the newest word first, and its papers."""

    space: SpaceRecordView
    versions: tuple[SpaceVersionView, ...]
    attachments: tuple[AttachmentView, ...]


class SpaceCountView(View, frozen=True):
    """How many spaces are alike; the band is from `area_from_dm2` up to and without `area_to_dm2`."""

    kind: SpaceKind
    status: SpaceStatus
    layout: str
    area_from_dm2: int
    area_to_dm2: int | None
    count: int
    area_dm2: int


class SpaceCountsView(View, frozen=True):
    """The spaces of a site on a day, counted."""

    counts: tuple[SpaceCountView, ...]


def record_view(record: SpaceRecord) -> SpaceRecordView:
    """Return a space on a day as it is shown."""
    return SpaceRecordView(
        space_id=record.space.space_id,
        building_id=record.space.building_id,
        building_code=record.building_code,
        code=record.space.code,
        unit_code=record.space.unit_code,
        floor=record.space.floor,
        kind=record.space.kind,
        status=record.status,
        facts=view_of(record.facts, SpaceFactsView),
        account_id=record.account_id,
        account_number=record.account_number,
        holder_name=record.holder_name,
    )


def _version_view(version: SpaceVersion) -> SpaceVersionView:
    return view_of(version, SpaceVersionView, facts=view_of(version.facts, SpaceFactsView))


def detail_view(found: SpaceDetail) -> SpaceDetailView:
    """Return a space with its history and its papers as they are shown."""
    return SpaceDetailView(
        space=record_view(found.record),
        versions=tuple(_version_view(one) for one in found.versions),
        attachments=tuple(view_of(one, AttachmentView) for one in found.attachments),
    )


def count_view(one: SpaceCount) -> SpaceCountView:
    """Return how many spaces are alike, with the edges of their band of areas."""
    edges = (0, *AREA_BANDS_DM2, None)
    return view_of(
        one, SpaceCountView, area_from_dm2=edges[one.area_band] or 0, area_to_dm2=edges[one.area_band + 1]
    )
