"""An offered slot as the text and the picture that go to its box."""

from aiohttp import web

from cloud.config import ConfigError, gateway_port, gateway_url
from cloud.domain.errors import Conflict
from cloud.keys import AUTHORITY, CONFIG
from cloud.services.enrolments import Offered
from provisioning.authority import GatewayName
from provisioning.enrolment_token import EnrolmentToken


def enrolment_token(app: web.Application, offered: Offered, tenant_id: int) -> EnrolmentToken:
    """Return the token; Conflict where nobody has said which address boxes reach us by."""
    config = app[CONFIG]
    try:
        url = gateway_url(config, gateway_port(config))
    except ConfigError as error:
        raise Conflict(str(error)) from error
    name = GatewayName(tenant_id, offered.gateway_id)
    return EnrolmentToken(url, name, offered.secret, app[AUTHORITY].fingerprint)
