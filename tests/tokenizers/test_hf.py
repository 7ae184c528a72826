"""Tokenizers of Hugging Face folders: ids worked out by hand on small vocabularies, and what is promised about rows.

The real tokenizers' own code is compared with in tests/parity.
"""

import base64
import json
import pickle
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from negjax.errors import NegjaxError
from negjax.tokenizers import tokenizer_from_dict
from negjax.tokenizers.clip import Tokenizer
from negjax.tokenizers.hf import HFTokenizer
from negjax.tokenizers.hf_folder import read_tokenizer
from negjax.tokenizers.normalizers import with_cleaning

pytest.importorskip("tokenizers", reason="needs the tokenizers library: pip install tokenizers")

# Made by sentencepiece from the rules ﬁ -> fi, e + U+301 -> é, ℳ -> M, U+200B -> space, a + U+301 -> á,
# a + U+301 + U+302 -> â.
TABLE = zlib.decompress(
    base64.b64decode(
        "eNod03mwDlQUAPDjYSoz/pNkVynK8uxrSCoS2SP7nl2ELNX3jKJoCi3KvidUtrJvzzbIvi9ZQ6nsiUK/z8z9zblz7tx7554zNzJFRCJDtK2cMbZHSqTliXhA"
        "pmOmjDE0c0QW8/v5rBFGIpGaEiPlk7sWDYwYtiXFaiTSHoqY92BKOC7xsMVsPEJ2HiUHuciJKyI3+chLAfLzOI9RkCd4iicpTCGe4WmKUoTiFKMEqZSiJGUo"
        "TTnKUoHyVKIiz1KZqlThOarxPNV5gRq8xIvUoia1eZk6vMKr1KU+9WhIAxrTiNdoQjOa0pzXaUkLWtOKtrShPe3oSAc604kuvEE3utKD7vSiJ2/Sm770oR9v"
        "MYD+aFO8zWAG8Q5DeI93SUs2k9OKPlR8n2EM5wM+ZAQj+YiPGcUnXNoQMVr8lLGM4XM+40u+4CvGMZ6vmcgEJjOJqUxhOtOYyQxmM4s5fMNcvmU+8/ie71jA"
        "DyxiIUtYzE/8yDKWsoLlrGIla1jNOtaSzno24lmxmU1sT80QW8RtbOXnZI6d7GA3u9jLHvazj4Mc4DCHOMoRjnOME/zCKU5yJtkDfuUs5znHb1zgIr/zJ38k"
        "a89fXOEy17jKDa5zk7+5xT/8y23u8B/3uHv/79WJTl0ifWqkT4v0OfE/EO+TEA=="
    )
)


def special(*tokens: tuple[int, str]) -> list[dict]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return [{"id": i, "content": token, **flags} for i, token in tokens]


def template(*parts: tuple[int, str] | None) -> dict:
    """A text's tokens (None) between special tokens."""
    single = [
        {"SpecialToken": {"id": part[1], "type_id": 0}} if part else {"Sequence": {"id": "A", "type_id": 0}}
        for part in parts
    ]
    tokens = {part[1]: {"id": part[1], "ids": [part[0]], "tokens": [part[1]]} for part in parts if part}
    return {"type": "TemplateProcessing", "single": single, "pair": single, "special_tokens": tokens}


PIECES = ["<pad>", "</s>", "<unk>", "▁", "▁a", "▁no", "▁dog", "s", "▁fi", "sh", "▁M", "é", "â", "▁cat", "t", "f"]
UNIGRAM = {
    "added_tokens": special((1, "</s>"), (2, "<unk>")),
    "normalizer": {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(TABLE).decode()},
    "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
    "post_processor": template(None, (1, "</s>")),
    "model": {"type": "Unigram", "unk_id": 2, "vocab": [[piece, -float(len(piece) < 3)] for piece in PIECES]},
}
BERT = {
    "added_tokens": special((0, "[PAD]"), (1, "[UNK]"), (2, "[CLS]"), (3, "[SEP]")),
    "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "lowercase": True},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": template((2, "[CLS]"), None, (3, "[SEP]")),
    "model": {
        "type": "WordPiece",
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
        "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "no": 4, "dog": 5, "##s": 6, "a": 7, "No": 8},
    },
}
GEMMA = {
    "added_tokens": special((0, "<pad>"), (1, "<eos>")),
    "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    "pre_tokenizer": None,
    "post_processor": template(None, (1, "<eos>")),
    "model": {
        "type": "BPE",
        "byte_fallback": True,
        "vocab": {
            **{token: i for i, token in enumerate(["<pad>", "<eos>", "▁", "d", "o", "g", "do", "dog", "▁dog", "n"])},
            **{f"<0x{byte:02X}>": 10 + byte for byte in range(256)},
        },
        "merges": [["d", "o"], ["do", "g"], ["▁", "dog"]],
    },
}
# The ids of a text are its bytes.
BYTES = json.dumps(
    {"model": {"type": "BPE", "byte_fallback": True, "vocab": {f"<0x{i:02X}>": i for i in range(256)}, "merges": []}}
)


def write(folder, tokenizer, name=None, **config):
    """A Hugging Face folder; `config_json` makes a config.json."""
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "config.json").write_text(json.dumps(config.pop("config_json", {})))
    (folder / "tokenizer_config.json").write_text(json.dumps(config | ({"tokenizer_class": name} if name else {})))
    return folder


def cleaned(clean: str, text: str) -> str:
    row = HFTokenizer(BYTES, 200, clean=clean)([text])[0]
    return bytes(row[: np.flatnonzero(row)[-1] + 1].tolist()).decode()


@pytest.mark.parametrize(
    ("tokenizer", "name", "text", "ids"),
    [
        (UNIGRAM, "T5Tokenizer", "a dogs", [4, 6, 7, 1, 0, 0, 0]),
        (UNIGRAM, "T5Tokenizer", "A dog x!", [3, 2, 6, 3, 2, 1, 0]),
        (UNIGRAM, "T5Tokenizer", "", [1, 0, 0, 0, 0, 0, 0]),
        (BERT, "BertTokenizerFast", "No dogs", [2, 4, 5, 6, 3, 0, 0]),
        (BERT, "BertTokenizerFast", "a cat", [2, 7, 1, 3, 0, 0, 0]),
        (GEMMA, "PreTrainedTokenizerFast", "no dog", [9, 4, 8, 1, 0, 0, 0]),
        (GEMMA, "PreTrainedTokenizerFast", "dogÉ", [7, 10 + 0xC3, 10 + 0x89, 1, 0, 0, 0]),
    ],
)
def test_ids(tmp_path, tokenizer, name, text, ids):
    rows = read_tokenizer(write(tmp_path, tokenizer, name), 7)([text, text])
    assert rows.dtype == np.int32
    assert rows.tolist() == [ids, ids]


def test_no_texts():
    assert HFTokenizer(json.dumps(UNIGRAM), 7)([]).shape == (0, 7)


@pytest.mark.parametrize(
    ("clean", "text", "expected"),
    [
        ("", "  A\t<b> ", "  A\t<b> "),
        ("whitespace", "  A\t&amp;lt;b>  donâ€™t ", "A <b> don't"),
        ("lower", "  A\t&amp;lt;b>  ΣΑΣ ", "a <b> σας"),
        ("canonicalize", " No_dog, &amp; (a) 'Cat'.\n", "no dog a cat"),
        ("siglip", "No_dog, &amp; (a) 'Cat'.\n", "▁nodog amp a cat"),
        ("siglip", " ... No", "▁ no"),
        ("siglip", "- dog", "▁ dog"),
        ("siglip-cased", "No-Dog", "▁NoDog"),
        ("canonicalize+siglip", " &lt;No&gt;_dog", "▁no dog"),
    ],
)
def test_cleaning(clean, text, expected):
    assert cleaned(clean, text) == expected


@pytest.mark.parametrize("text", ["", " ", ".", "?! ", "▁"])
def test_siglip_has_nothing_for_a_text_without_words(tmp_path, text):
    tokenizer = read_tokenizer(write(tmp_path, UNIGRAM, "SiglipTokenizer"), 4)
    assert tokenizer([text]).tolist() == [[1, 1, 1, 1]]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("No dogs!", [5, 6, 7]),
        ("ﬁsh", [8, 9]),
        ("ℳ\u0301", [10, 2]),  # which tokenizers by itself reads as M alone
        ("e\u0301", [3, 11]),
        ("a\u0301\u0302", [3, 12]),  # of two that match, the longer
        ("a\u200b\u200bdog", [4, 6]),
        (". dog", [3, 6]),
    ],
)
def test_siglip_replaces_as_sentencepiece_does(tmp_path, text, ids):
    tokenizer = read_tokenizer(write(tmp_path, UNIGRAM, "SiglipTokenizer"), 6)
    assert tokenizer([text]).tolist() == [ids + [1] * (6 - len(ids))]  # its end token is what it pads with


def test_siglip_2_is_lower_case_whatever_its_folder_calls_it(tmp_path):
    lower, cased = [9, 4, 8, 1], [10 + ord("N"), 4, 8, 1]
    for name, config, ids in [
        ("Siglip2Tokenizer", {}, lower),
        ("GemmaTokenizer", {"model_type": "siglip2"}, lower),
        ("GemmaTokenizer", {"model_type": "siglip"}, lower),
        ("GemmaTokenizer", {}, cased),
        (None, {"model_type": "siglip2"}, lower),
    ]:
        assert read_tokenizer(write(tmp_path, GEMMA, name, config_json=config), 4)(["No dog"]).tolist() == [ids]


def test_that_siglip_2_is_lower_cased_against_its_folder_is_told(tmp_path, caplog):
    folder = write(tmp_path, GEMMA, "GemmaTokenizer", config_json={"model_type": "siglip"})
    read_tokenizer(folder, 4, clean="canonicalize")  # which lower-cases anyway
    assert not caplog.records
    read_tokenizer(folder, 4)
    assert "texts are lower-cased, as SigLIP 2 was trained" in caplog.text


# Worked out by hand from what open_clip's clean functions and SiglipTokenizer do.
@pytest.mark.parametrize(
    ("clean", "text", "want"),
    [
        ("whitespace", " A  Dog,\ttwo! ", "A Dog, two!"),
        ("whitespace", "“A” dog’s &amp; &quot;no&quot;", '"A" dog\'s & "no"'),
        ("lower", " A  Dog,\n two! ", "a dog, two!"),
        ("lower", "ΟΔΟΣ ΣΟΦΟΣ", "οδος σοφος"),
        ("canonicalize", "A_Dog,  two! [\\]^`{|}~", "a dog two"),
        ("canonicalize", "no dog's cafe\u0301", "no dogs café"),
        ("siglip", "A Dog,  two!", "▁a dog two"),
        ("siglip", "... ▁a", "▁ a"),
        ("siglip-cased", "A Dog, two!", "▁A Dog two"),
        ("canonicalize+siglip", "... A Dog", "▁a dog"),
        ("siglip", "", ""),
    ],
)
def test_a_cleaning_can_be_put_into_the_file(clean, text, want):
    exported = with_cleaning(BYTES, HFTokenizer(BYTES, 200, clean=clean).cleanings)
    row = HFTokenizer(exported, 200, clean="")([text])[0]
    assert bytes(row[row > 0].tolist()).decode() == want
    np.testing.assert_array_equal(HFTokenizer(BYTES, 200, clean=clean)([text])[0], row)


def test_the_vocabulary_ends_after_the_largest_id_of_a_caption():
    assert HFTokenizer(json.dumps(UNIGRAM), 4).vocab_size == 16
    added = UNIGRAM | {"added_tokens": [*UNIGRAM["added_tokens"], *special((16, "<x>"))]}
    assert HFTokenizer(json.dumps(added), 4).vocab_size == 17
    sentinels = UNIGRAM | {"added_tokens": [*UNIGRAM["added_tokens"], *special((16, "<extra_id_0>"))]}
    assert HFTokenizer(json.dumps(sentinels), 4).vocab_size == 16


def test_bert_is_as_its_config_says(tmp_path):
    folder = write(tmp_path, BERT, "BertTokenizer", do_lower_case=False)
    assert read_tokenizer(folder, 4)(["No dog"]).tolist() == [[2, 8, 5, 3]]


def test_the_separator_becomes_zero(tmp_path):
    folder = write(tmp_path, BERT, "BertTokenizer")
    assert read_tokenizer(folder, 5, clean="whitespace", strip_sep=True)(["no dog"]).tolist() == [[2, 4, 5, 0, 0]]
    with pytest.raises(NegjaxError, match="has no sep_token None"):
        read_tokenizer(write(tmp_path, UNIGRAM, "T5Tokenizer"), 5, strip_sep=True)


def test_the_padding_is_as_the_folder_says(tmp_path):
    def row(tokenizer, name, **config):
        return read_tokenizer(write(tmp_path, tokenizer, name, **config), 5)(["dog"])[0].tolist()

    padding = {"strategy": {"Fixed": 9}, "direction": "Left", "pad_id": 0, "pad_type_id": 0, "pad_token": "</s>"}
    assert row(GEMMA, "GemmaTokenizer") == [0, 0, 0, 7, 1]
    assert row(GEMMA, "GemmaTokenizer", padding_side="right") == [7, 1, 0, 0, 0]
    assert row(UNIGRAM, "T5Tokenizer", pad_token="</s>") == [6, 1, 1, 1, 1]
    assert row(UNIGRAM, "T5Tokenizer", pad_token={"content": "<unk>", "lstrip": False}) == [6, 1, 2, 2, 2]
    assert row(UNIGRAM | {"padding": padding}, "T5Tokenizer") == [1, 1, 1, 6, 1]
    (tmp_path / "special_tokens_map.json").write_text('{"pad_token": "<unk>"}')
    assert row(UNIGRAM, "T5Tokenizer") == [6, 1, 2, 2, 2]
    assert row(UNIGRAM, "T5Tokenizer", pad_token="<pad>", added_tokens_decoder={}) == [6, 1, 0, 0, 0]


@pytest.mark.parametrize("length", [2, 3, 5, 8])
def test_a_long_text_is_cut_and_keeps_its_special_tokens(length):
    text, ids = "a no a no dog", [7, 4, 7, 4, 5]
    tokenizer = HFTokenizer(json.dumps(BERT), 77)
    kept = ids[: length - 2]
    assert tokenizer([text], length).tolist() == [[2, *kept, 3] + [0] * (length - 2 - len(kept))]
    left = HFTokenizer(json.dumps(BERT), length, truncation_side="left")
    kept = ids[max(0, len(ids) - (length - 2)) :]
    assert left([text]).tolist() == [[2, *kept, 3] + [0] * (length - 2 - len(kept))]


def test_special_tokens_need_room():
    with pytest.raises(NegjaxError, match="a context length of 1 has no room"):
        HFTokenizer(json.dumps(BERT), 1)(["no"])


def test_a_file_that_pads_and_cuts_by_itself_is_not_believed():
    padding = {"strategy": {"Fixed": 9}, "direction": "Left", "pad_id": 2, "pad_type_id": 0, "pad_token": "[CLS]"}
    truncation = {"max_length": 3, "direction": "Left", "strategy": "LongestFirst", "stride": 0}
    tokenizer = HFTokenizer(json.dumps(BERT | {"padding": padding, "truncation": truncation}), 7)
    assert tokenizer(["no dogs a"]).tolist() == [[2, 4, 5, 6, 7, 3, 0]]


def test_threads_may_ask_for_different_lengths():
    tokenizer = HFTokenizer(json.dumps(BERT), 77)
    texts = ["no dogs a dog " * n for n in range(20)]
    lengths = list(range(2, 60)) * 2
    alone = {length: tokenizer(texts, length) for length in set(lengths)}
    with ThreadPoolExecutor(8) as threads:
        for length, rows in zip(lengths, threads.map(lambda length: tokenizer(texts, length), lengths)):
            np.testing.assert_array_equal(rows, alone[length])


@pytest.mark.parametrize(("tokenizer", "name"), [(UNIGRAM, "SiglipTokenizer"), (BERT, "BertTokenizer"), (GEMMA, None)])
def test_it_is_the_same_after_a_dict_and_a_pickle(tmp_path, tokenizer, name):
    first = read_tokenizer(write(tmp_path, tokenizer, name), 6, clean="lower", strip_sep=name == "BertTokenizer")
    texts = ["No dogs", "a " * 9, "ℳ\u0301", ""]
    stored = json.loads(json.dumps(first.to_dict()))
    for other in (HFTokenizer.from_dict(stored), tokenizer_from_dict(stored, 6), pickle.loads(pickle.dumps(first))):
        assert other == first
        np.testing.assert_array_equal(other(texts), first(texts))
    assert tokenizer_from_dict(stored, 3)(texts).shape == (4, 3)


def test_clips_tokenizer_is_of_a_kind_too():
    assert Tokenizer().to_dict() == {"kind": "clip"}
    tokenizer = tokenizer_from_dict({"kind": "clip"}, 9)
    assert isinstance(tokenizer, Tokenizer)
    assert tokenizer(["no dog"]).shape == (1, 9)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"kind": "word2vec"}, "unknown kind of tokenizer 'word2vec'"),
        ({}, "unknown kind of tokenizer None"),
        (None, "unknown kind of tokenizer None"),
        ({"kind": "hf"}, "is malformed: .*tokenizer_json"),
        ({"kind": "hf", "tokenizer_json": 5}, "is malformed"),
        ({"kind": "hf", "tokenizer_json": "{}"}, "the tokenizers library cannot read"),
        ({"kind": "hf", "tokenizer_json": BYTES, "clean": "wash"}, "unknown cleaning of texts 'wash'"),
        ({"kind": "hf", "tokenizer_json": BYTES, "pad_side": "top"}, "unknown side 'top' to pad or truncate on"),
        ({"kind": "hf", "tokenizer_json": BYTES, "padding": 1}, "is malformed: .*padding"),
    ],
)
def test_what_a_checkpoint_names_is_checked(data, message):
    with pytest.raises(NegjaxError, match=message):
        tokenizer_from_dict(data, 8)


def test_only_its_own_kind_is_taken():
    with pytest.raises(NegjaxError, match='the tokenizer is not of the kind "hf"'):
        HFTokenizer.from_dict({"kind": "clip"})


def test_what_is_wrong_with_a_folder_is_told(tmp_path):
    with pytest.raises(NegjaxError, match=r"has no tokenizer.json: .* AutoTokenizer.from_pretrained\(NAME\)"):
        read_tokenizer(tmp_path, 8)
    (tmp_path / "config.json").write_text('{"model_type": "siglip"}')
    with pytest.raises(NegjaxError, match=r"has no tokenizer.json: .* T5Tokenizer.from_pretrained\("):
        read_tokenizer(tmp_path, 8)
    with pytest.raises(NegjaxError, match=r"tokenizer.json has no pad_token '\[PAD\]': set pad_token in"):
        read_tokenizer(write(tmp_path, UNIGRAM, "BertTokenizer"), 8)
    for text, message in [
        ("{", "is not valid JSON"),
        ("[]", "has no JSON object"),
        ("{}", ".*cannot read the model of"),
    ]:
        (tmp_path / "tokenizer.json").write_text(text)
        with pytest.raises(NegjaxError, match=f"tokenizer.json:? ?{message}"):
            read_tokenizer(tmp_path, 8)
    (tmp_path / "tokenizer_config.json").write_text("{")
    with pytest.raises(NegjaxError, match=r"tokenizer_config\.json is not valid JSON"):
        read_tokenizer(tmp_path, 8)


def test_a_missing_library_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(NegjaxError, match="pip install tokenizers"):
        HFTokenizer(BYTES, 8)
