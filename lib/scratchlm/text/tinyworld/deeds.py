"""Phrases for what people and beasts do.

A form names such a list as ``<hobby>``; the module ``phrases`` has the
others.
"""

DEEDS = {
    "item": "a pear|a rope|a candle|two biscuits|a pocket knife|some string|"
    "a piece of cheese|a handkerchief|three nuts|a pencil|a bottle of milk|"
    "a crust of bread|a wool cap|a box of matches|an onion|a needle|"
    "a smooth stone|a lump of sugar|a bent nail|a tin cup|a ribbon|"
    "a jar of honey|a rubber ring|a pine cone|a button|a cork|a broken watch|"
    "a roll of paper|a wooden peg|a plum|a torch|a snail shell",
    "hobby": "climbing trees|telling riddles|collecting stones|baking|"
    "reading by candlelight|catching frogs|singing|mending old clocks|"
    "feeding birds|swimming|drawing maps|asking questions|sailing boats|"
    "writing letters|running barefoot|growing beans|carving wood|"
    "looking at the stars|sleeping late|walking in the rain|"
    "playing tricks|counting things|helping in the kitchen|"
    "listening to old people|riding on carts|making soup|"
    "building huts|picking mushrooms|juggling|digging holes|"
    "dressing up|watching trains",
    "beast_did": "slept in the sun|was digging a hole|was washing its face|"
    "drank from a puddle|was chewing slowly|scratched its ear|"
    "rolled in the dust|yawned|looked for crumbs|was chasing a leaf|"
    "sat quite still|shook itself|played with a straw|"
    "listened to something|rubbed its back on a post|sneezed twice|"
    "was hiding from the wind|stretched its legs|limped along|"
    "nibbled at a root|guarded its young|dozed with one eye open|"
    "dragged a stick about|turned round and round",
    "remark": "Good luck|Good day|Watch the puddles|You look well|"
    "Greetings to your mother|What a day|Do not be late|Hold on to your hat|"
    "Have you had your lunch|It will rain soon|Always in a hurry|"
    "Mind the step|Nice to see you|Come and see us soon|Keep warm|"
    "Safe journey|Where are you off to|Have you grown again|"
    "The geese are loose|Lovely weather|Do you know what time it is|"
    "Tell me later|Beware of the dog|I knew you would come by",
    "chore": "sweep the floor|wash the windows|carry boxes|feed the horses|"
    "chop wood|polish the pots|paint the door|stack the shelves|peel onions|"
    "oil the hinges|dust the lamps|sort nails|weed the garden|"
    "scrub the steps|beat the carpets|pump water|sew on buttons|"
    "pick up apples|clean the stove|count the stock",
    "wait": "Back soon|Gone fishing|Closed for lunch|Open at noon|"
    "Ring the bell|Asleep, please knock|At my sister's wedding|"
    "Looking for my cat|Closed because of the heat|Out for a walk|"
    "Knock three times|Please be patient",
    "why_awake": "the thunder rolled|an owl cried|the wind howled|"
    "the stairs creaked|something scratched at the window|"
    "the rain drummed on the roof|a dog howled|a door banged|"
    "the shutters rattled|there was a light in the yard|"
    "something moved in the attic|the clock had stopped|"
    "a wolf howled in the hills|the floor groaned|"
    "the moon threw odd shadows|somebody was whispering outside",
    "fear": "the dark|thunder|the cellar|the old clock|"
    "the big dog next door|ghosts|spiders|the wind in the chimney|"
    "deep water|strangers|bats|the empty house|the scarecrow|fire|"
    "being alone|bad dreams",
    "it_was": "a branch|the cat|a loose shutter|a mouse|an old coat|"
    "the moon behind a curtain|the wind|a moth at the lamp|a wet sheet|"
    "a tap that dripped|two hedgehogs|the neighbour's goat|a broom|"
    "a gate that was not shut|a coat on a hook|their own shadows",
    "hid": "pulled the blanket over {A.his} head|hid under the bed|"
    "held {A.his} breath|shut {A.his} eyes|crept into the wardrobe|"
    "sat bolt upright|lit a match|bit {A.his} lip|lay quite stiff|"
    "held on to the pillow|counted to a hundred|put {A.his} fingers in "
    "{A.his} ears",
    "comfort": "lit a candle|came in|sat down on the bed|opened the door|"
    "brought warm milk|climbed in beside {A.him}|held {A.his} hand|"
    "drew back the curtain|put a log on the fire|came running|"
    "called from the stairs|turned up the lamp",
    "journey": "crossed a river|climbed a hill|went through a dark wood|"
    "rode on a cart|slept in a barn|followed a stream|passed a mill|"
    "walked along the railway|waded through snow|jumped over a ditch|"
    "took a ferry|got a lift on a hay cart|climbed over a gate|"
    "passed three villages|went round a lake|walked by moonlight|"
    "crossed a field of poppies|went down a steep path|"
    "sheltered in a chapel|took the coach",
    "on_way": "ate an apple|rested under a tree|got wet feet|"
    "lost {A.his} hat|counted the milestones|asked the way twice|"
    "sang all the songs {A.he} knew|saw a deer|shared {A.his} bread with "
    "a stranger|met nobody at all|found a coin|made friends with a dog|"
    "wrote a verse|picked a bunch of flowers|slept under the stars|"
    "drank from a spring|saw the first swallow|lost the path for a while|"
    "wore out a pair of shoes|had a stone in {A.his} shoe",
    "reach": "jumped|shook the trunk|threw a stone|climbed on a barrel|"
    "used a long stick|stood on a chair|blew with all {A.his} might|"
    "threw a shoe|tied two poles together|whistled for the wind|"
    "climbed halfway up|pulled at a rope|stood on tiptoe|piled up boxes|"
    "shouted at it|swung a fishing rod|bounced on a plank|took a run at it",
    "beast_no": "turned its head away|would not eat|only sniffed at it|"
    "spat it out|sneezed|walked off|did not touch it|closed its eyes|"
    "trod on it|pushed it away|hid behind a stone|looked offended|"
    "buried it|made a face|only stared|growled softly",
    "beast_yes": "wagged its tail|licked {A.his} hand|looked for more|"
    "fell asleep at once|followed {A.him} about|danced on the spot|"
    "rolled on its back|gave a happy squeak|jumped into {A.his} lap|"
    "rubbed against {A.his} leg|seemed to smile|ran three times round a tree|"
    "lay down in the sun|nudged {A.his} elbow|shook its ears|burped",
    "beast_sad": "looked at {A.him} with big eyes|hardly moved|"
    "would not come near|lay quite still|shivered|hung its head|"
    "could not stand up|whimpered|limped|hid its face|"
    "tried to run and fell over|trembled all over",
    "broke": "it slipped from {A.his} hands, and|{A.he} tripped over a root, "
    "and|{A.he} fell over a dog, and|{A.he} slid on the wet ground, and|"
    "a wheel ran over it, and|{A.he} sat down on it, and|"
    "a goat trod on it, and|it fell into a ditch, and|"
    "the wind blew it away, and|{A.he} dropped it on a stone, and|"
    "{A.he} bumped into a post, and|it fell off a wall, and",
    "glue": "glue|a hammer|a needle and thread|a pot of paint|a file|"
    "some wire|a screwdriver|a roll of tape|wax|a box of nails|a saw|"
    "a strip of leather",
    "angry": "neither would speak|they stamped their feet|the birds flew off|"
    "a window opened|people turned round|a dog began to bark|"
    "they forgot where they were|their ears turned red|"
    "the ducks took fright|an old man shook his head|"
    "they pulled each other's hair|the ground shook",
    "night": "through the dusk|under the stars|in the rain|before dark|"
    "by the short way|across the fields|along the river|arm in arm with "
    "{A.his} shadow|in the last light|over the hill|past the sleeping "
    "houses|by the light of the moon",
    "slept": "well|soundly|until late|like a stone|without a dream|"
    "until the cock crowed|as never before|with a smile",
    "when_night": "the lamps were lit|the bells rang|the moon rose|"
    "the stars came out|it grew dark|the owls woke|the fog came|"
    "the clock struck six|the wind dropped|supper was ready|"
    "the streets were empty|the sun had set",
    "ever": "the best of friends|like family|never seen apart|"
    "friends for life|always kind to each other|as close as two peas|"
    "partners in everything|often at each other's house",
    "together": "met|played together|walked together|shared their lunch|"
    "went fishing|told each other everything|did their lessons together|"
    "cooked something good",
    "often": "every day|every week|whenever they could|every Sunday|"
    "after school|in all weathers|at least once a week|all year round",
    "journey_on": "walked for an hour|went on through the rain|"
    "followed the stars|took a wrong turning|rode on a donkey|"
    "went down into the valley|came to a windmill|walked all night|"
    "passed a row of poplars|climbed over a wall|took a rest|"
    "crossed a narrow bridge",
    "reach_too": "fetched a box|called for help|sat down to think|"
    "tried with a broom|knotted three scarves together|hoped for a storm|"
    "threw a ball at it|climbed a fence|asked a crow|made a hook of wire|"
    "tried a rake|stood on a bucket",
    "lesson_low": "whoever asks will find|kindness costs nothing|"
    "the truth is the shortest road|small steps go a long way|"
    "after rain comes sun|many hands make light work|"
    "every knot can be undone|two heads are better than one|"
    "nobody is too small to help|even a long night ends|"
    "an honest heart sleeps well|a kind word is never lost",
}
