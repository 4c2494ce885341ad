"""What is printed around the facts, in both languages, and how a printed number looks.

The invariant: a word is here once, with its two languages side by side; a sheet in one language has no
word of the other but names people gave.
"""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from types import MappingProxyType
from zoneinfo import ZoneInfo

from cloud.domain.periods import local_time
from cloud.domain.user import Locale

MINUS = "\N{MINUS SIGN}"
_UNITS = {"m3": "m³", "m2": "m²"}
_QUANTITY_DECIMALS = 2  # a meter's smallest shown step; more where the quantity has more

_WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "account": ("户号", "Account"),
        "amount": ("金额（元）", "Amount (CNY)"),
        "area": ("建筑面积", "Floor area"),
        "as_of": ("截至", "As of"),
        "asked": (
            "请于 %s 前缴清。对账单有疑问，请先与物业服务中心核对。",
            "Please pay by %s. If you doubt a bill, ask the property office first.",
        ),
        "at_end": ("期末 %s", "End, %s"),
        "at_start": ("期初 %s", "Start, %s"),
        "bill": ("账单", "Bill"),
        "capitals": ("人民币（大写）", "In words (Chinese)"),
        "check": (
            "扫码或在上述网址输入编号与核验码，可核验真伪。",
            "Scan, or enter number and code at the address above, to see whether this is genuine.",
        ),
        "code": ("核验码", "Code"),
        "corrects": ("冲销账单", "Takes back"),
        "credit": ("转入预存", "Kept as credit"),
        "credit_note": ("红字账单", "Credit note"),
        "days_late": ("逾期天数", "Days overdue"),
        "due": ("缴费期限", "Pay by"),
        "due_col": ("应缴日期", "Due"),
        "estimated": (
            "本期含估算用量，取得实际读数后按实际阶梯多退少补。",
            "Part of this was estimated; it is settled along the real tiers once the meter has been read.",
        ),
        "exchanged": (
            "本期换过表，按表分段计算，没有重复或遗漏。",
            "The meter was exchanged: each one is counted for itself, nothing twice and nothing left out.",
        ),
        "for_invoice": ("对应账单", "For bill"),
        "flat": ("房号", "Flat"),
        "holder": ("户主", "Holder"),
        "household": ("户籍人数", "Household"),
        "issued": ("出账日期", "Issued"),
        "item": ("项目", "Item"),
        "label_use": ("扫码查看维保与报修", "Scan: service and repairs"),
        "labels": ("设备标签", "Equipment labels"),
        "late_fee": ("违约金", "Late fee"),
        "late_fee_amount": ("违约金（元）", "Late fee (CNY)"),
        "left": ("未缴（元）", "Left (CNY)"),
        "memo": ("备注", "Memo"),
        "method": ("收款方式", "Paid by"),
        "method.alipay": ("支付宝", "Alipay"),
        "method.card": ("刷卡", "card"),
        "method.cash": ("现金", "cash"),
        "method.transfer": ("转账", "bank transfer"),
        "method.wechat": ("微信支付", "WeChat Pay"),
        "no_power": (
            "物业服务人不会以停水、停电等方式催缴（民法典第九百四十四条）。",
            "Supply is never cut to collect a debt (Civil Code, article 944).",
        ),
        "not_tax": (
            "本单据不是税务发票；如需发票，请向物业服务中心申请。",
            "This is not a tax invoice; ask the property office for one.",
        ),
        "notice": ("缴费通知单", "Payment notice"),
        "number": ("编号", "Number"),
        "payer": ("付款人", "Received from"),
        "period": ("账期", "Period"),
        "position": ("本年用到 %s", "%s this year"),
        "position_month": ("本期用到 %s", "%s this period"),
        "price": ("单价（元）", "Price (CNY)"),
        "principal": ("本金（元）", "Principal (CNY)"),
        "quantity": ("数量", "Quantity"),
        "reason": ("原因", "Reason"),
        "receipt": ("收款收据", "Receipt"),
        "received_on": ("收款日期", "Received on"),
        "reference": ("流水号", "Reference"),
        "reminder": ("催缴通知单", "Reminder"),
        "seal": ("收款单位（盖章）", "Received by (seal)"),
        "signed": ("经手人", "Cashier"),
        "taken_back": ("已冲回", "TAKEN BACK"),
        "takes_back": ("冲回收据 %s", "Takes back receipt %s"),
        "evidence": ("报警处置证据", "Evidence of an alarm"),
        "evidence.acknowledged": ("确认收到", "acknowledged"),
        "evidence.acts": ("处置经过", "What people did"),
        "evidence.assigned": ("指派给 %s", "given to %s"),
        "evidence.cleared": ("状态恢复正常", "condition over"),
        "evidence.commented": ("备注：%s", "note: %s"),
        "evidence.condition": ("装置所报", "What the box said"),
        "evidence.console": ("系统内", "in the console"),
        "evidence.doors": ("前后 15 分钟门禁", "Doors, 15 minutes around"),
        "evidence.done": ("已完成：%s", "done: %s"),
        "evidence.escalated": ("无人确认，第 %s 步升级", "nobody acknowledged: told on, step %s"),
        "evidence.frame": ("报文 SHA-256 %s", "frame, SHA-256 %s"),
        "evidence.handled": ("处置结论", "State"),
        "evidence.made": ("导出", "Taken out"),
        "evidence.manifest": (
            "随附文件均列在 manifest.json 中，含长度和 SHA-256；改动任何一个字节都能被发现。",
            "Every file beside this one stands in manifest.json with its length and SHA-256; a changed byte "
            "is found.",
        ),
        "evidence.plan": ("应急预案（第 %s 版）", "Response plan (version %s)"),
        "evidence.plan_supplied": ("应急预案（系统自带）", "Response plan (as the program comes with it)"),
        "evidence.raised": ("发生", "raised"),
        "evidence.repeated": ("再次上报", "reported again"),
        "evidence.shelved": ("搁置：%s", "put aside: %s"),
        "evidence.staff": ("值班渠道", "the site's notifiers"),
        "evidence.still": ("未结束", "not over"),
        "evidence.time": ("时间", "Time"),
        "evidence.pictures": ("摄像机抓拍", "Pictures by cameras"),
        "evidence.told": ("通知", "Who was told"),
        "evidence.undone": ("未做：%s", "not done: %s"),
        "evidence.unshelved": ("恢复处理", "taken up again"),
        "evidence.what": ("事项", "What"),
        "evidence.where": ("位置", "Where"),
        "evidence.who": ("人员", "Who"),
        "outcome.denied": ("未放行", "not let in"),
        "outcome.failed": ("放行，门未开", "let in, the door did not open"),
        "outcome.granted": ("放行", "let in"),
        "plan.common": ("其他报警", "alarm"),
        "plan.fire": ("火警", "fire"),
        "plan.gas": ("燃气泄漏", "gas leak"),
        "plan.intrusion": ("闯入", "intrusion"),
        "plan.leak": ("漏水", "water leak"),
        "plan.lift": ("电梯故障", "lift out of order"),
        "plan.power": ("停电", "power failure"),
        "plan.trapped": ("电梯困人", "trapped in a lift"),
        "tier": ("第 %s 档", "tier %s"),
        "tiers": ("阶梯", "Tiers"),
        "tier_bound_next": (
            "从第 %(tier)s 档起，超过 %(bound)s 的部分每 %(unit)s 贵 %(more)s 元；本期有一部分超过了这条线。",
            "Beyond %(bound)s begins tier %(tier)s: each %(unit)s costs %(more)s yuan more, and only the "
            "part beyond that line.",
        ),
        "tier_one": (
            "本期全部按第 %(tier)s 档计价，距离下一档还有 %(left)s。",
            "All of it is in tier %(tier)s; %(left)s are left until the next one.",
        ),
        "tier_top": ("本期全部按最高一档计价。", "All of it is in the highest tier."),
        "total_asked": ("合计应缴", "To pay"),
        "total_credit": ("冲减金额", "Credited"),
        "total_due": ("应缴金额", "To pay"),
        "total_received": ("收款金额", "Received"),
        "until": ("至 %s", "to %s"),
        "usage": ("用量", "Used"),
        "charge.electricity": ("电费", "Electricity"),
        "charge.gas": ("燃气费", "Gas"),
        "charge.heat": ("采暖费", "Heating"),
        "charge.hot_water": ("热水费", "Hot water"),
        "charge.parking": ("停车费", "Parking"),
        "charge.property": ("物业服务费", "Property fee"),
        "charge.refuse": ("生活垃圾处理费", "Refuse"),
        "charge.sewage": ("污水处理费", "Sewage"),
        "charge.water": ("水费", "Water"),
        "part.sharp": ("尖", "sharp"),
        "part.peak": ("峰", "peak"),
        "part.flat": ("平", "flat"),
        "part.valley": ("谷", "valley"),
    }
)


class Words:
    """One language, and the clock of one site."""

    __slots__ = ("_is_chinese", "_zone", "language")

    def __init__(self, language: Locale, zone: ZoneInfo) -> None:
        self.language = language
        self._is_chinese = language is Locale.CHINESE
        self._zone = zone

    def say(self, key: str, *values: str) -> str:
        """Return the words of a key, with values in their places."""
        text = _WORDS[key][0 if self._is_chinese else 1]
        return text % values if values else text

    def tell(self, key: str, **values: str) -> str:
        """Return the sentence of a key, with named values in their places."""
        return _WORDS[key][0 if self._is_chinese else 1] % values

    def charge(self, code: str) -> str:
        """Return what a kind of charge is called; a code we have no word for is shown as it is."""
        known = f"charge.{code}"
        return self.say(known) if known in _WORDS else code

    def part(self, tier: str) -> str:
        """Return what a line is within its item: "2", "peak", "2 peak", or nothing."""
        told = []
        for piece in tier.split():
            known = f"part.{piece}"
            told.append(
                self.say("tier", piece)
                if piece.isdecimal()
                else self.say(known)
                if known in _WORDS
                else piece
            )
        return " ".join(told)

    def choose(self, chinese: str, english: str) -> str:
        """Return the name in this language."""
        return chinese if self._is_chinese else english

    def day(self, on: date) -> str:
        """Write a date: 2026-11-15, 15 Nov 2026."""
        return f"{on:%Y-%m-%d}" if self._is_chinese else f"{on.day} {on:%b %Y}"

    def moment_day(self, at_ms: int) -> str:
        """Write the local day of an instant."""
        return self.day(datetime.fromtimestamp(at_ms // 1000, self._zone).date())

    def exact(self, at_ms: int) -> str:
        """Return an instant to the millisecond, by the clock of the site."""
        return f"{local_time(at_ms, self._zone):%Y-%m-%d %H:%M:%S}.{at_ms % 1000:03}"

    def month(self, on: date) -> str:
        """Write a month: 2026年10月, October 2026."""
        return f"{on.year}年{on.month}月" if self._is_chinese else f"{on:%B %Y}"

    def amount(self, fen: int) -> str:
        """Write an amount without its currency: 1,380.39."""
        return f"{MINUS if fen < 0 else ''}{abs(fen) // 100:,}.{abs(fen) % 100:02d}"

    def money(self, fen: int) -> str:
        """Write an amount with its sign in front: ¥1,380.39."""
        return f"{MINUS if fen < 0 else ''}¥{self.amount(abs(fen))}"

    def price(self, price: Decimal) -> str:
        """Write a price with all its digits, two at least: 0.4883."""
        return number(price, 2)

    def quantity(self, quantity: Decimal | None, unit: str) -> str:
        """Write a quantity with its unit: 286.42 kWh; nothing for an amount by itself."""
        if quantity is None:
            return ""
        decimals = _QUANTITY_DECIMALS if unit in ("kWh", "m3") else 0
        return f"{number(quantity, decimals)} {self.unit(unit)}".rstrip()

    def unit(self, unit: str) -> str:
        """Write a unit as it is printed: m³."""
        return _UNITS.get(unit, unit)


def number(value: Decimal, decimals_min: int) -> str:
    """Write a number exactly, with so many decimals at least and thousands separators."""
    own = max(0, -int(value.normalize().as_tuple().exponent))
    exact = value.quantize(Decimal(1).scaleb(-max(own, decimals_min)), ROUND_HALF_UP)
    return f"{exact:,f}".replace("-", MINUS)
