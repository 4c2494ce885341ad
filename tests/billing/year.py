"""A year of an estate in which everything happens, and what must hold at its end.

Meters are swapped and pass their zero, gateways fall silent over the end of a month, dials are estimated and
the estimates settled, readings turn out wrong and bills are replaced, people move in the middle of a month,
prices change in the middle of another, money is paid, taken back and paid too much. The invariant that is
checked: whatever went through a meter was billed once, every fen follows from its line's own trace, and
the books balance. `python -m tests.billing.year --accounts 1000` is the large form.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from cloud.domain.errors import Conflict, Invalid
from cloud.domain.ids import AccountId
from cloud.domain.invoice import Invoice, InvoiceKind
from cloud.domain.late_fee import LateFeeRule, per_day
from cloud.domain.payment import Method, Receipt
from cloud.domain.person import Relation
from cloud.domain.recompute import recompute, trace_from_json, trace_to_json
from cloud.services import corrections, invoices, ledger, manual_readings, moving, payments, tariffs
from cloud.services.ledger import statement
from cloud.services.moving import Arrival
from cloud.store import payments as payment_store
from cloud.store import people
from cloud.store.db import Database, Keyring, Tx
from cloud.store.migrate import upgrade
from cloud.store.tenants import add_tenant
from cloud.tariffs import shipped_documents
from protocol.reading import Reading
from tests.billing.estate import ELECTRICITY, SYSTEM, WATER, Estate, at, make_estate
from tests.databases import PRIVACY_KEY, TENANT, FakeClock

_T = TypeVar("_T")
_P = ParamSpec("_P")

YEAR = 2026
PRICES_CHANGE_ON = date(YEAR, 6, 16)
_MODULUS = {"E": 10_000, "W": 1_000}
_MAX_PER_DAY = {"E": "300", "W": "20"}
_MOST_HALF_MONTH = {"E": 900, "W": 60}
# What of a service's lines has the measured quantity once: water's further components have it again.
_MEASURED = {"E": ("electricity", "energy"), "W": ("water", "water")}
_READINGS_A_BLOCK = 500


@dataclass
class Dial:
    """A meter as it really is: what it shows, and all that ever went through its place."""

    code: str
    shows: int
    used: int = 0
    exchanges: int = 0
    has_passed_zero: bool = False  # since the last bill

    @property
    def modulus(self) -> int:
        return _MODULUS[self.code[0]]

    @property
    def serial(self) -> str:
        number = "" if self.exchanges == 1 else self.exchanges
        return f"{self.code}-{f'new{number}' if self.exchanges else 'old'}"

    def use(self, rng: random.Random) -> None:
        quantity = rng.randrange(0, _MOST_HALF_MONTH[self.code[0]])
        self.used += quantity
        self.has_passed_zero |= self.shows + quantity >= self.modulus
        self.shows = (self.shows + quantity) % self.modulus


@dataclass
class Flat:
    """A flat: its dials, and who ever paid for it, the present one last."""

    number: str
    dials: list[Dial]
    accounts: list[AccountId]
    paid: dict[AccountId, list[Receipt]] = field(default_factory=dict)


@dataclass
class Year:
    """An estate, its clock, and what happened how often."""

    estate: Estate
    clock: FakeClock
    rng: random.Random
    flats: dict[str, Flat] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)

    async def live(self, numbers: Sequence[str]) -> None:
        """Let flats be lived in from January to January."""
        self._begin(numbers)
        for month in range(1, 13):
            start = date(YEAR, month, 1)
            end = (start + timedelta(days=31)).replace(day=1)
            if start < PRICES_CHANGE_ON < end:
                self._change_prices()
            misread = self._live_a_month(start, end)
            self.clock.now_ms = at(end, 9)
            await self._bill(start, end)
            for flat in misread:
                self._correct(flat, start, end)
            for flat in self.flats.values():
                self._pay(flat, end)
        # Nobody is at home in January: what was estimated last is settled.
        self.clock.now_ms = at(date(YEAR + 1, 2, 1), 9)
        self._deliver([self._reading(dial, date(YEAR + 1, 2, 1)) for dial in self._dials()])
        assert (await self.estate.close(f"{YEAR + 1}-01")).is_closed

    def _begin(self, numbers: Sequence[str]) -> None:
        self.clock.now_ms = at(date(YEAR, 1, 1), 1)
        rule = LateFeeRule(per_day(Fraction(1, 1000)), cap=Fraction(1))
        self.estate.database.write_now(
            TENANT, payments.set_late_fee_rule, SYSTEM, self.estate.site_id, date(YEAR, 1, 1), rule
        )
        for number in numbers:
            dials = [
                Dial(f"{letter}-{number}", shows=self.rng.choice([0, full // 2, full * 95 // 100]))
                for letter, full in _MODULUS.items()
            ]
            account_id = self.estate.add_flat(
                number, household_size=self.rng.randrange(1, 8), from_at_ms=at(date(YEAR, 1, 1)),
                dials={
                    dial.code[0]: (str(dial.shows), str(dial.modulus), _MAX_PER_DAY[dial.code[0]])
                    for dial in dials
                },
            )  # fmt: skip
            self.flats[number] = Flat(number, dials, [account_id])
        self._deliver([self._reading(dial, date(YEAR, 1, 1)) for dial in self._dials()])

    def _change_prices(self) -> None:
        """Let a new version of both tariffs begin in the middle of a month."""
        for name, body in shipped_documents():
            if name in (f"{ELECTRICITY}.json", f"{WATER}.json"):
                document = json.loads(body)
                version = {
                    **document["versions"][-1], "version": 9, "valid_from": PRICES_CHANGE_ON.isoformat(),
                }  # fmt: skip
                for charge in version["charges"]:
                    for priced in charge.get("tiers", [charge]):
                        priced["price"] = str(Decimal(priced["price"]) + Decimal("0.0123"))
                document["versions"] = [version]
                changed = json.dumps(document).encode()
                self._write(tariffs.import_document, SYSTEM, changed, activate=True)
                self.done["price changed"] += 1

    def _live_a_month(self, start: date, end: date) -> list[Flat]:
        """Let time pass; return the flats whose last reading of the month was wrong."""
        misread = []
        rows = []
        for flat in self.flats.values():
            for dial in flat.dials:
                dial.has_passed_zero = False
                dial.use(self.rng)
                if self.rng.random() < 0.08:
                    self._exchange(dial, start + timedelta(days=14))
                dial.use(self.rng)
            if self.rng.random() < 0.04:
                self._move(flat, start + timedelta(days=19))
            chance = self.rng.random()
            if chance < 0.15:
                self.done["outage"] += 1
                continue  # over the end of the month
            electricity, *others = flat.dials
            is_wrong = chance < 0.22 and electricity.shows > 50 and not electricity.has_passed_zero
            rows += [self._reading(electricity, end, minus=20 if is_wrong else 0)]
            rows += [self._reading(dial, end) for dial in others]
            if is_wrong:
                misread.append(flat)
        self.clock.now_ms = at(end, 1)
        self._deliver(rows)
        return misread

    def _exchange(self, dial: Dial, on: date) -> None:
        if dial.has_passed_zero:
            return  # after an estimate well below the full scale nobody could vouch for the passage any more
        opening = self.rng.randrange(0, 50)
        self.estate.exchange(
            dial.code, at(on, 10), str(dial.shows), str(opening), modulus=str(dial.modulus),
            max_per_day=_MAX_PER_DAY[dial.code[0]],
        )  # fmt: skip
        dial.shows = opening
        dial.has_passed_zero = False
        dial.exchanges += 1
        self.done["meter exchanged"] += 1

    def _move(self, flat: Flat, on: date) -> None:
        """Somebody moves out and somebody else in; both dials are read by whoever hands over the keys."""
        if any(dial.has_passed_zero for dial in flat.dials):
            return  # the register of the day must be beyond doubt
        self.clock.now_ms = at(on, 12)
        dials: dict[str, Decimal] = {
            self.estate.installations[dial.code]: Decimal(dial.shows) for dial in flat.dials
        }
        arriving = Arrival(None, "李四", "", Relation.TENANT, self.rng.randrange(1, 8))

        def work(tx: Tx) -> AccountId:
            account = people.find_account(tx, flat.accounts[-1])
            assert account is not None
            assert account.space_id is not None
            moved = moving.move(tx, SYSTEM, account.space_id, on, arriving, dials)
            assert moved.opened is not None
            return moved.opened.account_id

        flat.accounts.append(self._write(work))
        for dial in flat.dials:
            dial.use(self.rng)
        self.done["moved"] += 1

    async def _bill(self, start: date, end: date) -> None:
        code = start.strftime("%Y-%m")
        whose = {account_id: flat for flat in self.flats.values() for account_id in flat.accounts}
        report = await self.estate.close(code)
        for may_estimate in (True, False):
            if report.is_closed:
                return
            for flat in {whose[held].number: whose[held] for held in report.held}.values():
                for dial in flat.dials:
                    self._unhold(dial, end, may_estimate=may_estimate)
            for problems in report.held.values():
                for problem in problems:
                    self.done[f"held: {problem.kind.value}"] += 1
            report = await self.estate.close(code)
        assert report.is_closed, report.held

    def _unhold(self, dial: Dial, end: date, *, may_estimate: bool) -> None:
        """Somebody goes and reads the meter, or it is estimated; where the estimate cannot be, it is read."""
        installation = self.estate.installations[dial.code]
        if may_estimate and not dial.has_passed_zero and self.rng.random() < 0.5:
            try:
                self._write(manual_readings.record_estimate, SYSTEM, installation, end, "断网")
            except (Conflict, Invalid):
                self.done["estimate refused"] += 1
            else:
                self.done["estimated"] += 1
                return
        self._write(
            manual_readings.record_reading, SYSTEM, installation, end, Decimal(dial.shows), "现场",
            is_rollover=dial.has_passed_zero,
        )  # fmt: skip
        self.done["read by hand"] += 1

    def _correct(self, flat: Flat, start: date, end: date) -> None:
        """The misreading is noticed: the right dial is entered and the invoice replaced."""
        last = self._documents(flat.accounts[-1])[-1]
        if last.dates.start_on != start or last.kind is InvoiceKind.CREDIT_NOTE:
            return
        dial = flat.dials[0]
        self._write(
            manual_readings.record_reading, SYSTEM, self.estate.installations[dial.code], end,
            Decimal(dial.shows), "抄错",
        )  # fmt: skip
        self._write(corrections.correct, SYSTEM, last.invoice_id, "抄错")
        self.done["corrected"] += 1

    def _pay(self, flat: Flat, on: date) -> None:
        account_id = flat.accounts[-1]
        owed = self._read(ledger.balance, SYSTEM, account_id)
        chance = self.rng.random()
        if chance < 0.2 or owed <= 0:
            return
        amount = self.rng.choice([owed, max(1, owed // 2), owed + 5_000])
        recorded = self._write(
            payments.record_payment, SYSTEM, account_id, Method.TRANSFER, amount, on,
            provider_reference=f"{flat.number}-{on}",
        )  # fmt: skip
        self.done["paid"] += 1
        if chance > 0.85 and not recorded.credit_fen:
            self._write(payments.reverse_payment, SYSTEM, recorded.receipt.payment_id, "退票")
            self.done["payment reversed"] += 1
        else:
            flat.paid.setdefault(account_id, []).append(recorded.receipt)

    def check(self) -> None:
        """Check that every litre and every fen is where it belongs; AssertionError names the account."""
        assert self._read(ledger.trial_balance, SYSTEM).total_fen == 0
        for flat in self.flats.values():
            documents = {account_id: self._documents(account_id) for account_id in flat.accounts}
            for dial in flat.dials:
                every = [document for found in documents.values() for document in found]
                assert _billed(every, dial.code[0]) == dial.used, dial.code
            for account_id, found in documents.items():
                self._check_traces(found)
                self._check_money(flat, account_id, found)

    def _check_traces(self, documents: Sequence[Invoice]) -> None:
        for document in documents:
            traces = self._read(invoices.traces, SYSTEM, document.invoice_id)
            assert sum(trace.amount_fen for trace in traces) == document.total_fen, document.number
            for trace in traces:
                again = recompute(trace_from_json(json.loads(json.dumps(trace_to_json(trace)))))
                assert (again.amount_fen, again.faults) == (trace.amount_fen, ()), document.number
            self.done["document recomputed"] += 1
            self.done["line recomputed"] += len(traces)

    def _check_money(self, flat: Flat, account_id: AccountId, documents: Sequence[Invoice]) -> None:
        on = date(YEAR + 1, 2, 1)
        items = self._read(payments.open_items, SYSTEM, account_id, on)
        charged = sum(document.total_fen for document in documents)
        balance = self._read(ledger.balance, SYSTEM, account_id)
        received = sum(receipt.amount_fen for receipt in flat.paid.get(account_id, ()))
        late_fees = balance - (charged - received)
        assert late_fees >= 0, account_id
        rows = self._read(statement, SYSTEM, account_id)
        assert rows[-1].balance_fen == balance, account_id
        prepaid = self._read(payment_store.prepaid_balances, [account_id]).get(account_id, 0)
        assert sum(item.invoice.left_fen for item in items) - prepaid == balance, account_id

    def _documents(self, account_id: AccountId) -> list[Invoice]:
        def work(tx: Tx) -> list[Invoice]:
            page = invoices.list_invoices(tx, SYSTEM, account_id=account_id, limit=100)
            return [invoices.get_invoice(tx, SYSTEM, one.invoice_id) for one in reversed(page.items)]

        return self._read(work)

    def _dials(self) -> list[Dial]:
        return [dial for flat in self.flats.values() for dial in flat.dials]

    def _reading(self, dial: Dial, on: date, minus: int = 0) -> Reading:
        return self.estate.reading(dial.code, at(on), str(dial.shows - minus), serial=dial.serial)

    def _deliver(self, rows: Sequence[Reading]) -> None:
        for start in range(0, len(rows), _READINGS_A_BLOCK):
            self.estate.deliver(list(rows[start : start + _READINGS_A_BLOCK]))

    def _read(self, work: Callable[Concatenate[Tx, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return self.estate.database.read_now(TENANT, work, *args, **kwargs)

    def _write(self, work: Callable[Concatenate[Tx, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return self.estate.database.write_now(TENANT, work, *args, **kwargs)


def _billed(documents: Sequence[Invoice], letter: str) -> Decimal:
    """Return what all these documents together bill of a commodity."""
    return sum(
        (
            (line.quantity or Decimal(0)) * (-1 if document.kind is InvoiceKind.CREDIT_NOTE else 1)
            for document in documents
            for line in document.lines
            if (line.charge_code, line.component) == _MEASURED[letter]
        ),
        Decimal(0),
    )


def main(arguments: list[str]) -> int:
    """Let a year go by for so many accounts; print what happened and how long it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'year.db'}"
        upgrade(url)
        clock = FakeClock()
        database = Database(url, clock=clock, keyring=Keyring(PRIVACY_KEY))
        database.write_now(TENANT, add_tenant, "one", "one")
        year = Year(make_estate(database), clock, random.Random(given.seed))
        try:
            asyncio.run(year.live([f"{number:05}" for number in range(given.accounts)]))
            print(f"a year of {given.accounts} flats: {time.monotonic() - started:.0f} s", flush=True)
            year.check()
        finally:
            database.close()
    for what, count in sorted(year.done.items()):
        print(f"{count:>9}  {what}")
    print(f"every fen follows from its trace, {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
