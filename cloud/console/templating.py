"""The template environments, one a language, and what every template can call.

The invariant: autoescape is on and an unknown variable is an error, so that neither a name with an
angle bracket nor a missing value ever reaches a page as it is.
"""

import aiohttp_jinja2
import jinja2
from aiohttp import web

from cloud.console.assets import Assets
from cloud.console.keys import ASSETS, ENVIRONMENTS
from cloud.console.language import language_of
from cloud.console.sayings import say
from cloud.domain.user import Locale


def add_templates(app: web.Application, assets: Assets) -> None:
    """Give the application its environments."""
    app[ASSETS] = assets
    for tag in Locale:
        environment = make_environment(tag, assets)
        app[ENVIRONMENTS[tag]] = environment


def make_environment(tag: Locale, assets: Assets) -> jinja2.Environment:
    """Return the environment of one language."""
    language = language_of(tag)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cloud.console"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.newstyle_gettext = True  # type: ignore[attr-defined]  # set by the i18n extension
    environment.install_gettext_translations(language.catalogue, newstyle=True)  # type: ignore[attr-defined]
    environment.globals["asset"] = assets.url
    environment.filters["said"] = lambda text: say(text, language)
    environment.filters["sentence"] = lambda text: text[:1].upper() + text[1:]
    environment.filters["hex"] = lambda data: data.hex(" ").upper()
    environment.filters["coordinate"] = _coordinate
    return environment


def render(
    request: web.Request, tag: Locale, template: str, context: dict[str, object], *, status: int = 200
) -> web.Response:
    """Return the page, compressed when the browser takes that."""
    response = aiohttp_jinja2.render_template(
        template, request, context, app_key=ENVIRONMENTS[tag], status=status
    )
    response.enable_compression(
        web.ContentCoding.gzip if _takes_gzip(request) else web.ContentCoding.identity
    )
    return response


def _takes_gzip(request: web.Request) -> bool:
    return "gzip" in request.headers.get("Accept-Encoding", "")


def _coordinate(value: float) -> str:
    """Write a length in an SVG attribute: at most one decimal, no superfluous zero."""
    return f"{value:.1f}".removesuffix(".0")
