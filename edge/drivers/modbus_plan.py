"""Which registers to read together: as few requests as the bus allows, and no answer ambiguous.

Two points are read in one request when reading the addresses between them costs less bus time than
a second request. Where a device refuses a block the place is remembered as a *cut* and never
bridged again. On a bus whose answers do not name their request (RTU) every block of a device and
function gets a length of its own where that is possible, by reading a few addresses more, so that
the length of an answer tells which question it answers.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from provisioning.lines import BusSettings
from provisioning.profile import ModbusSource, ModbusTable, PointProfile

# What a request costs beyond its registers, in characters: 8 for the request, 5 around the reply's
# data, and twice 3.5 of silence.
_REQUEST_CHARACTERS = 20
# Turnaround of a typical meter where nothing has been measured yet.
TURNAROUND_S = 0.01
# A block may be lengthened by so many addresses to make its length its own, and all blocks of a device
# together by so many, or by a fourteenth of what a cycle costs, whichever is more.
_STRETCH_MAX = 16
_STRETCH_FREE = 40
_STRETCH_SHARE = 14

Cut = tuple[ModbusTable, int]  # no block reaches from below this address across it


@dataclass(frozen=True, slots=True)
class Block:
    """One read request and the points it yields."""

    table: ModbusTable
    start: int
    quantity: int
    points: tuple[PointProfile, ...]

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """Return the address ranges inside and behind that no point needs, `(first, end)`."""
        found: list[tuple[int, int]] = []
        at = self.start
        for point in self.points:
            source = source_of(point)
            if source.first > at:
                found.append((at, source.first))
            at = max(at, source.end)
        end = self.start + self.quantity
        return [*found, (at, end)] if at < end else found

    def cut(self) -> Cut | None:
        """Return where to divide a block the device refuses; None if it is a single bare point.

        Rather at an unasked gap, the widest first, than between points that touch.
        """
        gaps = self.gaps
        if gaps:
            first, end = max(gaps, key=lambda gap: gap[1] - gap[0])
            is_behind = end == self.start + self.quantity
            return (self.table, first if is_behind else end)
        starts = sorted({source_of(point).first for point in self.points})
        return (self.table, starts[len(starts) // 2]) if len(starts) > 1 else None


def source_of(point: PointProfile) -> ModbusSource:
    """Return where a point of a Modbus profile is read."""
    assert isinstance(point.source, ModbusSource)
    return point.source


def gap_budget(bus: BusSettings, *, is_bits: bool, turnaround_s: float = TURNAROUND_S) -> int:
    """Return how many unneeded addresses cost no more bus time than another request."""
    if not bus.baud:
        # On a network the round trip is everything and a few bytes are nothing.
        return 2000 if is_bits else 125
    character_s = bus.bits_per_character / bus.baud
    spare_characters = _REQUEST_CHARACTERS + turnaround_s / character_s
    return int(spare_characters * 8 if is_bits else spare_characters / 2)


def plan_blocks(
    groups: dict[str, Sequence[PointProfile]],
    bus: BusSettings,
    *,
    registers_max: int,
    bits_max: int,
    cuts: Collection[Cut] = frozenset(),
    turnaround_s: float = TURNAROUND_S,
) -> dict[str, tuple[Block, ...]]:
    """Return the blocks of each group, in address order."""
    plans: dict[str, list[Block]] = {}
    for group, points in groups.items():
        plans[group] = []
        for table in ModbusTable:
            here = [point for point in points if source_of(point).table is table]
            limit = bits_max if table.is_bits else registers_max
            budget = gap_budget(bus, is_bits=table.is_bits, turnaround_s=turnaround_s)
            plans[group] += _merge(table, here, limit, budget, cuts)
    if bus.baud:
        _make_lengths_distinct(plans, registers_max, bits_max, cuts)
    return {group: tuple(blocks) for group, blocks in plans.items()}


def _merge(
    table: ModbusTable, points: Iterable[PointProfile], limit: int, budget: int, cuts: Collection[Cut]
) -> list[Block]:
    blocks: list[Block] = []
    for point in sorted(points, key=lambda p: (source_of(p).first, source_of(p).end)):
        start, end = source_of(point).first, source_of(point).end
        last = blocks[-1] if blocks else None
        if last is not None:
            reached = last.start + last.quantity
            is_near = start - reached <= budget and end - last.start <= limit
            if is_near and not _crosses(table, reached, start, last, cuts):
                quantity = max(reached, end) - last.start
                blocks[-1] = replace(last, quantity=quantity, points=(*last.points, point))
                continue
        blocks.append(Block(table, start, end - start, (point,)))
    return blocks


def _crosses(table: ModbusTable, reached: int, address: int, last: Block, cuts: Collection[Cut]) -> bool:
    """Tell whether a cut lies between what the block has reached and the next point."""
    return any(
        kind is table and min(reached, address) <= at <= address and at > last.start for kind, at in cuts
    )


def _make_lengths_distinct(
    plans: dict[str, list[Block]], registers_max: int, bits_max: int, cuts: Collection[Cut]
) -> None:
    """Lengthen blocks so that a length comes again only after as many others as we can afford.

    In a usual map that is never. A map of dozens of far-apart registers would cost too much of the
    bus; there a length may come again after a while, when a late answer is no longer likely.
    """
    every = [(group, i) for group, blocks in plans.items() for i in range(len(blocks))]
    total = sum(_REQUEST_CHARACTERS // 2 + plans[group][i].quantity for group, i in every)
    affordable = max(_STRETCH_FREE, total // _STRETCH_SHARE)
    others = len(every)
    while others:
        stretched = _stretched([plans[group][i] for group, i in every], others, registers_max, bits_max, cuts)
        added = sum(
            new.quantity - plans[group][i].quantity for (group, i), new in zip(every, stretched, strict=True)
        )
        if added <= affordable:
            for (group, i), new in zip(every, stretched, strict=True):
                plans[group][i] = new
            return
        others -= max(1, others // 4)


def _stretched(
    blocks: Sequence[Block], others: int, registers_max: int, bits_max: int, cuts: Collection[Cut]
) -> list[Block]:
    """Return the blocks, each with a length that the last `others` before it did not have, where it can."""
    recent: dict[ModbusTable, list[int]] = {table: [] for table in ModbusTable}
    found: list[Block] = []
    for block in blocks:
        used = recent[block.table]
        limit = min(bits_max if block.table.is_bits else registers_max, block.quantity + _STRETCH_MAX)
        quantity = block.quantity
        while _reply_length(block.table, quantity) in used[-others:]:
            quantity += 1
            end = block.start + quantity
            is_cut = any(kind is block.table and block.start < at < end for kind, at in cuts)
            if quantity > limit or end > 0x10000 or is_cut:
                quantity = block.quantity  # no room: the line keeps such questions apart in time
                break
        used.append(_reply_length(block.table, quantity))
        found.append(replace(block, quantity=quantity))
    return found


def _reply_length(table: ModbusTable, quantity: int) -> int:
    """Return the byte count of the reply, which is all that it shows of the question."""
    return (quantity + 7) // 8 if table.is_bits else 2 * quantity
