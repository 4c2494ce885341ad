"""What a template is given: every text as it is printed, and proportions for what is drawn.

The invariant: templates lay out and draw; they compute no amount and know no language.
"""

from msgspec import Struct


class Labelled(Struct, frozen=True):
    """A label with its value."""

    label: str
    value: str


class Row(Struct, frozen=True):
    """One line of a table, cell by cell."""

    cells: tuple[str, ...]


class Dial(Struct, frozen=True):
    """A register as it stood: digits before and after the point, and when."""

    caption: str
    whole: str
    fraction: str


class Metering(Struct, frozen=True):
    """What one meter (or one register of it) counted: two dials and the sum that follows."""

    meter: str
    opening: Dial
    closing: Dial
    result: str


class Tread(Struct, frozen=True):
    """One tier on the strip of the year: its share of the strip's length, and what stands on it."""

    number: int
    share: float
    label: str
    price: str


class Block(Struct, frozen=True):
    """What fell into one tier: its share of the quantity, its price against the dearest, its words."""

    number: int
    width: float
    height: float
    quantity: str
    amount: str


class Stairs(Struct, frozen=True):
    """The ladder of tiers: the year as a strip with this period on it, and the period as money."""

    title: str
    treads: tuple[Tread, ...]
    before: float
    after: float
    marker: str
    blocks: tuple[Block, ...]
    sentence: str


class Section(Struct, frozen=True):
    """One service of a bill."""

    title: str
    subtitle: str
    amount: str
    hue: str
    rows: tuple[Row, ...]
    metering: tuple[Metering, ...] = ()
    stairs: Stairs | None = None
    notes: tuple[str, ...] = ()


class Proof(Struct, frozen=True):
    """How a reader checks that the paper is genuine."""

    qr_svg: str
    code: str
    address: str
    sentence: str


class Sheet(Struct, frozen=True):
    """One document, ready for its template."""

    template: str
    language: str
    title: str
    site: str
    number: str
    head: tuple[Labelled, ...]
    total_label: str
    total: str
    capitals: str
    columns: tuple[str, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...]
    foot: str
    proof: Proof | None = None
    stamp: str = ""
    signatures: tuple[str, ...] = ()


class Label(Struct, frozen=True):
    """One label to be stuck on a thing: a QR code, and what is printed beside it."""

    qr_svg: str
    code: str
    name: str
    lines: tuple[str, ...]


class LabelSheet(Struct, frozen=True):
    """Labels for one site, as many as there are; the sentence is under each code."""

    language: str
    title: str
    site: str
    sentence: str
    labels: tuple[Label, ...]
