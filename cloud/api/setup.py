"""Setting up a whole site from one document."""

from cloud.api.route import Call, Nothing, Route, View
from cloud.domain.access import Action
from cloud.domain.site_document import SiteDocument, checked_document
from cloud.services import setup

# 10,000 homes with meters, accounts and supplies are some 12 MiB of JSON.
BODY_BYTES_MAX = 32 * 1024 * 1024


class LoadedSite(View, frozen=True):
    """The site that is set up."""

    site_id: str


async def load_site(call: Call[Nothing, SiteDocument]) -> LoadedSite:
    """Create what the document names and is not there yet; again, it changes nothing."""
    return LoadedSite(site_id=await call.write(setup.load_building, checked_document(call.body)))


ROUTES = (
    Route(
        "POST",
        "/api/v1/setup",
        "Set up a site",
        Action.MANAGE_PREMISES,
        load_site,
        LoadedSite,
        body=SiteDocument,
        body_bytes_max=BODY_BYTES_MAX,
        description="Adds, never edits or removes. Where anything does not fit, nothing is loaded.",
    ),
)
