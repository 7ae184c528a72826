"""Writes tests/golden/tokens.json: 200 texts and their ids by open_clip's tokenizer, against which negjax's is tested.

    pip install open_clip_torch torch
    python tools/golden_tokens.py                    writes the file
    python tools/golden_tokens.py --compare 5000     compares both tokenizers on random texts, writes nothing

The texts are chosen for what tokenizers get wrong. The file only changes when they do.
"""

import argparse
import importlib.util
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

GOLDEN = Path(__file__).parent.parent / "tests" / "golden" / "tokens.json"
COUNT, CONTEXT = 200, 77

CHOSEN = [
    "",
    " ",
    "\t\n\r ",
    "a",
    "A",
    "a picture of a cat and a key, but no dog",
    "This image does not feature an umbrella.",
    "neither a boat nor a kite; nowhere to be seen!",
    "A man in a kitchen is making pizzas, but there is no chair in sight",
    "it's we're they've I'm you'll he'd don't can't o'clock rock'n'roll",
    "IT'S WE'RE THEY'VE I'M YOU'LL HE'D DON'T",
    "it’s ‘quoted’ and “quoted” – dash — em … dots",
    "'s 't 're 've 'm 'll 'd '",
    "''s it''s 'sun 'tis 'rest",
    "3.14159 1,000,000 2nd 007 10x10 ½ ² ①⑳ Ⅻ ٣٤٥ १२३",
    "x86_64 snake_case CamelCase kebab-case e-mail@example.com https://example.com/a?b=c&d=e#f",
    "C++ C# .NET $5.00 50% #hashtag @name ~/file `code` \\back\\slash | a^b",
    "!!! ??? ... ,,, ;;; --- === *** ((( ))) [[ ]] {{ }} <> <<>>",
    "<b>bold</b> <br/> <!-- comment -->",
    "&amp; &lt; &gt; &quot; &#39; &#x27; &nbsp; &eacute; &copy; &hearts;",
    "&amp;amp; &amp;lt;b&amp;gt; &amp;amp;amp; &amp &ampx; &notanentity; &#0; &#128512; &#xD800;",
    "<i>a &amp;lt; b &amp;amp; c</i>",  # which ftfy leaves as it is, for the "<"
    "AT&T Q&A rock&roll &",
    "café naïve résumé Ångström Øresund żółć Škoda ñandú çedille",
    "cafe\u0301 nai\u0308ve A\u030angstro\u0308m e\u0323\u0302 a\u0300\u0301\u0302\u0303\u0304\u0305",
    "İstanbul ISTANBUL ıstanbul Iı İi",
    "STRASSE straße Straẞe ẞß",
    "ΣΊΣΥΦΟΣ ὈΔΥΣΣΕΎΣ ςσΣ",
    "ﬁsh ﬂower oﬃce ﬀ ﬅ ĳ ǆ ﷺ",
    "Ｆｕｌｌ　ｗｉｄｔｈ １２３ ！？",
    "ſlow 'ſ Kelvin \u212a Ångström \u212b Ω \u2126",
    "一隻貓和一把鑰匙，但沒有狗",
    "猫と鍵、犬はいない。カタカナ ｶﾀｶﾅ ひらがな",
    "고양이와 열쇠, 개는 없음 \u1112\u1161\u11ab",
    "кошка и ключ, но нет собаки ЁЖИК",
    "قطة ومفتاح ولا كلب بِسْمِ",
    "חתול ומפתח ואין כלב שָׁלוֹם",
    "बिल्ली और चाबी, कुत्ता नहीं क्षत्रिय",
    "แมวและกุญแจ ไม่มีสุนัข",
    "கட்டளை တိရစ္ဆာန် ភាសាខ្មែរ ქართული Հայերեն አማርኛ",
    "😀 😃😄 👍🏽 ❤️ ❤ ☃ ★ ™ ® © ℃ №",
    "👨‍👩‍👧‍👦 🏳️‍🌈 👩🏽‍🚀 🇫🇷🇩🇪 1️⃣ #️⃣",
    "cat😀dog 😀cat dog😀 a😀b1😀2",
    "𝕳𝖊𝖑𝖑𝖔 𝒻𝒶𝓃𝒸𝓎 𝟘𝟙𝟚 𐍈 𒀀 𓀀",
    "zero\u200bwidth zero\u200cwidth zero\u200dwidth \ufeffbom soft\u00adhyphen word\u2060joiner",
    "non\u00a0breaking thin\u2009space em\u2003space ideographic\u3000space line\u2028sep para\u2029sep next\u0085line",
    "tab\there new\nline carriage\r\nreturn vertical\x0btab form\x0cfeed",
    "bell\x07 null\x00 escape\x1b[31mred\x1b[0m delete\x7f unit\x1fsep",
    "control\x80\x85\x91\x92\x9f chars",
    "rtl\u202eoverride\u202c lrm\u200e rlm\u200f",
    "private \ue000 \uf8ff \U000f0000 nonchar \ufffe \uffff replacement \ufffd",
    "mojibake: cafÃ© naÃ¯ve â€œquotesâ€\u009d âœ” donâ€™t Ã¼ber ðŸ˜€",
    "latin-1 as windows: \x93hello\x94 \x85",
    "combining enclosing a\u20dd keycap 5\u20e3 strike s\u0336t\u0336r\u0336",
    "z\u0351\u036b\u0343\u036a\u0302a\u0334\u0315l\u0328\u0354g\u0321o\u0358",
    "ª º ʰ ⁿ ₂ H₂O x² m³ ⅓ ㎏ ㈱ ½cup",
    "a" * 50,
    "abcdefghijklmnopqrstuvwxyz" * 3,
    "supercalifragilisticexpialidocious pneumonoultramicroscopicsilicovolcanoconiosis",
    "aaa aaaa aaaaa abab ababab banana bananana hahahahaha mississippi",
    "no " * 74,
    "no " * 75,
    "no " * 76,
    "no " * 200,
    "1" * 100,
    "😀" * 60,
    "word, " * 60,
    "a dog 's leash",
    "the dogs' bowls",
    "l'été d'après qu'il aujourd'hui",
    "O’Neil’s l’eau",
    "“It’s ‘fine’”",
    "10's 1990s '90s 5'10\" 6ft. 1st, 2nd; 3rd:",
    "a.b.c. U.S.A. Ph.D. e.g. i.e. etc.",
    "end of text",
    "endoftext startoftext <endoftext> |endoftext|",
]

WORDS = [
    *["a", "the", "no", "not", "without", "but", "and", "neither", "nor", "lacks", "absent", "there is", "isn't"],
    *["dog", "Cat", "UMBRELLA", "fire hydrant", "traffic-light", "zebra", "giraffe", "T-shirt", "skate board"],
    *["crème brûlée", "jalapeño", "smörgåsbord", "寿司", "пельмени", "☕", "🐶", "🧑‍🍳", "№ 5", "7", "42", "3.5"],
    *["in", "on top of", "next to", ",", ".", "!", "?", ";", "...", "--", "(", ")", '"', "'", "’s", "'s", "&amp;", "é"],
]

# Ranges of code points for random texts; ASCII and Latin weigh most, as they do in captions.
RANGES = [
    *[(0x20, 0x7E)] * 12,
    *[(0xA0, 0x17F)] * 4,
    *[(0x00, 0x1F), (0x7F, 0x9F), (0x180, 0x24F), (0x250, 0x36F), (0x370, 0x52F), (0x530, 0x6FF)],
    *[(0x700, 0xDFF), (0xE00, 0x10FF), (0x1100, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x2BFF), (0x2C00, 0x2FFF)],
    *[(0x3000, 0x30FF), (0x3100, 0x4DBF), (0x4E00, 0x9FFF), (0xA000, 0xD7FF), (0xE000, 0xFAFF), (0xFB00, 0xFFFF)],
    *[(0x10000, 0x1FFFF), (0x1F300, 0x1FAFF), (0x20000, 0x10FFFF)],
]
PIECES = ["&amp;", "&lt;", "&#39;", "&eacute;", "'s", "'LL", "\u200d", "\ufe0f", "\u0301", "Ã©", "â€™", "ﬁ", "İ", " "]


def texts(rng: random.Random) -> list[str]:
    """COUNT texts: the chosen ones, captions assembled from words, and random characters."""
    captions = [" ".join(rng.choices(WORDS, k=rng.randint(1, 30))) for _ in range((COUNT - len(CHOSEN)) // 2)]
    return [*CHOSEN, *captions, *(random_text(rng, 30) for _ in range(COUNT - len(CHOSEN) - len(captions)))]


def random_text(rng: random.Random, longest: int) -> str:
    """Random characters of one to three scripts, with spaces and pieces that cleaning changes; no surrogates."""
    ranges = rng.choices(RANGES, k=rng.randint(1, 3))
    return "".join(
        rng.choice(PIECES) if rng.random() < 0.15 else chr(rng.randint(*rng.choice(ranges)))
        for _ in range(rng.randint(1, longest))
    )


def reference() -> Callable[[list[str]], list[list[int]]]:
    """open_clip's tokenizer, rows without their padding; its file alone, since the package needs torchvision."""
    package = importlib.util.find_spec("open_clip")
    if package is None or not package.submodule_search_locations:
        sys.exit("open_clip is missing: pip install open_clip_torch torch")
    path = Path(package.submodule_search_locations[0]) / "tokenizer.py"
    spec = importlib.util.spec_from_file_location("open_clip_tokenizer", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tokenizer = module.SimpleTokenizer()

    def run(batch: list[str]) -> list[list[int]]:
        rows = tokenizer(batch, CONTEXT).tolist()
        return [row[: row.index(tokenizer.eot_token_id) + 1] for row in rows]

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compare", type=int, metavar="N", help="compare on N random texts instead")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng, encode = random.Random(args.seed), reference()
    if not args.compare:
        chosen = texts(rng)
        lines = [json.dumps(pair, separators=(",", ":")) for pair in zip(chosen, encode(chosen))]
        GOLDEN.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
        print(f"{GOLDEN}: {len(lines)} texts")
        return
    from negjax.tokenizers.clip import Tokenizer

    tokenizer = Tokenizer(CONTEXT)
    many = [random_text(rng, 60) for _ in range(args.compare)]
    differing = [text for text, ids in zip(many, encode(many)) if tokenizer.encode(text) != ids]
    for text in differing[:10]:
        print(f"differs: {text!r}")
    print(f"{len(many) - len(differing)} of {len(many)} texts have the same ids")
    sys.exit(bool(differing))


if __name__ == "__main__":
    main()
