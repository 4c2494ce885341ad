"""The names things are known by, as types, and how new ones are made.

The invariant: an id says nothing but when it was made. Everything except the tenant and the
reading's series is a UUIDv7 in canonical text, so ids made later sort later.
"""

from typing import NewType

# Companies are counted in 32 bits with a sign; what a link or a token names beyond that is nobody.
TENANT_NUMBER_MAX = 2**31 - 1

AccessGroupId = NewType("AccessGroupId", str)
TenantId = NewType("TenantId", int)
SeriesId = NewType("SeriesId", int)

AccountId = NewType("AccountId", str)
AlarmId = NewType("AlarmId", str)
AnnouncementId = NewType("AnnouncementId", str)
AttachmentId = NewType("AttachmentId", str)
BadgeId = NewType("BadgeId", str)
BarringId = NewType("BarringId", str)
BallotId = NewType("BallotId", str)
BillRunId = NewType("BillRunId", str)
BookingId = NewType("BookingId", str)
BuildingId = NewType("BuildingId", str)
CheckpointId = NewType("CheckpointId", str)
CommandId = NewType("CommandId", str)
ComplaintId = NewType("ComplaintId", str)
DeliveryId = NewType("DeliveryId", str)
DepositId = NewType("DepositId", str)
DeviceId = NewType("DeviceId", str)
CameraId = NewType("CameraId", str)
CameraPictureId = NewType("CameraPictureId", str)
EntranceId = NewType("EntranceId", str)
DutyPostId = NewType("DutyPostId", str)
EquipmentId = NewType("EquipmentId", str)
EventId = NewType("EventId", str)
GatewayId = NewType("GatewayId", str)
GoodsSlipId = NewType("GoodsSlipId", str)
HouseholdInvitationId = NewType("HouseholdInvitationId", str)
ImportId = NewType("ImportId", str)
InstallationId = NewType("InstallationId", str)
InvoiceId = NewType("InvoiceId", str)
LedgerEntryId = NewType("LedgerEntryId", str)
MeterId = NewType("MeterId", str)
NearbyServiceId = NewType("NearbyServiceId", str)
NoticeDeliveryId = NewType("NoticeDeliveryId", str)
NoticeId = NewType("NoticeId", str)
NotifierId = NewType("NotifierId", str)
OccupancyId = NewType("OccupancyId", str)
ParcelId = NewType("ParcelId", str)
PatrolRouteId = NewType("PatrolRouteId", str)
PaymentId = NewType("PaymentId", str)
PaymentOrderId = NewType("PaymentOrderId", str)
PeriodId = NewType("PeriodId", str)
PersonId = NewType("PersonId", str)
PhotoId = NewType("PhotoId", str)
PlanId = NewType("PlanId", str)
RepairId = NewType("RepairId", str)
RefundId = NewType("RefundId", str)
ServiceLinkId = NewType("ServiceLinkId", str)
ServicePointId = NewType("ServicePointId", str)
ServiceSheetId = NewType("ServiceSheetId", str)
SiteId = NewType("SiteId", str)
SpaceId = NewType("SpaceId", str)
SubscriptionId = NewType("SubscriptionId", str)
TariffId = NewType("TariffId", str)
UserId = NewType("UserId", str)
VehicleId = NewType("VehicleId", str)
VenueId = NewType("VenueId", str)
VisitId = NewType("VisitId", str)
WebhookId = NewType("WebhookId", str)
WorkOrderId = NewType("WorkOrderId", str)

UUID7_ENTROPY_BYTES = 8
_COUNTER_MAX = 0xFFF
_HEX_DIGITS = frozenset("0123456789abcdef-")


def uuid7(at_ms: int, counter: int, entropy: bytes) -> str:
    """Return a UUIDv7: 48 bits of time, a 12-bit counter, 62 bits of entropy (RFC 9562 §5.7, §6.2).

    `counter` orders ids made within one millisecond; `entropy` is eight random bytes.
    """
    if not 0 <= counter <= _COUNTER_MAX or len(entropy) != UUID7_ENTROPY_BYTES:
        raise ValueError(f"uuid7 takes a counter up to {_COUNTER_MAX} and {UUID7_ENTROPY_BYTES} bytes")
    low = int.from_bytes(entropy, "big") & (1 << 62) - 1
    value = (at_ms & (1 << 48) - 1) << 80 | 7 << 76 | counter << 64 | 2 << 62 | low
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def is_uuid(text: str) -> bool:
    """Tell whether `text` is a UUID in canonical lower-case form; doors ask before they look one up."""
    return (
        len(text) == 36
        and [index for index, letter in enumerate(text) if letter == "-"] == [8, 13, 18, 23]
        and not set(text) - _HEX_DIGITS
    )


def tenant_numbered(number: int) -> TenantId | None:
    """Return the tenant a token or a link names; None for a number that is no company's."""
    return TenantId(number) if 0 < number <= TENANT_NUMBER_MAX else None
