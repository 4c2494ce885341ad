"""What the console keeps on the application: its assets and one template environment a language."""

from aiohttp import web
from jinja2 import Environment

from cloud.console.assets import Assets
from cloud.domain.user import Locale

ASSETS: web.AppKey[Assets] = web.AppKey("console_assets", Assets)

ENVIRONMENTS: dict[Locale, web.AppKey[Environment]] = {
    Locale.CHINESE: web.AppKey("console_zh", Environment),
    Locale.ENGLISH: web.AppKey("console_en", Environment),
}
