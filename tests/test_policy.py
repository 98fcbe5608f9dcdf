"""Whose value is it? The user's stay, tagkit's own follow the decision, and a second run changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagkit.errors import SaveError
from tagkit.library import marker as marks
from tagkit.library.change import FileChange
from tagkit.library.policy import PolicyOptions, Stamp, propose
from tagkit.library.runs.strip import strip

STAMP = Stamp("0.1.0", "9f3c01")
HERE = Path(__file__)


class Tags:
    """A tag in memory: what the policy reads, and what a writer would make of its changes."""

    container = "flac"

    def __init__(self, **fields: list[str]) -> None:
        self.fields = {name: list(values) for name, values in fields.items()}

    def get(self, field: str) -> list[str]:
        return self.fields.get(field, [])

    def apply(self, change: FileChange) -> Tags:
        for c in change.changes:
            assert self.get(c.field) == list(c.old)
            self.fields[c.field] = list(c.new)
        return self

    def shown(self) -> dict[str, list[str]]:
        return {name: v for name, v in self.fields.items() if v and name != "tagkit"}


def run(tags: Tags, *, remembered=None, stamp=STAMP, wanted=None, **options) -> FileChange:
    change = propose(
        HERE,
        tags,
        wanted or {},
        content="c" * 32,
        stamp=stamp,
        remembered=remembered,
        options=PolicyOptions(**options),
    )
    tags.apply(change)
    return change


def test_an_empty_field_is_written_and_signed():
    tags = Tags(title=["Song"])
    change = run(tags, wanted={"mood": ["happy", "calm"], "theme": []})
    assert [c.field for c in change.changes] == ["mood", "tagkit"]
    assert tags.shown() == {"title": ["Song"], "mood": ["happy", "calm"]}
    (line,) = tags.get("tagkit")
    assert line.startswith("tagkit 0.1.0 model=9f3c01 mood=2:")
    assert not set(";/,") & set(line)


def test_nothing_decided_for_an_untouched_file_changes_nothing():
    change = run(Tags(), wanted={"mood": [], "theme": [], "instrument": []})
    assert change.changes == () and change.kept == ()


@pytest.mark.parametrize("field", ["mood", "theme", "instrument", "vocals"])
def test_by_default_the_users_values_stay_and_are_counted(field):
    tags = Tags(**{field: ["Mine"]})
    change = run(tags, wanted={field: ["happy"]})
    assert change.changes == ()
    assert change.kept == (field,)


def test_the_second_run_changes_nothing():
    tags = Tags(mood=["Mine"])
    wanted = {"mood": ["happy"], "theme": ["love"], "probability:mood": ["happy=0.83"]}
    assert run(tags, wanted=wanted, existing="add").changes
    assert run(tags, wanted=wanted, existing="add").changes == ()
    assert run(tags, wanted=wanted, existing="keep").changes == ()
    assert run(tags, wanted=wanted, stamp=Stamp("9", "other"), existing="add").changes == ()


def test_tagkits_own_values_follow_the_new_decision():
    tags = Tags()
    run(tags, wanted={"mood": ["happy"], "theme": ["love"]})
    run(tags, wanted={"mood": ["sad", "dark"], "theme": []})
    assert tags.shown() == {"mood": ["sad", "dark"]}
    run(tags, wanted={"mood": [], "theme": []})
    assert tags.shown() == {} and tags.get("tagkit") == []


def test_a_run_leaves_the_fields_it_does_not_speak_for():
    tags = Tags()
    run(tags, wanted={"mood": ["happy"], "theme": ["love"]})
    run(tags, wanted={"theme": ["summer"]})
    assert tags.shown() == {"mood": ["happy"], "theme": ["summer"]}
    run(tags, wanted={"mood": ["sad"]})  # still known as tagkit's
    assert tags.shown() == {"mood": ["sad"], "theme": ["summer"]}


@pytest.mark.parametrize("edited", [["happy", "Chill"], ["Happy"], ["sad"], ["calm", "happy"]])
def test_a_value_that_was_edited_since_is_the_users(edited):
    tags = Tags()
    run(tags, wanted={"mood": ["happy", "calm"]})
    tags.fields["mood"] = edited
    change = run(tags, wanted={"mood": ["dark"]})
    assert tags.get("mood") == edited
    assert change.kept == ("mood",)


def test_add_puts_the_users_first_and_replaces_only_its_own_part_later():
    tags = Tags(mood=["Zen", "HAPPY"])
    run(tags, wanted={"mood": ["happy", "calm", "Calm"]}, existing="add")
    assert tags.get("mood") == ["Zen", "HAPPY", "calm"]
    run(tags, wanted={"mood": ["dark", "sad"]}, existing="add")
    assert tags.get("mood") == ["Zen", "HAPPY", "dark", "sad"]
    run(tags, wanted={"mood": []}, existing="add")
    assert tags.get("mood") == ["Zen", "HAPPY"] and tags.get("tagkit") == []


def test_after_an_add_keep_leaves_the_field_as_it_is():
    tags = Tags(mood=["Zen"])
    run(tags, wanted={"mood": ["calm"]}, existing="add")
    change = run(tags, wanted={"mood": ["dark"]})
    assert tags.get("mood") == ["Zen", "calm"] and change.kept == ("mood",)


def test_replace_overwrites_but_never_with_nothing():
    tags = Tags(mood=["Zen"], theme=["Mine"])
    change = run(tags, wanted={"mood": ["calm"], "theme": []}, existing="replace")
    assert tags.shown() == {"mood": ["calm"], "theme": ["Mine"]}
    assert change.kept == ()


def test_a_users_value_that_agrees_does_not_become_tagkits():
    tags = Tags(mood=["calm"])
    run(tags, wanted={"mood": ["calm"], "theme": ["love"]}, existing="replace")
    run(tags, wanted={"mood": [], "theme": []}, existing="replace")
    assert tags.shown() == {"mood": ["calm"]}


@pytest.mark.parametrize(
    ("genre", "before", "after"),
    [
        ("off", [], []),
        ("off", ["Rock"], ["Rock"]),
        ("fill", [], ["jazz", "rock"]),
        ("fill", ["Rock", "Blues"], ["Rock", "Blues"]),
        ("add", ["Rock", "Blues"], ["Rock", "Blues", "jazz"]),
        ("add", [], ["jazz", "rock"]),
    ],
)
@pytest.mark.parametrize("existing", ["keep", "add", "replace"])
def test_a_genre_that_is_there_is_never_overwritten(genre, before, after, existing):
    tags = Tags(genre=before)
    run(tags, wanted={"genre": ["jazz", "rock"]}, genre=genre, existing=existing)
    assert tags.get("genre") == after


def test_a_genre_that_tagkit_filled_in_follows_the_decision():
    tags = Tags()
    run(tags, wanted={"genre": ["jazz"]}, genre="fill")
    run(tags, wanted={"genre": ["rock"]}, genre="fill")
    assert tags.get("genre") == ["rock"]
    run(tags, wanted={"genre": ["pop"]}, genre="off")
    assert tags.get("genre") == ["rock"]


def test_no_old_probability_stays_beside_a_new_mood():
    tags = Tags()
    run(tags, wanted={"mood": ["happy"], "probability:mood": ["happy=0.83"]})
    run(tags, wanted={"mood": ["sad"]})
    assert tags.shown() == {"mood": ["sad"]}


def test_the_journal_knows_too_where_another_program_dropped_the_marker():
    tags = Tags()
    run(tags, wanted={"mood": ["happy"]})
    remembered = marks.parse(tags.fields.pop("tagkit"))
    assert run(Tags(**tags.fields), wanted={"mood": ["sad"]}).kept == ("mood",)
    run(tags, wanted={"mood": ["sad"]}, remembered=remembered)
    assert tags.shown() == {"mood": ["sad"]}


@pytest.mark.parametrize(
    "line",
    [
        "",
        "tagkit",
        "tagkit 0.1.0 mood=1:000000000000",
        "tagkit 0.1.0 model=x mood=99:{}",
        "tagkit 0.1.0 model=x mood=0:{}",
        "tagkit 0.1.0 model=x title=1:{}",
        "tagkit 0.1.0 model=x mood=1:{} " + "x" * 5000,
        "Tagkit 0.1.0 model=x mood=1:{}",
    ],
)
def test_a_marker_that_is_not_ours_claims_nothing(line):
    tags = Tags(mood=["Mine"], tagkit=[line.format(marks.digest(["Mine"]))])
    assert run(tags, wanted={"mood": ["happy"]}).kept == ("mood",)


def test_a_file_that_has_just_gone_is_an_error_in_words(tmp_path):
    with pytest.raises(SaveError, match=r"a\.mp3"):
        propose(tmp_path / "a.mp3", Tags(), {"mood": ["x"]}, content="c" * 32, stamp=STAMP)
    with pytest.raises(SaveError):
        strip(tmp_path / "a.mp3", Tags(), content="c" * 32, remembered=None)


def test_digest_tells_lists_apart():
    lists = [(), ("a",), ("a", "b"), ("b", "a"), ("ab",), ("a1:b",), ("",), ("", ""), ("A",)]
    assert len({marks.digest(values) for values in lists}) == len(lists)


def test_strip_takes_tagkits_values_and_leaves_the_users():
    tags = Tags(mood=["Zen"], genre=["Rock"])
    run(tags, wanted={"mood": ["calm"], "theme": ["love"], "instrument": ["harp"]}, existing="add")
    tags.fields["instrument"].append("Lute")
    change = strip(HERE, tags, content="c" * 32, remembered=None)
    tags.apply(change)
    assert tags.shown() == {"mood": ["Zen"], "genre": ["Rock"], "instrument": ["harp", "Lute"]}
    assert tags.get("tagkit") == []
    assert change.kept == ("instrument",)
    assert strip(HERE, tags, content="c" * 32, remembered=None).changes == ()


labels = st.lists(st.sampled_from(["happy", "Happy", "sad", "dark", "calm"]), max_size=3)
steps = st.lists(
    st.tuples(labels, st.sampled_from(["keep", "add", "replace"])), min_size=1, max_size=4
)


@given(users=labels, steps=steps)
def test_no_sequence_of_runs_without_replace_loses_a_users_value(users, steps):
    tags = Tags(mood=users)
    for wanted, existing in steps:
        if existing != "replace":
            run(tags, wanted={"mood": wanted}, existing=existing)
            assert tags.get("mood")[: len(users)] == users


@given(users=labels, steps=steps)
def test_the_last_decision_alone_counts_for_a_field_that_is_tagkits(users, steps):
    """Whatever was decided before, the same run at the end leaves the same field."""
    last, existing = steps[-1]
    if existing == "replace" and users:
        return  # a replaced value is gone: the runs before do count
    once, often = Tags(mood=users), Tags(mood=users)
    run(once, wanted={"mood": last}, existing=existing)
    for wanted, _ in steps:
        run(often, wanted={"mood": wanted}, existing=existing)
    if existing == "add" or not users:
        assert often.get("mood") == once.get("mood")
    assert run(often, wanted={"mood": last}, existing=existing).changes == ()
