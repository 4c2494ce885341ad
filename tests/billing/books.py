"""Random months at a cashier's desk: invoices, payments, credit notes, deposits, refunds, late fees.

Every step goes through the services on a real database; a second set of books is kept beside it by the
plainest means (a list of what came, went and was owed) and must agree to the fen. `python -m
tests.billing.books --steps 1000000` is the long run.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path

from cloud.domain.errors import Conflict, Forbidden
from cloud.domain.ids import AccountId, InvoiceId, PaymentId, RefundId, TariffId, UserId
from cloud.domain.invoice import InvoiceKind
from cloud.domain.late_fee import LateFeeRule, per_day
from cloud.domain.ledger import invoice_entry
from cloud.domain.payment import Method
from cloud.domain.periods import ServicePeriod
from cloud.domain.refund import RefundSource
from cloud.domain.user import Role, User, system_user
from cloud.services import corrections, deposits, ledger, payments, refunds, tariffs, users
from cloud.store import invoices, numbers, people, periods, premises
from cloud.store import ledger as ledger_rows
from cloud.store.db import Database, Tx
from cloud.store.invoices import NewInvoice, NewLine
from cloud.store.migrate import upgrade
from cloud.store.tenants import add_tenant
from tests.databases import TENANT

ACCOUNTS = 6
# One set of books has this many steps; the long run begins new ones, so that it stays as fast as it began.
STEPS_A_BOOK = 5_000
STEPS_A_TRANSACTION = 50
_SNAPSHOT = {
    "account_number": "A",
    "holder_name": "张",
    "space_code": "1",
    "household_size": 3,
    "services": [],
}
_FEES = (
    None,
    LateFeeRule(per_day(Fraction(1, 1000)), minimum_fen=100),
    LateFeeRule(per_day(Fraction(3, 1000)), cap=Fraction(1)),
)


@dataclass
class Books:
    """One property's books, and the plain ones beside them."""

    database: Database
    rng: random.Random
    now_ms: int
    accounts: list[AccountId] = field(default_factory=list)
    clerks: list[User] = field(default_factory=list)
    tariff_id: TariffId | None = None
    site_code: str = "DG"
    invoiced: list[tuple[AccountId, InvoiceId]] = field(default_factory=list)
    paid: list[PaymentId] = field(default_factory=list)
    asked: list[tuple[RefundId, int, Method, UserId]] = field(default_factory=list)
    money_fen: Counter[str] = field(default_factory=Counter)
    revenue_fen: int = 0
    held_fen: int = 0
    serial: int = 0
    waited_ms: int = 0
    done: Counter[str] = field(default_factory=Counter)

    @property
    def today(self) -> date:
        return date(1970, 1, 1) + timedelta(milliseconds=self.now_ms + 8 * 3_600_000)

    def step(self, tx: Tx) -> None:
        """Do one thing, as likely refused as not; what is refused leaves nothing behind."""
        act = self.rng.choices(
            [
                self.invoice,
                self.pay,
                self.reverse,
                self.credit,
                self.deposit,
                self.use,
                self.ask,
                self.decide,
                self.wait,
            ],
            [25, 30, 4, 4, 4, 3, 6, 6, 18],
        )[0]
        savepoint = tx.conn.begin_nested()
        try:
            act(tx)
        except (Conflict, Forbidden):
            savepoint.rollback()
            self.done[f"{act.__name__} refused"] += 1
        else:
            savepoint.commit()
            self.done[act.__name__] += 1

    def invoice(self, tx: Tx) -> None:
        """Issue an invoice of a random amount, sometimes a credit."""
        assert self.tariff_id is not None, "the books are open"
        account_id = self.rng.choice(self.accounts)
        fen = self.rng.choice([1, 99, 4883, self.rng.randrange(1, 200_000), -self.rng.randrange(1, 5_000)])
        self.serial += 1
        code = f"P{self.serial:06}"
        site_id = premises.list_sites(tx)[0].site_id
        periods.insert_period(tx, site_id, code, ServicePeriod(self.today - timedelta(30), self.today))  # type: ignore[arg-type]
        period = periods.find_by_code(tx, site_id, code)
        assert period is not None
        line = NewLine(
            "property", "fee", "", Decimal(1), "bill", Decimal(fen) / 100, fen, self.tariff_id, None,
            {"names": ["", ""]},
        )  # fmt: skip
        number = f"{self.site_code}-{code}-{numbers.next_number(tx, self.site_code, 'invoice', code):04}"
        new = NewInvoice(
            InvoiceId(tx.new_id()), number, account_id, period.period_id, 1, InvoiceKind.INVOICE, None, "",
            "CNY", self.today, self.today + timedelta(days=self.rng.randrange(0, 20)), _SNAPSHOT, (line,),
        )  # fmt: skip
        invoices.insert_invoices(tx, [new])
        entry = invoice_entry(account_id, new.invoice_id, number, self.today, {"property": fen})
        assert entry is not None
        ledger_rows.insert_entries(tx, [entry])
        payments.settle_credits(tx, [new], self.today)
        payments.apply_prepayments(tx, [account_id], self.today)
        self.invoiced.append((account_id, new.invoice_id))
        self.revenue_fen += fen

    def pay(self, tx: Tx) -> None:
        """Take a random amount, or exactly what is owed; sometimes the same transfer twice."""
        account_id = self.rng.choice(self.accounts)
        clerk = self.rng.choice(self.clerks)
        items = payments.open_items(tx, clerk, account_id, self.today)
        owed = sum(item.invoice.left_fen + item.late_fee_left_fen for item in items)
        fen = self.rng.choice([max(1, owed), self.rng.randrange(1, 100_000), 1])
        method = self.rng.choice(list(Method))
        reference = f"T{self.rng.getrandbits(64):x}"
        last = [item.invoice.invoice_id for item in items[-1:]] if self.rng.random() < 0.2 else []
        for _ in range(self.rng.choice([1, 1, 1, 2])):
            recorded = payments.record_payment(
                tx, clerk, account_id, method, fen, self.today, provider_reference=reference,
                designated=last,
            )  # fmt: skip
        self.paid.append(recorded.receipt.payment_id)
        self.money_fen[method.ledger_account] += fen

    def reverse(self, tx: Tx) -> None:
        """Take a payment back that never arrived."""
        if self.paid:
            taken = payments.reverse_payment(tx, self.clerks[0], self.rng.choice(self.paid), "bounced")
            self.money_fen[taken.method.ledger_account] += taken.amount_fen

    def credit(self, tx: Tx) -> None:
        """Take an invoice back by a credit note."""
        if self.invoiced:
            _, invoice_id = self.rng.choice(self.invoiced)
            note = corrections.credit(tx, self.clerks[0], invoice_id, "was wrong")
            self.revenue_fen += note.total_fen

    def deposit(self, tx: Tx) -> None:
        """Take a deposit."""
        fen, method = self.rng.randrange(1, 50_000), self.rng.choice(list(Method))
        deposits.take_deposit(
            tx, self.clerks[0], self.rng.choice(self.accounts), "key", method, fen, self.today
        )
        self.money_fen[method.ledger_account] += fen
        self.held_fen += fen

    def use(self, tx: Tx) -> None:
        """Turn some of a deposit into credit."""
        fen = self.rng.randrange(1, 50_000)
        deposits.use_deposit(tx, self.clerks[0], self.rng.choice(self.accounts), fen, "moved out")
        self.held_fen -= fen

    def ask(self, tx: Tx) -> None:
        """Ask for money to go back."""
        clerk, source = self.rng.choice(self.clerks), self.rng.choice(list(RefundSource))
        method = self.rng.choice([Method.CASH, Method.TRANSFER])
        fen = self.rng.randrange(1, 20_000)
        new = refunds.request_refund(
            tx, clerk, self.rng.choice(self.accounts), source, fen, method, "moved out"
        )
        self.asked.append((new.refund_id, fen, method, clerk.user_id))

    def decide(self, tx: Tx) -> None:
        """Approve or refuse; whoever asked is refused."""
        if not self.asked:
            return
        refund_id, fen, method, _ = self.asked[self.rng.randrange(len(self.asked))]
        clerk = self.rng.choice(self.clerks)
        if self.rng.random() < 0.3:
            refunds.refuse(tx, clerk, refund_id)
            return
        done = refunds.approve(tx, clerk, refund_id)
        self.money_fen[method.ledger_account] -= fen
        if done.source is RefundSource.DEPOSIT:
            self.held_fen -= fen

    def wait(self, _tx: Tx) -> None:
        """Let days go by: late fees grow."""
        self.waited_ms += self.rng.choice([1, 1, 1, 7, 31]) * 24 * 3_600_000

    def turn(self) -> None:
        """Let the days that went by go by: a transaction has one time, so they do between two."""
        self.now_ms += self.waited_ms
        self.waited_ms = 0

    def check(self) -> None:
        """Hold both books against each other; AssertionError says what differs."""
        trial = self.database.read_now(TENANT, ledger.trial_balance, self.clerks[0])
        assert trial.total_fen == 0, trial
        for name in ("cash", "bank"):
            assert trial.balances[name] == self.money_fen[name], name
        assert trial.balances["deposit"] == -self.held_fen
        assert trial.balances["revenue.property"] == -self.revenue_fen
        assert trial.balances["prepayment"] <= 0
        open_fen = 0
        for account_id in self.accounts:
            items = self.database.read_now(
                TENANT, payments.open_items, self.clerks[0], account_id, self.today
            )
            assert all(0 < item.invoice.left_fen <= item.invoice.total_fen for item in items), items
            open_fen += sum(item.invoice.left_fen for item in items)
        assert trial.balances["receivable"] == open_fen
        late_fen = -trial.balances["revenue.late_fee"]
        assert late_fen >= 0
        # Everything that came is somewhere: used for what was owed, credit, held, or paid out again.
        used_fen = self.revenue_fen - open_fen
        assert (
            sum(self.money_fen.values()) == used_fen + late_fen - trial.balances["prepayment"] + self.held_fen
        )


def run(path: Path, seed: int, steps: int) -> Counter[str]:
    """Keep one set of books for so many steps; return what was done how often."""
    books = begin(path, seed)
    try:
        for start in range(0, steps, STEPS_A_TRANSACTION):
            count = min(STEPS_A_TRANSACTION, steps - start)

            def work(tx: Tx, count: int = count) -> None:
                for _ in range(count):
                    books.step(tx)

            books.database.write_now(TENANT, work)
            books.turn()
            if start % (STEPS_A_TRANSACTION * 10) == 0:
                books.check()
        books.check()
    finally:
        books.database.close()
    return books.done


def begin(path: Path, seed: int) -> Books:
    """Open a property with some accounts and two clerks."""
    rng = random.Random(seed)
    books: Books = Books(
        Database("sqlite:///" + str(path), clock=lambda: books.now_ms), rng, 1_790_000_000_000
    )

    def work(tx: Tx) -> None:
        add_tenant(tx, "one", "one")
        site_id = premises.insert_site(tx, books.site_code, "示范小区", "Asia/Shanghai", "")
        system = system_user(TENANT)
        books.tariff_id = tariffs.import_shipped(tx, system, "cn-beijing-water-res")[0].tariff_id
        for number in range(ACCOUNTS):
            books.accounts.append(
                people.insert_account(tx, site_id, f"A-{number:03}", "张", None, 3, date(2020, 1, 1))
            )
        for name in ("li", "wang"):
            books.clerks.append(_clerk(tx, name))
        ledger_rows.ensure_chart(tx)
        rule = rng.choice(_FEES)
        if rule is not None:
            payments.set_late_fee_rule(tx, system, site_id, date(2020, 1, 1), rule)

    books.database.write_now(TENANT, work)
    return books


def _clerk(tx: Tx, login: str) -> User:
    user_id = users.create_user(tx, system_user(TENANT), login, login, Role.FINANCE, "x")
    return User(user_id, TENANT, Role.FINANCE, login)


def main(arguments: list[str]) -> int:
    """Keep books until so many steps are done, a process a core; print how many and how fast."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    started, done = time.monotonic(), Counter[str]()
    sizes = [min(STEPS_A_BOOK, given.steps - first) for first in range(0, given.steps, STEPS_A_BOOK)]
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "template.db"
        upgrade(f"sqlite:///{template}")
        with ProcessPoolExecutor(given.processes, get_context("spawn")) as pool:
            books = [
                pool.submit(_keep, template, seed, size) for seed, size in enumerate(sizes, start=given.seed)
            ]
            for number, finished in enumerate(as_completed(books), start=1):
                done += finished.result()
                if number % 20 == 0:
                    print(f"{sum(done.values()):>9} steps, {time.monotonic() - started:.0f} s", flush=True)
    for name, count in sorted(done.items()):
        print(f"{count:>9}  {name}")
    seconds = time.monotonic() - started
    print(f"{given.steps} steps, {len(sizes)} books in {seconds:.0f} s, all balanced to 0 fen")
    return 0


def _keep(template: Path, seed: int, steps: int) -> Counter[str]:
    """Keep one set of books in a file of its own; an error names the seed to do it again with."""
    path = template.with_name(f"books-{seed}.db")
    shutil.copy(template, path)
    try:
        return run(path, seed, steps)
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}") from error
    finally:
        for left in template.parent.glob(f"{path.name}*"):
            left.unlink()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
