"""Repairs of the demonstration: what residents told of lately and how far each has come.

Told through the API by the people whose acts they are. The invariant: nothing is told twice; a
property that has repairs already is left as it is.
"""

from dataclasses import dataclass
from io import BytesIO

import msgspec
from PIL import Image, ImageDraw

from gatehouse.demo.cloud_api import CloudApi
from simulator.__main__ import DEMO_PASSWORD

_PLUMBER, _ELECTRICIAN = "liu", "sun"


class _Id(msgspec.Struct):
    repair_id: str


class _Me(msgspec.Struct):
    account_ids: list[str]


@dataclass(frozen=True, slots=True)
class Story:
    """One repair: who tells of it, what, and the steps it has taken since."""

    login: str
    category: str
    urgency: str
    description: str
    place: str = ""
    technician: str = ""
    steps: tuple[str, ...] = ()
    quote: tuple[int, str] | None = None
    has_photo: bool = False
    rating: int = 0


STORIES = (
    Story(
        "101",
        "plumbing",
        "urgent",
        "厨房水槽下面一直滴水，柜子已经泡了",
        "厨房水槽",
        _PLUMBER,
        ("accepted", "on_the_way", "working"),
        (8_000, "换下水软管和角阀，含人工"),
        has_photo=True,
    ),
    Story(
        "102",
        "electrical",
        "normal",
        "客厅两个插座没有电，跳闸复位后还是不行",
        "客厅",
        _ELECTRICIAN,
        ("accepted", "on_the_way", "working", "done", "confirmed"),
        rating=5,
    ),
    Story(
        "103",
        "door",
        "normal",
        "阳台推拉门关不严，下雨天进水",
        "南阳台",
        _ELECTRICIAN,
        ("accepted", "working", "waiting_for_parts"),
    ),
    Story("104", "public", "normal", "3 层楼道灯不亮", "1 单元 3 层"),
)


def tell_of_repairs(port: int, site_id: str) -> int:
    """Tell of every story and take each as far as it goes; return how many."""
    signed_in = {
        login: _signed_in(port, login)
        for login in sorted({name for story in STORIES for name in (story.login, story.technician) if name})
    }
    for number, story in enumerate(STORIES):
        home = signed_in[story.login]
        body = {
            "category": story.category,
            "urgency": story.urgency,
            "description": story.description,
            "place": story.place,
            "account_id": home.get("/api/v1/me", _Me).account_ids[0],
        }
        told = home.post(f"/api/v1/sites/{site_id}/repairs", body, _Id, key=f"demonstration-{number}")
        path = f"/api/v1/repairs/{told.repair_id}"
        if story.has_photo:
            home.send(f"{path}/photos", picture())
        worker = signed_in.get(story.technician)
        for step in story.steps:
            actor = home if step == "confirmed" else worker
            assert actor is not None, "somebody takes each step"
            actor.post(f"{path}/state", {"state": step}, _Id)
        if story.quote is not None and worker is not None:
            amount_fen, text = story.quote
            worker.post(f"{path}/quote", {"amount_fen": amount_fen, "text": text}, _Id)
        if story.rating:
            home.post(f"{path}/rating", {"rating": story.rating, "text": "来得很快，讲得也清楚"}, _Id)
    return len(STORIES)


def picture() -> bytes:
    """Return a photo of something broken: a pipe, and water under it."""
    image = Image.new("RGB", (800, 600), (196, 200, 196))
    brush = ImageDraw.Draw(image)
    brush.rectangle((360, 0, 430, 420), fill=(236, 238, 240))
    brush.rectangle((340, 250, 450, 310), fill=(150, 156, 160))
    brush.ellipse((220, 470, 590, 560), fill=(96, 140, 170))
    for at in (340, 390, 440):
        brush.ellipse((388, at, 402, at + 22), fill=(96, 140, 170))
    written = BytesIO()
    image.save(written, "JPEG")
    return written.getvalue()


def _signed_in(port: int, login: str) -> CloudApi:
    api = CloudApi(port)
    api.sign_in(login, DEMO_PASSWORD)
    return api
