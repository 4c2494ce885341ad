"""A share of a common cost: "the lift's electricity of October, 1234.56 yuan, by floor area".

The document holds every bearer's weight and share, so that whoever is charged can see that the shares
add up to the total to the fen, and that his own is not a guess.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from msgspec import Struct

from cloud.domain.apportionment import apportion
from cloud.domain.errors import Invalid
from cloud.domain.periods import ServicePeriod
from cloud.domain.tariff import Basis, Charge, LadderPosition, PastUsage, PricedLine


class Bearer(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Somebody who bears a part: by which weight, and how much that is."""

    weight: Decimal
    share_fen: int


class Share(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="share", tag_field="kind"):
    """`total_fen` shared among `bearers` by their weights, by account number; charged once a bill.

    `basis` says in words what the weights are ("floor area, m2"); `from_what` how the total came about.
    """

    component: str
    total_fen: int
    basis: str
    bearers: dict[str, Bearer]
    name_zh: str = ""
    name_en: str = ""
    from_what: str = ""

    def __post_init__(self) -> None:
        try:
            right = apportion(self.total_fen, {key: one.weight for key, one in self.bearers.items()})
        except Invalid as error:
            raise ValueError(str(error)) from error
        for key in sorted(right):
            stated = self.bearers[key].share_fen
            if stated != right[key]:
                raise ValueError(f"the share of {key} is {right[key]} fen, the document says {stated}")

    def breaks(self, _period: ServicePeriod) -> list[date]:
        """Return nothing: a share is for the whole bill."""
        return []

    def place(self, _basis: Basis, _history: Sequence[PastUsage]) -> LadderPosition | None:
        """Return None: there is no ladder."""
        return None

    def charge(
        self, basis: Basis, _position: LadderPosition | None, _so_far: Sequence[PricedLine]
    ) -> list[Charge]:
        """Return the bearer's share on the bill's last slice; Invalid for somebody who bears none."""
        if not basis.is_last:
            return []
        bearer = self.bearers.get(basis.share_key)
        if bearer is None:
            raise Invalid(f"{self.component}: account {basis.share_key or '(none)'} bears no share")
        amount = Decimal(bearer.share_fen) / basis.currency.fen_per_unit
        return [Charge(self.component, amount, bearer.weight, self.basis)]
