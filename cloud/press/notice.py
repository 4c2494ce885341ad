"""A payment notice on paper: what an account has to pay as of a day, bill by bill.

Before anything is overdue it is a notice, after that a reminder; both say the same facts, and that
supply is never cut because of them.
"""

from datetime import date

from cloud.domain.capitals import amount_in_capitals
from cloud.domain.paid import AccountNotice, NoticeItem
from cloud.domain.periods import time_zone
from cloud.domain.user import Locale
from cloud.press.proof import proof_of
from cloud.press.sheet import Labelled, Row, Section, Sheet
from cloud.press.words import Words


def notice_sheet(notice: AccountNotice, language: Locale, origin: str) -> Sheet:
    """Return the sheet of what an account has to pay; its code is that of the newest bill on it."""
    words = Words(language, time_zone(notice.site.time_zone))
    is_late = any(item.days_overdue(notice.as_of) > 0 for item in notice.items)
    title = words.say("reminder" if is_late else "notice")
    newest = notice.items[-1]
    return Sheet(
        template="notice",
        language=language.value,
        title=title,
        site=notice.site.name,
        number=newest.number,
        head=(
            Labelled(words.say("flat"), notice.account.space_code),
            Labelled(words.say("holder"), notice.account.holder_name),
            Labelled(words.say("account"), notice.account.number),
            Labelled(words.say("as_of"), words.day(notice.as_of)),
        ),
        total_label=words.say("total_asked"),
        total=words.money(notice.total_fen),
        capitals=f"{words.say('capitals')} {amount_in_capitals(notice.total_fen)}",
        columns=(
            words.say("for_invoice"),
            words.say("period"),
            words.say("due_col"),
            words.say("days_late"),
            words.say("left"),
            words.say("late_fee_amount"),
        ),
        sections=(
            Section("", "", "", "other", tuple(_row(item, notice.as_of, words) for item in notice.items)),
        ),
        notes=(
            words.say("asked", words.day(max(newest.due_on, notice.as_of))),
            words.say("no_power"),
            words.say("not_tax"),
        ),
        foot=f"{notice.site.name} · {notice.account.number} · {words.day(notice.as_of)}",
        proof=proof_of(origin, newest.number, newest.code, words),
    )


def _row(item: NoticeItem, as_of: date, words: Words) -> Row:
    late = item.days_overdue(as_of)
    return Row(
        (
            item.number,
            words.month(item.start_on),
            words.day(item.due_on),
            str(late) if late > 0 else "",
            words.amount(item.left_fen),
            words.amount(item.late_fee_fen),
        )
    )
