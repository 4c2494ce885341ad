"""A whole site as one document: what a person or a program hands over to set the property up.

JSON, parsed strictly: unknown keys are refused, codes are the names things are known by, and whatever
refers to something names its code. Loading the same document again changes nothing; loading one
with more in it adds what is new. Nothing is ever removed by a document.

    {
      "format": 1,
      "site": {"code": "DG", "name": "示范小区", "time_zone": "Asia/Shanghai", "address": "…"},
      "buildings": [{"code": "1", "name": "1 号楼", "floors": 6, "spaces": [
          {"code": "1-101", "unit_code": "1", "floor": 1, "kind": "flat", "built_area_dm2": 8950,
           "layout": "3室2厅1卫", "orientation": "south_north"}]}],
      "gateways": [{"code": "gw-1", "name": "1 号楼网关", "devices": [
          {"code": "em-101", "profile": "dlt645_single_phase", "title": "101 电表", "points": [
              {"name": "active_energy_import"}, {"name": "fire_alarm_1", "quantity": "fire_alarm"}]}]}],
      "service_points": [{"code": "E-101", "commodity": "electricity", "kind": "flat", "space": "1-101"}],
      "meters": [{"serial": "202607000101", "commodity": "electricity", "model": "DDZY-SIM",
                  "register_modulus": "1000000", "max_per_day": "200"}],
      "installations": [{"service_point": "E-101", "meter": "202607000101",
                         "point": "gw-1/em-101/active_energy_import", "from_at_ms": 1756656000000,
                         "opening_value": "0.00", "multiplier": "1"}],
      "accounts": [{"number": "A-00101", "holder_name": "王建国", "space": "1-101", "household_size": 3,
                    "opened_on": "2026-01-01"}],
      "supplies": [{"account": "A-00101", "service_point": "E-101", "tariff": "cn-beijing-elec-res-2012",
                    "from_on": "2026-01-01"}],
      "subscriptions": [{"account": "A-00101", "tariff": "property-fee", "label": "物业费",
                         "from_on": "2026-01-01"}],
      "tariffs": [{…a tariff document as `cloud.services.tariffs` takes it…}],
      "equipment": [{"code": "lift-1", "kind": "lift", "name": "1 号梯", "building": "1",
                     "device": "gw-1/lift-1", "brand": "…", "model": "…", "serial_number": "…", "plans": [
          {"code": "half-month", "title": "半月维保", "basis": "TSG T5002-2017 §6", "interval_days": 15,
           "lead_days": 3, "starts_on": "2026-09-01", "checklist": "elevator-traction",
           "cycle": "half_month", "completions": [
              {"completed_at_ms": 1757000000000, "signed_by": "李工", "note": ""}]}]}],
      "users": [{"login": "manager", "password": "…", "display_name": "物业经理", "role": "manager"},
                {"login": "101", "password": "…", "display_name": "王建国", "role": "resident",
                 "accounts": ["A-00101"]}],
      "technicians": [{"user": "liu", "skills": ["plumbing", "electrical"], "buildings": ["1"],
                       "weekdays": [0, 1, 2, 3, 4], "from_minute": 480, "to_minute": 1200}],
      "people": [{"name": "王建国", "phone": "13812348000", "user": "101", "plates": ["京A12345"],
                  "homes": [{"space": "1-101", "relation": "owner", "from_on": "2019-05-01"}]}]
    }

Every list may be left out. `opening_value` and the other amounts are strings in the commodity's unit
(kWh, m3), `from_at_ms` is UTC. An installation without a `point` is a meter read by hand.
"""

from datetime import date
from typing import Annotated

import msgspec

from cloud.domain.checklist import Cycle
from cloud.domain.equipment import PRICE_FEN_MAX, EquipmentKind
from cloud.domain.errors import Invalid, Problem
from cloud.domain.maintenance import TriggerKind
from cloud.domain.person import Relation
from cloud.domain.premises import Commodity, ServicePointKind, SpaceKind
from cloud.domain.repair import RepairCategory
from cloud.domain.space_history import Orientation, SpaceStatus, SpaceUse
from cloud.domain.user import Locale, Role

FORMAT = 1

Code = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^\S(.*\S)?$")]
# A device's id and a point's name make a point's key, "<device>/<name>".
KeyPart = Annotated[str, msgspec.Meta(min_length=1, max_length=99, pattern=r"^[^/\s]+$")]
Name = Annotated[str, msgspec.Meta(max_length=200)]
# Six decimals are the millionths everything is kept in; twelve digits before them fit 64 bits.
Amount = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,12}(\.[0-9]{1,6})?$")]
Instant = Annotated[int, msgspec.Meta(ge=0, le=2**48 - 1)]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Any part of the document: a misspelt key must not be ignored."""


class SiteEntry(_Part, frozen=True, kw_only=True):
    """The site itself. `time_zone` is an IANA name."""

    code: Code
    name: Name
    time_zone: str
    address: Name = ""


class SpaceEntry(_Part, frozen=True, kw_only=True):
    """A flat, shop, parking place or common part. The code is unique within the site."""

    code: Code
    kind: SpaceKind
    unit_code: Name = ""
    floor: Annotated[int, msgspec.Meta(ge=-20, le=200)] = 1
    built_area_dm2: Annotated[int, msgspec.Meta(ge=0, le=10**9)] = 0
    inner_area_dm2: Annotated[int, msgspec.Meta(ge=0, le=10**9)] | None = None
    layout: Name = ""
    orientation: Orientation | None = None
    use: SpaceUse | None = None
    title_number: Name = ""
    status: SpaceStatus | None = None
    handed_over_on: date | None = None


class BuildingEntry(_Part, frozen=True, kw_only=True):
    """A building and what is in it."""

    code: Code
    name: Name
    floors: Annotated[int, msgspec.Meta(ge=1, le=200)] = 1
    spaces: tuple[SpaceEntry, ...] = ()


class PointEntry(_Part, frozen=True, kw_only=True):
    """A point; `quantity` defaults to the point's name."""

    name: KeyPart
    quantity: Name | None = None


class DeviceEntry(_Part, frozen=True, kw_only=True):
    """A device on a gateway's lines; `code` is the edge configuration's device id."""

    code: KeyPart
    profile: Name = ""
    title: Name = ""
    points: tuple[PointEntry, ...] = ()


class GatewayEntry(_Part, frozen=True, kw_only=True):
    """A gateway slot; its token is made separately."""

    code: Code
    name: Name
    devices: tuple[DeviceEntry, ...] = ()


class ServicePointEntry(_Part, frozen=True, kw_only=True):
    """A place that is billed, or measures what others must add up to."""

    code: Code
    commodity: Commodity
    kind: ServicePointKind
    space: Code | None = None


class MeterEntry(_Part, frozen=True, kw_only=True):
    """A meter as an article. `register_modulus` is where the register returns to zero."""

    serial: Code
    commodity: Commodity
    model: Name = ""
    register_modulus: Amount | None = None
    max_per_day: Amount | None = None


class InstallationEntry(_Part, frozen=True, kw_only=True):
    """That a meter hangs at a service point since `from_at_ms`."""

    service_point: Code
    meter: Code
    point: Name | None = None  # "<gateway>/<device>/<point name>"
    from_at_ms: Instant
    opening_value: Amount
    multiplier: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,5}(\.[0-9]{1,4})?$")] = "1"


class AccountEntry(_Part, frozen=True, kw_only=True):
    """Who is billed."""

    number: Code
    holder_name: Name
    space: Code | None = None
    household_size: Annotated[int, msgspec.Meta(ge=0, le=99)] = 1
    opened_on: date


class SupplyEntry(_Part, frozen=True, kw_only=True):
    """That an account pays for a service point by a tariff."""

    account: Code
    service_point: Code
    tariff: Code
    from_on: date
    to_on: date | None = None


class SubscriptionEntry(_Part, frozen=True, kw_only=True):
    """That an account is charged for something without a meter: by floor area, by the month."""

    account: Code
    tariff: Code
    label: Annotated[str, msgspec.Meta(max_length=60)] = ""
    count: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 1
    area_m2: Amount | None = None  # by default that of the account's own space
    from_on: date


class CompletionEntry(_Part, frozen=True, kw_only=True):
    """That a plan's work was done and signed."""

    completed_at_ms: Instant
    signed_by: Name
    note: Name = ""


class TriggerEntry(_Part, frozen=True, kw_only=True):
    """What makes a plan due earlier: a point `<gateway>/<device>/<point name>`, and a limit in its unit."""

    kind: TriggerKind
    point: Name
    limit: Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,9}(\.[0-9]{1,6})?$")]


class PlanEntry(_Part, frozen=True, kw_only=True):
    """A maintenance plan of a piece of equipment."""

    code: Code
    title: Name
    basis: Name = ""
    interval_days: Annotated[int, msgspec.Meta(ge=1, le=3_660)]
    lead_days: Annotated[int, msgspec.Meta(ge=0, le=366)] = 0
    starts_on: date
    checklist: Name = ""
    cycle: Cycle = Cycle.NONE
    trigger: TriggerEntry | None = None
    completions: tuple[CompletionEntry, ...] = ()


class EquipmentEntry(_Part, frozen=True, kw_only=True):
    """A piece of equipment and its plans; `device` is `<gateway>/<device>` if it is connected."""

    code: Code
    kind: EquipmentKind
    name: Name
    building: Code | None = None
    space: Code | None = None
    device: Name | None = None
    brand: Name = ""
    model: Name = ""
    serial_number: Name = ""
    place: Name = ""
    purchased_on: date | None = None
    price_fen: Annotated[int, msgspec.Meta(ge=0, le=PRICE_FEN_MAX)] | None = None
    supplier: Name = ""
    warranty_until_on: date | None = None
    plans: tuple[PlanEntry, ...] = ()


class UserEntry(_Part, frozen=True, kw_only=True):
    """Somebody who may sign in; residents name the accounts they may see."""

    login: Code
    password: str
    display_name: Name
    role: Role
    locale: Locale = Locale.CHINESE
    accounts: tuple[str, ...] = ()


class TechnicianEntry(_Part, frozen=True, kw_only=True):
    """What a user can repair, where and when; no buildings means all. Minutes of the local day."""

    user: Code
    skills: tuple[RepairCategory, ...]
    buildings: tuple[Code, ...] = ()
    weekdays: tuple[Annotated[int, msgspec.Meta(ge=0, le=6)], ...] = (0, 1, 2, 3, 4, 5, 6)
    from_minute: Annotated[int, msgspec.Meta(ge=0, le=1439)] = 0
    to_minute: Annotated[int, msgspec.Meta(ge=0, le=1439)] = 0


class HomeEntry(_Part, frozen=True, kw_only=True):
    """That a person belongs to a space from a day on."""

    space: Code
    relation: Relation = Relation.OWNER
    from_on: date


class PersonEntry(_Part, frozen=True, kw_only=True):
    """A person; `user` is the login they sign in by. One of the same name in the same home is the same."""

    name: Name
    phone: Name = ""
    note: Name = ""
    user: Code | None = None
    homes: Annotated[tuple[HomeEntry, ...], msgspec.Meta(min_length=1)]
    plates: tuple[Name, ...] = ()


class SiteDocument(_Part, frozen=True, kw_only=True):
    """The whole document."""

    format: int
    site: SiteEntry
    buildings: tuple[BuildingEntry, ...] = ()
    gateways: tuple[GatewayEntry, ...] = ()
    service_points: tuple[ServicePointEntry, ...] = ()
    meters: tuple[MeterEntry, ...] = ()
    installations: tuple[InstallationEntry, ...] = ()
    accounts: tuple[AccountEntry, ...] = ()
    supplies: tuple[SupplyEntry, ...] = ()
    subscriptions: tuple[SubscriptionEntry, ...] = ()
    tariffs: tuple[msgspec.Raw, ...] = ()
    equipment: tuple[EquipmentEntry, ...] = ()
    users: tuple[UserEntry, ...] = ()
    technicians: tuple[TechnicianEntry, ...] = ()
    people: tuple[PersonEntry, ...] = ()


def site_document_from_json(text: bytes) -> SiteDocument:
    """Return the document in `text`; Invalid says where it is wrong."""
    try:
        document = msgspec.json.decode(text, type=SiteDocument)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$")
        pointer = place.rstrip("`").replace("[", "/").replace("]", "").replace(".", "/")
        raise Invalid("the site document does not fit its format", [Problem(pointer, what)]) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"the site document is not JSON: {error}") from error
    return checked_document(document)


def checked_document(document: SiteDocument) -> SiteDocument:
    """Return the document if this program reads its format."""
    if document.format != FORMAT:
        raise Invalid(f"the site document has format {document.format}, this program reads {FORMAT}")
    return document
