"""The tokenizer against ids that open_clip's made (tools/golden_tokens.py), and what it promises about rows."""

import json
import random
import time
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest

from negjax.tokenizers.clip import END, START, VOCAB_SIZE, Tokenizer, _read_vocabulary, _word_ids, vocabulary

GOLDEN = [tuple(pair) for pair in json.loads((Path(__file__).parents[1] / "golden" / "tokens.json").read_text())]


def test_golden_file_covers_what_tokenizers_get_wrong():
    text = "".join(text for text, _ in GOLDEN)
    assert len(GOLDEN) >= 200
    for sign in ("\u200d", "\u0301", "&amp;", "&lt;", "\x00", "\x1b", "İ", "ﬁ", "😀", "一", "ا", "’", "7", "\u3000"):
        assert sign in text
    assert sum(len(ids) == 77 for _, ids in GOLDEN) >= 5  # as long as the context, or cut


@pytest.mark.parametrize("number", range(len(GOLDEN)))
def test_ids_are_open_clips(number):
    text, ids = GOLDEN[number]
    assert Tokenizer().encode(text) == ids


def test_rows_are_padded_with_zeros():
    rows = Tokenizer()([text for text, _ in GOLDEN])
    assert rows.shape == (len(GOLDEN), 77)
    assert rows.dtype == np.int32
    for row, (_, ids) in zip(rows.tolist(), GOLDEN):
        assert row == ids + [0] * (77 - len(ids))
    assert Tokenizer()([]).shape == (0, 77)


@pytest.mark.parametrize("context", [2, 8, 32])
def test_a_long_text_is_cut_and_keeps_its_end_token(context):
    whole = {text: ids for text, ids in GOLDEN if len(ids) < 77}
    expected = [ids if len(ids) <= context else [*ids[: context - 1], END] for ids in whole.values()]
    assert sum(len(ids) > context for ids in whole.values()) > 20
    rows = Tokenizer()(list(whole), context)
    assert rows.shape == (len(whole), context)
    for row, ids in zip(rows.tolist(), expected):
        assert row == ids + [0] * (context - len(ids))
        assert row.index(max(row)) == len(ids) - 1  # where the text tower pools
    assert [Tokenizer(context).encode(text) for text in whole] == expected
    assert Tokenizer(context).lengths(list(whole)) == [len(ids) for ids in expected]


@pytest.mark.parametrize("special", ["<|startoftext|>", "<|endoftext|>", "<start_of_text>", "<end_of_text>"])
def test_special_tokens_in_a_text_are_ordinary_characters(special):
    ids = Tokenizer().encode(f"a {special} b")
    assert ids[0] == START
    assert ids[-1] == END
    assert not {START, END} & set(ids[1:-1])


def test_merging_is_that_of_the_definition():
    """Every word of up to five of these letters, against byte-pair encoding spelled out over plain lists."""
    ids, ranks, letters = _read_vocabulary()
    assert len(ids) == VOCAB_SIZE - 2

    def encode(word: str) -> list[int]:
        parts = [letters[byte] for byte in word.encode()]
        parts[-1] += "</w>"
        while True:
            best = min((ranks[pair] for pair in pairwise(parts) if pair in ranks), default=None)
            if best is None:
                return [ids[part] for part in parts]
            i = 0
            while i < len(parts) - 1:
                if ranks.get((parts[i], parts[i + 1])) == best:
                    parts[i : i + 2] = [parts[i] + parts[i + 1]]
                i += 1

    for length in range(1, 6):
        for word in map("".join, product("aehé", repeat=length)):
            assert list(_word_ids(word)) == encode(word), word


def test_speed():
    """Above 50,000 short captions a second on an idle core; the bound leaves room for a busy one."""
    words = [text for text, _ in GOLDEN if text.isascii() and text.isalpha()] + [
        "dog",
        "cat",
        "boat",
        "kite",
        "umbrella",
    ]
    rng = np.random.default_rng(0)
    captions = [
        f"a photo of {words[i]} and {words[j]}, but no {words[k]}"
        for i, j, k in rng.integers(len(words), size=(10_000, 3))
    ]
    tokenizer = Tokenizer()
    rates = []
    for _ in range(3):
        begin = time.thread_time()
        tokenizer(captions)
        rates.append(len(captions) / (time.thread_time() - begin))
    print(f"{max(rates):,.0f} captions a second")
    assert max(rates) > 20_000


def test_merges_are_those_of_the_definition():
    """Byte-pair encoding by its definition (Sennrich et al. 2016): all pairs of the lowest rank, again and again."""
    ids, merges = vocabulary()
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    _, _, characters = _read_vocabulary()

    def encode_word(word: str) -> list[int]:
        parts = [characters[byte] for byte in word.encode()]
        parts[-1] += "</w>"
        while known := [pair for pair in pairwise(parts) if pair in ranks]:
            pair, merged = min(known, key=ranks.__getitem__), []
            while parts:
                both = tuple(parts[:2]) == pair
                merged.append("".join(parts[: 1 + both]))
                parts = parts[1 + both :]
            parts = merged
        return [ids[part] for part in parts]

    rng = random.Random(0)
    for alphabet in ("ab", "aeiou", "aaaab", "abcdefghijklmnopqrstuvwxyz", "éüß日本語", "!?.-="):
        for length in (1, 2, 3, 5, 9, 20, 60):
            for _ in range(10):
                word = "".join(rng.choice(alphabet) for _ in range(length))
                assert Tokenizer(200).encode(word)[1:-1] == encode_word(word), word


def test_a_long_word_takes_time_in_proportion_to_its_length():
    start = time.process_time()
    row = Tokenizer().encode("x" * 60_000)
    assert len(row) == 77
    assert time.process_time() - start < 5
