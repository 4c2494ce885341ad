"""A repair is written down once, given to whoever suits, and its clocks cannot be stopped."""

from dataclasses import replace
from io import BytesIO

import pytest
from PIL import Image

from cloud.domain.dispatch import Ground, Shift
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.ids import AccountId, RepairId, UserId
from cloud.domain.repair import (
    Channel,
    QuoteState,
    Repair,
    RepairAct,
    RepairCategory,
    RepairState,
    Urgency,
    category_of_alarm,
    clock_of,
)
from cloud.domain.user import Locale, Role, User
from cloud.services import dispatching, notices, photos, premises, repair_work, repairs, technicians
from cloud.services.repairs import RepairRequest
from cloud.store import users
from cloud.store.db import Database, Tx
from protocol.event import EventState
from protocol.sync import Stream
from tests.cloud.garden import event_block, leak, post
from tests.cloud.house import House
from tests.databases import TENANT, FakeClock

_DAY_SHIFT = Shift(frozenset(range(7)), 8 * 60, 20 * 60)
_NIGHT_SHIFT = Shift(frozenset(range(7)), 20 * 60, 8 * 60)


def _add(house: House, login: str, role: Role, accounts: frozenset[AccountId] = frozenset()) -> User:
    def work(tx: Tx) -> UserId:
        user_id = users.insert_user(tx, login, login, role, Locale.CHINESE, "!")
        assert user_id is not None
        users.add_accounts(tx, user_id, accounts)
        return user_id

    return User(house.database.write_now(TENANT, work), TENANT, role, login, account_ids=accounts)


def _technician(
    house: House,
    login: str,
    *skills: RepairCategory,
    buildings: tuple[str, ...] = (),
    shift: Shift = _DAY_SHIFT,
    is_away: bool = False,
) -> User:
    added = _add(house, login, Role.MAINTENANCE)
    house.database.write_now(
        TENANT,
        technicians.set_technician,
        house.manager,
        added.user_id,
        skills,
        buildings,
        shift,
        is_away=is_away,
    )
    return added


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


@pytest.fixture
def resident(house: House) -> User:
    accounts = house.database.read_now(TENANT, premises.list_accounts, house.manager, house.site_id).items
    own = frozenset(one.account_id for one in accounts if one.number == "A-101")
    return _add(house, "resident-101", Role.RESIDENT, own)


def _ask(house: House, resident: User, **more: object) -> Repair:
    said: dict[str, object] = {
        "category": RepairCategory.PLUMBING,
        "urgency": Urgency.NORMAL,
        "channel": Channel.WEB,
        "description": "厨房水槽下面漏水",
        "account_id": next(iter(resident.account_ids), None),
    }
    asked = RepairRequest(**(said | more))  # type: ignore[arg-type]
    return house.database.write_now(TENANT, repairs.request, resident, house.site_id, asked)


def _move(house: House, actor: User, repair_id: RepairId, *states: RepairState) -> Repair:
    for state in states:
        moved = house.database.write_now(TENANT, repair_work.move, actor, repair_id, state, "…")
    return moved


def test_a_request_goes_to_who_has_the_skill_knows_the_building_and_is_least_busy(
    house: House, resident: User
) -> None:
    _technician(house, "electrician", RepairCategory.ELECTRICAL)
    _technician(house, "elsewhere", RepairCategory.PLUMBING, shift=_NIGHT_SHIFT)
    _technician(house, "ill", RepairCategory.PLUMBING, is_away=True)
    anywhere = _technician(house, "anywhere", RepairCategory.PLUMBING)
    local = _technician(house, "local", RepairCategory.PLUMBING, buildings=("1",))

    first = _ask(house, resident)

    assert (first.assignee_id, first.number, first.space_code) == (local.user_id, "DG-R-2026-0001", "1-101")
    found = house.database.read_now(TENANT, repairs.detail, house.manager, first.repair_id)
    [_, given] = found.entries
    assert (given.act, given.value) == (RepairAct.ASSIGNED, "local")
    assert given.text == "skill=plumbing; area=1; on_shift=08:00–20:00; load=0"
    house.database.write_now(TENANT, repair_work.assign, house.manager, first.repair_id, anywhere.user_id)
    [told] = house.database.read_now(TENANT, notices.list_received, anywhere).items
    assert (told.title, told.link) == (
        "【示范小区】报修 DG-R-2026-0001：派给你了",
        "/jobs/DG-R-2026-0001",
    )


def test_where_nobody_suits_nobody_is_sent_and_the_managers_are_told(house: House, resident: User) -> None:
    _technician(house, "electrician", RepairCategory.ELECTRICAL)

    asked = _ask(house, resident)

    assert asked.assignee_id is None
    [told] = house.database.read_now(TENANT, notices.list_received, house.manager, house.site_id).items
    assert (told.title.partition("：")[2], told.link) == ("新的报修，等人派单", "/repairs/DG-R-2026-0001")
    judged = house.database.read_now(TENANT, technicians.candidates, asked)
    assert [(one.is_suited, one.reasons[0].ground) for one in judged] == [(False, Ground.NO_SKILL)]


def test_a_shift_past_midnight_belongs_to_the_day_it_begins_on() -> None:
    friday_night = Shift(frozenset({4}), 22 * 60, 6 * 60)

    asked = [(4, 23 * 60), (5, 5 * 60), (5, 23 * 60), (4, 5 * 60), (5, 6 * 60)]

    assert [friday_night.covers(*one) for one in asked] == [True, True, False, False, False]


def test_the_same_request_again_is_the_same_repair_and_a_strangers_key_is_refused(
    house: House, resident: User
) -> None:
    first = _ask(house, resident, request_key="made by the phone")

    again = _ask(house, resident, request_key="made by the phone", description="厨房水槽下面漏水！")

    assert again.repair_id == first.repair_id
    with pytest.raises(Conflict, match="sent by somebody else"):
        asked = RepairRequest(
            RepairCategory.OTHER, Urgency.NORMAL, Channel.PHONE, "x", request_key="made by the phone"
        )
        house.database.write_now(TENANT, repairs.request, house.manager, house.site_id, asked)


@pytest.mark.parametrize(
    ("kind", "category"),
    [
        ("leak", RepairCategory.PLUMBING),
        ("door_forced", RepairCategory.DOOR),
        ("gateway_offline", RepairCategory.OTHER),
    ],
)
def test_an_alarm_proposes_the_work_its_kind_names_and_guesses_none(
    kind: str, category: RepairCategory
) -> None:
    assert category_of_alarm(kind) is category


def test_an_alarm_has_one_repair_under_way_which_is_done_only_when_the_alarm_is_over(
    house: House, clock: FakeClock
) -> None:
    post(house.database, house.gateway, [event_block(1, [leak(EventState.RAISED)])], Stream.EVENT)
    clock.advance(minutes=5)
    plumber = _technician(house, "plumber", RepairCategory.PLUMBING)
    from cloud.services import alarms

    [alarm] = house.database.read_now(TENANT, alarms.list_alarms, house.manager).items
    ask = (repairs.request_for_alarm, house.manager, alarm.alarm_id, RepairCategory.PLUMBING)

    first = house.database.write_now(TENANT, *ask)
    again = house.database.write_now(TENANT, *ask)

    assert again.repair_id == first.repair_id
    assert (first.urgency, first.channel, first.assignee_id) == (
        Urgency.URGENT,
        Channel.ALARM,
        plumber.user_id,
    )
    # The clock began with the leak, not with the telephone.
    assert clock_of(first, clock.now_ms).respond_by_ms == alarm.raised_at_ms + 2 * 3_600_000
    _move(house, plumber, first.repair_id, RepairState.ACCEPTED, RepairState.WORKING)
    with pytest.raises(Conflict, match="alarm DG-A-2026-0001 is still on"):
        _move(house, plumber, first.repair_id, RepairState.DONE)
    ended = leak(EventState.CLEARED, clock.now_ms)
    post(house.database, house.gateway, [event_block(2, [ended])], Stream.EVENT)
    assert _move(house, plumber, first.repair_id, RepairState.DONE).state is RepairState.DONE
    fresh = house.database.write_now(TENANT, *ask)
    assert fresh.repair_id != first.repair_id


def test_a_repair_goes_its_way_and_everybody_sees_it(house: House, resident: User, clock: FakeClock) -> None:
    plumber = _technician(house, "plumber", RepairCategory.PLUMBING)
    asked = _ask(house, resident)

    _move(house, plumber, asked.repair_id, RepairState.ACCEPTED, RepairState.ON_THE_WAY, RepairState.WORKING)
    clock.advance(hours=1)
    _move(house, plumber, asked.repair_id, RepairState.WAITING_FOR_PARTS)
    clock.advance(days=9)
    stopped = house.database.read_now(TENANT, repairs.get_repair, resident, asked.repair_id)
    assert clock_of(stopped, clock.now_ms).is_stopped
    assert not clock_of(stopped, clock.now_ms).is_any_late
    _move(house, plumber, asked.repair_id, RepairState.WORKING, RepairState.DONE)
    done = _move(house, resident, asked.repair_id, RepairState.CONFIRMED)
    rated = house.database.write_now(TENANT, repair_work.rate, resident, asked.repair_id, 5, "很快")

    assert (done.waited_ms, rated.rating) == (9 * 24 * 3_600_000, 5)
    moves = [
        entry.state
        for entry in house.database.read_now(TENANT, repairs.detail, resident, asked.repair_id).entries
        if entry.act is RepairAct.MOVED
    ]
    assert [state.value for state in moves] == [
        "accepted",
        "on_the_way",
        "working",
        "waiting_for_parts",
        "working",
        "done",
        "confirmed",
    ]
    told = house.database.read_now(TENANT, notices.list_received, resident).items
    assert [one.title.partition("：")[2] for one in reversed(told)] == [
        "已接单",
        "师傅在路上",
        "正在修",
        "等配件",
        "正在修",
        "已修完，请确认",
    ]


def test_what_was_not_mended_is_opened_again_with_a_reason_and_a_new_promise(
    house: House, resident: User, clock: FakeClock
) -> None:
    plumber = _technician(house, "plumber", RepairCategory.PLUMBING)
    asked = _ask(house, resident)
    _move(house, plumber, asked.repair_id, RepairState.ACCEPTED, RepairState.WORKING, RepairState.DONE)
    clock.advance(days=2)

    with pytest.raises(Invalid, match="say what is still wrong"):
        house.database.write_now(
            TENANT, repair_work.move, resident, asked.repair_id, RepairState.REOPENED, " "
        )
    again = _move(house, resident, asked.repair_id, RepairState.REOPENED)

    assert (again.state, again.reopen_count, again.done_at_ms) == (RepairState.REOPENED, 1, None)
    assert clock_of(again, clock.now_ms).respond_by_ms == clock.now_ms + 24 * 3_600_000
    _move(house, plumber, asked.repair_id, RepairState.ACCEPTED, RepairState.WORKING, RepairState.DONE)
    clock.advance(days=31)
    with pytest.raises(Conflict, match="it cannot become reopened now"):
        _move(house, resident, asked.repair_id, RepairState.REOPENED)


def test_a_step_that_cannot_follow_or_is_somebody_elses_is_refused(house: House, resident: User) -> None:
    plumber = _technician(house, "plumber", RepairCategory.PLUMBING)
    asked = _ask(house, resident)

    with pytest.raises(Conflict, match="is reported, it cannot become done now"):
        _move(house, plumber, asked.repair_id, RepairState.DONE)
    with pytest.raises(Forbidden, match="role resident may not make a repair accepted"):
        _move(house, resident, asked.repair_id, RepairState.ACCEPTED)
    _move(house, plumber, asked.repair_id, RepairState.ACCEPTED)
    with pytest.raises(Forbidden, match="role resident may not make a repair cancelled"):
        _move(house, resident, asked.repair_id, RepairState.CANCELLED)
    with pytest.raises(Forbidden, match="role maintenance may not make a repair confirmed"):
        _move(house, plumber, asked.repair_id, RepairState.CONFIRMED)


def test_to_a_neighbour_a_repair_does_not_exist(house: House, resident: User) -> None:
    asked = _ask(house, resident)
    neighbour = house.resident("A-201")
    neighbour = _add(house, "resident-201", Role.RESIDENT, neighbour.account_ids)

    for work in (repairs.get_repair, repairs.detail):
        with pytest.raises(NotFound):
            house.database.read_now(TENANT, work, neighbour, asked.repair_id)
    with pytest.raises(NotFound):
        _move(house, neighbour, asked.repair_id, RepairState.CANCELLED)
    with pytest.raises(NotFound, match="no such account"):
        _ask(house, neighbour, account_id=next(iter(resident.account_ids)))
    assert house.database.read_now(TENANT, repairs.list_repairs, neighbour, house.site_id).items == ()


def test_what_is_late_is_told_once_a_step_also_after_an_outage(
    house: House, resident: User, clock: FakeClock
) -> None:
    asked = _ask(house, resident, urgency=Urgency.EMERGENCY)

    def escalate() -> int:
        return house.database.write_now(TENANT, dispatching.escalate)

    assert escalate() == 0
    clock.advance(minutes=31)
    assert [escalate(), escalate()] == [1, 0]
    clock.advance(days=20)  # nothing runs

    assert [escalate(), escalate()] == [1, 0]
    told = house.database.read_now(TENANT, notices.list_received, house.manager, house.site_id).items
    assert [one.title.partition("：")[2] for one in told][:2] == ["超时未处理", "超时未处理"]
    entries = house.database.read_now(TENANT, repairs.detail, house.manager, asked.repair_id).entries
    assert [one.value for one in entries if one.act is RepairAct.ESCALATED] == ["1", "2"]


def test_a_quote_is_agreed_once_and_then_stands(house: House, resident: User) -> None:
    plumber = _technician(house, "plumber", RepairCategory.PLUMBING)
    asked = _ask(house, resident)

    house.database.write_now(TENANT, repair_work.quote, plumber, asked.repair_id, 8_000, "换软管，含人工")
    agreed = house.database.write_now(
        TENANT, repair_work.answer_quote, resident, asked.repair_id, is_agreed=True
    )

    assert (agreed.quote.state, agreed.quote.amount_fen) == (QuoteState.AGREED, 8_000)
    with pytest.raises(Conflict, match="8000 fen have been agreed already"):
        house.database.write_now(TENANT, repair_work.quote, plumber, asked.repair_id, 9_000, "…")
    with pytest.raises(Conflict, match="has no quote to answer"):
        house.database.write_now(TENANT, repair_work.answer_quote, resident, asked.repair_id, is_agreed=False)


def test_who_sees_no_bill_of_the_home_agrees_to_none(house: House, resident: User) -> None:
    plumber = _technician(house, "plumber", RepairCategory.PLUMBING)
    asked = _ask(house, resident)
    house.database.write_now(TENANT, repair_work.quote, plumber, asked.repair_id, 8_000, "换软管，含人工")
    son = replace(resident, member_of=resident.account_ids)

    with pytest.raises(Forbidden, match="who sees the bills of this home answers its quote"):
        house.database.write_now(TENANT, repair_work.answer_quote, son, asked.repair_id, is_agreed=True)

    payer = replace(resident, payer_of=resident.account_ids)
    agreed = house.database.write_now(
        TENANT, repair_work.answer_quote, payer, asked.repair_id, is_agreed=True
    )
    assert agreed.quote.state is QuoteState.AGREED


def _picture(width: int = 2_400, height: int = 1_200) -> bytes:
    """A phone's photo: turned by its note, with the place it was taken at."""
    image = Image.new("RGB", (width, height), (200, 40, 40))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    exif[0x010F] = "ACME Phone"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (39.0, 54.0, 15.0)
    written = BytesIO()
    image.save(written, "JPEG", exif=exif, comment=b"at home")
    return written.getvalue()


def test_a_photo_is_turned_upright_made_smaller_and_says_nothing_of_its_place() -> None:
    sent = _picture()
    assert b"ACME Phone" in sent

    kept = photos.clean(sent)

    assert (kept.width, kept.height) == (800, 1_600)
    with Image.open(BytesIO(kept.content)) as image:
        assert (image.format, dict(image.getexif()), image.info.get("comment")) == ("JPEG", {}, None)
    assert b"ACME Phone" not in kept.content
    assert b"at home" not in kept.content


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        pytest.param(b"<svg onload=alert(1)>", "expected JPEG, PNG or WebP", id="markup"),
        pytest.param(_picture()[:5_000], "expected JPEG, PNG or WebP", id="cut off"),
        pytest.param(b"\xff\xd8\xff" + bytes(100), "expected JPEG, PNG or WebP", id="only the beginning"),
        pytest.param(bytes(12 * 1024 * 1024 + 1), "expected at most 12582912", id="too large"),
    ],
)
def test_what_is_no_photo_is_refused(raw: bytes, complaint: str) -> None:
    with pytest.raises(Invalid, match=complaint):
        photos.clean(raw)


def test_a_picture_that_unpacks_to_a_gigabyte_is_refused_before_it_does() -> None:
    written = BytesIO()
    Image.new("1", (20_000, 20_000)).save(written, "PNG", optimize=True)

    with pytest.raises(Invalid, match="photo"):
        photos.clean(written.getvalue())


def test_a_photo_sent_twice_is_one_and_a_neighbour_cannot_see_it(house: House, resident: User) -> None:
    asked = _ask(house, resident)
    kept = photos.clean(_picture(40, 20))

    photo_id = house.database.write_now(TENANT, repair_work.add_photo, resident, asked.repair_id, kept)
    again = house.database.write_now(TENANT, repair_work.add_photo, resident, asked.repair_id, kept)

    assert (photo_id is None, again) == (False, None)
    assert photo_id is not None
    shown = house.database.read_now(TENANT, repairs.photo, resident, asked.repair_id, photo_id)
    assert shown == kept.content
    neighbour = house.resident("A-201")
    neighbour = _add(house, "resident-201", Role.RESIDENT, neighbour.account_ids)
    with pytest.raises(NotFound):
        house.database.read_now(TENANT, repairs.photo, neighbour, asked.repair_id, photo_id)
