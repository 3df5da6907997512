"""Beginnings of questions in the languages users write: the data of `questions`.

The data are words, not patterns: looking up two words costs no start-up time, and a language is added as lines of
words.
"""

from typing import Final


def _pairs(*rules: tuple[str, str]) -> dict[str, frozenset[str]]:
    pairs: dict[str, frozenset[str]] = {}
    for firsts, seconds in rules:
        for first in firsts.split():
            pairs[first] = pairs.get(first, frozenset()) | frozenset(seconds.split())
    return pairs


_EN_AUX: Final = (
    "is are was were am do does did can could should would will shall may might must has"
    " have had isn't aren't wasn't"
    " don't doesn't didn't can't couldn't shouldn't wouldn't won't haven't hasn't isnt"
    " arent dont doesnt didnt cant wont"
)
_EN_SUBJECT: Final = (
    "i you u we they he she it this that these those there the a an my your our his her"
    " their its anyone someone anybody"
    " somebody people everyone any one all both"
)

OPENERS: Final = _pairs(
    # English
    ("what why how where when who waht wich wat hwo", _EN_AUX),
    (
        "what which whose wich",
        "kind type sort version time color colour size language one ones way tool library option method"
        " of day year country city book file command name date model code format is are was"
        " would should could do does",
    ),
    ("what", "about if else exactly happens happened causes makes does's everyone's your my the's"),
    ("what who when where how", "now then next so exactly again else tho though"),
    (
        "how",
        "to many much long often far old big come fast likely exactly bad good hard late deep"
        " easy about soon well"
        " tall safe accurate strict expensive early high heavy hot cheap else",
    ),
    (
        "why",
        "not on the would my this that isn't a all some when so do it's its only i'm me use"
        " python tho though again me him her them us",
    ),
    ("who", "won wrote invented made has owns pays gets else wants knows said discovered painted directed"),
    ("whats hows whos wheres whens whys what's how's who's where's when's why's", "*"),
    ("is isn't isnt are aren't arent was wasn't were weren't", _EN_SUBJECT + " python using"),
    (
        "does doesn't doesnt did didn't didnt will won't wont would wouldn't wouldnt could"
        " couldn't couldnt can can't cant shouldn't shouldnt hasn't haven't don't",
        _EN_SUBJECT,
    ),
    ("has", "anyone anybody it the this my someone there he she"),
    ("have", "you they we i"),
    ("should shall", "i we they the my a this it one"),
    ("may might am must", "i we"),
    ("do", "you we they i u these those people any the"),
    ("had", "you"),
    ("ever", "wondered"),
    (
        "any",
        "idea ideas thoughts suggestions suggestion advice tips tip chance recommendations"
        " recommendation way clue clues help reason one",
    ),
    ("anyone anybody", "know knows else here tried have using"),
    ("wanna", "know"),
    ("mind", "if explaining telling"),
    ("wat", "is does"),
    # German
    (
        "was",
        "ist sind kann muss soll sollte bedeutet heißt passiert kostet macht mache tun wäre"
        " war würde würdest hat habe"
        " haben gibt gibt's hältst halten meinst genau spricht brauche darf fehlt empfiehlst"
        " empfehlen lässt it the he she this that there i",
    ),
    (
        "wie",
        "kann könnte können ist sind soll sollte muss viel viele lange oft weit alt groß hoch"
        " funktioniert geht mache"
        " macht man bekomme komme wird werden finde würde würdest lautet heißt berechne sieht"
        " schreibe nennt schnell gut"
        " teuer spät konfiguriere unterscheidet unterscheiden berechnet viel bringe stelle"
        " wäre kommt schlimm sicher gehe"
        " richte lösche setze erstelle installiere",
    ),
    (
        "warum wieso weshalb woher wohin wozu woran womit wofür wodurch wann wo wer wen wem"
        " wessen worin woraus",
        "*de",
    ),
    ("welche welcher welches welchen welchem wieviel wieviele inwiefern inwieweit", "*"),
    (
        "kann könnte können könnten kannst könntest muss müssen soll sollte sollten darf"
        " dürfen ist sind gibt hat haben hast"
        " habt wird werden würde würden würdest weiß weißt wissen lohnt funktioniert geht"
        " kennt kennst kennen stimmt möchtest"
        " wäre brauche braucht bin bist reicht bekomme muß hättest hätten gilt zählt macht verstehe",
        "ich du er sie es wir ihr man das dies diese dieser dieses der die den mir mich sich"
        " jemand ein eine hier mein meine dein irgendwer einer",
    ),
    ("gibt's gibts", "*"),
    ("ab bis seit", "wann wo"),
    # French
    ("est-ce qu'est-ce pourquoi combien comment lequel laquelle lesquels lesquelles", "*"),
    ("quel quelle quels quelles", "*"),
    ("où", "est sont puis peut trouver se en dois on est-ce"),
    ("qui", "est a sont peut était connaît sait"),
    (
        "que",
        "faire signifie veut dois puis pensez penses faut-il se es son significa puedo debo"
        " pasa hago tengo opinas fazer é tal devo posso"
        " recomiendas horas hora tipo quiere diferencia",
    ),
    ("quand", "est est-ce dois faut-il sont commence"),
    ("à", "quoi quelle quel qui combien"),
    ("de", "quoi quelle qué dónde quién onde quem wie"),
    ("y", "a-t-il a-t'il"),
    ("c'est", "quoi qui où quand combien comment quel quelle"),
    ("quoi", "faire"),
    ("en", "quoi quelle qué"),
    # Spanish
    ("qué cómo cuándo dónde quién quiénes cuál cuáles cuánto cuánta cuántos cuántas", "*"),
    ("por", "qué que quê"),
    (
        "como",
        "puedo se hago puede hacer podemos saber debo es está funciona funcionan posso faço"
        " fazer é eu instalar consigo"
        " funciona devo arreglo instalo fica configuro",
    ),
    ("cual", "es sería de"),
    ("donde", "puedo está esta queda encuentro"),
    ("quien", "es fue"),
    ("cuanto cuantos cuantas", "*"),
    ("cuando", "es empieza sale"),
    ("me", "puedes podrías puede podría ajuda explica"),
    ("puedes podrías puede podría podrian podrías", "ayudarme explicarme decirme alguien"),
    (
        "alguien alguém qualcuno quelqu'un",
        "sabe conoce puede me tem aqui sa conosce ha può peut sait connaît a pode já",
    ),
    ("hay", "alguna algún alguien forma manera algun"),
    ("a para con desde", "qué quién cuál dónde"),
    ("es", "posible verdad necesario mejor"),
    ("sabes", "si cómo qué como"),
    # Italian
    ("cosa", "è significa devo posso succede fare ne sono vuol"),
    ("che", "cosa differenza tipo ore significa"),
    ("come", "posso si faccio funziona mai devo fare è funzionano calcolo mi stai to"),
    ("quando", "è si devo posso vale"),
    ("dove", "posso si è trovo sono devo"),
    ("chi", "è ha può sono"),
    ("perché perche", "il la non mi i lo l'output si è devo"),
    ("quale quali qual quanto quanti quante quanta", "*"),
    ("puoi potresti può potrebbe sai sapete", "*"),
    ("è", "possibile vero meglio normale necessario"),
    ("c'è", "un una qualche modo"),
    # Portuguese
    ("o", "que quê"),
    ("quando", "é devo posso"),
    ("onde", "posso fica está é eu encontro"),
    ("quem", "é foi pode"),
    ("qual quais quantos quantas", "*"),
    ("será", "que"),
    ("tem", "como algum alguma"),
    ("você voce vocês", "pode poderia sabe consegue podem"),
    ("pode poderia", "me explicar alguém"),
    ("é", "possível verdade melhor normal"),
    ("existe", "alguma algum um uma"),
    ("vale", "a"),
    ("devo", "*"),
    # Dutch
    (
        "wat hoe waar waarom wanneer waarmee waardoor",
        "is zijn kan kun moet doet betekent kost kosten heb ik heeft werkt maak zou kunnen wordt gebeurt"
        " laat lang veel vaak ver zit staat krijg vind doe je moeten kom komt duurt"
        " installeer gaat zal verander groot oud",
    ),
    ("wie", "is kan heeft weet was kent"),
    ("welk welke hoeveel", "*"),
    (
        "weet kent kan kun kunt moet zou mag heeft heb is zijn werkt klopt wil",
        "je jij u ik iemand men het dit dat er we de een hij ze mijn",
    ),
    # Russian, Ukrainian
    (
        "что как где куда откуда когда почему зачем кто чем какой какая какое какие каким"
        " сколько чей отчего насколько чому де скільки хто яка який які чи",
        "*ru",
    ),
    ("можно нельзя стоит есть нужно надо можешь можете может", "ли мне"),
    ("можно", "*"),
    ("разве неужели", "*"),
    ("в на с для из о от", "чём чем каком какой каких какую кого чего"),
    # Polish, Czech
    ("czy dlaczego", "*"),
    ("jak", "mogę zrobić to działa można się długo mam ustawić napisać długo często dodać mohu se to na"),
    ("co", "to jest oznacza robić zrobić je znamená"),
    ("gdzie kiedy ile kto kde kdy proč kolik", "*"),
    ("jaki jaka jakie jaký jaká jaké który która które", "*"),
    # Swedish, Danish, Norwegian
    ("hur varför vilken vilket vilka", "*"),
    (
        "vad när var vem",
        "kan är ska gör betyder heter skulle kostar händer bör börjar ligger finns tycker innebär",
    ),
    ("hvordan hvorfor hva hvad hvor hvornår hvem hvilken hvilket når", "*"),
    ("finns", "det"),
    ("är kan har ska", "det jag man du ni någon"),
    # Turkish, Indonesian, Swahili, Finnish, Romanian, Greek
    ("nasıl neden niye niçin nerede kim hangi kaç neyi nereden", "*"),
    ("ne", "zaman kadar demek yapmalıyım olur oldu yapabilirim"),
    ("apa apakah bagaimana kenapa mengapa siapa berapa kapan dimana gimana", "*"),
    ("di", "mana"),
    ("miten miksi mikä missä milloin kuka kuinka mitä", "*"),
    ("cum ce care unde când cât câți", "pot este e se fac faci înseamnă sunt aș trebuie mai"),
    ("de", "ce"),
    ("τι πώς πως πού γιατί πότε ποιος ποια ποιο πόσο πόσα", "*"),
    # Arabic, Hebrew, Persian
    ("هل ماذا لماذا كيف متى أين اين كم ليش شو وين ايش لیش إيه ليه ازاي فين إزاي أليس", "*"),
    ("ما", "هو هي الفرق معنى أفضل هذا هذه الذي السبب أهم"),
    ("من", "هو هي الذي أين اين كجا"),
    ("أي ای", "*"),
    ("آیا چرا چطور چگونه کجا کی چه چی چند", "*"),
    ("האם איך למה מתי איפה מה מי כמה מדוע איזה", "*"),
    # Vietnamese, Tagalog
    ("tại", "sao"),
    ("làm", "sao thế"),
    ("ano paano bakit saan kailan sino magkano", "*"),
)
"""By first word: the second words that make the pair a question. `*` is any word; `*de`, `*ru` any but a subject."""

SUBJECTS: Final = {
    "*de": frozenset("ich du er sie es wir ihr man auch immer jemand nicht mein meine".split()),
    "*ru": frozenset(
        "я ты он она мы вы они только раз будто если известно правило всегда обычно видно"
        " указано говорится".split()
    ),
}
"""Subjects by language. One after a question word opens a subordinate clause: "wo ich wohne", "когда я запускаю"."""
