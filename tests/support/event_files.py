"""TensorBoard's event files, read without the library that writes them: TFRecord frames of protocol buffers."""

import struct
from pathlib import Path
from typing import NamedTuple


class Event(NamedTuple):
    """step; figures by tag; restarted: whether TensorBoard drops what earlier events say of this step and later."""

    step: int
    figures: dict[str, float]
    restarted: bool


def read(folder: Path) -> dict[int, dict[str, float]]:
    """Step -> figures as TensorBoard shows them, of all files of a folder in the order of their names."""
    shown: dict[int, dict[str, float]] = {}
    for file in sorted(folder.iterdir()):
        for step, figures, restarted in events(file):
            if restarted:
                shown = {each: kept for each, kept in shown.items() if each < step}
            if figures:
                shown[step] = shown.get(step, {}) | figures
    return shown


def events(file: Path) -> list[Event]:
    """In the order of the file; every checksum is checked."""
    data, found = file.read_bytes(), []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        assert struct.unpack("<I", data[8:12])[0] == masked(data[:8])
        body, data = data[12 : 12 + length], data[12 + length :]
        assert struct.unpack("<I", data[:4])[0] == masked(body)
        data = data[4:]
        fields = dict(parse(body))  # 2: step, 5: summary, 7: session_log
        values = [dict(parse(value)) for _, value in parse(fields.get(5, b""))]  # 1: tag, 2: simple_value
        figures = {value[1].decode(): struct.unpack("<f", value[2])[0] for value in values}
        restarted = dict(parse(fields.get(7, b""))).get(1) == 1  # status START
        found.append(Event(fields.get(2, 0), figures, restarted))
    return found


def parse(message: bytes) -> list[tuple[int, int | bytes]]:
    """(number, value) of each field of a protocol buffer."""
    fields, at = [], 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        number, kind = divmod(varint(), 8)
        if kind == 0:
            fields.append((number, varint()))
            continue
        size = {1: 8, 5: 4}.get(kind) or varint()
        fields.append((number, message[at : at + size]))
        at += size
    return fields


def masked(data: bytes) -> int:
    """The masked CRC-32C of TFRecord, a bit at a time."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
