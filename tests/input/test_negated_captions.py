"""What the objectives of published methods take from a set: negated captions beside plain ones, groups of options."""

import numpy as np
import pytest

from negjax.config import Source
from negjax.datasets.stored.store import open_set
from negjax.errors import NegjaxError
from negjax.input.checks import check_trainable
from negjax.input.pipeline import batches
from negjax.media.images import Preprocess
from negjax.tokenizers.clip import END, Tokenizer

ABSENCE = Source("scenes_negcap", 8, absence=1.0)


def read(data, source: Source, rows=range(8), count: int = 3) -> list[dict]:
    stream = batches(
        data,
        source,
        preprocess=Preprocess(size=16),
        tokenizer=Tokenizer(77),
        context_length=77,
        with_lengths=True,
        seed=1,
        first_step=0,
        rows=rows,
    )
    return [next(stream) for _ in range(count)]


def test_each_row_has_a_plain_and_a_negated_caption_of_its_own(scenes):
    data, tokenizer = open_set(scenes, "scenes_negcap"), Tokenizer(77)
    pairs = set()
    for record in data.rows():
        plain, negated = (tokenizer(record[name], 77) for name in ("captions", "negated_captions"))
        pairs |= {(a.tobytes(), b.tobytes()) for a in plain for b in negated}
    for batch in read(data, ABSENCE):
        assert batch["negated_text"].shape == batch["text"].shape == (8, 77)
        for plain, negated in zip(batch["text"], batch["negated_text"]):
            assert (plain.tobytes(), negated.tobytes()) in pairs
        for name in ("text", "negated_text"):
            np.testing.assert_array_equal(batch[f"{name}_lengths"], (batch[name] == END).argmax(-1) + 1)


def test_they_change_no_other_draw_and_shards_make_up_the_whole(scenes):
    data = open_set(scenes, "scenes_negcap")
    whole = read(data, ABSENCE)
    for plain, both in zip(read(data, Source("scenes_negcap", 8, contrastive=1.0)), whole):
        np.testing.assert_array_equal(plain["text"], both["text"])
        np.testing.assert_array_equal(plain["image"], both["image"])
    halves = [read(data, ABSENCE, rows) for rows in (range(4), range(4, 8))]
    for step, batch in enumerate(whole):
        joined = np.concatenate([half[step]["negated_text"] for half in halves])
        np.testing.assert_array_equal(joined, batch["negated_text"])


@pytest.mark.parametrize(
    ("name", "weights", "message"),
    [
        ("scenes_captions", {"absence": 1.0}, "set scenes_captions has no negated_captions: this source's objectives"),
        ("scenes_negcap", {"focal": 1.0}, "set scenes_negcap has no question: this source's objectives need them"),
        ("scenes_negcap", {"text_contrast": 1.0}, "set scenes_negcap has no question"),
        ("scenes_negmcq", {"conclip": 1.0}, "scenes_negmcq has questions of one image each: conclip needs images that"),
    ],
)
def test_a_set_without_what_a_method_needs(scenes, name, weights, message):
    with pytest.raises(NegjaxError, match=message):
        check_trainable(open_set(scenes, name), Source(name, 8, **weights))
