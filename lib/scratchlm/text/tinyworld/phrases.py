"""Phrases of which any one may stand somewhere.

A form names such a list as ``<day>``. All phrases of a list fit wherever one
of them does, so lists differ by grammar (``trait`` has its article) and by
whom they speak of.
"""

from collections.abc import Callable

DAYS = (
    "one morning|one afternoon|one day|on Monday|on Tuesday|on Wednesday|"
    "on Thursday|on Friday|on Saturday|on Sunday|early one morning|"
    "one bright day|one windy day|one cold day|one summer day|one dull day|"
    "after breakfast|after school|after lunch|one quiet evening|"
    "late one afternoon|in the first week of May|on a foggy day|"
    "on the first day of spring|one day in autumn|before sunrise|"
    "on market day|on the last day of June|one rainy morning|"
    "in the holidays|at midday|when the snow had gone"
)

SPOTS = (
    "at the gate|by the fence|on the road|outside the bakery|"
    "at the corner|under the arch|on the steps|near the fountain|"
    "in the lane|by the old wall|at the crossroads|behind the church|"
    "at the bus stop|beside the stable|under the chestnut tree|"
    "in front of the inn|by the letter box|at the end of the street|"
    "near the pump|outside the town hall|behind the smithy|"
    "in the shade of a wall|next to the post office|on a bench"
)

COLOURS = (
    "red|blue|yellow|green|white|black|brown|purple|orange|grey|silver|"
    "golden|pink|striped|spotted|chequered"
)

LOOKS = (
    "old|new|little|big|beautiful|dusty|shiny|plain|heavy|pretty|lovely|"
    "worn|battered|strange|handsome|light"
)


HIDDEN = (
    "under some leaves|in the long grass|behind a stone|"
    "beneath a bush|in a puddle|under a bench|on top of a wall|"
    "between two stones|beside a log|in the mud|in a patch of nettles|"
    "behind a barrel|under an upturned boat|in an empty box|"
    "among the daisies|inside a hollow tree|beneath a pile of straw|"
    "behind a broken cart|under a wheelbarrow|on a tree stump|"
    "next to an anthill|in a clump of ferns|under a heap of sacks|"
    "behind a water butt"
)


def with_article(noun: str) -> str:
    """A noun behind its article."""
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def capital(phrase: str) -> str:
    """A phrase that begins a sentence."""
    return phrase[0].upper() + phrase[1:]


def _each(change: Callable[[str], str], phrases: str) -> str:
    return "|".join(map(change, phrases.split("|")))


TRAITS = (
    "kind|clever|curious|quiet|merry|brave|careful|cheerful|patient|"
    "thoughtful|lively|gentle|stubborn|dreamy|honest|shy|polite|clumsy|"
    "hard-working|forgetful|bold|restless|sensible|friendly|impatient|"
    "generous|playful|serious|stern|talkative|tidy|proud"
)

BEASTS = (
    "small|fat|sleepy|muddy|white|brown|friendly|noisy|lazy|young|grey|"
    "spotted|old|thin|tame|tiny|shaggy|black|speckled|very large|nervous|"
    "proud-looking|wet|three-legged"
)

WORDS = {
    "day": _each(capital, DAYS),
    "day_low": DAYS,
    "spot": SPOTS,
    "spot_cap": _each(capital, SPOTS),
    "look": LOOKS + "|favourite|best",
    "a_look": _each(with_article, LOOKS),
    "colour": COLOURS,
    "trait": _each(with_article, TRAITS),
    "a_beast": _each(with_article, BEASTS),
    "a_beast_cap": _each(capital, _each(with_article, BEASTS)),
    "went": "went|walked|ran|hurried|skipped|wandered|set off|strolled|"
    "made {A.his} way|trotted|raced|marched|tiptoed|rushed|cycled|dashed",
    "walked": "went|walked|ran|hurried|skipped|wandered|trotted|strolled|"
    "raced|marched|cycled|rushed",
    "sad": "sad|unhappy|gloomy|close to tears|very sad|heavy-hearted|"
    "downcast|miserable|upset|down in the dumps|wretched|disappointed",
    "sad_one": "sad|unhappy|gloomy|miserable|downcast|upset|disappointed|"
    "troubled",
    "glad": "glad|happy|delighted|full of joy|overjoyed|cheerful|"
    "as happy as could be|very pleased|in high spirits|beaming|merry|"
    "happier than a lark",
    "glad_one": "glad|happy|delighted|overjoyed|grateful|pleased|relieved|"
    "cheerful",
    "sadly": "sadly|quietly|in a small voice|with a sigh|at last|softly|"
    "unhappily|with tears in {A.his} eyes|without looking up|"
    "in a whisper|with a trembling lip|after a long silence",
    "gladly": "gladly|with a smile|at once|warmly|cheerfully|with a laugh|"
    "with a grin|without a word|with a bow|with shining eyes|"
    "very carefully|with both hands",
    "thought": "thought for a moment|thought hard|scratched {B.his} head|"
    "looked up at the sky|thought about it|sat down to think|"
    "nodded slowly|frowned a little|rubbed {B.his} nose|"
    "put down a heavy bag|shut {B.his} eyes for a moment|"
    "walked up and down|chewed a straw|counted on {B.his} fingers|"
    "whistled softly|leaned on a broom",
    "met": "met|ran into|saw|found|came across|went to see|bumped into|"
    "spotted",
    "hidden": HIDDEN,
    "high": "high and low|left and right|here and there|everywhere|"
    "for a long time|with great care|for an hour|on hands and knees|"
    "in every corner|as well as anyone could|twice over|until noon",
    "play": "climbed a tree|chased a butterfly|built a dam of twigs|"
    "picked daisies|watched the clouds|counted snails|jumped over puddles|"
    "made a crown of leaves|hopped on one leg|followed a beetle|"
    "drew faces in the dust|sang to the birds|collected pebbles|"
    "looked for clover|turned cartwheels|danced in circles|"
    "threw sticks for a dog|made mud pies|talked to a snail|"
    "built a tower of stones|practised whistling|blew on a dandelion|"
    "swung on a branch|caught falling leaves|walked along a wall|"
    "listened to a cricket|raced against the wind|wrote words in the sand|"
    "looked for birds' nests|balanced on a log|played at being a king|"
    "stalked a sparrow",
    "play_too": "lay in the grass|rolled down a slope|fed the sparrows|"
    "told {A.oneself} a story|ate a bun|stood on {A.his} head|"
    "made a boat of bark|threw stones at a tin|took off both shoes|"
    "fell asleep for a while|skipped on the spot|counted up to a thousand",
    "until": "until the sun was low|until it grew late|for an hour|"
    "until noon|for a long while|until the bells rang|all morning|"
    "until the wind turned cold|until {A.his} legs ached|"
    "as if there were nothing else in the world|for most of the day|"
    "until the first drops fell|longer than {A.he} had meant to|"
    "until {A.his} stomach rumbled|without a care|for half the afternoon",
    "job": "mending a fence|sweeping the steps|painting a door|"
    "carrying water|feeding the hens|reading a letter|hanging up washing|"
    "peeling apples|fixing a wheel|digging in the garden|chopping wood|"
    "washing a window|flying a paper plane|sewing a button|"
    "polishing a pair of boots|watering the roses|brushing a horse|"
    "plucking a goose|writing a poem|stacking logs|eating a pear|"
    "trimming a hedge|counting sheep|scrubbing a pot|juggling three eggs|"
    "winding up a clock|shelling peas|rolling a barrel|"
    "looking for a lost key|learning to dance|drawing a horse|"
    "pushing a cart",
    "sky": "The sun was warm|The sky was grey|The wind was cold|"
    "The air smelled of rain|The sky was clear|A thin mist lay on the grass|"
    "The road was muddy|The leaves were turning gold|It was a hot day|"
    "Dark clouds were gathering|The ground was hard with frost|"
    "There was a rainbow|Dew hung on the cobwebs|The puddles shone|"
    "The shadows were long|It had just stopped raining",
    "sign": "the birds sang|bees hummed in the clover|the clouds flew by|"
    "a dog barked far away|the bells rang|the road was empty|"
    "the trees whispered|a cart rattled past|smoke rose from the chimneys|"
    "a cock crowed|somebody was singing|the swallows flew low|"
    "a gate creaked|the grass bent in the wind|children shouted somewhere|"
    "a train whistled|a cuckoo called|frogs croaked in the ditch|"
    "the smell of bread hung in the air|a hammer rang in the smithy",
    "tune": "a little tune|an old song|a song about the sea|"
    "a silly rhyme|a lullaby|a tune without an end|a march|"
    "a song in another language|something very sad|the same three notes|"
    "a song about a red hen|a dance tune",
    "brave": "brave|calm|safe|much better|no longer afraid|at ease|"
    "quite cheerful|a little foolish",
    "lesson": "A good friend is worth more than gold|"
    "Whoever asks will find|Kindness costs nothing|"
    "It is better to share than to have|Patience opens every door|"
    "Two heads are better than one|Small steps go a long way|"
    "A kind word is never lost|The truth is the shortest road|"
    "Many hands make light work|After rain comes sun|"
    "What we give away comes back to us|Nobody is too small to help|"
    "Even a long night ends|Every day is good for something|"
    "An honest heart sleeps well|He who listens learns|"
    "One good turn deserves another|Slow and steady wins the race|"
    "Every knot can be undone",
    "and_trait": "and small|and tall|and freckled|and red-haired|and barefoot|"
    "and sturdy|and slim|and bright-eyed|and long-legged|and round-faced|"
    "and nimble|and strong|and quick|and soft-spoken|and pale|and sunburnt",
}
