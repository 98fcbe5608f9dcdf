"""A program that joins a list has not edited it: what was tagkit's stays tagkit's, and nothing else becomes it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagkit.errors import TagError
from tagkit.library import marker as marks
from tagkit.library.containers import open_tags
from tagkit.library.marker import Marker
from tagkit.library.runs.strip import strip
from tests import media
from tests.test_policy import HERE, Tags, run

JOINTS = ["; ", ";", "/", " / ", ", ", ",", "|", "\\\\", " \\\\ "]
EVERY_JOINT = pytest.mark.parametrize("joint", JOINTS)


def written(*values: str, users: Sequence[str] = (), field: str = "mood") -> Tags:
    """What tagkit left: its values behind the user's."""
    tags = Tags(**{field: list(users)} if users else {})
    run(tags, wanted={field: list(values)}, existing="add")
    return tags


@EVERY_JOINT
def test_joined_values_of_tagkits_follow_the_decision_and_are_a_list_again(joint):
    tags = written("happy", "calm")
    tags.fields["mood"] = [joint.join(["happy", "calm"])]
    change = run(tags, wanted={"mood": ["happy", "calm"]})
    assert (tags.get("mood"), change.kept) == (["happy", "calm"], ())
    tags.fields["mood"] = [joint.join(["happy", "calm"])]
    run(tags, wanted={"mood": []})
    assert tags.shown() == {} and tags.get("tagkit") == []


@EVERY_JOINT
def test_strip_takes_joined_values_out(joint):
    tags = written("happy", "calm")
    tags.fields["mood"] = [joint.join(["happy", "calm"])]
    change = strip(HERE, tags, content="c" * 32, remembered=None)
    assert tags.apply(change).shown() == {} and change.kept == ()


@EVERY_JOINT
@pytest.mark.parametrize("users", [["Zen"], ["Zen", "slow"], ["Zen; slow"], ["A/B, C"]])
def test_the_users_part_of_a_joined_value_is_left(joint, users):
    tags = written("happy", "calm", users=users)
    tags.fields["mood"] = [joint.join([*users, "happy", "calm"])]
    assert run(tags, wanted={"mood": ["dark"]}).kept == ("mood",)
    strip_away = strip(HERE, tags, content="c" * 32, remembered=None)
    assert tags.apply(strip_away).get("mood") == users


@EVERY_JOINT
@pytest.mark.parametrize(
    "edited",
    [["happy", "calm", "Zen"], ["Zen", "happy", "calm"], ["calm", "happy"], ["Happy", "calm"]],
)
def test_a_joined_value_that_was_edited_is_the_users(joint, edited):
    tags = written("happy", "calm")
    tags.fields["mood"] = [joint.join(edited)]
    assert run(tags, wanted={"mood": ["dark"]}).kept == ("mood",)
    change = strip(HERE, tags, content="c" * 32, remembered=None)
    assert change.kept == ("mood",)
    assert tags.apply(change).get("mood") == [joint.join(edited)]


def test_values_in_one_place_and_joined_in_another_are_tagkits():
    """A program that writes TXXX:MOOD, joined, beside the TMOO that it leaves."""
    tags = written("happy", "calm")
    tags.fields["mood"] = ["happy", "calm", "happy; calm"]
    run(tags, wanted={"mood": ["dark"]})
    assert tags.get("mood") == ["dark"]


def test_a_claim_on_a_joined_field_outlives_a_run_that_does_not_speak_for_it():
    tags = written("happy", "calm")
    tags.fields["mood"] = ["happy/calm"]
    run(tags, wanted={"theme": ["film"]})
    assert tags.get("mood") == ["happy/calm"]
    run(tags, wanted={"mood": ["dark"]})
    assert tags.shown() == {"mood": ["dark"], "theme": ["film"]}


def test_probabilities_too():
    tags = Tags()
    wanted = {"mood": ["happy", "calm"], "probability:mood": ["happy=0.83", "calm=0.50"]}
    run(tags, wanted=wanted)
    tags.fields["probability:mood"] = ["happy=0.83/calm=0.50"]
    run(tags, wanted={"mood": []})
    assert tags.shown() == {}


def test_a_value_that_holds_a_joint_of_its_own_is_no_list():
    tags = Tags(mood=["happy/calm"])
    run(tags, wanted={"mood": ["dark"]}, existing="add")
    assert run(tags, wanted={"mood": ["dark", "sad"]}).kept == ("mood",)
    assert tags.get("mood") == ["happy/calm", "dark"]


labels = st.lists(st.sampled_from(["a", "b", "ab", "ba", "b a"]), min_size=1, unique=True)


@given(left=labels, edited=labels, joint=st.sampled_from(JOINTS), data=st.data())
def test_joined_or_not_only_the_list_that_tagkit_left_is_its_own(left, edited, joint, data):
    count = data.draw(st.integers(1, len(left)))
    mark = Marker("1", "x", {"mood": marks.claim(left, count)})
    for now in (edited, [joint.join(edited)]):
        found = marks.part("mood", now, [mark])
        if edited == left:
            assert (found.users, found.claim) == (tuple(left[:-count]), mark.claims["mood"])
        else:
            assert (found.users, found.claim) == (tuple(now), None)


@pytest.mark.parametrize("kind", ["flac", "m4a", "mp3_id3v24"])
def test_a_users_value_comes_out_of_a_joined_one_though_it_holds_a_joint(tmp_path, kind):
    path = media.make(tmp_path, kind)
    tags = open_tags(path)
    tags.set("mood", ["x"])
    tags.save()
    with pytest.raises(TagError, match="players split labels"):
        tags.set("mood", ["A/B"])
    path = joined(path, "A/B; happy")
    tags = open_tags(path)
    tags.set("mood", ["A/B"])
    tags.save()
    assert open_tags(path).get("mood") == ["A/B"]


def joined(path, value):
    """As another program writes it."""
    import mediafile

    class Mood(mediafile.MediaFile):
        mood = mediafile.ListMediaField(
            mediafile.MP3ListStorageStyle("TMOO"),
            mediafile.MP4ListStorageStyle("----:com.apple.iTunes:MOOD"),
            mediafile.ListStorageStyle("MOOD"),
        )

    file = Mood(path)
    file.mood = [value]
    file.save()
    return path
