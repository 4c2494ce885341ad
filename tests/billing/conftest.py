"""An estate on either database."""

import pytest

from cloud.store.db import Database
from tests.billing.estate import Estate, make_estate


@pytest.fixture
def estate(database: Database) -> Estate:
    """An empty estate with tariffs in force; 2026-11-24 08:00 in Shanghai."""
    return make_estate(database)
