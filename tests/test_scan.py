"""What scan promises: every audio file once, in order, and a word on everything else."""

from __future__ import annotations

import io
import os
import socket
import sys
from itertools import islice
from pathlib import Path
from urllib.parse import unquote

import pytest

from tagkit.errors import UsageError
from tagkit.library.finding.input_list import input_list
from tagkit.library.finding.scan import Found, Skipped, scan
from tagkit.library.playlist import Entry, m3u8


def tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def ignore(folder: Path, *lines: str) -> None:
    (folder / ".tagkitignore").write_text("\n".join(lines) + "\n")


def found(*inputs: os.PathLike[str] | str, root: Path, **options) -> list[str]:
    """Names below root of what is found; nothing may be skipped."""
    reports = list(scan(inputs, **options))
    assert [r for r in reports if isinstance(r, Skipped)] == []
    return [os.path.relpath(r.path, root) for r in reports]


def skipped(*inputs, **options) -> list[tuple[str, str, bool]]:
    reports = scan(inputs, **options)
    return [(r.path.name, r.reason, r.failed) for r in reports if isinstance(r, Skipped)]


# --------------------------------------------------------------------------------------- folders


def test_a_folder_stands_for_its_audio_files_in_the_order_of_names(tmp_path):
    tree(tmp_path, "b.MP3", "a/2.flac", "a/10.ogg", "c.txt", "c.m4a", "a.wav", "cover.jpg", "noext")
    assert found(tmp_path, root=tmp_path) == ["a/10.ogg", "a/2.flac", "a.wav", "b.MP3", "c.m4a"]


def test_reports_keep_the_spelling_of_the_input(tmp_path, monkeypatch):
    tree(tmp_path, "music/a.mp3")
    monkeypatch.chdir(tmp_path)
    assert list(scan(["music", "./music/a.mp3"])) == [Found(Path("music/a.mp3"))]


def test_hidden_files_and_folders_are_left_out_and_tagkits_own_temporary_files(tmp_path):
    tree(tmp_path, ".a.mp3", "._b.mp3", ".git/c.mp3", ".tagkit-x.tmp", "d.mp3")
    assert found(tmp_path, root=tmp_path) == ["d.mp3"]


def test_a_file_that_is_named_is_taken_whatever_it_is_called(tmp_path):
    tree(tmp_path, "a.bin", ".hidden.mp3", "ignored.mp3")
    ignore(tmp_path, "*.mp3")
    names = ["a.bin", ".hidden.mp3", "ignored.mp3"]
    assert found(*(tmp_path / n for n in names), root=tmp_path) == names


def test_other_extensions_can_be_asked_for(tmp_path):
    tree(tmp_path, "a.mp3", "b.xyz")
    assert found(tmp_path, root=tmp_path, extensions={".xyz"}) == ["b.xyz"]


def test_names_that_are_no_text_survive(tmp_path):
    name = os.fsdecode(b"\xff\xfe bad.mp3")
    tree(tmp_path, name)
    (report,) = scan([tmp_path])
    assert os.fsencode(report.path) == os.fsencode(tmp_path) + b"/\xff\xfe bad.mp3"


def test_every_file_comes_once_however_often_it_is_named(tmp_path):
    tree(tmp_path, "a/1.mp3", "a/2.mp3", "b/1.mp3")
    a = tmp_path / "a"
    assert found(a / "2.mp3", a, a, tmp_path, a / "1.mp3", a / "2.mp3", root=tmp_path) == [
        "a/2.mp3",
        "a/1.mp3",
        "b/1.mp3",
    ]
    link = tmp_path / "link.mp3"
    link.symlink_to(a / "1.mp3")
    assert found(link, a, root=tmp_path) == ["link.mp3", "a/2.mp3"]


def test_hard_links_are_two_files(tmp_path):
    tree(tmp_path, "a.mp3")
    (tmp_path / "b.mp3").hardlink_to(tmp_path / "a.mp3")
    assert found(tmp_path, tmp_path, root=tmp_path) == ["a.mp3", "b.mp3"]


def test_a_walk_streams(tmp_path):
    tree(tmp_path, "a/1.mp3", "b/1.mp3")
    walk = scan([tmp_path])
    assert next(walk).path == tmp_path / "a/1.mp3"
    tree(tmp_path, "b/2.mp3")  # not listed yet: "b" has not been entered
    assert [report.path.name for report in walk] == ["1.mp3", "2.mp3"]
    endless = (tmp_path / "a/1.mp3" for _ in iter(int, 1))
    assert list(islice(scan(endless), 1)) == [Found(tmp_path / "a/1.mp3")]


# ----------------------------------------------------------------------------------- what is not


def test_what_is_not_there_is_a_failure_and_the_walk_goes_on(tmp_path):
    tree(tmp_path, "b.mp3")
    reports = list(scan([tmp_path / "gone", "nul\0name", tmp_path / "b.mp3/x", tmp_path]))
    assert [type(r) for r in reports] == [Skipped, Skipped, Skipped, Found]
    assert all(report.failed and report.reason for report in reports[:3])
    assert reports[0].reason == "No such file or directory"


def test_a_fifo_a_socket_and_a_device_are_named_and_never_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's name may not be long
    os.mkfifo("a.mp3")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind("b.mp3")
        os.mkfifo("no-audio")
        expected = [
            ("a.mp3", "a FIFO, not a file", False),
            ("b.mp3", "a socket, not a file", False),
        ]
        assert skipped(".") == expected
    assert skipped("a.mp3", "/dev/null") == [
        ("a.mp3", "a FIFO, not a file", True),
        ("null", "a device, not a file", True),
    ]


def test_a_folder_that_cannot_be_read_is_a_failure(tmp_path, monkeypatch):
    tree(tmp_path, "a/1.mp3", "locked/1.mp3", "z.mp3")
    scandir = os.scandir

    def refuse(path):  # root may read everything, so permissions would prove nothing
        if os.fspath(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    reports = list(scan([tmp_path]))
    assert [r.path.name for r in reports] == ["1.mp3", "locked", "z.mp3"]
    assert reports[1] == Skipped(tmp_path / "locked", "Permission denied", failed=True)


# ---------------------------------------------------------------------------------- symbolic links


def test_links_are_followed_only_on_request(tmp_path):
    tree(tmp_path, "music/a.mp3", "else/b.mp3", "c.mp3")
    music = tmp_path / "music"
    (music / "folder").symlink_to(tmp_path / "else")
    (music / "file.mp3").symlink_to(tmp_path / "c.mp3")
    (music / "broken.mp3").symlink_to(tmp_path / "nothing")
    (music / "notes.txt").symlink_to(tmp_path / "c.mp3")
    assert [name for name, _, failed in skipped(music) if not failed] == [
        "broken.mp3",
        "file.mp3",
        "folder",
    ]
    reports = list(scan([music], follow=True))
    assert [r.path.name for r in reports if isinstance(r, Found)] == ["a.mp3", "file.mp3", "b.mp3"]
    assert [r.path.name for r in reports if isinstance(r, Skipped) and r.failed] == ["broken.mp3"]


def test_a_link_to_itself_is_no_failure_unless_it_is_followed(tmp_path):
    for name in ("a.mp3", "neither a file nor a folder"):
        (tmp_path / name).symlink_to(name)
    (skipped,) = scan([tmp_path])
    assert (skipped.path.name, skipped.failed) == ("a.mp3", False)
    (failed,) = scan([tmp_path], follow=True)
    assert (failed.path.name, failed.failed) == ("a.mp3", True)


def test_an_input_that_is_a_link_is_followed(tmp_path):
    tree(tmp_path, "real/a.mp3")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert found(tmp_path / "link", root=tmp_path) == ["link/a.mp3"]


def test_loops_end_and_a_file_reached_twice_comes_once(tmp_path):
    tree(tmp_path, "a/1.mp3", "b/2.mp3")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "b" / "self").symlink_to(".")
    (tmp_path / "b" / "1 alias.mp3").symlink_to("2.mp3")
    (tmp_path / "b" / "itself.mp3").symlink_to("itself.mp3")
    reports = list(scan([tmp_path / "a"], follow=True))
    assert sorted(r.path.name for r in reports if isinstance(r, Found)) == ["1 alias.mp3", "1.mp3"]
    assert [r.path.name for r in reports if isinstance(r, Skipped)] == ["itself.mp3"]


# ------------------------------------------------------------------------------------- left out


def test_nomedia_leaves_out_a_folder_and_all_below(tmp_path):
    tree(tmp_path, "a/.nomedia", "a/1.mp3", "a/b/2.mp3", "c/3.mp3")
    assert list(scan([tmp_path])) == [
        Skipped(tmp_path / "a", "holds .nomedia", failed=False),
        Found(tmp_path / "c/3.mp3"),
    ]


def test_an_ignore_file_has_gits_syntax(tmp_path):
    tree(tmp_path, "a.wav", "a.mp3", "keep.wav", "Podcasts/x.mp3", "x/Podcasts/y.mp3", "x/top.mp3")
    tree(tmp_path, "top.mp3", "#1.mp3")
    ignore(tmp_path, "# comment", "*.wav", "!keep.wav", "Podcasts/", "/top.mp3", "\\#1.mp3")
    assert found(tmp_path, root=tmp_path) == ["a.mp3", "keep.wav", "x/top.mp3"]


def test_ignore_files_nest_and_the_inner_one_decides(tmp_path):
    tree(tmp_path, "a/live 1.mp3", "a/b/live 2.mp3", "a/b/c/live 3.mp3", "live 0.mp3")
    ignore(tmp_path / "a", "live*")
    ignore(tmp_path / "a" / "b", "!live*")
    ignore(tmp_path / "a" / "b" / "c", "/live*")
    assert found(tmp_path, root=tmp_path) == ["a/b/live 2.mp3", "live 0.mp3"]


def test_what_is_below_an_ignored_folder_cannot_be_taken_back(tmp_path):
    tree(tmp_path, "a/keep.mp3", "b.mp3")
    ignore(tmp_path, "a/", "!a/keep.mp3")
    assert found(tmp_path, root=tmp_path) == ["b.mp3"]


def test_ignore_files_above_the_input_count_unless_they_leave_out_the_input_itself(tmp_path):
    tree(tmp_path, "m/a/live.mp3", "m/a/x.mp3", "m/b/live.mp3", "m/b/x.mp3")
    ignore(tmp_path / "m", "live.mp3")
    assert found(tmp_path / "m" / "a", root=tmp_path) == ["m/a/x.mp3"]
    ignore(tmp_path / "m", "/b/")
    assert found(tmp_path / "m" / "b", root=tmp_path) == ["m/b/live.mp3", "m/b/x.mp3"]
    assert found(tmp_path / "m", root=tmp_path) == ["m/a/live.mp3", "m/a/x.mp3"]


def test_patterns_of_the_command_line_have_the_last_word(tmp_path):
    tree(tmp_path, "a/1.mp3", "a/2.mp3", "b/1.mp3")
    ignore(tmp_path / "a", "!1.mp3", "2.mp3")
    assert found(tmp_path, root=tmp_path, ignore=["1.mp3"]) == []
    assert found(tmp_path, root=tmp_path, ignore=["!*.mp3"]) == ["a/1.mp3", "a/2.mp3", "b/1.mp3"]


def test_patterns_match_names_that_are_no_text_and_windows_lines(tmp_path):
    tree(tmp_path, os.fsdecode(b"\xff.mp3"), "a.mp3", "b.mp3")
    (tmp_path / ".tagkitignore").write_bytes(b"\xef\xbb\xbfa.mp3\r\n\xff.mp3\r\n")
    assert found(tmp_path, root=tmp_path) == ["b.mp3"]


@pytest.mark.parametrize("line", ["!", "[z-a]", "x" * 5000, "x\n" * 2001, "x" * (1 << 20)])
def test_a_folder_with_a_wrong_ignore_file_is_a_failure_and_not_tagged(tmp_path, line):
    tree(tmp_path, "a/1.mp3", "b/1.mp3")
    ignore(tmp_path / "a", "# fine", line)
    failure, *rest = scan([tmp_path])
    assert failure.failed
    assert failure.path == tmp_path / "a"
    assert ".tagkitignore" in failure.reason
    assert rest == [Found(tmp_path / "b/1.mp3")]
    (below,) = scan([tree(tmp_path / "a" / "c", "2.mp3")])
    assert below.failed


def test_an_ignore_file_that_cannot_be_read_is_a_failure(tmp_path):
    tree(tmp_path, "a/1.mp3")
    (tmp_path / "a" / ".tagkitignore").mkdir()
    assert [failed for _, _, failed in skipped(tmp_path)] == [True]


def test_a_wrong_pattern_of_the_command_line_is_a_usage_error_at_once(tmp_path):
    with pytest.raises(UsageError):
        scan([tmp_path], ignore=["!"])


# ---------------------------------------------------------------------------------------- lists


def listed(data: bytes, tmp_path: Path) -> list[str]:
    (tmp_path / "list").write_bytes(data)
    return list(input_list(str(tmp_path / "list")))


def test_a_list_has_one_path_a_line(tmp_path):
    assert listed(b"a b.mp3\n\nc.mp3\r\n\xff.mp3", tmp_path) == [
        "a b.mp3",
        "c.mp3",
        os.fsdecode(b"\xff.mp3"),
    ]
    assert listed(b"", tmp_path) == []


def test_a_list_with_nuls_may_hold_any_name(tmp_path):
    assert listed(b"a\nb\r\0c\0", tmp_path) == ["a\nb\r", "c"]


def test_a_long_list_is_cut_nowhere_but_at_line_ends(tmp_path):
    names = [f"folder/{n:0{n % 50}}.mp3" for n in range(20_000)]
    for separator in ("\n", "\0"):
        assert listed(separator.join(names).encode(), tmp_path) == names


def test_a_list_comes_from_standard_input_too(monkeypatch):
    stdin = io.TextIOWrapper(io.BytesIO(b"a.mp3\nb.mp3\n"))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert list(input_list("-")) == ["a.mp3", "b.mp3"]


def test_a_list_that_cannot_be_read_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError):
        list(input_list(str(tmp_path / "gone")))
    with pytest.raises(UsageError, match="too long"):
        listed(b"x" * (3 << 20), tmp_path)


# ------------------------------------------------------------------------------------ playlists


def test_a_playlist_has_absolute_or_relative_paths(tmp_path):
    entries = [Entry(tmp_path / "a b" / "ü.mp3", 61.6, "Ü — 1"), Entry(tmp_path / "c.mp3")]
    head = ["#EXTM3U", "#EXTINF:62,Ü — 1"]
    assert list(m3u8(entries)) == [*head, f"{tmp_path}/a b/ü.mp3", f"{tmp_path}/c.mp3"]
    assert list(m3u8(entries, relative_to=tmp_path / "x")) == [*head, "../a b/ü.mp3", "../c.mp3"]


def test_no_name_can_become_a_line_a_comment_or_an_address(tmp_path):
    names = ["a\nhttp:b.mp3", "a\rb.mp3", "a\x1b[2Jb.mp3", "a\u2028b.mp3", "x.mp3 ", "a\x85b.mp3"]
    names += [os.fsdecode(b"\xff.mp3")]
    paths = [tmp_path / name for name in names]
    lines = list(m3u8((Entry(path, title="x\n#y") for path in paths), relative_to=tmp_path))
    assert all(len(line.splitlines()) == 1 and line.isprintable() for line in lines)
    assert lines[1::2] == ["#EXTINF:-1,x #y"] * len(names)
    read_back = [unquote(line, errors="surrogateescape") for line in lines[2::2]]
    assert read_back == [f"file://{path}" for path in paths]

    odd = ["#a.mp3", "http:a.mp3", " a.mp3"]
    entries = (Entry(tmp_path / name) for name in odd)
    assert list(m3u8(entries, relative_to=tmp_path))[1:] == [f"./{name}" for name in odd]
