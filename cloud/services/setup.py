"""Set up a whole site from one document (`cloud.domain.site_document` shows its shape)."""

from cloud.domain.site_document import SiteDocument
from cloud.domain.user import User
from cloud.store.db import Tx


def load_building(tx: Tx, actor: User, document: SiteDocument) -> None:
    """Create what the document names and is not there yet, in one transaction; again, it changes nothing.

    Invalid lists every reference to a code that neither the document nor the database has, and
    every difference to what is already there: a document adds, it does not edit.
    """
    raise NotImplementedError
