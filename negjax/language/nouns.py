"""Indefinite articles and grammatical number of object names, from the library `inflect` and a table of exceptions.

`inflect` guesses from spelling and knows the irregular forms. It does not know which nouns are uncounted, and errs on
some acronyms, numerals and words that end in "s": these are in the tables below. It is imported at the first call,
because the import takes a third of a second.
"""

import re
import threading
import unicodedata
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import inflect

Number = Literal["singular", "plural", "uncounted"]

_UNCOUNTED_WORDS = """
asparagus bacon baggage bread broccoli butter celery cheese clothing corn cutlery debris dirt dust equipment foliage
food furniture garbage graffiti grass greenery hair hummus ice jewelry jewellery lettuce lightning luggage machinery
meat milk molasses moss mud pasta popcorn rain rice sand scenery seafood silverware smoke snow spaghetti spinach steam
sunlight tofu traffic vegetation water
alcohol attire bedding broth chocolate decor denim flooring footwear freight frosting gravel ham hay honey icing ink
juice ketchup leather lemonade lingerie livestock makeup mayonnaise mustard netting oatmeal paint paper plywood pork
pottery poultry salt sauce sawdust seating seaweed soap soil soup steam sugar syrup tea toast underwear wheat
wildlife wine wool yogurt
athletics gymnastics mathematics news physics tennis
atelectasis cardiomegaly consolidation edema pneumonia
"""
UNCOUNTED = frozenset(_UNCOUNTED_WORDS.split())
# Words whose number `inflect` gets wrong.
SINGULAR_IN_S = {"chamois", "chassis", "christmas", "corps", "gps", "pancreas", "series", "species", "texas", "thermos"}
PLURALS = {"cacti", "cattle", "folk", "fungi", "passers-by", "police", "taxis"}

# What `inflect` gives the wrong article: acronyms that are spelled out letter by letter, and numerals.
_TAKES_AN = re.compile(
    r"(?:hdmi|led|lcd|mba|mlb|mp3|mri|nba|nfl|nhl|rgb|rv|sms|sos|suv)s?\b|8|1[18](?:00)?(?!\d)"
    r"|[aefhilmnorsx](?:\d|&)|usher\b",
    re.IGNORECASE,
)
_TAKES_A = re.compile(r"(?:eu|ups|url|uv)s?\b", re.IGNORECASE)

# A name's head noun is the last word before any of these: "pair of skis", "man with glasses", "mouse (computer)".
_IMPORT_LOCK = threading.Lock()
_AFTER_HEAD = re.compile(r" (?:at|for|from|in|near|of|on|with|without) |\s*[(,]", re.IGNORECASE)


@lru_cache(maxsize=1 << 16)
def noun_number(name: str) -> Number:
    """The grammatical number of an object's name, which is that of its head noun.

    Args:
        name: an object's name in any case, such as "wine glass", "skis" or "pair of skis"; not blank.

    Returns:
        "plural" ("skis are"), "uncounted" ("broccoli is", without an article) or "singular" ("a pair of skis is").
    """
    head = _AFTER_HEAD.split(name.strip())[0] or name
    noun = head.split()[-1]
    if noun.isupper() and len(noun) <= 3:  # an acronym, such as GPS
        return "singular"
    noun = noun.lower()
    if noun in UNCOUNTED:
        return "uncounted"
    if noun in SINGULAR_IN_S:
        return "singular"
    if noun in PLURALS:
        return "plural"
    singular = _engine().singular_noun(noun)
    if not singular:
        return "singular"
    if singular == noun:  # one form for both: "scissors", "trousers", but also "sheep"
        return "plural" if noun.endswith("s") else "singular"
    # `inflect` takes "bus" for the plural of "bu". The two differ in that it knows the plural
    # "buses", while of a word that is a plural already it only appends another "s".
    return "plural" if _engine().plural_noun(noun) == noun + "s" else "singular"


@lru_cache(maxsize=1 << 16)
def singular_name(name: str) -> str:
    """The name of one of the objects: "pleural effusion" for "pleural effusions"; itself where it is none of many."""
    start, space, last = name.rpartition(" ")
    singular = _engine().singular_noun(last) if last and noun_number(last) == "plural" else False
    return f"{start}{space}{singular}" if singular else name


@lru_cache(maxsize=1 << 16)
def plural_name(name: str) -> str:
    """The name of several objects: "people", "pairs of skis"; itself where it is plural or uncounted."""
    if noun_number(name) != "singular":
        return name
    head = _AFTER_HEAD.split(name.strip())[0] or name
    start, space, noun = head.rpartition(" ")
    if noun.isupper() and len(noun) <= 3:  # an acronym, such as SUV
        plural = noun if noun.endswith("S") else f"{noun}s"
    else:
        plural = noun if noun.lower() in SINGULAR_IN_S else _engine().plural_noun(noun)
    return f"{start}{space}{plural}{name.strip()[len(head) :]}"


@lru_cache(maxsize=1 << 16)
def indefinite_article(phrase: str) -> Literal["a", "an"]:
    """The indefinite article by the sound of the phrase's first word: "an" before "hour", "a" before "one-way sign".

    Args:
        phrase: a singular name, with or without adjectives; not blank.

    Returns:
        "a" or "an".
    """
    # By letters alone: neither an accent nor an opening quotation mark changes the article.
    letters = unicodedata.normalize("NFKD", phrase).encode("ascii", "ignore").decode().lstrip(" \"'([")
    if _TAKES_AN.match(letters):
        return "an"
    if not letters or _TAKES_A.match(letters):
        return "a"
    return "an" if _engine().a(letters).startswith("an ") else "a"


def _engine() -> "inflect.engine":
    """The library; the first call imports it, in one thread at a time."""
    with _IMPORT_LOCK:
        return _import_engine()


@cache
def _import_engine() -> "inflect.engine":
    """The library, imported without the run-time type checks that typeguard would compile into it (4 s of CPU time)."""
    import typeguard

    checked = typeguard.typechecked
    typeguard.typechecked = lambda function: function  # type: ignore[assignment]
    try:
        import inflect
    finally:
        typeguard.typechecked = checked
    return inflect.engine()
