"""Following a file of JSON lines: whole lines only, each once, in pieces of a bearable size."""

from __future__ import annotations

import json

import pytest

from GASNetLib.json_lines import read_json_lines


def in_pieces(path, limit: int) -> list:
    values, offset = read_json_lines(path, limit=limit)
    while True:
        more, new = read_json_lines(path, offset, limit)
        if new == offset:
            return values
        values, offset = values + more, new


@pytest.mark.parametrize("limit", [1, 7, 64, 10_000])
def test_pieces_of_any_size_give_every_line_once_in_order(tmp_path, limit):
    path = tmp_path / "events.jsonl"
    lines = [{"number": n, "text": "é" * (n % 50)} for n in range(200)]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    assert in_pieces(path, limit) == lines


def test_a_piece_is_not_larger_than_asked_for_unless_one_line_is(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(["[1, 2, 3]"] * 100) + "\n")
    values, offset = read_json_lines(path, limit=55)
    assert len(values) == 5 and offset == 50
    path.write_text(json.dumps("x" * 1000) + "\n[]\n")
    values, offset = read_json_lines(path, limit=55)
    assert [len(value) for value in values] == [1000] and offset == 1003


def test_a_line_without_its_end_waits_however_small_the_pieces(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('[1]\n{"half": ')
    assert read_json_lines(path) == ([[1]], 4)
    assert read_json_lines(path, 4, limit=3) == ([], 4)
    with path.open("a") as file:
        file.write("2}\n")
    assert read_json_lines(path, 4, limit=3) == ([{"half": 2}], 16)


def test_what_is_missing_unreadable_or_damaged_stops_nobody(tmp_path):
    assert read_json_lines(tmp_path / "none.jsonl", 12) == ([], 0)
    assert read_json_lines(tmp_path, 12) == ([], 12)
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\xff\xfe\x00\nnot json\n\n[2]\n")
    assert read_json_lines(path)[0] == [[2]]


def test_a_file_that_became_shorter_is_read_anew(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text("[1]\n")
    assert read_json_lines(path, offset=100) == ([[1]], 4)
