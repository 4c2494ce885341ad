"""Make damaged frames whole on the outside: lengths, checksums and ends as they should be.

Damage behind an intact seal is what reaches the code that reads data; without this nearly every input
would end at the checksum.
"""

from collections.abc import Callable, Mapping

from pymodbus.framer import FramerRTU

from protocol.fieldbus.contact_id import check_digit
from protocol.fieldbus.osdp import _check
from protocol.fieldbus.sia_dc09 import checksum


def _summed(
    head: int, length_at: tuple[int, ...], overhead: int, covered_from: int
) -> Callable[[bytes], bytes]:
    """Return the seal of a frame that ends with a sum and 16, its length at these places."""

    def seal(data: bytes) -> bytes:
        body = bytearray(data.lstrip(b"\xfe"))
        if len(body) < overhead or len(body) - overhead > 255:
            return data
        body[0] = head
        for at in length_at:
            body[at] = len(body) - overhead
        body[-2:] = bytes((sum(body[covered_from:-2]) & 0xFF, 0x16))
        return bytes(body)

    return seal


def _dlt645(data: bytes) -> bytes:
    body = bytearray(data.lstrip(b"\xfe"))
    if len(body) > 7:
        body[7] = 0x68
    return _summed(0x68, (9,), 12, 0)(bytes(body))


def _mbus(data: bytes) -> bytes:
    body = bytearray(data)
    if len(body) > 3:
        body[3] = 0x68
    return _summed(0x68, (1, 2), 6, 4)(bytes(body))


def _gb26875(data: bytes) -> bytes:
    if not 30 <= len(data) <= 1054:
        return data
    body = bytearray(data)
    body[:2], body[-2:] = b"@@", b"##"
    body[24:26] = (len(body) - 30).to_bytes(2, "little")
    body[-3] = sum(body[2:-3]) & 0xFF
    return bytes(body)


def _osdp(data: bytes) -> bytes:
    body = bytearray(data.lstrip(b"\xff"))
    if len(body) < 8:
        return data
    body[0] = 0x53
    body[2:4] = len(body).to_bytes(2, "little")
    uses_crc = bool(body[4] & 4)
    width = 2 if uses_crc else 1
    return bytes(body[:-width]) + _check(bytes(body[:-width]), uses_crc=uses_crc)


def _modbus_rtu(data: bytes) -> bytes:
    return data[:-2] + FramerRTU.compute_CRC(data[:-2]).to_bytes(2, "big") if len(data) > 3 else data


def _modbus_tcp(data: bytes) -> bytes:
    return data[:2] + b"\0\0" + (len(data) - 6).to_bytes(2, "big") + data[6:] if len(data) > 7 else data


def _sia_dc09(data: bytes) -> bytes:
    body = data[9:-1].decode("latin-1").encode("ascii", "replace").decode()
    return f"\n{checksum(body):04X}{len(body):04X}{body}\r".encode()


def _contact_id(data: bytes) -> bytes:
    digits = "".join(c for c in data.decode("latin-1").upper() if c in "0123456789ABCDEF").ljust(15, "1")[:15]
    return (digits + check_digit(digits)).encode()


SEALS: Mapping[str, Callable[[bytes], bytes]] = {
    "cjt188": _summed(0x68, (10,), 13, 0),
    "contact-id": _contact_id,
    "dlt645-1997": _dlt645,
    "dlt645-2007": _dlt645,
    "gb26875.3": _gb26875,
    "mbus": _mbus,
    "modbus-rtu": _modbus_rtu,
    "modbus-tcp": _modbus_tcp,
    "osdp": _osdp,
    "sia-dc09": _sia_dc09,
}
