"""What counts of a language model's answers: names that captions bear out, objects that may be denied, paraphrases."""

import pytest

from negjax.language.nouns import singular_name
from negjax.synthesis.absent import count_occurrences
from negjax.synthesis.named import Named, check_names
from negjax.synthesis.paraphrase import name_forms, says_the_same
from negjax.synthesis.suggested import SuggestionScreen


def test_names_must_stand_in_the_caption():
    caption = "Two big red fire trucks beside a puppy, but no cats"
    named = Named(("fire trucks", "puppy", "horse", "truck driver"), ("cats", "smoke"))
    found = check_names(caption, named)
    assert found.present == ("fire engine", "puppy")  # the word list's name for a fire truck
    assert found.denied == ("cat",)
    assert "horse" not in found.mentioned
    assert "smoke" not in found.mentioned


def test_what_the_splitter_contradicts_is_neither_there_nor_not():
    found = check_names("A street without a dog, beside a car", Named(("dog", "street"), ("car",)))
    assert "dog" not in found.present + found.denied
    assert "car" not in found.present + found.denied
    assert {"dog", "car"} <= set(found.mentioned)
    both = check_names("A man walks a dog", Named(("dog", "man"), ("dog",)))
    assert "dog" not in both.present + both.denied


def test_names_that_the_lexicon_does_not_know_stay_in_the_singular():
    named = Named(("pleural effusions",), ("pneumothorax",))
    found = check_names("Bilateral pleural effusions. No pneumothorax.", named)
    assert found.present == ("pleural effusion",)
    assert found.denied == ("pneumothorax",)
    assert [singular_name(name) for name in ("wine glasses", "bus", "scissors", "sheep", "")] == [
        "wine glass",
        "bus",
        "scissors",
        "sheep",
        "",
    ]


def test_nobody_denies_people():
    assert check_names("Nobody sits on the bench", Named(("bench",), ("people",))).denied == ("person",)


@pytest.mark.parametrize(
    "names",
    [("",), ("  ",), ("dog " * 30,), ("\x1b[2J",), ("dog; DROP TABLE",)],
)
def test_names_that_are_none(names):
    found = check_names("A dog", Named(names, names))
    assert (found.present, found.denied) == ((), ())


def screen() -> SuggestionScreen:
    """200 images: dogs on beaches, boats on lakes; a horse in 10, a kite in 2, a boy in 100."""
    images = [["dog", "beach", "boy"] if i % 2 else ["boat", "lake"] for i in range(200)]
    for i in range(10):
        images[2 * i].append("horse")
    for i in range(2):
        images[2 * i].append("kite")
    counts: dict[str, int] = {}
    for objects in images:
        for name in objects:
            counts[name] = counts.get(name, 0) + 1
    names = tuple(name for name, count in counts.items() if count >= 5)
    occurrences = count_occurrences(names, [(objects, [1] * len(objects), 1) for objects in images], complete=False)
    return SuggestionScreen(occurrences, counts)


def accepted(*suggested: str, present=("dog", "beach"), mentioned=(), max_risk=0.1, count=9) -> list[str]:
    found = screen().accept(suggested, present, mentioned, count=count, max_risk=max_risk)
    assert all(proposal.risk <= max_risk for proposal in found)
    return [proposal.name for proposal in found]


def test_suggestions_that_captions_may_deny():
    assert accepted("Horses", "boat", "kites") == ["horse", "boat", "kite"]  # kite: rare, but of the lexicon
    assert accepted("horse", "boat", count=1) == ["horse"]
    assert accepted("horse", max_risk=1e-6) == []
    # The caption names it, a kind of it, what it is a kind of, a part, or another person.
    assert accepted("dog", "puppy", "animal", "shore", "tail") == []
    assert accepted("horse", mentioned=("pony",)) == []
    assert accepted("man", "girl", present=("boy",)) == []
    # Background, clothes, what no image has, what no word list knows, and nonsense.
    assert accepted("sky", "shirt", "unicorn", "flibbertigibbet", "", "no", "a dog on the beach") == []
    # One of two names of a thing.
    assert accepted("boat", "sailboat", "boats") == ["boat"]


def test_the_risk_of_a_rare_suggestion_by_hand():
    """Two images have a kite: of the 100 with a dog at most 2 do. One caption names 44 % of the objects."""
    (proposal,) = screen().accept(("kite",), ("dog",), (), count=1, max_risk=1.0)
    share = (2 + 10 * 2 / 200) / (100 + 10)
    assert proposal.risk == pytest.approx(share / (1 - share) * 0.56 / 0.44)


FORMS = name_forms(["dog", "cat", "fire hydrant", "pleural effusion"])
SENTENCE = "there is a dog but there is no cat"


@pytest.mark.parametrize(
    ("sentence", "paraphrase", "same"),
    [
        (SENTENCE, "A dog can be seen in this photo, but no cat.", True),
        (SENTENCE, "In the picture there isn't a cat, just a dog.", True),
        (SENTENCE, "There are dogs, without any cats.", True),
        (SENTENCE, "there is a cat but there is no dog", False),
        (SENTENCE, "there is a dog and a cat", False),
        (SENTENCE, "there is a dog", False),
        (SENTENCE, "there is no cat", False),
        (SENTENCE, "there is a puppy but there is no cat", False),
        (SENTENCE, "there is a dog beside a car but there is no cat", False),
        (SENTENCE, "there is neither a dog nor a cat", False),
        (SENTENCE, "there is a dog but there is no cat and no horse", False),
        (SENTENCE, "a dog\nbut no cat", False),
        (SENTENCE, "a dog but no cat" + ", as it seems" * 20, False),
        ("neither a dog nor a cat is here", "No dog and no cat can be seen.", True),
        ("no pleural effusion is seen", "The image shows no pleural effusions.", True),
        ("no pleural effusion is seen", "The image shows a pleural effusion.", False),
        ("a fire hydrant, but not a dog", "A fire hydrant is shown, without a dog.", True),
        ("nothing of note", "nothing much", False),  # speaks of no object: not checkable
    ],
)
def test_a_paraphrase_says_the_same_of_every_object(sentence, paraphrase, same):
    assert says_the_same(sentence, paraphrase, FORMS) == same
