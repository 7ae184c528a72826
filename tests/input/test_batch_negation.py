"""Captions that are made in the batch: what they deny, by loops over lists; on any hosts; with broken pictures too."""

import numpy as np
import pytest
from support.images import png

from negjax.config import Source
from negjax.datasets.stored.store import open_set, write_set
from negjax.errors import NegjaxError
from negjax.input.batch_negation import DENIALS, Negation, SetObjects
from negjax.input.draws import NEGATION
from negjax.input.pipeline import batches
from negjax.media.images import Preprocess
from negjax.synthesis.captions import fill_pattern
from negjax.synthesis.patterns import INSERTED_NEGATION
from negjax.tokenizers.clip import END, Tokenizer

SOURCE = Source("scenes_balanced", 16, tng=1.0)
MADE = ("hybrid_text", "denial_text")


def read(data, source: Source = SOURCE, rows=range(16), count: int = 2, context: int = 77) -> list[dict]:
    stream = batches(
        data,
        source,
        preprocess=Preprocess(size=16),
        tokenizer=Tokenizer(context),
        context_length=context,
        with_lengths=True,
        seed=1,
        first_step=0,
        rows=rows,
    )
    return [next(stream) for _ in range(count)]


def expected(lists: list[list[str]], rows: list[int], draw_BD: np.ndarray) -> list[Negation]:
    """By loops: the most similar rows with something that may be denied, one of them, and one of its objects."""
    together = {(a, b) for names in lists for a in names for b in names}
    found = []
    for row, draws in zip(rows, draw_BD):
        own = set(lists[row])

        def may_be_denied(name: str, own=own) -> bool:
            return name not in own and all((name, other) in together for other in own)

        scores = {}
        for number, other in enumerate(rows):
            theirs = set(lists[other])
            if any(may_be_denied(name) for name in theirs):
                scores[number] = len(own & theirs) / np.sqrt(max(1, len(own)) * max(1, len(theirs)))
        if not scores:
            found.append(Negation())
            continue
        nearest = [number for number, score in scores.items() if score > max(scores.values()) - 1e-6]
        partner = rows[nearest[int(draws[0] * len(nearest))]]
        named = sorted(name for name in set(lists[partner]) if may_be_denied(name))
        anywhere = sorted(name for name in {name for other in rows for name in lists[other]} if may_be_denied(name))
        found.append(
            Negation(
                named[int(draws[1] * len(named))],
                INSERTED_NEGATION[int(draws[2] * len(INSERTED_NEGATION))],
                anywhere[int(draws[3] * len(anywhere))],
                DENIALS[int(draws[4] * len(DENIALS))],
            )
        )
    return found


def test_what_is_denied_is_what_loops_find():
    rng = np.random.default_rng(0)
    names = [f"thing{number}" for number in range(9)]
    lists = [rng.permutation(names)[: rng.integers(0, 5)].tolist() for _ in range(40)] + [names[:1]] * 3
    objects = SetObjects("lists", lists)
    for _ in range(20):
        rows, draws = rng.permutation(len(lists))[:8], rng.random((8, NEGATION))
        assert objects.negations(rows, draws) == expected(lists, rows.tolist(), draws)


def test_where_the_batch_shows_nothing_else_the_caption_stays():
    objects = SetObjects("lists", [["cat"], ["cat"], ["dog"], ["cat", "dog"]])
    (first, _) = objects.negations(np.array([0, 1]), np.zeros((2, NEGATION)))
    assert (first.hybrid("A cat."), first.alone("A cat.")) == ("A cat.", "A cat.")
    (first, _) = objects.negations(np.array([0, 2]), np.zeros((2, NEGATION)))
    assert first.hybrid("A cat.") == "A cat, but there is no dog"
    # Cats and owls are never seen together: where a cat is, nobody expects an owl.
    apart = SetObjects("lists", [["cat"], ["owl"]])
    assert apart.negations(np.array([0, 1]), np.zeros((2, NEGATION))) == [Negation(), Negation()]


def test_texts_are_true_and_made_of_the_plain_caption(scenes):
    data, tokenizer = open_set(scenes, SOURCE.dataset), Tokenizer()
    records = list(data.rows())
    names = sorted({name for record in records for name in record["positive_objects"]})
    (batch,) = read(data, rows=range(6), count=1)
    for text, hybrid, denial in zip(batch["text"], *(batch[name] for name in MADE)):
        true, alone = set(), set()
        for record in records:
            for caption in record["captions"]:
                if tokenizer([caption])[0].tobytes() == text.tobytes():
                    absent = [name for name in names if name not in record["positive_objects"]]
                    filled = {"caption": caption, "continued": caption}
                    true |= {fill_pattern(p, absent=[name], **filled) for p in INSERTED_NEGATION for name in absent}
                    alone |= {fill_pattern(p, absent=[name]) for p in DENIALS for name in absent}
        assert hybrid.tobytes() in {row.tobytes() for row in tokenizer(sorted(true))}
        assert denial.tobytes() in {row.tobytes() for row in tokenizer(sorted(alone))}
    assert len({row.tobytes() for row in batch["denial_text"]}) > 2


def test_hosts_make_the_same_texts_and_know_all_lengths(scenes):
    data = open_set(scenes, SOURCE.dataset)
    whole, halves = read(data), [read(data, rows=rows) for rows in (range(8), range(8, 16))]
    plain = read(data, Source("scenes_balanced", 16, contrastive=1.0))
    for step, batch in enumerate(whole):
        for name in MADE:
            np.testing.assert_array_equal(np.concatenate([half[step][name] for half in halves]), batch[name])
            for other in (half[step] for half in halves):
                np.testing.assert_array_equal(other[f"{name}_lengths"], batch[f"{name}_lengths"])
            np.testing.assert_array_equal(batch[f"{name}_lengths"], (batch[name] == END).argmax(-1) + 1)
        for name in ("text", "image"):
            np.testing.assert_array_equal(plain[step][name], batch[name])
    short = read(data, count=1, context=10)[0]
    assert short["hybrid_text_lengths"].max() == 10 == short["hybrid_text"].shape[1]


def test_a_picture_that_replaces_a_broken_one_is_not_denied_what_it_shows(tmp_path):
    """Every picture but the last is broken: it shows all that the others could deny."""
    lists = [["cat"], ["dog"], ["owl"], ["cat", "dog", "owl"]]
    rows = [
        {"media": png(16) if number == 3 else b"no picture", "captions": [f"{number}."], "positive_objects": names}
        for number, names in enumerate(lists)
    ]
    metadata = {"task_kind": "train", "negated": True}
    write_set(tmp_path, "broken", lambda: iter(rows), ["captions"], metadata)
    (batch,) = read(open_set(tmp_path, "broken"), Source("broken", 4, tng=1.0), range(4), 1)
    for name in ("text", *MADE):
        np.testing.assert_array_equal(batch[name], Tokenizer()(["3."] * 4))


def test_a_set_without_objects(scenes):
    with pytest.raises(
        NegjaxError, match=r"set lists names 1 objects \(positive_objects\), and tng makes its captions"
    ):
        SetObjects("lists", [["cat"], ["cat"], []])
    from negjax.input.checks import check_trainable

    with pytest.raises(NegjaxError, match="set scenes_negmcq has no captions: this source's objectives need them"):
        check_trainable(open_set(scenes, "scenes_negmcq"), Source("scenes_negmcq", 8, tng=1.0))
