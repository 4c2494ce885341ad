"""The relay of a DL/T 645-2007 meter: "cut the power behind this meter", "let it on again".

Nothing that knows of money comes here: no law lets a property company cut power for arrears (Civil
Code art. 944), and the cloud has no such purpose to choose. The meter ignores a command after its
`valid_until` by its own clock, so a frame that was recorded on the wire is soon worth nothing.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from edge.drivers.dlt645_talk import TalksDlt645
from protocol.command import Act, Action
from protocol.errors import ProtocolError, Refused
from protocol.fieldbus import dlt645
from protocol.fieldbus.dlt645 import RelayAction
from protocol.reading import ClockQuality
from provisioning.config import RelaySettings

# Meters' clocks may be off by five minutes and still be right by the standard.
_VALID_FOR = timedelta(minutes=10)
_PASSWORD_BYTES_MAX = 64


class MeterRelay:
    """One meter with a relay. Its word is confirmed by the status word, `relay_state`, alone."""

    actions = frozenset({Action.RELAY_CLOSE, Action.RELAY_OPEN})

    def __init__(self, driver: TalksDlt645, settings: RelaySettings, zone: ZoneInfo) -> None:
        self._driver = driver
        self._settings = settings
        self._zone = zone

    async def act(self, action: Act, parameters: Mapping[str, str]) -> str:
        """Send the relay command once; Refused where the meter, or our own clock, says no."""
        del parameters
        talk, settings = self._driver.talk, self._settings
        clock = talk.bus.clock
        if not talk.edition.has_relay:
            raise Refused("the meter speaks DL/T 645-1997, which has no word for a relay")
        if clock.quality is not ClockQuality.SYNCED:
            raise Refused("our clock is not confirmed: until when the command is good could not be said")
        password = await asyncio.to_thread(self._password)
        step = RelayAction.TRIP
        if action is Action.RELAY_CLOSE:
            step = RelayAction.CLOSE if settings.closes_directly else RelayAction.ALLOW_CLOSING
        now = datetime.fromtimestamp(clock.wall_ms() / 1000, UTC).astimezone(self._zone)
        try:
            request = dlt645.relay_request(
                talk.address,
                step,
                now + _VALID_FOR,
                password_level=settings.password_level,
                password=password,
                operator=settings.operator,
            )
        except ProtocolError as error:
            # The error may show what was in the file.
            raise Refused(f"{settings.password_file} does not hold six digits") from error
        await talk.command(request)
        if step is RelayAction.ALLOW_CLOSING:
            return "closing is allowed; somebody must press the button on the meter"
        return ""

    def _password(self) -> str:
        path = self._settings.password_file
        try:
            with path.open(encoding="ascii") as file:
                return file.read(_PASSWORD_BYTES_MAX).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(
                f"the meter's password cannot be read from {path}: {type(error).__name__}"
            ) from error
