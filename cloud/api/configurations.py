"""Configurations of gateways: written, tried out on paper, compared, sent, followed, gone back to."""

from base64 import b64encode
from typing import Annotated

from msgspec import Meta, field

from cloud.api.route import Call, Id, Nothing, Page, PageQuery, Request, Route, View, page_of, view_of
from cloud.domain.access import Action
from cloud.domain.configuration import NOTE_LENGTH_MAX, Configuration, ConfigurationStep
from cloud.domain.ids import GatewayId
from cloud.keys import COMMAND_KEY
from cloud.services import configurations
from protocol.configuration import (
    CONFIGURATION_BYTES_MAX,
    WATCH_S_MAX,
    WATCH_S_MIN,
    WATCH_S_USUAL,
    ConfigurationState,
)
from provisioning.bundle import sealed
from provisioning.difference import Change, Difference, Kind
from provisioning.document import Document


class DocumentBody(Request, frozen=True):
    """A configuration as the box reads it (TOML), and the profiles of its own, by file name."""

    text: str
    profiles: dict[str, str] = field(default_factory=dict)


class DraftBody(DocumentBody, frozen=True):
    """What the draft is to say, and what for."""

    note: Annotated[str, Meta(max_length=NOTE_LENGTH_MAX)] = ""


class SendBody(Request, frozen=True):
    """What it is for, and how long it is on trial."""

    note: Annotated[str, Meta(max_length=NOTE_LENGTH_MAX)] = ""
    watch_s: Annotated[int, Meta(ge=WATCH_S_MIN, le=WATCH_S_MAX)] = WATCH_S_USUAL


class CompareQuery(Request, frozen=True):
    """What to compare with."""

    before_id: Id


class ConfigurationView(View, frozen=True):
    """One configuration and where it stands; `reasons` say why it was refused or rolled back."""

    configuration_id: str
    gateway_id: str
    number: int
    state: ConfigurationState
    digest: str
    note: str
    watch_s: int
    based_on: int | None
    author_name: str
    created_at_ms: int
    changed_at_ms: int
    reasons: tuple[str, ...]


class ConfigurationStepView(View, frozen=True):
    """One step of a configuration's life."""

    at_ms: int
    state: ConfigurationState
    reasons: tuple[str, ...]
    actor_name: str
    by_edge_at_ms: int | None


class ConfigurationDetailView(View, frozen=True):
    """A configuration, what it says, and its steps, oldest first."""

    configuration: ConfigurationView
    text: str
    profiles: dict[str, str]
    steps: tuple[ConfigurationStepView, ...]


class KeyView(View, frozen=True):
    """One key before and after; "" where it is not given."""

    name: str
    before: str
    after: str


class ChangeView(View, frozen=True):
    """One thing that differs."""

    kind: Kind
    thing: str
    name: str
    keys: tuple[KeyView, ...]


class DifferenceView(View, frozen=True):
    """What differs, and which devices are polled anew, paused or dropped; the others miss no poll."""

    changes: tuple[ChangeView, ...]
    disturbed: tuple[str, ...]
    undisturbed: int


class CheckView(View, frozen=True):
    """A dry run: what is wrong, a line each that names the key, and what would change."""

    problems: tuple[str, ...]
    difference: DifferenceView


class BundleView(View, frozen=True):
    """A signed bundle in base64, for a box that is not online: `gatehouse edge configure`."""

    number: int
    bundle: str


async def list_configurations(call: Call[PageQuery, Nothing]) -> Page[ConfigurationView]:
    """List a gateway's configurations, the newest first."""
    gateway_id = GatewayId(call.id("gateway_id"))
    query = call.query
    found = await call.read(configurations.list_configurations, gateway_id, query.cursor, query.limit)
    return page_of(found, configuration_view)


async def get_configuration(call: Call[Nothing, Nothing]) -> ConfigurationDetailView:
    """Show a configuration."""
    found, steps = await call.read(configurations.get_configuration, call.id("configuration_id"))
    return ConfigurationDetailView(
        configuration=configuration_view(found),
        text=found.document.text,
        profiles=dict(found.document.profiles),
        steps=tuple(_step_view(step) for step in steps),
    )


async def check_configuration(call: Call[Nothing, DocumentBody]) -> CheckView:
    """Try a configuration out on paper."""
    document = Document(call.body.text, call.body.profiles)
    problems, found = await call.read(configurations.check, GatewayId(call.id("gateway_id")), document)
    return CheckView(problems=tuple(problems), difference=difference_view(found))


async def write_draft(call: Call[Nothing, DraftBody]) -> ConfigurationView:
    """Write the gateway's draft, or write it anew."""
    document = Document(call.body.text, call.body.profiles)
    gateway_id = GatewayId(call.id("gateway_id"))
    return configuration_view(
        await call.write(configurations.write_draft, gateway_id, document, call.body.note)
    )


async def send_configuration(call: Call[Nothing, SendBody]) -> ConfigurationView:
    """Send a draft."""
    configuration_id = call.id("configuration_id")
    return configuration_view(
        await call.write(configurations.send, configuration_id, call.body.note, call.body.watch_s)
    )


async def withdraw_configuration(call: Call[Nothing, Nothing]) -> ConfigurationView:
    """Take back what no gateway has got yet."""
    return configuration_view(await call.write(configurations.withdraw, call.id("configuration_id")))


async def revert_configuration(call: Call[Nothing, Nothing]) -> ConfigurationView:
    """Write a draft that says what this one said."""
    return configuration_view(await call.write(configurations.revert, call.id("configuration_id")))


async def compare_configurations(call: Call[CompareQuery, Nothing]) -> DifferenceView:
    """Compare a configuration with another."""
    return difference_view(
        await call.read(configurations.compare, call.query.before_id, call.id("configuration_id"))
    )


async def carry_configuration(call: Call[Nothing, Nothing]) -> BundleView:
    """Return what was sent as signed bytes, to be carried by hand."""
    found = await call.write(configurations.bundle, call.id("configuration_id"))
    content = sealed(found, call.request.app[COMMAND_KEY])
    return BundleView(number=found.number, bundle=b64encode(content).decode())


def configuration_view(found: Configuration) -> ConfigurationView:
    """Return a configuration as it is told."""
    return view_of(found, ConfigurationView)


def difference_view(found: Difference) -> DifferenceView:
    """Return a difference as it is told."""
    changes = tuple(_change_view(change) for change in found.changes)
    return DifferenceView(changes=changes, disturbed=found.disturbed, undisturbed=found.undisturbed)


def _change_view(change: Change) -> ChangeView:
    return view_of(change, ChangeView, keys=tuple(view_of(key, KeyView) for key in change.keys))


def _step_view(step: ConfigurationStep) -> ConfigurationStepView:
    return view_of(step, ConfigurationStepView)


_OF, _ONE = "/api/v1/gateways/{gateway_id}/configurations", "/api/v1/configurations/{configuration_id}"
_READ, _WRITE = Action.READ_GATEWAYS, Action.CONFIGURE_GATEWAYS

ROUTES = (
    Route(
        "GET",
        _OF,
        "List a gateway's configurations",
        _READ,
        list_configurations,
        Page[ConfigurationView],
        query=PageQuery,
    ),
    Route(
        "POST",
        _OF,
        "Write a gateway's draft",
        _WRITE,
        write_draft,
        ConfigurationView,
        body=DraftBody,
        body_bytes_max=2 * CONFIGURATION_BYTES_MAX,
        description="There is one draft a gateway: written again, it is written anew. It may be wrong.",
    ),
    Route(
        "POST",
        _OF + "/check",
        "Try a configuration out on paper",
        _READ,
        check_configuration,
        CheckView,
        body=DocumentBody,
        body_bytes_max=2 * CONFIGURATION_BYTES_MAX,
        description="Nothing is written. What its rules say, the gateway looks at before it applies it.",
    ),
    Route("GET", _ONE, "Show a configuration", _READ, get_configuration, ConfigurationDetailView),
    Route(
        "GET",
        _ONE + "/difference",
        "Compare a configuration with another",
        _READ,
        compare_configurations,
        DifferenceView,
        query=CompareQuery,
    ),
    Route(
        "POST",
        _ONE + "/send",
        "Send a configuration",
        _WRITE,
        send_configuration,
        ConfigurationView,
        body=SendBody,
        description="The gateway takes it when it next asks, tries it, and goes back if that fails.",
    ),
    Route(
        "POST",
        _ONE + "/withdraw",
        "Take a configuration back",
        _WRITE,
        withdraw_configuration,
        ConfigurationView,
    ),
    Route(
        "POST",
        _ONE + "/revert",
        "Draft what a configuration said",
        _WRITE,
        revert_configuration,
        ConfigurationView,
    ),
    Route(
        "POST",
        _ONE + "/bundle",
        "Carry a configuration by hand",
        _WRITE,
        carry_configuration,
        BundleView,
        description="For a gateway that is not online; it verifies the signature and tries it all the same.",
    ),
)
