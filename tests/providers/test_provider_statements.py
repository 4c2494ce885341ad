"""A provider's daily bill beside our books: both providers' own files, every row in one result."""

from datetime import date

import pytest

from cloud.domain.errors import Invalid
from cloud.domain.ids import SiteId
from cloud.domain.payment import Method
from cloud.domain.provider_statement import Comparison, Direction, Match, movements_of
from cloud.services import payments, provider_statements
from cloud.store import premises
from cloud.store.db import Database
from cloud.workbook.reading import read_rows
from tests.billing.estate import SYSTEM, Estate, make_estate
from tests.databases import TENANT

DAY = date(2026, 11, 23)
WECHAT_TITLES = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,"
    "应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,"
    "手续费,费率,订单金额,申请退款金额,费率备注"
)
ALIPAY_TITLES = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,"
    "商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,"
    "卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
)


def wechat(*rows: tuple[str, str, str, str, str]) -> bytes:
    """Return WeChat Pay's bill of (its number, our order, paid, our refund, refunded), with its backticks."""
    lines = [WECHAT_TITLES]
    for reference, order, paid, refund, back in rows:
        state = "REFUND" if refund else "SUCCESS"
        cells = (
            "2026-11-23 10:20:30", "wx8888", "1900000109", "0", "", reference, order, "oUpF8", "NATIVE",
            state, "CMB", "CNY", paid, "0.00", "0", refund, back, "0.00", "", "", "物业缴费", "", "0.00",
            "0.60%", paid, back, "",
        )  # fmt: skip
        lines.append(",".join(f"`{cell}" for cell in cells))
    lines += ["总交易单数,应结订单总金额,退款总金额", f"`{len(rows)},`0.00,`0.00"]
    return "\r\n".join(lines).encode()


def alipay(*rows: tuple[str, str, str, str]) -> bytes:
    """Return Alipay's bill of (its number, our order, amount, our refund) in GBK, with its tabs and notes."""
    lines = ["#支付宝业务明细查询", "#账号：[2088000000000000]", ALIPAY_TITLES]
    for reference, order, amount, refund in rows:
        kind = "退款" if refund else "交易"
        cells = [
            reference, order, kind, "物业缴费", "2026-11-23 10:20:30", "2026-11-23 10:20:35", "", "", "",
            "", "王*国", amount, amount, "0", "0", "0", "0", "0", "", "0", "0", refund, "0", "0", "",
        ]  # fmt: skip
        lines.append(",".join(f"{cell}\t" for cell in cells))
    lines += ["#-----业务明细列表结束-----", "#交易合计：1笔"]
    return "\r\n".join(lines).encode("gb18030")


@pytest.fixture
def estate(database: Database) -> Estate:
    """Two sites of one company; at the first a flat that pays by WeChat Pay."""
    first = make_estate(database)
    first.add_flat("101", water=None)
    return first


def pay(estate: Estate, reference: str, amount_fen: int, on: date = DAY) -> None:
    estate.database.write_now(
        TENANT,
        payments.record_payment,
        SYSTEM,
        estate.accounts["101"],
        Method.WECHAT,
        amount_fen,
        on,
        provider_reference=reference,
        memo=f"DG2026112300{amount_fen}",
    )


def compared(estate: Estate, data: bytes) -> Comparison:
    return estate.database.read_now(
        TENANT,
        provider_statements.reconcile,
        SYSTEM,
        estate.site_id,
        Method.WECHAT,
        DAY,
        "bill.csv",
        data,
    )


def test_every_row_of_either_side_is_in_one_result(estate: Estate) -> None:
    pay(estate, "4200000001", 10_000)
    pay(estate, "4200000002", 5_000)
    pay(estate, "4200000003", 700)
    pay(estate, "4200000005", 900, date(2026, 11, 22))  # paid a minute before midnight by their clock

    found = compared(
        estate,
        wechat(
            ("4200000001", "DG202611230010000", "100.00", "", "0.00"),
            ("4200000002", "DG20261123005000", "50.01", "", "0.00"),
            ("4200000004", "DG20261123009999", "99.99", "", "0.00"),
            ("4200000005", "DG2026112300900", "9.00", "", "0.00"),
            ("4200000001", "DG202611230010000", "100.00", "DG-B2026-000001", "20.00"),
        ),
    )

    told = [
        (row.match, (row.theirs or row.ours.movement).reference)  # type: ignore[union-attr]
        for row in found.rows
    ]
    assert told == [
        (Match.AMOUNT, "4200000002"),
        (Match.MISSING_HERE, "4200000004"),
        (Match.MISSING_HERE, "DG-B2026-000001"),
        (Match.MISSING_THERE, "4200000003"),
        (Match.MATCHED, "4200000001"),
        (Match.MATCHED, "4200000005"),
    ]
    assert (found.theirs_fen, found.ours_fen) == (23_900, 16_600)


def test_what_another_site_of_the_company_took_is_told_apart(estate: Estate) -> None:
    other = make_other(estate)
    pay(estate, "4200000001", 10_000)

    found = estate.database.read_now(
        TENANT,
        provider_statements.reconcile,
        SYSTEM,
        other,
        Method.WECHAT,
        DAY,
        "bill.csv",
        wechat(("4200000001", "DG202611230010000", "100.00", "", "0.00")),
    )

    assert [(row.match, row.ours) for row in found.rows] == [(Match.ELSEWHERE, None)]


def make_other(estate: Estate) -> SiteId:
    return estate.database.write_now(TENANT, premises.insert_site, "XY", "兴业园", "Asia/Shanghai", "")


def test_alipay_s_bill_is_read_as_it_is_downloaded() -> None:
    data = alipay(
        ("2026112322001400001", "DG20261123000001", "136.20", ""),
        ("2026112322001400001", "DG20261123000001", "-36.20", "DG-B2026-000002"),
    )

    found = movements_of(Method.ALIPAY, read_rows(data, "bill.csv"))

    assert [(one.direction, one.reference, one.amount_fen) for one in found] == [
        (Direction.IN, "2026112322001400001", 13_620),
        (Direction.OUT, "DG-B2026-000002", 3_620),
    ]


@pytest.mark.parametrize(
    ("method", "data", "said"),
    [
        (Method.ALIPAY, wechat(), "this is no bill of alipay: it has no column '支付宝交易号'"),
        (Method.CASH, wechat(), "cash has no bill of a provider"),
        (Method.WECHAT, wechat(("42", "DG1", "viel", "", "0")), "row 2: 订单金额 is 'viel'"),
        (Method.WECHAT, wechat(("42", "DG1", "1.005", "", "0")), "two decimals at most"),
    ],
)
def test_what_is_no_such_bill_is_refused_with_why(method: Method, data: bytes, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        movements_of(method, read_rows(data, "bill.csv"))
