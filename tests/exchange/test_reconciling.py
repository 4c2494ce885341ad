"""What was brought over agrees with the old books to the last unit, or says by how much it does not."""

from decimal import Decimal

import pytest

from cloud.domain.errors import Invalid
from cloud.domain.reconciling import Figure, figure_from_text, text_from_figure
from cloud.services import reconciling
from tests.billing.estate import SYSTEM, Estate
from tests.databases import TENANT
from tests.exchange.test_imports import READINGS, a_home, bring, undo


def test_what_came_over_is_held_against_the_old_books(estate: Estate) -> None:
    a_home(estate)
    readings = [("202607000901", "2026-09-01", "100.5", ""), ("202607000901", "2026-10-01", "300.5", "")]
    done = bring(estate, "readings", *readings, header=READINGS)
    said = {Figure.METERS: 1, Figure.FIRST_REGISTERS: 12_500_000, Figure.READINGS_SUM: 401_000_000}
    estate.database.write_now(TENANT, reconciling.note_former, SYSTEM, estate.site_id, said)

    def figures() -> dict[Figure, tuple[int, int | None]]:
        found = estate.database.read_now(TENANT, reconciling.reconcile, SYSTEM, estate.site_id)
        return {one.figure: (one.here, one.difference) for one in found}

    assert figures()[Figure.METERS] == (1, 0)
    assert figures()[Figure.FIRST_REGISTERS] == (12_500_000, 0)
    assert figures()[Figure.READINGS] == (2, None)
    assert figures()[Figure.READINGS_SUM] == (401_000_000, 0)
    undo(estate, done)
    assert figures()[Figure.READINGS_SUM] == (0, -401_000_000)
    assert figures()[Figure.OWED] == (0, None)


@pytest.mark.parametrize(
    ("figure", "typed", "kept", "shown"),
    [
        (Figure.OWED, "1,234.50", 123_450, "1,234.50"),
        (Figure.READINGS_SUM, "401.25", 401_250_000, "401.25"),
        (Figure.SPACES, " 10000 ", 10_000, "10,000"),
    ],
)
def test_a_figure_is_read_as_people_write_it(figure: Figure, typed: str, kept: int, shown: str) -> None:
    assert figure_from_text(figure, typed) == kept
    assert text_from_figure(figure, kept) == shown


@pytest.mark.parametrize("typed", ["1.5", "ten", "-1", "NaN", "1e300", str(Decimal(10) ** 19)])
def test_what_a_figure_cannot_be_is_refused(typed: str) -> None:
    with pytest.raises(Invalid):
        figure_from_text(Figure.SPACES, typed)


def test_a_fraction_too_fine_is_refused_in_words_that_fit_the_figure() -> None:
    with pytest.raises(Invalid, match=r"^1\.5 is no whole number$"):
        figure_from_text(Figure.SPACES, "1.5")
    with pytest.raises(Invalid, match=r"^1\.005 has more than 2 decimals$"):
        figure_from_text(Figure.PREPAID, "1.005")
