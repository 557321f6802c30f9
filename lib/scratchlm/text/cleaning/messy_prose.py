"""What the messy pages say."""

# Sentences to draw from; a page takes each of its topic at most once. The
# signs ’ “ ” — é are there to be mangled.
TOPICS: dict[str, tuple[str, ...]] = {
    "tides": (
        "The sea at {place} rises and falls twice in a day, and the hour of "
        "high water moves on by about fifty minutes.",
        "What lifts it is the moon’s pull, which is a little stronger on the "
        "near side of the Earth than on the far side.",
        "When sun and moon stand in one line, the tides are at their highest "
        "— sailors call them springs.",
        "{name} keeps a table of the tides above the kitchen door and has "
        "never once been cut off by the water.",
        "A narrow bay squeezes the flood, so that a modest swell outside "
        "becomes a wall of water at its head.",
        "The old people here say “never turn your back on it”, and they say "
        "it to every visitor.",
        "In {month} a storm from the west can hold the water in the harbour "
        "for {n} hours longer than the table says.",
        "The mud that the ebb leaves behind feeds more birds than any field "
        "of the same size.",
        "Mills once stood along the shore, with ponds that filled at high "
        "water and drove the wheels as they emptied.",
        "Nobody has to guess any more, because the gauge on the pier at "
        "{place} writes down the level every minute.",
        "Still, the forecast is only the pull of the moon and the sun; the "
        "wind and the pressure of the air have to be added.",
        "We walked out to the island at low water and had to be back before "
        "{n} o’clock.",
    ),
    "bread": (
        "A loaf needs flour, water, salt and time, and the last of these is "
        "the one that people try to save.",
        "{name} learnt the trade in a small bakery in {place}, behind a "
        "café that opened at five.",
        "The dough is ready when it springs back slowly from a finger that "
        "is pressed into it.",
        "Steam in the first {n} minutes keeps the crust soft, so that the "
        "loaf can still rise in the oven.",
        "“Cold dough, hot stone”, the baker says, and will not say more "
        "about it.",
        "Wild yeast lives on every grain, and a sourdough is a way to keep "
        "it fed and in good company.",
        "In {month} the kitchen is cool, and the same dough takes twice as "
        "long as it did in summer.",
        "Salt is added for the taste — and because it tightens the dough and "
        "slows the yeast down.",
        "Cut the loaf only when it has cooled, since the crumb goes on "
        "setting for an hour.",
        "Rye has little gluten to hold the gas, which is why its bread is "
        "dense and keeps for a week.",
        "The first pancake and the first loaf from a new oven have to be "
        "forgiven.",
        "If the bottom is pale, the stone wasn’t hot enough; put it in an "
        "hour earlier.",
    ),
    "bicycles": (
        "A bicycle stays up because the front wheel turns into the fall, and "
        "the rider hardly notices doing it.",
        "{name} has repaired wheels in {place} for {n} years and trues them "
        "by ear.",
        "Each spoke is under tension, and plucked like a string it tells you "
        "whether it carries its share.",
        "The chain wears by getting longer, and a worn one ruins the teeth "
        "that it runs over.",
        "Wide tyres at low pressure roll better on a bad road than narrow "
        "ones that are pumped up hard.",
        "“If it squeaks, it is asking for something”, she told us, and she "
        "was usually right.",
        "A frame that fits is worth more than a light one — the back of the "
        "rider decides, not the scales.",
        "In {month} the salt on the road gets into every bearing, and the "
        "workshop is full.",
        "Brakes should bite before the lever has travelled half of its way "
        "to the bar.",
        "The saddle is too low on nearly every bicycle that comes through "
        "the door.",
        "On the hill above the résumé of your fitness is written in plain "
        "numbers: the gears that you have left.",
        "It’s an honest machine, and all of it can be seen and mended.",
    ),
    "clocks": (
        "The tower clock of {place} has run since the bridge was built, and "
        "it loses {n} seconds in a week.",
        "A pendulum of one metre swings from side to side in almost exactly "
        "a second.",
        "Warm brass is longer than cold brass, and so the clock goes slower "
        "in {month} than in winter.",
        "{name} climbs the tower every Friday and winds the weights up with "
        "a crank.",
        "The escapement lets one tooth pass at each swing — that is the tick "
        "that you hear.",
        "Coins on the bob raise its centre a little, and with it the rate of "
        "the clock.",
        "Before the railway came, each town had its own noon, and nobody was "
        "late for it.",
        "“A clock that is always five minutes fast”, the keeper says, “has "
        "taught the town to be late”.",
        "The dial was blue once, and you can still see the old paint behind "
        "the hands.",
        "Oil is the enemy of an old movement, since it collects the dust "
        "that grinds the pivots away.",
        "At night the strike is turned off, because the hotel’s guests "
        "complained about it.",
        "The bell was cast in a field outside the walls, too heavy for any "
        "road of its time.",
    ),
    "bees": (
        "A colony in {place} holds some forty thousand bees in summer and a "
        "quarter of that when the snow lies.",
        "They fly when the air is warm enough, and in {month} that may be "
        "for {n} hours of the day.",
        "The dance of a returning bee tells the others the direction and the "
        "distance of what she found.",
        "{name} opens the hives without gloves, slowly, and is seldom stung.",
        "Honey is nectar from which the water has been driven out with the "
        "wings — thousands of them.",
        "A queen lays more than her own weight in eggs on a good day in "
        "spring.",
        "“Leave them enough for the winter”, the old keeper said, “and they "
        "will pay the rent”.",
        "When a swarm hangs in the plum tree, it hasn’t decided yet where to "
        "live.",
        "The comb is built from both sides at once, and the cells meet in "
        "the middle without a gap.",
        "Lime trees along the avenue make a pale honey that tastes of mint.",
        "The drones are driven out before the cold comes, because the hive "
        "can’t feed them.",
        "Thyme grows wild on the slope, and the hives that stand there fill "
        "first.",
    ),
    "letters": (
        "Lead type was set by hand in {place} until the war, one letter "
        "after another and all of them back to front.",
        "The compositor’s case has the capitals above and the small letters "
        "below, and that is where their names come from.",
        "{name} still prints wedding cards on a press that is {n} years "
        "older than she is.",
        "A good typeface isn’t noticed — the reader sees the words and not "
        "the letters.",
        "The space between two letters matters as much as their form, and "
        "the worst pair is a capital A beside a V.",
        "“Black is the colour of the ink, white is the colour of the skill”, "
        "runs a saying of the shop.",
        "Paper drinks more ink in {month}, when the air is damp, and the "
        "first sheets are thrown away.",
        "The accents of a word like résumé were cast on the same piece of "
        "metal as the letter.",
        "A line that was too short was filled with thin strips of brass, and "
        "one that was too long was set again.",
        "Wood was used for the large letters of posters, because lead of "
        "that size would have been too heavy.",
        "When the newspaper went over to film, the type was sold by weight.",
        "Some of it was saved, and it stands in drawers along the wall of "
        "the museum.",
    ),
}

VILLAGES = (
    *("Arnhaven", "Port Lisse", "Milbrook", "Castell Dale", "Ostermouth"),
    *("Brennick", "Saltby", "Veyra", "Old Tarn", "Corrie Bay"),
)
NAMES = (
    *("Ines", "Tomas", "Old Hal", "Mirela", "Josephine", "Anders", "Wen"),
    *("Grandmother", "Pilar", "Noor"),
)
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)

# Not English: sentences of a page each, drawn and put in any order.
FOREIGN: dict[str, tuple[str, ...]] = {
    "fr": (
        "La mer monte deux fois par jour et laisse derrière elle une plage "
        "couverte de coquillages.",
        "Le vieux moulin a été réparé par les gens du village pendant l’été.",
        "On dit ici qu’il ne faut jamais tourner le dos à la marée.",
        "Le pain est cuit dans un four à bois que mon grand-père a construit.",
        "Chaque matin, le facteur traverse le pont avec son vélo rouge.",
        "Les abeilles rentrent à la ruche avant que la pluie ne commence.",
        "Nous avons mangé au bord de la rivière, et personne n’avait envie "
        "de partir.",
        "L’horloge de la mairie retarde de cinq minutes depuis toujours.",
    ),
    "de": (
        "Das Meer steigt zweimal am Tag und lässt einen Strand voller "
        "Muscheln zurück.",
        "Die alte Mühle wurde im Sommer von den Leuten aus dem Dorf "
        "repariert.",
        "Man sagt hier, dass man der Flut nie den Rücken zukehren soll.",
        "Das Brot wird in einem Holzofen gebacken, den mein Großvater gebaut "
        "hat.",
        "Jeden Morgen fährt die Briefträgerin mit ihrem roten Fahrrad über "
        "die Brücke.",
        "Die Bienen kehren in den Stock zurück, bevor der Regen anfängt.",
        "Wir haben am Ufer gegessen, und niemand wollte nach Hause gehen.",
        "Die Uhr am Rathaus geht seit jeher fünf Minuten nach.",
    ),
    "es": (
        "El mar sube dos veces al día y deja una playa llena de conchas.",
        "La gente del pueblo arregló el viejo molino durante el verano.",
        "Aquí se dice que nunca hay que dar la espalda a la marea.",
        "El pan se hace en un horno de leña que construyó mi abuelo.",
        "Cada mañana el cartero cruza el puente con su bicicleta roja.",
        "Las abejas vuelven a la colmena antes de que empiece la lluvia.",
        "Comimos a la orilla del río y nadie quería volver a casa.",
        "El reloj del ayuntamiento se retrasa cinco minutos desde siempre.",
    ),
}

SPAM = (
    *("cheap", "best", "buy", "online", "discount", "deal", "price"),
    *("watches", "shoes", "bags", "luxury", "outlet", "free", "shipping"),
    *("2024", "sale", "store", "replica", "original", "offer", "now"),
)
TEASERS = (
    "How to choose a loaf for the weekend, and what the baker will not",
    "The five best walks along the coast, and why the third one is",
    "We asked a watchmaker about the dust, and the answer was a long",
    "What the bees know about the weather, and what we could learn if",
    "A summer in the print shop: the smell, the noise and the one",
    "Ten years of tides in one picture, drawn by a retired pilot who",
    "She trues wheels by ear, and you can hear it too when you",
    "Why the clock in the square is slow, and who likes it that",
)
