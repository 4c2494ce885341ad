"""The cloud's configuration: one TOML file, or a few options of the command line.

The invariant: a `Config` is complete and sane; an unknown key, a wrong type or a value that could not
work is refused when the process starts, with the key's name, and never discovered later. Secrets are
not written here: the file names a file or an environment variable that holds them.
"""

import os
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from cloud.domain.errors import GatehouseError
from cloud.domain.ids import TenantId

# One company an installation, until companies share one; every key has its column already.
DEFAULT_TENANT = TenantId(1)
DEFAULT_DATABASE_URL = "sqlite:///var/gatehouse.db"
DEFAULT_PORT = 8080
DEFAULT_GATEWAY_PORT = 8443


_EVERY_ADDRESS = ("0.0.0.0", "::")


class ConfigError(GatehouseError):
    """A configuration that cannot be used; the message names the file, the key and what was expected."""


class Role(Enum):
    """Which doors this process opens. Several processes share one PostgreSQL."""

    ALL = "all"
    API = "api"  # console and API, for people and scripts
    INGEST = "ingest"  # gateways
    JOBS = "jobs"  # the calendar; no door but /healthz


class Http(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where we listen and under which address we are known."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT  # 0 lets the system choose
    # As browsers see us, e.g. "https://gatehouse.example"; needed behind a reverse proxy. Its scheme
    # decides whether cookies are Secure; empty means "as the request says".
    public_origin: str = ""
    # Certificate (with its chain) and key, PEM; both or neither. Without them put a TLS proxy in front.
    tls_certificate_file: str = ""
    tls_key_file: str = ""
    # Reverse proxies whose X-Forwarded-For we believe, as addresses; nobody else's is read.
    trusted_proxies: tuple[str, ...] = ()
    shutdown_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ValueError(f"port is {self.port}, expected 0 to 65535")
        if self.public_origin:
            parts = urlsplit(self.public_origin)
            if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
                raise ValueError(f"public_origin is {self.public_origin!r}, expected https://host[:port]")
        if bool(self.tls_certificate_file) != bool(self.tls_key_file):
            raise ValueError("tls_certificate_file and tls_key_file are given together or not at all")
        if not 0 < self.shutdown_timeout_s <= 300:
            raise ValueError(
                f"shutdown_timeout_s is {self.shutdown_timeout_s}, expected above 0, at most 300"
            )


class Gateways(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where gateways come in: a port of its own, TLS both ways, certified by an authority of our own."""

    host: str = ""  # empty: as http.host
    port: int | None = None  # None: 8443, or chosen by the system where http.port is; 0 as there
    # Host names and addresses boxes reach us by; they stand in our certificate. http.host is added.
    names: tuple[str, ...] = ()
    # As it stands in enrolment tokens, "https://gateways.example:8443"; by default made of the above.
    public_url: str = ""
    # A unix socket for a TLS proxy on this machine, which tells in `Client-Cert` whom it has verified.
    socket: str = ""
    authority_folder: str = ""  # by default `authority` beside the key that signs commands
    authority_password_file: str = ""  # encrypts the authority's keys; a file systemd's LoadCredential gives

    def __post_init__(self) -> None:
        if self.port is not None and not 0 <= self.port <= 65_535:
            raise ValueError(f"port is {self.port}, expected 0 to 65535")
        if self.public_url:
            parts = urlsplit(self.public_url)
            if parts.scheme != "https" or not parts.netloc or parts.path or parts.query:
                raise ValueError(f"public_url is {self.public_url!r}, expected https://host[:port]")


class DatabaseConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which database. A URL with a password belongs into `url_file` or `url_env`."""

    url: str = ""
    url_file: str = ""
    url_env: str = ""
    upgrade_on_start: bool | None = None  # None: yes for SQLite, no for PostgreSQL
    # Serve as a PostgreSQL role that sees every company's rows: for one company, and for trials.
    allow_superuser: bool = False

    def __post_init__(self) -> None:
        given = [name for name in ("url", "url_file", "url_env") if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are both given, expected one of url, url_file, url_env")
        if self.url and urlsplit(self.url).password:
            raise ValueError("url holds a password: put the URL into a file and name it in url_file")


class Sessions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long a sign-in lasts."""

    idle_timeout_s: int = 30 * 60  # staff terminals are left alone
    absolute_timeout_s: int = 12 * 3600  # one shift

    def __post_init__(self) -> None:
        if not 60 <= self.idle_timeout_s <= self.absolute_timeout_s:
            raise ValueError(
                f"idle_timeout_s is {self.idle_timeout_s}, expected 60 to absolute_timeout_s "
                f"({self.absolute_timeout_s})"
            )


class Webhooks(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where other systems may be told of what happens."""

    # Receivers in one's own network, and over plain HTTP: only where no manager could misuse it to reach
    # what the outside must not.
    allow_private: bool = False


class Sms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Short messages by Tencent Cloud: whose account, under which signature, and the registered texts."""

    secret_id_file: str
    secret_key_file: str
    app_id: str
    sign_name: str
    # The carrier's number of each topic's text: {dunning = "1110"}; a topic without one is not sent by SMS.
    templates: dict[str, str]
    region: str = "ap-guangzhou"
    # Another endpoint is a gateway of one's own, or a stand-in; only there may it be plain HTTP.
    endpoint: str = "sms.tencentcloudapi.com"
    is_plain_http: bool = False


class Notices(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How people are told of things beside the console. What is not configured is not sent."""

    # A file with the mail server in one line: mailtos://user:password@smtp.example.com?from=office@example.com
    email_url_file: str = ""
    sms: Sms | None = None


class WechatPay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A merchant of WeChat Pay (API v3, with the platform's public key)."""

    merchant_id: str
    app_id: str
    certificate_serial: str
    private_key_file: str
    api_v3_key_file: str
    platform_public_key_file: str
    platform_public_key_id: str
    gateway: str = "https://api.mch.weixin.qq.com"  # another is a stand-in


class Alipay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An application of Alipay's open platform (RSA2)."""

    app_id: str
    private_key_file: str
    alipay_public_key_file: str
    gateway: str = "https://openapi.alipay.com/gateway.do"  # another is a sandbox or a stand-in


class Payments(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who takes residents' money online; without either they pay at the desk."""

    # Where providers reach us, e.g. "https://gatehouse.example"; by default http.public_origin.
    callback_origin: str = ""
    wechat: WechatPay | None = None
    alipay: Alipay | None = None


class Logs(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the log is written, always to standard error."""

    level: str = "INFO"
    form: str = "text"  # "text" for people, "json" for collectors

    def __post_init__(self) -> None:
        if self.level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise ValueError(f"level is {self.level!r}, expected DEBUG, INFO, WARNING or ERROR")
        if self.form not in ("text", "json"):
            raise ValueError(f"form is {self.form!r}, expected text or json")


class Commands(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What commands to devices are signed with: a file made at the first start."""

    key_file: str = ""  # by default `command.key` beside a SQLite database; else it must be named


class Privacy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What personal data is sealed with: a file made at the first start."""

    key_file: str = ""  # by default `privacy.key` beside the key of commands


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything a cloud process needs to know before it starts."""

    role: Role = Role.ALL
    http: Http = Http()
    gateways: Gateways = Gateways()
    database: DatabaseConfig = DatabaseConfig()
    sessions: Sessions = Sessions()
    webhooks: Webhooks = Webhooks()
    notices: Notices = Notices()
    payments: Payments = Payments()
    logs: Logs = Logs()
    commands: Commands = Commands()
    privacy: Privacy = Privacy()

    def __post_init__(self) -> None:
        takes_money = self.payments.wechat is not None or self.payments.alipay is not None
        if takes_money and not (self.payments.callback_origin or self.http.public_origin):
            raise ValueError("payments need callback_origin, or http.public_origin: where providers reach us")


def config_from_toml(text: str, *, source: str = "configuration") -> Config:
    """Return the configuration written in `text`; ConfigError names `source` and the key."""
    try:
        return msgspec.toml.decode(text, type=Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{source}: {error}") from error
    except msgspec.DecodeError as error:
        raise ConfigError(f"{source} is not TOML: {error}") from error


def read_config(path: Path) -> Config:
    """Return the configuration in the file at `path`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration {path}: {error}") from error
    return config_from_toml(text, source=f"configuration {path}")


def database_url(config: DatabaseConfig, environ: Mapping[str, str] = os.environ) -> str:
    """Return the URL to connect to, read from where the configuration says it is kept."""
    if config.url_file:
        try:
            url = Path(config.url_file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(f"database.url_file {config.url_file}: {error.strerror}") from error
        if not url:
            raise ConfigError(f"database.url_file {config.url_file} is empty, expected a database URL")
        return url
    if config.url_env:
        url = environ.get(config.url_env, "")
        if not url:
            raise ConfigError(f"database.url_env: the environment variable {config.url_env} is not set")
        return url
    return config.url or DEFAULT_DATABASE_URL


def command_key_path(config: Config) -> Path:
    """Return where the key is that signs commands."""
    if config.commands.key_file:
        return Path(config.commands.key_file)
    url = database_url(config.database)
    if not url.startswith("sqlite:///"):
        raise ConfigError("commands.key_file is not given: name a file that all processes of the cloud share")
    return Path(url.removeprefix("sqlite:///")).with_name("command.key")


def authority_folder(config: Config) -> Path:
    """Return where the authority is that certifies gateways."""
    if config.gateways.authority_folder:
        return Path(config.gateways.authority_folder)
    return command_key_path(config).with_name("authority")


def authority_password(config: Config) -> bytes | None:
    """Return what the authority's keys are encrypted with, if anything."""
    file = config.gateways.authority_password_file
    if not file:
        return None
    try:
        password = Path(file).read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"gateways.authority_password_file {file}: {error.strerror}") from error
    if not password:
        raise ConfigError(f"gateways.authority_password_file {file} is empty, expected a password")
    return password


def gateway_host(config: Config) -> str:
    """Return where gateways are listened to."""
    return config.gateways.host or config.http.host


def gateway_port(config: Config) -> int:
    """Return the port gateways are listened to on; 0 lets the system choose."""
    if config.gateways.port is not None:
        return config.gateways.port
    return DEFAULT_GATEWAY_PORT if config.http.port else 0


def gateway_names(config: Config) -> tuple[str, ...]:
    """Return the names our certificate for gateways has: those configured, ours, and this machine's own."""
    host, public = gateway_host(config), urlsplit(config.gateways.public_url).hostname or ""
    own = [name for name in (*config.gateways.names, public, host, "localhost", "127.0.0.1") if name]
    return tuple(name for name in dict.fromkeys(own) if name not in _EVERY_ADDRESS)


def gateway_url(config: Config, port: int) -> str:
    """Return the address boxes are told, given the port that is listened on; ConfigError if nobody said."""
    if config.gateways.public_url:
        return config.gateways.public_url
    host = config.gateways.names[0] if config.gateways.names else gateway_host(config)
    if host in _EVERY_ADDRESS:
        raise ConfigError(f"gateways.public_url is not given, and no box can reach {host}: say how they do")
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
