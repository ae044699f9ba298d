"""Text from callers becomes a bounded number of labels (W28)."""

from ext.testing.stats import Labels


def test_a_text_keeps_its_slot():
    labels = Labels(10)
    assert [labels.find(text) for text in (b"a", b"b", b"a", b"", b"b", b"")] == [1, 2, 1, 3, 2, 3]
    assert [labels.text(slot) for slot in range(5)] == [None, b"a", b"b", b"", None]


def test_the_texts_past_the_bound_are_the_others():
    labels = Labels(100)
    slots = [labels.find(b"host-%d.example" % number) for number in range(1000)]
    assert slots == [*range(1, 101), *[0] * 900]
    assert labels.find(b"host-42.example") == 43


def test_a_text_that_is_too_long_is_one_of_the_others():
    labels = Labels(10)
    assert labels.find(b"x" * 254) == 0
    assert labels.find(b"x" * 253) == 1


def test_texts_that_differ_in_their_last_byte_differ():
    labels = Labels(200)
    texts = [b"y" * length + bytes([last]) for length in range(40) for last in (1, 2)]
    assert len({labels.find(text) for text in texts}) == len(texts)


def test_no_room_at_all_makes_everybody_one_of_the_others():
    assert Labels(0).find(b"a") == 0
