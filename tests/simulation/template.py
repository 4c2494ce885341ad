"""What every simulated world begins with: a cloud's database and keys, made once by the real services."""

import datetime
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cloud import authority
from cloud.command_key import load_or_make, public_hex
from cloud.store.db import Database
from cloud.store.migrate import upgrade
from provisioning.authority import GatewayName
from provisioning.identity import Credential
from tests.cloud.garden import add_gateway, add_site
from tests.databases import TENANT, _add_tenant
from tests.simulation.cloud_machine import ADDRESS

GATEWAYS = 3
# 2023-01-03 08:00 in Shanghai: soon after the hand-over, so that no years of consumption are summed up.
BEGINS_MS = 1_672_704_000_000


@dataclass(frozen=True, slots=True)
class Template:
    """A cloud's database and keys with a site and its gateways, made once and copied for every seed."""

    file: Path
    credentials: Sequence[Credential]

    @property
    def gateways(self) -> dict[str, str]:
        """Return each gateway's id by its code."""
        return {credential.gateway_code: credential.gateway.gateway_id for credential in self.credentials}


def make_template(folder: Path) -> Template:
    """Make it, by the real migrations and services."""
    file = folder / "cloud.db"
    upgrade(f"sqlite:///{file}")
    command_key = public_hex(load_or_make(folder / "command.key"))
    began = datetime.datetime.fromtimestamp(BEGINS_MS / 1000, datetime.UTC)
    roots_pem = authority.load_or_make(folder / "authority", None, began).roots_pem
    database = Database(f"sqlite:///{file}", clock=lambda: BEGINS_MS)
    try:
        database.write_now(TENANT, _add_tenant, "one")
        site_id = add_site(database)
        codes = [f"gw-{number}" for number in range(1, GATEWAYS + 1)]
        made = [add_gateway(database, site_id, code=code)[0] for code in codes]
    finally:
        database.close()
    url = f"http://{ADDRESS[0]}:{ADDRESS[1]}"
    names = [GatewayName(TENANT, identity.gateway_id) for identity in made]
    return Template(
        file,
        [
            Credential(url, code, name, command_key, roots_pem)
            for code, name in zip(codes, names, strict=True)
        ],
    )


@contextmanager
def template() -> Iterator[Template]:
    """Make a template in a folder that goes away."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-world-") as folder:
        yield make_template(Path(folder))
