"""Images: names for folders, digests for content."""

from pathlib import Path

import pytest

from controller.local.images import Images
from controller.local.tree import ImageError

COMMAND = ["python3", "app.py"]


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "app"
    made.mkdir()
    (made / "app.py").write_text("print(1)")
    return made


@pytest.fixture
def images(tmp_path):
    return Images(tmp_path / "images")


def test_an_image_is_found_by_digest_and_by_name(images, folder):
    reference = images.put("hello", folder, COMMAND)
    assert reference.startswith("dev.local/hello@sha256:")
    found = images.get(reference)
    assert (found.command, found.reference) == (tuple(COMMAND), reference)
    assert (Path(found.folder) / "app.py").read_text() == "print(1)"
    assert images.get("dev.local/hello") == images.get("dev.local/hello:latest") == found


def test_what_is_not_here_is_not_found(images, folder):
    images.put("hello", folder, COMMAND)
    for reference in (
        "dev.local/other", "hello", "example.com/hello", "dev.local/hello@sha256:" + "0" * 64, "", "dev.local/../hello",
        "dev.local/hello@sha256:../newest",
    ):  # fmt: skip
        assert images.get(reference) is None


def test_an_older_digest_stays_when_the_content_changes(images, folder):
    first = images.put("hello", folder, COMMAND)
    (folder / "app.py").write_text("print(2)")
    second = images.put("hello", folder, COMMAND)
    assert first != second
    assert [(Path(images.get(one).folder) / "app.py").read_text() for one in (first, second)] == [
        "print(1)",
        "print(2)",
    ]
    assert images.get("dev.local/hello").reference == second


def test_bad_input_names_field_value_and_fix(images, folder, tmp_path):
    for name, place, command, said in (
        ("Hello", folder, COMMAND, 'name: "Hello" is no image name'),
        ("hello", tmp_path / "none", COMMAND, "folder: "),
        ("hello", folder, [], "command: it is empty"),
    ):
        with pytest.raises(ImageError, match=said):
            images.put(name, place, command)


def test_the_same_content_is_kept_once(images, folder, tmp_path):
    assert images.put("hello", folder, COMMAND) == images.put("hello", folder, COMMAND)
    assert len([path for path in (tmp_path / "images" / "hello").iterdir() if path.is_dir()]) == 1


def test_what_nobody_names_is_removed_but_the_newest_and_the_young(images, folder, tmp_path):
    made = []
    for number in range(4):
        (folder / "app.py").write_text(f"print({number})")
        made.append(images.put("a/hello", folder, COMMAND))
    assert images.collect([]) == []
    assert sorted(images.collect([made[1], "", "example.com/x"], young_s=-1)) == sorted([made[0], made[2]])
    assert [images.get(one) is not None for one in made] == [False, True, False, True]
    assert len([path for path in (tmp_path / "images" / "a+hello").iterdir() if path.is_dir()]) == 2


def test_images_are_not_part_of_an_image(images, folder, tmp_path):
    images.put("hello", folder, COMMAND)
    found = images.get(images.put("whole", tmp_path, COMMAND))
    assert [path.name for path in Path(found.folder).iterdir()] == ["app"]
