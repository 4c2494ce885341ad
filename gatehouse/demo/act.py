"""The acts of a demonstration: set up, live through the past, bill it, go live, prove it.

The invariant: an act is announced before it begins and its outcome is a figure somebody counted.
"""

import time
from collections.abc import Callable, Sequence

from gatehouse.demo import calendar
from gatehouse.demo.calendar import Calendar
from gatehouse.demo.live import LiveLine
from gatehouse.demo.processes import Children
from gatehouse.demo.proof import (
    AlarmBell,
    compare,
    issued_readings,
    own_words,
    recompute_invoices,
    visible_readings,
)
from gatehouse.demo.screen import Progress, Screen, table
from gatehouse.demo.stage import MANAGER, RESIDENT, TECHNICIAN, Stage
from gatehouse.demo.state import State, write_state
from simulator.__main__ import DEMO_PASSWORD

# Every device is polled at least once by then, and lift and fire panel several times.
_LIVE_S = 8.0
# What is on its way from radio to broker to edge when the radio falls silent.
_RADIO_SETTLES_S = 0.5
_REMEMBER_EVERY_S = 60.0
_FEN_PER_YUAN = 100


class Act:
    """One start of the demonstration."""

    def __init__(self, stage: Stage, children: Children, screen: Screen, now_ms: Callable[[], int]) -> None:
        self._stage = stage
        self._children = children
        self._screen = screen
        self._now_ms = now_ms

    def run(self, months: int, days: int | None, kept: State | None) -> None:
        """Bring the property into the present and stay with it until interrupted."""
        plan = calendar.plan(self._now_ms(), months, days)
        if kept is None:
            self._begin(plan)
            state = self._live_through(plan)
        else:
            self._screen.say(f"Going on with the property in {self._stage.folder}")
            self._set_up(plan, is_new=False)
            state = self._catch_up(kept)
        if self._bill(plan):
            self._keep_books(plan)
        self._remember(state)
        self._watch(state)

    def prove(self, months: int, days: int | None) -> None:
        """Do everything once and print the proof; ProofFailed says what does not agree."""
        plan = calendar.plan(self._now_ms(), months, days)
        self._begin(plan)
        state = self._live_through(plan)
        self._bill(plan)
        latencies, (of_alarms, of_asking) = self._ring()
        self._screen.say("Comparing what was issued, accepted and shown, reading by reading")
        issued = issued_readings(self._stage, state.lived_to_ms)
        visible = visible_readings(self._stage, state.lived_to_ms, self._count("readings"))
        own = own_words(visible)
        accepted = self._stage.accepted_rows() - own.total()
        visible -= own
        self._screen.say("Computing every invoice line anew from its trace")
        billed = recompute_invoices(self._stage.api, self._count("lines"))
        rows = [
            ("readings issued by the simulator", f"{issued.total():,}"),
            ("readings accepted by the edge", f"{accepted:,}"),
            ("readings visible in the cloud", f"{visible.total():,}"),
            ("beside these, the edge's own word on its door reader and cameras", f"{own.total():,}"),
            ("invoices", f"{billed.invoices:,}"),
            ("invoice lines", f"{billed.lines:,}"),
            ("total fen", f"{billed.total_fen:,}"),
            ("fen recomputed from traces", f"{billed.recomputed_fen:,}"),
            ("raw frames opened for it", f"{billed.frames:,}"),
            ("pictures cameras took of alarms and when asked", f"{of_alarms:,} + {of_asking:,}"),
            *((f"alarm latency, {name}", f"{ms / 1000:.2f} s") for name, ms in latencies.items()),
        ]
        self._screen.say()
        for line in table(rows, is_figures=True):
            self._screen.say(line)
        self._screen.say()
        compare(issued, accepted, visible)
        self._keep_books(plan)
        self._screen.say(
            "Issued, accepted and visible are the same readings; every fen follows from its frames."
        )

    def _begin(self, plan: Calendar) -> None:
        self._screen.say(f"A new property in {self._stage.folder}")
        self._set_up(plan, is_new=True)

    def _set_up(self, plan: Calendar, *, is_new: bool) -> None:
        self._screen.say(
            "Starting building 1 of three: 24 flats, 71 devices on RS-485, M-Bus, UDP, a 4G modem, Modbus "
            "TCP, MQTT, OSDP, ONVIF; two panels call by themselves"
        )
        self._stage.start_simulator(plan.opened_on)
        if is_new:
            self._screen.say("Loading premises, meters, accounts, tariffs and equipment into the cloud")
            self._stage.load_site(f"{plan.months[-2:][0]}-01", calendar.local_day(self._now_ms()))
        self._screen.say("Starting the cloud, giving the gateway its token")
        self._stage.start_cloud()
        self._stage.provision()
        if is_new:
            self._screen.say("Residents tell of repairs, technicians mend them")
            self._stage.tell_of_repairs()
            self._stage.set_up_doors()
            self._stage.name_cameras()
            self._screen.say("The office announces, residents complain and vote")
            self._stage.fill_community(self._now_ms())

    def _live_through(self, plan: Calendar) -> State:
        """Read the past over the lines: each month's first instant from January, then every hour."""
        self._screen.say(f"Living through the past: {plan.hours:,} hours, read over the wire")
        return self._through_today(self._replay(plan.from_ms, plan.to_ms, plan.monthly_ms))

    def _catch_up(self, kept: State) -> State:
        first_ms, last_ms = calendar.catch_up(kept.lived_to_ms, self._now_ms())
        if first_ms <= last_ms:
            self._screen.say("Reading the hours since the last start")
            kept = self._replay(first_ms, last_ms)
        return self._through_today(kept)

    def _through_today(self, lived: State) -> State:
        """Read the running day as densely as its charts want it."""
        first_ms, last_ms = calendar.today(lived.lived_to_ms, self._now_ms())
        if first_ms > last_ms:
            return lived
        self._screen.say("Living through today, every five minutes")
        return self._replay(first_ms, last_ms, every_ms=calendar.FIVE_MINUTES_MS)

    def _replay(
        self,
        from_ms: int,
        to_ms: int,
        earlier_ms: Sequence[int] = (),
        every_ms: int = calendar.HOUR_MS,
    ) -> State:
        self._screen.begin()
        for step in self._stage.replay(from_ms, to_ms, every_ms, earlier_ms):
            label = calendar.told(step.at_ms)
            self._screen.progress(Progress(step.step, step.steps, step.readings, "readings", label))
        return State(seed=self._stage.seed, lived_to_ms=to_ms)

    def _bill(self, plan: Calendar) -> bool:
        """Close every month that has ended and is not billed; return whether all of them were."""
        closed = self._stage.closed_months()
        wanted = [code for code in plan.months if code not in closed]
        if wanted:
            self._screen.say("Closing the months into bills")
        for code in wanted:
            overview = self._stage.close_month(code)
            yuan = overview.total_fen / _FEN_PER_YUAN
            self._screen.say(f"  {code}  {overview.invoice_count} invoices  ¥ {yuan:,.2f}")
        if wanted:
            paid = self._stage.take_money(calendar.local_day(self._now_ms()))
            self._screen.say(f"  {paid} accounts have paid, by code, by transfer and at the desk")
        return not closed

    def _keep_books(self, plan: Calendar) -> None:
        """Take over what the system before had, once there are bills to stand beside it."""
        rows = self._stage.keep_books(plan.months, calendar.local_day(self._now_ms()))
        self._screen.say(
            f"The bookkeeper takes over the old system's books and holds deposits: {rows} entries"
        )

    def _ring(self) -> tuple[dict[str, int], tuple[int, int]]:
        """Go live, cause a leak and a fire, stop; return each alarm's latency in ms, and the pictures."""
        self._screen.say("Going live; letting a fire and a leak be noticed")
        bell = AlarmBell(self._stage)
        follower = self._stage.api.follow(bell.on_change)
        try:
            self._stage.go_live()
            asked = self._stage.look_around()
            time.sleep(_LIVE_S)
            latencies = {
                "fire, polled each second": bell.ring("fire-1", "fire_alarm", "fire_alarm"),
                "leak, told by radio": bell.ring("leak-1", "leak", "water_leak"),
            }
            pictures = self._stage.pictures_come({"fire_alarm", "water_leak"}, asked)
        finally:
            follower.close()
        # The radio falls silent with the clock; then the edge ends its polls, sends the rest and stops.
        self._stage.control("PUT", "/clock", {"at_ms": self._now_ms()})
        time.sleep(_RADIO_SETTLES_S)
        self._stage.stop_edge()
        return latencies, pictures

    def _watch(self, state: State) -> None:
        """Run live and show what happens until interrupted."""
        stage, screen = self._stage, self._screen
        line = LiveLine(stage)
        follower = stage.api.follow(line.on_change)
        try:
            stage.go_live()
            stage.look_around()
            for told in _welcome(stage):
                screen.say(told)
            remembered_at = time.monotonic()
            while True:
                self._children.check()
                for news in line.news():
                    screen.say(news)
                screen.live(line.now())
                time.sleep(0.5)
                if time.monotonic() - remembered_at > _REMEMBER_EVERY_S:
                    remembered_at = time.monotonic()
                    self._remember(State(seed=state.seed, lived_to_ms=self._now_ms()))
        finally:
            follower.close()
            self._remember(State(seed=state.seed, lived_to_ms=self._now_ms()))

    def _remember(self, state: State) -> None:
        write_state(self._stage.folder, state)

    def _count(self, unit: str) -> Callable[[int, int, int], None]:
        self._screen.begin()

        def tell(done: int, total: int, rows: int) -> None:
            self._screen.progress(Progress(done, total, rows, unit))

        return tell


def _welcome(stage: Stage) -> list[str]:
    ports = stage.ports
    return [
        "",
        *table(
            [
                ("Console and API", f"{stage.api.url}/"),
                ("  as the property manager", f"{MANAGER} / {DEMO_PASSWORD}"),
                ("  as the resident of flat 101", f"{RESIDENT} / {DEMO_PASSWORD}"),
                ("  as a technician, by phone", f"{TECHNICIAN} / {DEMO_PASSWORD}"),
                ("The building, with its faults", f"{stage.control_url}/"),
                ("The edge", f"http://127.0.0.1:{ports.edge_page}/"),
            ]
        ),
        "",
        "Try: gatehouse simulate fault fire-1 fire_alarm --zone 3",
        "     gatehouse simulate fault leak-1 leak       (the pump room's camera takes a picture)",
        "     gatehouse simulate card 4711101",
        "Ctrl-C ends everything; started again it goes on from here.",
        "",
    ]
