"""A receipt on paper: what came in, in figures and in capitals, and what it was used for."""

from cloud.domain.capitals import amount_in_capitals
from cloud.domain.paid import PaidReceipt
from cloud.domain.periods import time_zone
from cloud.domain.user import Locale
from cloud.press.proof import proof_of
from cloud.press.sheet import Labelled, Row, Section, Sheet
from cloud.press.words import Words


def receipt_sheet(paid: PaidReceipt, language: Locale, origin: str) -> Sheet:
    """Return the sheet of a payment's receipt, or of the one that takes a payment back."""
    words = Words(language, time_zone(paid.site.time_zone))
    receipt = paid.receipt
    head = [
        Labelled(words.say("payer"), paid.account.holder_name),
        Labelled(words.say("flat"), paid.account.space_code),
        Labelled(words.say("account"), paid.account.number),
        Labelled(words.say("received_on"), words.day(receipt.received_on)),
        Labelled(words.say("method"), words.say(f"method.{receipt.method.value}")),
    ]
    if receipt.reference:
        head.append(Labelled(words.say("reference"), receipt.reference))
    if receipt.memo:
        head.append(Labelled(words.say("memo"), receipt.memo))
    notes = [words.say("not_tax")]
    if paid.takes_back:
        notes.insert(0, words.say("takes_back", paid.takes_back))
    return Sheet(
        template="receipt",
        language=language.value,
        title=words.say("receipt"),
        site=paid.site.name,
        number=receipt.number,
        head=tuple(head),
        total_label=words.say("total_received"),
        total=words.money(receipt.amount_fen),
        capitals=f"{words.say('capitals')} {amount_in_capitals(receipt.amount_fen)}",
        columns=(
            words.say("for_invoice"),
            words.say("principal"),
            words.say("late_fee_amount"),
            words.say("amount"),
        ),
        sections=(Section("", "", "", "other", _rows(paid, words)),),
        notes=tuple(notes),
        foot=f"{paid.site.name} · {receipt.number}",
        proof=proof_of(origin, receipt.number, paid.code, words),
        stamp=words.say("taken_back") if paid.is_taken_back else "",
        signatures=(words.say("seal"), words.say("signed")),
    )


def _rows(paid: PaidReceipt, words: Words) -> tuple[Row, ...]:
    rows = [
        Row(
            (
                use.number,
                words.amount(use.principal_fen),
                words.amount(use.late_fee_fen),
                words.amount(use.principal_fen + use.late_fee_fen),
            )
        )
        for use in paid.uses
    ]
    if paid.credit_fen:
        rows.append(Row((words.say("credit"), "", "", words.amount(paid.credit_fen))))
    return tuple(rows)
