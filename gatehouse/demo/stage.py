"""The stage: simulator, cloud and edge, set up and led through a property's past into its present.

Everything goes the way it would in a real building: the site is loaded by `gatehouse db load`, the
gateway enrols by `gatehouse provision`, the past is read over the lines by `gatehouse edge
replay`, periods are closed through the API. The invariant: nothing is written past those doors.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import date
from importlib import resources
from pathlib import Path
from typing import TypeVar

import msgspec

from edge.buffer_file import open_store
from edge.health import Health
from gatehouse.demo.cameras import look_around, name_cameras, pictures_come
from gatehouse.demo.cloud_api import Closing, CloudApi, CodedItem, Gateways, Period, PeriodOverview
from gatehouse.demo.community import fill_community
from gatehouse.demo.doors import set_up_doors
from gatehouse.demo.errors import DemoError
from gatehouse.demo.local_http import HOST, ask
from gatehouse.demo.money import take_money
from gatehouse.demo.office import keep_books
from gatehouse.demo.ports import Ports
from gatehouse.demo.processes import Child, Children
from gatehouse.demo.repairs import tell_of_repairs
from gatehouse.demo.security import fill_security
from protocol.sync import Stream
from simulator.__main__ import DEMO_PASSWORD
from simulator.cashier_command import merchant_config
from simulator.neighbours import add_neighbours
from simulator.site_document import ELECTRICITY_TARIFF, GATEWAY_CODE, SITE_CODE, WATER_TARIFF

MANAGER, RESIDENT, TECHNICIAN = "manager", "101", "liu"

_START_TIMEOUT_S = 60.0
_CONTROL_TIMEOUT_S = 60.0  # a page of the ledger has fifty thousand entries
_CLOSING_WAIT_S = 20

_T = TypeVar("_T")


class ReplayStep(msgspec.Struct):
    """How far a replay is."""

    at_ms: int
    step: int
    steps: int
    readings: int


class Stage:
    """The running parts. `folder` holds everything they write."""

    def __init__(self, folder: Path, ports: Ports, children: Children, seed: int) -> None:
        self.folder = folder
        self.ports = ports
        self.api = CloudApi(ports.cloud)
        self._children = children
        self.seed = seed
        self._edge: Child | None = None

    @property
    def control_url(self) -> str:
        """Return where the simulator is controlled."""
        return f"http://{HOST}:{self.ports.control}"

    def start_simulator(self, opened_on: str) -> None:
        """Start the building; it writes what the edge and the cloud need to know of it."""
        self._children.start(
            "simulator",
            "simulate",
            *("--control-port", str(self.ports.control)),
            *("--mqtt-port", str(self.ports.mqtt)),
            *("--seed", str(self.seed)),
            *("--opened-on", opened_on),
            *("--bus-1-link", str(self.folder / "bus-1")),
            *("--write-edge-config", str(self._edge_config)),
            *("--credential-file", str(self._credential)),
            *("--edge-page-port", str(self.ports.edge_page)),
            *("--write-cloud-setup", str(self._site)),
        )
        self._children.wait_for("the simulator's control port", self._has_building, _START_TIMEOUT_S)

    def load_site(self, opened_on: str, today: date) -> None:
        """Tell the cloud's database of the property, its people and its tariffs."""
        document = json.loads(self._site.read_bytes())
        document["tariffs"] = [_tariff(code) for code in (ELECTRICITY_TARIFF, WATER_TARIFF)]
        document = add_neighbours(document, opened_on, today)
        self._site.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
        self._children.run("setup", "db", "load", "--database", self._database, str(self._site))

    def start_cloud(self) -> None:
        """Serve the cloud and sign in as the manager."""
        self.start_cashier()
        ports = ("--port", str(self.ports.cloud), "--gateway-port", str(self.ports.gateways))
        config = ("--config", str(self._cloud_config))
        self._children.start("cloud", "cloud", "serve", *config, "--database", self._database, *ports)
        self._children.wait_for("the cloud", self.api.is_ready, _START_TIMEOUT_S)
        self.api.sign_in(MANAGER, DEMO_PASSWORD)

    def start_cashier(self) -> None:
        """Start the stand-in for both payment providers, and tell the cloud's configuration of it."""
        folder, port = self.folder / "cashier", self.ports.cashier
        self._children.start("cashier", "simulate", "cashier", "--port", str(port), "--folder", str(folder))

        def answers() -> bool:
            return ask(port, "GET", "/") is not None  # its keys may be there from an earlier start

        self._children.wait_for("the stand-in of the payment providers", answers, _START_TIMEOUT_S)
        origin = f"http://{HOST}:{port}"
        text = f'[payments]\ncallback_origin = "{self.api.url}"\n\n{merchant_config(folder, origin)}'
        self._cloud_config.write_text(text, encoding="utf-8")

    def take_money(self, today: date) -> int:
        """Let residents pay what is open; return of how many."""
        return take_money(self.api, self._site_id(), today)

    def keep_books(self, months: Sequence[str], today: date) -> int:
        """Take over the old system's books and hold deposits; return how many rows and papers that made."""
        return keep_books(self.ports.cloud, self._site_id(), list(months), today)

    def set_up_doors(self) -> int:
        """Make the lock an entrance and give out badges; return how many."""
        return set_up_doors(self.api, self._site_id(), self.gateway_id())

    def name_cameras(self) -> int:
        """Say what the building's cameras are called and see; return how many."""
        return name_cameras(self.api, self._site_id(), self.gateway_id())

    def look_around(self) -> int:
        """Have each camera take a picture; return how many were asked."""
        return look_around(self.api, self._site_id())

    def pictures_come(self, kinds: set[str], asked: int) -> tuple[int, int]:
        """Return how many pictures of alarms and asked for the cloud has, once it has what there must be."""
        return pictures_come(self.api, self._site_id(), kinds, asked)

    def tell_of_repairs(self) -> int:
        """Let residents tell of what is broken and technicians mend it; return of how many."""
        return tell_of_repairs(self.ports.cloud, self._site_id())

    def fill_community(self, now_ms: int) -> None:
        """Let the office announce and ask, and residents complain and vote."""
        fill_community(self.api, self.ports.cloud, self._site_id(), now_ms)
        fill_security(self.api, self.ports.cloud, self._site_id(), now_ms)

    def provision(self) -> None:
        """Let the gateway enrol: a key made here, a certificate from the cloud; one it had before ends."""
        self._children.run(
            "provision",
            *("provision", "token", "--cloud", self.api.url, "--login", MANAGER),
            *("--gateway", GATEWAY_CODE, "--credential", str(self._credential)),
            environment={"GATEHOUSE_PASSWORD": DEMO_PASSWORD, "NO_PROXY": HOST},
        )

    def replay(
        self, from_ms: int, to_ms: int, every_ms: int, earlier_ms: Sequence[int] = ()
    ) -> Iterator[ReplayStep]:
        """Let the edge read a past, and single instants before it; yield how far it is."""
        lines = self._children.lines(
            "replay",
            *("edge", "--log-level", "warning", "replay", str(self._edge_config)),
            *(part for at_ms in earlier_ms for part in ("--also", str(at_ms))),
            *("--from", str(from_ms), "--to", str(to_ms), "--every", str(every_ms // 1000)),
            *("--clock-control", self.control_url, "--progress", "json"),
        )
        for line in lines:
            yield msgspec.json.decode(line, type=ReplayStep)

    def close_month(self, code: str) -> PeriodOverview:
        """Bill every account for a month; one that is closed already is told as it is."""
        site_id = self._site_id()
        period = self.api.post(f"/api/v1/sites/{site_id}/periods", {"code": code}, CodedItem)
        path = f"/api/v1/periods/{period.period_id}"
        overview = self.api.get(path, PeriodOverview)
        if overview.period.state == "closed":
            return overview
        closing = self.api.post(f"{path}/closing", {"wait_s": _CLOSING_WAIT_S}, Closing)
        while closing.state == "running":
            closing = self.api.post(f"{path}/closing", {"wait_s": _CLOSING_WAIT_S}, Closing)
        overview = closing.overview
        if overview.period.state != "closed":
            held = "; ".join(
                f"{hold.account_number}: {problem.kind} of meter {problem.meter_serial} {problem.detail}"
                for hold in overview.holds[:3]
                for problem in hold.problems
            )
            raise DemoError(f"{code} could not be closed, {len(overview.holds)} accounts are held: {held}")
        return overview

    def closed_months(self) -> set[str]:
        """Return the codes of the months that are billed already."""
        path = f"/api/v1/sites/{self._site_id()}/periods"
        return {period.code for period in self.api.pages(path, Period) if period.state == "closed"}

    def go_live(self) -> None:
        """Let the building's clock follow real time and the edge run beside it."""
        self.control("PUT", "/clock", {"follow": "real"})
        self._edge = self._children.start("edge", "edge", "run", str(self._edge_config))
        self._children.wait_for("the edge's page", lambda: self.edge_health() is not None, _START_TIMEOUT_S)

    def stop_edge(self) -> None:
        """Let the edge end what it is reading, send the rest and stop."""
        assert self._edge is not None, "the edge runs only after go_live"
        code = self._children.stop(self._edge)
        if code != 0:
            raise DemoError(f"the edge stopped with exit code {code}:\n{self._edge.last_words()}")
        self._edge = None

    def edge_health(self) -> Health | None:
        """Return what the running edge says of itself, None if it does not answer."""
        answer = ask(self.ports.edge_page, "GET", "/status.json")
        return None if answer is None else msgspec.json.decode(answer.content, type=Health)

    def accepted_rows(self) -> int:
        """Return how many readings the stopped edge has ever stored."""
        store = open_store(self.folder / "buffer.sqlite", lambda: 1, 0)
        try:
            return store.stream_states()[Stream.HISTORY].stored_rows
        finally:
            store.close()

    def control(self, method: str, path: str, body: object = None) -> bytes:
        """Ask the simulator's control port; DemoError in its words where it refuses."""
        answer = ask(self.ports.control, method, path, body, timeout_s=_CONTROL_TIMEOUT_S)
        if answer is None:
            raise DemoError(f"the simulator does not answer {method} {path}")
        if answer.status >= 400:
            raise DemoError(f"the simulator refused {method} {path}: {answer.content.decode()}")
        return answer.content

    def asked(self, path: str, shape: type[_T]) -> _T:
        """Return what the simulator's control port says at a path."""
        return msgspec.json.decode(self.control("GET", path), type=shape)

    def gateway_id(self) -> str:
        """Return the id of the one gateway."""
        return self.api.get("/api/v1/gateways", Gateways).items[0].gateway_id

    @property
    def _cloud_config(self) -> Path:
        return self.folder / "cloud.toml"

    @property
    def _edge_config(self) -> Path:
        return self.folder / "edge.toml"

    @property
    def _credential(self) -> Path:
        return self.folder / "credential.json"

    @property
    def _site(self) -> Path:
        return self.folder / "site.json"

    @property
    def _database(self) -> str:
        return f"sqlite:///{self.folder / 'cloud.db'}"

    def _site_id(self) -> str:
        sites = {site.code: site.site_id for site in self.api.pages("/api/v1/sites", CodedItem)}
        return sites[SITE_CODE]

    def _has_building(self) -> bool:
        return ask(self.ports.control, "GET", "/ledger") is not None


def _tariff(code: str) -> object:
    return json.loads(resources.files("cloud").joinpath("tariffs", f"{code}.json").read_bytes())
