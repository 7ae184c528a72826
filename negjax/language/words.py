"""Closed classes of English words, by which the splitter finds where a phrase ends: no model, no part-of-speech tags.

All words are in lower case with straight apostrophes. A word that is in none of these sets counts as content.
"""


def word_set(text: str) -> frozenset[str]:
    """The words of a text with spaces between them."""
    return frozenset(text.split())


PUNCTUATION = frozenset(',.;:!?()[]{}"“”„«»—–-…/|*#&+') | {"...", "--"}
SENTENCE_END = frozenset(".!?;:")
COORDINATORS = word_set("and or nor but yet &")
# Words that open a new clause.
SUBORDINATORS = word_set(
    """but yet although though while whilst whereas however albeit because since so when where if until unless than
    then thus as"""
)
RELATIVES = word_set("which who whom whose that")
PREPOSITIONS = word_set(
    """in on at from with within near by under over above below behind beside besides between among amongst amid along
    across against around about into onto through throughout toward towards up down off out outside inside during
    next to for like underneath beneath atop upon past via beyond alongside aboard ahead opposite despite"""
)
ARTICLES = word_set("a an the")
DEFINITE = word_set("the this that these those")
POSSESSIVES = word_set("his her its their our my your")
DETERMINERS = (
    ARTICLES | DEFINITE | POSSESSIVES | word_set("any some another each every both either several many few all")
)
# What stands before a negated noun without being part of its name.
SKIPPED_BEFORE_NOUN = DETERMINERS | word_set(
    """single visible actual even such much more apparent discernible obvious one nearby additional further"""
)
# "any sign of people" denies people.
SIGNS_OF = word_set(
    """sign signs trace traces evidence hint hints presence mention glimpse need needs kind kinds type types sort
    sorts form forms use depiction appearance instance instances semblance indication indications inclusion
    existence"""
)
BE = word_set("is are was were be been being am 's 're there's it's that's he's she's they're")
PLURAL_BE = word_set("are were aren't weren't do don't")
MODALS = word_set("can could will would shall should may might must")
AUXILIARIES = BE | MODALS | word_set("do does did has have had")
PRONOUNS = word_set("""it he she they we you i this that these those one there something him them us me itself""")
PERSONAL = word_set("it he she they we you i him them us me itself himself herself themselves her")
ADVERBS = word_set(
    """notably noticeably conspicuously clearly completely entirely totally obviously currently certainly also just
    only even really actually still ever definitely strangely surprisingly curiously interestingly evidently
    apparently otherwise simply purely fully altogether prominently visibly distinctly explicitly specifically
    mostly nearly almost seemingly presently particularly especially importantly remarkably oddly sadly
    unfortunately instead rather yet already again once now quite very too all perhaps maybe directly immediately
    necessarily technically remains remain both either anymore"""
)
# Predicates that say that something is in the picture.
PRESENCE = word_set(
    """present visible seen shown featured included found depicted displayed pictured involved apparent evident
    noticeable discernible spotted observed noticed detected there here portrayed represented mentioned highlighted
    showcased captured available existent detectable identifiable spottable contained"""
)
APPEARING = word_set(
    """appear appears appeared appearing exist exists existed occur occurs feature features figure figures"""
)
SEEMING = word_set("appear appears seem seems appeared seemed")
# What is said of activities: "soccer is not played".
DONE = word_set("""played performed practiced practised done heard covered discussed served held spoken sung taught""")
# Idioms of presence: "does not make an appearance".
_PHRASES = """
make an appearance|makes an appearance|making an appearance|made an appearance|take place|takes place|taking place
take part|takes part|show up|shows up|come into view|comes into view|take center stage|play a role|a place|a part
an element|a feature|part of it|on the menu|to be
"""
PRESENCE_PHRASES: dict[str, list[tuple[str, ...]]] = {}
for _phrase in _PHRASES.strip().replace("\n", "|").split("|"):
    PRESENCE_PHRASES.setdefault(_phrase.split()[0], []).append(tuple(_phrase.split()))
SHOWING = word_set(
    """show shows showing showed include includes including contain contains containing feature features featuring
    depict depicts depicting display displays displaying have has having had portray portrays portraying exhibit
    exhibits showcase showcases showcasing involve involves involving see sees seeing find finds finding spot spots
    notice notices observe observes highlight highlights highlighting capture captures capturing reveal reveals
    revealing presents offer offers offering boast boasts get gets represent represents"""
)
# Verbs whose object alone is denied: "not wearing a hat" denies a hat.
HOLDING = word_set(
    """wear wears wearing worn hold holds holding carry carries carrying use uses using bear bears bearing sport
    sports sporting own owns owning need needs want wants"""
)
PICTURES = word_set(
    """image images picture pictures photo photos photograph photographs photography scene scenes video videos clip
    clips footage frame frames shot snapshot film content caption drawing illustration composition visual depiction
    pic screenshot portrayal artwork"""
)
# Places that are no objects: "no chair in the background".
PLACES = PICTURES | word_set(
    """background foreground area vicinity distance view sight setting surroundings environment attendance motion
    existence proximity display left right top bottom side corner center centre middle front back focus moment time
    place entirety case surrounding environs premises evidence here there action mix selection picture's"""
)
FRAME_ADJECTIVES = word_set(
    """the this that a an any its his their entire whole immediate surrounding nearby given above current same near
    close plain clear upper lower far extreme general direct provided presented video's image's picture's photo's
    scene's wider broader"""
)
FRAME_PREPOSITIONS = word_set("in on at from within throughout of across inside into to for as during")
TAIL_ADVERBS = word_set(
    """around nearby anywhere whatsoever either here alone together today else altogether anymore"""
)
# Verbs in the third person that captions use, and no nouns: "a man without a hat rides a horse".
FINITE = word_set(
    """rides walks sits runs lies lays holds eats jumps flies swims sleeps wears carries talks smiles rests waits
    poses leans hangs has goes moves performs prepares travels throws catches hits swings appears seems looks
    stands plays climbs crosses pushes kicks drives enters chases follows stares gazes listens sings leads
    approaches competes relaxes splashes dives skates bends kneels crouches grazes floats awaits attempts tries
    gets gives brings begins eyes smells features shows includes contains depicts displays showcases captures makes
    takes remains stays watches surrounds fills accompanies occupies"""
)
PLURAL_FINITE = word_set(
    """sit stand ride walk run lie appear play hold eat wear rest wait pose swim fly look exist remain"""
)
ING_NOUNS = word_set(
    """building ceiling thing king wing ring spring painting clothing railing awning lighting seating bedding icing
    wedding drawing frosting topping dressing crossing clearing landing morning evening earring pudding string
    sling swing duckling writing plumbing paneling wiring lightning living dining parking washing swimming shopping
    cutting baking fishing sewing vending training rolling building stuffing covering flooring sibling"""
)
# Those who act: in "no people walking" the walking is denied too, in "no shirt walking" it is not.
PERSONS = word_set(
    """people person persons one anyone anybody pedestrians humans human individuals someone passengers"""
)
ACTORS = PERSONS | word_set(
    """man men woman women child children boy boys girl girls kid kids baby babies animal animals dog dogs cat cats
    bird birds horse horses cow cows sheep player players skier skiers surfer surfers rider riders car cars truck
    trucks bus buses train trains boat boats plane planes vehicle vehicles traffic airplane airplanes motorcycle
    motorcycles bicycle bicycles bike bikes crowd adults adult spectators tourists"""
)
LOOKS = word_set(
    """red blue green yellow black white brown grey gray orange pink purple big small large little old young"""
)
# Words that make no content of their own: a remainder of only these affirms nothing.
EMPTY = (
    PUNCTUATION | COORDINATORS | SUBORDINATORS | RELATIVES | DETERMINERS | BE | AUXILIARIES | PRONOUNS | ADVERBS
    | PICTURES | SHOWING | PREPOSITIONS | PLACES | PRESENCE | APPEARING | SEEMING
    | {"of", "to", "s", "not", "scenery", "thing", "things", "item", "items", "what", "what's", ""}
)  # fmt: skip
