"""Small tokenizers in the constructions of BERT, RoBERTa, XLM-R and NLLB, saved by transformers' own classes."""

import io
import json
from pathlib import Path

import sentencepiece
import tokenizers
import transformers

TEXTS = [
    "a kitchen with no people",
    "there is no dog but a cat and two umbrellas",
    "the crème brûlée isn't in the picture",
    "寿司 пельмени قطة",
    "a photo of a fire hydrant without a Man",
] * 40


def bert(folder: Path) -> Path:
    backend = tokenizers.BertWordPieceTokenizer(lowercase=True)
    backend.train_from_iterator(TEXTS, vocab_size=300, show_progress=False)
    transformers.BertTokenizer(vocab=backend.get_vocab()).save_pretrained(folder)
    return folder


def roberta(folder: Path) -> Path:
    backend = tokenizers.ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    backend.train_from_iterator(TEXTS, vocab_size=400, special_tokens=special, show_progress=False)
    folder.mkdir(exist_ok=True)
    backend.save_model(str(folder))
    transformers.RobertaTokenizer.from_pretrained(folder).save_pretrained(folder)
    return folder


def xlm_roberta(folder: Path) -> Path:
    model = io.BytesIO()
    special = {"bos_id": 0, "pad_id": 1, "eos_id": 2, "unk_id": 3}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS),
        model_writer=model,
        vocab_size=55,
        model_type="unigram",
        minloglevel=2,
        **special,
    )
    folder.mkdir(exist_ok=True)
    (folder / "sentencepiece.bpe.model").write_bytes(model.getvalue())
    transformers.XLMRobertaTokenizer.from_pretrained(folder).save_pretrained(folder)
    return folder


def nllb(folder: Path) -> Path:
    """Its tokenizer.json is changed as those on the hub are: the class overrides the post-processor and the splits."""
    model = io.BytesIO()
    special = {"bos_id": 0, "pad_id": 1, "eos_id": 2, "unk_id": 3}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS), model_writer=model, vocab_size=90, model_type="bpe", minloglevel=2, **special
    )
    folder.mkdir(exist_ok=True)
    (folder / "sentencepiece.bpe.model").write_bytes(model.getvalue())
    languages = ["eng_Latn", "fra_Latn", "jpn_Jpan"]
    tokenizer = transformers.NllbTokenizer.from_pretrained(folder, additional_special_tokens=languages)
    tokenizer.save_pretrained(folder)
    data = json.loads((folder / "tokenizer.json").read_text())
    data["post_processor"]["single"].append(data["post_processor"]["single"].pop(0))
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    data["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]}
    (folder / "tokenizer.json").write_text(json.dumps(data))
    return folder
