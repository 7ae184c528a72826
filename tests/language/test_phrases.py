"""Articles, verbs and lists around names; expectations are typed by hand, or are what negjax wrote from the start."""

import subprocess
import sys

import pytest

from negjax.datasets.scenes.objects import OBJECT_NAMES
from negjax.datasets.sources.table_source import read_rows
from negjax.language.nouns import plural_name
from negjax.language.phrases import is_or_are, join_names, lower_initial, with_article

# The phrases of the objects of the scenes and of COCO. They are in published sets and figures, and must never change.
STABLE = """
an apple, a ball, a balloon, a banana, a bicycle, a boat, a cactus, a car, a carrot, a cat, a cup, a duck, a fish, a
flower, a guitar, a hat, a kite, a lamp, a mushroom, a pizza, a rocket, a snowman, a tree, an umbrella, an airplane, a
backpack, a baseball bat, a baseball glove, a bear, a bed, a bench, a bird, a book, a bottle, a bowl, broccoli, a bus,
a cake, a cell phone, a chair, a clock, a couch, a cow, a dining table, a dog, a donut, an elephant, a fire hydrant, a
fork, a frisbee, a giraffe, a hair drier, a handbag, a horse, a hot dog, a keyboard, a knife, a laptop, a microwave, a
motorcycle, a mouse, an orange, an oven, a parking meter, a person, a potted plant, a refrigerator, a remote, a
sandwich, scissors, a sheep, a sink, a skateboard, skis, a snowboard, a spoon, a sports ball, a stop sign, a suitcase,
a surfboard, a teddy bear, a tennis racket, a tie, a toaster, a toilet, a toothbrush, a traffic light, a train, a
truck, a tv, a vase, a wine glass, a zebra
"""
NAMES = [phrase.removeprefix("a ").removeprefix("an ") for phrase in STABLE.replace("\n", " ").strip().split(", ")]


@pytest.mark.parametrize("phrase", STABLE.replace("\n", " ").strip().split(", "))
def test_phrases_of_scenes_and_coco_stay_as_they_are(phrase):
    name = phrase.removeprefix("a ").removeprefix("an ")
    assert with_article(name) == phrase
    assert is_or_are(name) == ("are" if name in ("scissors", "skis") else "is")


def test_the_stable_phrases_cover_all_names(test_data):
    path = test_data / "negbench" / "images" / "COCO_val_retrieval.csv"
    coco = {name for row in read_rows(path, "captions") for name in row.record["positive_objects"]}
    assert set(NAMES) == {*OBJECT_NAMES, *coco}
    assert len(NAMES) == 93  # 24 and 80, of which 11 are in both


VOC = """
an aeroplane, a bicycle, a bird, a boat, a bottle, a bus, a car, a cat, a chair, a cow, a diningtable, a dog, a horse,
a motorbike, a person, a pottedplant, a sheep, a sofa, a train, a tvmonitor
"""
CHEXPERT = """
an Enlarged Cardiomediastinum, a Lung Opacity, a Lung Lesion, a Pneumothorax, a Pleural Effusion, a Fracture
"""
ACRONYMS = """
an X-ray, an x-ray, an MRI, an MRI scan, a CT scan, an SUV, an suv, an LED, an LED lamp, a UFO, an FBI agent, an ATM,
an NBA player, an HDMI cable, a USB stick, a URL, a UV lamp, a UPS truck, a EU flag, a NASA logo, a TV, a DVD,
an ID card, an RV, an LCD screen, an MP3 player, an mp3 player, an F-16, an M16 rifle, a T-shirt, a U-turn sign,
an L-shaped sofa, a GPS, an SOS, an H&M bag, a SIM card
"""
SOUNDS = """
an hour, an hourglass, an heir, an honest man, a house, a uniform, a unicorn, an uninvited guest, an umbrella, an urn,
a user, a ukulele, an usher, a European, a ewe, an Ethiopian, a one-way sign, a One Way sign, a one-eyed cat, an onion,
a yacht, an Owl, an owl, an ice cream, an église, an 8-ball, an 11th floor, an 18-wheeler, an 80s car, an 'exit' sign,
a 110 sign, a 'yield' sign, a 7-Eleven
"""
SINGULAR_IN_S = """
a bus, a glass, a wine glass, a dress, a lens, a canvas, a cactus, an octopus, a walrus, an iris, a compass, a cross,
a mattress, a series of photos, a pair of scissors, a pair of skis, a flock of birds, a box of donuts, a thermos,
a man with glasses, a bag of chips, a mouse (computer), a bus stop, a sports ball, a tie dye
"""


@pytest.mark.parametrize("table", [VOC, CHEXPERT, ACRONYMS, SOUNDS, SINGULAR_IN_S])
def test_singular_names_take_an_article_by_their_sound(table):
    for phrase in table.replace("\n", " ").strip().split(", "):
        name = phrase.split(" ", 1)[1]
        assert with_article(name) == phrase
        assert is_or_are(name) == "is"


PLURALS = """
sunglasses, glasses, wine glasses, reading glasses, goggles, binoculars, headphones, scissors, safety scissors, pliers,
tweezers, tongs, pants, jeans, shorts, trousers, tights, leggings, pajamas, clothes, boots, shoes, socks, gloves, skis,
stairs, curtains, dogs, cats, hot dogs, cars, buses, boxes, trees, flowers, leaves, knives, shelves, cherries, tomatoes,
tacos, french fries, grapes, noodles, people, men, women, children, mice, geese, feet, teeth, wolves, cattle, police,
cacti, taxis, people on bikes, glasses (eyewear), SUVs, X-rays, TVs, Support Devices, Lung Opacities
"""


@pytest.mark.parametrize("name", PLURALS.replace("\n", " ").strip().split(", "))
def test_plural_names_take_no_article(name):
    assert with_article(name) == name
    assert is_or_are(name) == "are"


UNCOUNTED = """
broccoli, bread, cheese, rice, water, snow, sand, grass, food, dog food, clothing, furniture, luggage, milk, asparagus,
spaghetti, traffic, tennis, news, debris, Edema, Pneumonia, Atelectasis, Cardiomegaly, Consolidation
"""


@pytest.mark.parametrize("name", UNCOUNTED.replace("\n", " ").strip().split(", "))
def test_uncounted_names_take_no_article(name):
    assert with_article(name) == name
    assert is_or_are(name) == "is"


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("apple", "an apple"),
        ("cat", "a cat"),
        ("Owl", "an Owl"),
        ("umbrella", "an umbrella"),
        ("ice cream", "an ice cream"),
        ("orange", "an orange"),
        ("bus", "a bus"),
        ("tv", "a tv"),
        ("hot dog", "a hot dog"),
        ("unicorn", "a unicorn"),
        ("uniform", "a uniform"),
        ("uninvited guest", "an uninvited guest"),
        ("urn", "an urn"),
        ("hourglass", "an hourglass"),
        ("scissors", "scissors"),
        ("skis", "skis"),
        ("broccoli", "broccoli"),
        ("wine glass", "a wine glass"),
        ("pair of scissors", "a pair of scissors"),
        ("hair drier", "a hair drier"),
    ],
)
def test_articles(name, phrase):
    assert with_article(name) == phrase


def test_verbs():
    assert [is_or_are(name) for name in ("skis", "safety scissors", "broccoli", "bus", "pair of skis")] == [
        "are",
        "are",
        "is",
        "is",
        "is",
    ]


def test_lists():
    assert join_names(["cat"]) == "a cat"
    assert join_names(["cat", "owl"]) == "a cat and an owl"
    assert join_names(["cat", "owl", "key"]) == "a cat, an owl and a key"
    assert join_names(["SUV", "sunglasses", "X-ray"]) == "an SUV, sunglasses and an X-ray"


def test_captions_inside_a_sentence_begin_in_lower_case():
    assert lower_initial("A man in London") == "a man in London"
    assert lower_initial("BMX riders jump") == "BMX riders jump"
    assert lower_initial("") == ""


def test_inflect_is_imported_at_the_first_phrase_and_leaves_typeguard_as_it_was():
    program = """
import sys
from negjax.synthesis import captions, labelled_questions, queries, truth_tables
assert "inflect" not in sys.modules
import typeguard
before = typeguard.typechecked
from negjax.language.phrases import with_article
assert with_article("dogs") == "dogs"
assert "inflect" in sys.modules and typeguard.typechecked is before
"""
    subprocess.run([sys.executable, "-c", program], check=True)


PLURAL_OF = {
    "fire engine": "fire engines",
    "person": "people",
    "pair of skis": "pairs of skis",
    "man with a hat": "men with a hat",
    "SUV": "SUVs",
    "series": "series",
    "scissors": "scissors",
    "ice": "ice",
}


@pytest.mark.parametrize("name", PLURAL_OF)
def test_the_name_of_several(name):
    assert plural_name(name) == PLURAL_OF[name]
