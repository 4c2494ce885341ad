"""What a camera says in SOAP, and what is not believed."""

import pytest

from protocol import onvif
from protocol.errors import FrameError, Refused

# ONVIF Application Programmer's Guide 1.0, 6.1.1.1: the worked example of a UsernameToken.
GUIDE_NONCE = "LKqI6G/AikKCQrN0zqZFlg=="
GUIDE_CREATED, GUIDE_PASSWORD = "2010-09-16T07:50:45Z", "userpassword"
GUIDE_DIGEST = "tuOSpGlFlIXsozq4HFNeeGeFLEI="


def envelope(body: str) -> bytes:
    return (
        f'<s:Envelope xmlns:s="{onvif.SOAP}" xmlns:tds="{onvif.DEVICE}" xmlns:trt="{onvif.MEDIA}" '
        f'xmlns:tt="{onvif.SCHEMA}"><s:Body>{body}</s:Body></s:Envelope>'
    ).encode()


def time_of(date: str, time: str) -> bytes:
    year, month, day = date.split("-")
    hour, minute, second = time.split(":")
    return envelope(
        "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:UTCDateTime>"
        f"<tt:Time><tt:Hour>{hour}</tt:Hour><tt:Minute>{minute}</tt:Minute><tt:Second>{second}</tt:Second></tt:Time>"
        f"<tt:Date><tt:Year>{year}</tt:Year><tt:Month>{month}</tt:Month><tt:Day>{day}</tt:Day></tt:Date>"
        "</tt:UTCDateTime></tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
    )


def test_the_password_digest_is_that_of_the_guide() -> None:
    import base64

    digest = onvif.password_digest(base64.b64decode(GUIDE_NONCE), GUIDE_CREATED, GUIDE_PASSWORD)

    assert digest == GUIDE_DIGEST


def test_a_question_carries_digest_and_user_and_never_the_password() -> None:
    credential = onvif.Credential("a<b", "s3cret&")

    asked = onvif.request(onvif.GET_PROFILES, credential, b"0123456789abcdef", 1_788_192_000_123)

    assert b"s3cret" not in asked
    assert b"<o:Username>a&lt;b</o:Username>" in asked
    assert b"<u:Created>2026-08-31T16:00:00.123Z</u:Created>" in asked
    assert onvif.read_envelope(asked)[0].tag == f"{{{onvif.MEDIA}}}GetProfiles"


def test_the_clock_of_a_camera_is_read_to_the_second() -> None:
    assert onvif.read_time_ms(time_of("2026-8-31", "16:0:7")) == 1_788_192_007_000


@pytest.mark.parametrize(
    ("date", "time"), [("2026-2-30", "0:0:0"), ("2026-1-1", "25:0:0"), ("0-1-1", "0:0:0"), ("٢-1-1", "0:0:0")]
)
def test_a_date_that_is_none_is_no_clock(date: str, time: str) -> None:
    with pytest.raises(FrameError):
        onvif.read_time_ms(time_of(date, time))


def test_a_fault_is_a_refusal_that_says_why() -> None:
    code, reason = (
        "<s:Code><s:Value>s:Sender</s:Value></s:Code>",
        "<s:Reason><s:Text>busy</s:Text></s:Reason>",
    )
    fault = f"<s:Fault>{code}{reason}</s:Fault>"

    with pytest.raises(Refused, match="the camera refuses: busy"):
        onvif.read_profiles(envelope(fault))


@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "ftp://192.0.2.1/x", "http://", "http://[::1", "http://a b/", "", "http://h:0/x"],
)
def test_an_address_that_is_not_http_is_no_address(address: str) -> None:
    with pytest.raises(FrameError, match="no address of HTTP"):
        onvif.read_snapshot_uri(envelope(f"<trt:MediaUri><tt:Uri>{address}</tt:Uri></trt:MediaUri>"))


@pytest.mark.parametrize(
    "hostile",
    [
        b'<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
        b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>',
        b'<!DOCTYPE a SYSTEM "http://192.0.2.1/a.dtd"><a/>',
        b'<?xml version="1.0" encoding="utf-7"?><a/>',
        b"<a>" * 50_000,
        envelope("<a>" * 100 + "</a>" * 100),
        envelope("x" * onvif.SOAP_BYTES_MAX),
        b"",
    ],
    ids=["entity", "file", "dtd", "encoding", "unclosed", "deep", "long", "empty"],
)
def test_what_is_made_to_harm_the_reader_is_no_answer(hostile: bytes) -> None:
    with pytest.raises(FrameError):
        onvif.read_envelope(hostile)


def test_only_the_answer_to_our_own_probe_counts() -> None:
    match = (
        f'<s:Envelope xmlns:s="{onvif.SOAP}" xmlns:a="{onvif.ADDRESSING}" xmlns:d="{onvif.DISCOVERY}">'
        "<s:Header><a:RelatesTo>urn:uuid:1</a:RelatesTo></s:Header><s:Body><d:ProbeMatches><d:ProbeMatch>"
        "<a:EndpointReference><a:Address>urn:uuid:cam</a:Address></a:EndpointReference>"
        "<d:Scopes>onvif://www.onvif.org/name/Front%20door onvif://www.onvif.org/hardware/X1</d:Scopes>"
        "<d:XAddrs>http://192.0.2.7/onvif/device_service http://[fe80::1/x</d:XAddrs>"
        "</d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>"
    ).encode()

    (found,) = onvif.read_matches(match, "urn:uuid:1")

    assert (found.name, found.hardware) == ("Front door", "X1")
    assert found.addresses == ("http://192.0.2.7/onvif/device_service",)
    with pytest.raises(FrameError, match="we asked"):
        onvif.read_matches(match, "urn:uuid:2")
