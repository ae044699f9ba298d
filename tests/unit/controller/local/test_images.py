"""Images: names for folders, digests for content."""

import pytest

from controller.local.images import ImageError, Images, content_digest

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
    assert (found.folder, found.command, found.reference) == (str(folder), tuple(COMMAND), reference)
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
    assert images.get(first).digest != images.get(second).digest
    assert images.get("dev.local/hello").reference == second


def test_the_digest_is_of_names_modes_bytes_and_command_only(folder):
    base = content_digest(folder, COMMAND)
    for path in (folder / ".git" / "HEAD", folder / "__pycache__" / "app.pyc"):
        path.parent.mkdir()
        path.write_text("x")
    assert content_digest(folder, COMMAND) == base
    assert content_digest(folder, ["true"]) != base
    (folder / "app.py").chmod(0o755)
    changed = content_digest(folder, COMMAND)
    assert changed != base
    (folder / "app.py").rename(folder / "main.py")
    assert content_digest(folder, COMMAND) not in (base, changed)


def test_a_link_counts_by_where_it_points_and_is_not_followed(folder):
    base = content_digest(folder, COMMAND)
    (folder / "loop").symlink_to(folder)
    linked = content_digest(folder, COMMAND)
    assert linked != base
    (folder / "loop").unlink()
    (folder / "loop").symlink_to("/")
    assert content_digest(folder, COMMAND) != linked


def test_bad_input_names_field_value_and_fix(images, folder, tmp_path):
    for name, place, command, said in (
        ("Hello", folder, COMMAND, 'name: "Hello" is no image name'),
        ("hello", tmp_path / "none", COMMAND, "folder: "),
        ("hello", folder, [], "command: it is empty"),
    ):
        with pytest.raises(ImageError, match=said):
            images.put(name, place, command)
