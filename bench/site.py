"""The site that benches and crash tests load: one manager and some gateways, nothing to bill."""

import json

PASSWORD = "bench-and-torture-1"
GATEWAYS = 4


def site_document(gateways: int = GATEWAYS) -> str:
    """Return the JSON document of the site, for `gatehouse db load`."""
    return json.dumps(
        {
            "format": 1,
            "site": {"code": "TS", "name": "Test site", "time_zone": "Asia/Shanghai"},
            "gateways": [{"code": f"gw-{n}", "name": f"Gateway {n}", "devices": []} for n in range(gateways)],
            "users": [
                {
                    "login": "manager",
                    "password": PASSWORD,
                    "display_name": "Manager",
                    "role": "manager",
                }
            ],
        }
    )
