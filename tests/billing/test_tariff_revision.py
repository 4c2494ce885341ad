"""New versions out of known ones: every shipped tariff can be revised, and only its figures change."""

import msgspec
import pytest

from cloud.domain.errors import Invalid
from cloud.domain.tariff_document import parse_document
from cloud.domain.tariff_revision import figures_of, parsed, revised
from cloud.tariffs import shipped_documents

SOURCE = {"publisher": "x", "title": "y", "found_at": "z"}
SHIPPED = dict(shipped_documents())


def revise(document, figures):  # type: ignore[no-untyped-def]
    return revised(document, figures, version=9, valid_from="2027-01-01", source=SOURCE, confidence="low")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_revision_without_a_change_is_the_same_tariff_from_another_day(name: str) -> None:
    known = parse_document(SHIPPED[name])[-1]

    new = parsed(revise(known.document, {one.pointer: one.text for one in figures_of(known.document)}))

    assert new.charges == known.tariff.charges
    assert (new.version, str(new.valid_from), new.valid_to) == (9, "2027-01-01", None)
    assert msgspec.to_builtins(new.sources[0])["publisher"] == "x"


def test_a_changed_bound_moves_where_the_next_tier_starts() -> None:
    known = parse_document(SHIPPED["cn-beijing-water-res.json"])[-1]

    document = revise(known.document, {"/charges/0/tiers/0/to": "200"})

    assert parsed(document).charges[0].tiers[0].to == 200  # type: ignore[attr-defined]
    assert document["charges"][0]["tiers"][1]["over"] == "200"


@pytest.mark.parametrize("pointer", ["/charges/0/kind", "/charges/9/price", "/sources/0/title"])
def test_what_is_no_figure_cannot_be_changed(pointer: str) -> None:
    known = parse_document(SHIPPED["cn-beijing-water-res.json"])[-1]

    with pytest.raises(Invalid, match="no figure at"):
        revise(known.document, {pointer: "1"})
