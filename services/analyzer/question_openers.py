"""Beginnings of questions in the languages users write: the data of `questions`.

The data are words, not patterns: looking up two words costs no start-up time, and a language is added as lines of
words.
"""

from collections import Counter
from typing import Final

from services.analyzer.question_words import FUNCTION_WORDS, NOT_SECOND


def _pairs(*rules: tuple[str, str]) -> dict[str, set[str]]:
    pairs: dict[str, set[str]] = {}
    for firsts, seconds in rules:
        together = seconds.split()
        for first in firsts.split():
            pairs.setdefault(first, set()).update(together)
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

OPENERS: Final = {
    "en": _pairs(
        ("where when what which", "to"),
        ("wtf", "is"),
        ("can will could should do", "police people children men women kids"),
        ("what why how where when who waht wich wat hwo", _EN_AUX),
        (
            "what which whose wich",
            "kind type sort version time color colour size language one ones way tool library option method of "
            "day year country city book file command name date model code format is are was would should could do "
            "does",
        ),
        ("what", "about if else exactly happens happened causes makes does's everyone's your my the's +what"),
        ("what who when where how", "now then next so exactly again else tho though"),
        (
            "how",
            "to many much long often far old big come fast likely exactly bad good hard late deep easy about soon "
            "well tall safe accurate strict expensive early high heavy hot cheap else",
        ),
        (
            "why",
            "not on the would my this that isn't a all some when so do it's its only i'm me use python tho though "
            "again me him her them us",
        ),
        (
            "who",
            "won wrote invented made has owns pays gets else wants knows said discovered painted directed",
        ),
        ("whats hows whos wheres whens whys what's how's who's where's when's why's", "*"),
        ("is isn't isnt are aren't arent was wasn't were weren't", _EN_SUBJECT + " python using"),
        (
            "does doesn't doesnt did didn't didnt will won't wont would wouldn't wouldnt could couldn't couldnt "
            "can can't cant shouldn't shouldnt hasn't don't",
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
            "idea ideas thoughts suggestions suggestion advice tips tip chance recommendations recommendation way "
            "clue clues help reason one +any good news plans word luck updates update recs experience "
            "alternatives alternative recommended ways tricks questions thing workaround workarounds",
        ),
        ("anyone anybody", "know knows else here tried have using"),
        ("wanna", "know"),
        ("mind", "if explaining telling"),
        ("wat", "is does"),
        ("r", "u"),
        ("what why how where who when", "r"),
        ("u", "coming there up around awake still ready"),
        ("any1 ne1", "know knows else here up want wanna got seen tried have"),
        ("which", "+which"),
        (
            "in to for at on from by about with under of during after before since until through",
            "which what whose whom",
        ),
        ("haven't", "you they we i anyone"),
        ("does did do", "+does"),
        ("is are was were", "+is"),
        ("can do should will could", "+plural"),
        (
            "anyone anybody someone",
            "want wants need needs going got been seen gotten done heard read found care cares fancy interested "
            "playing up watching watched wanna able willing",
        ),
    ),
    "de": _pairs(
        ("worauf wovon worüber worum", "*"),
        ("was", "für"),
        ("wer wo", "wurde wurden liegen lebt leben wohnt wohnen befindet wird"),
        ("gab", "es"),
        ("meinen glauben wollen möchten wollt meinst glaubst denkst willst", "sie du ihr wir"),
        (
            "was",
            "ist sind kann muss soll sollte bedeutet heißt passiert kostet macht mache tun wäre war würde würdest "
            "hat habe haben gibt gibt's hältst halten meinst genau spricht brauche darf fehlt empfiehlst "
            "empfehlen lässt it the he she this that there i",
        ),
        (
            "wie",
            "kann könnte können ist sind soll sollte muss viel viele lange oft weit alt groß hoch funktioniert "
            "geht mache macht man bekomme komme wird werden finde würde würdest lautet heißt berechne sieht "
            "schreibe nennt schnell gut teuer spät konfiguriere unterscheidet unterscheiden berechnet viel bringe "
            "stelle wäre kommt schlimm sicher gehe richte lösche setze erstelle installiere",
        ),
        (
            "warum wieso weshalb woher wohin wozu woran womit wofür wodurch wann wo wer wen wem wessen worin "
            "woraus",
            "*de",
        ),
        (
            "kann könnte können könnten kannst könntest muss müssen soll sollte sollten darf dürfen ist sind gibt "
            "hat haben hast habt wird werden würde würden würdest weiß weißt wissen lohnt funktioniert geht kennt "
            "kennst kennen stimmt möchtest wäre brauche braucht bin bist reicht bekomme muß hättest hätten gilt "
            "zählt macht verstehe",
            "ich du er sie es wir ihr man das dies diese dieser dieses der die den mir mich sich jemand ein eine "
            "hier mein meine dein irgendwer einer",
        ),
        ("gibt's gibts", "*"),
        ("ab bis seit", "wann wo"),
        (
            "in an auf zu zum für nach von vom über bei mit aus unter durch um seit bis ab gegen während vor "
            "ungefähr etwa wegen laut",
            "welche welcher welches welchen welchem wem wen wessen wieviel wievielen",
        ),
        ("welche welcher welches welchen welchem wieviel wieviele inwiefern inwieweit", "*"),
        (
            "wer wen wem wo",
            "ist sind war waren kann hat haben gibt finde liegt bekomme kommt weiß kennt will möchte hätte wird "
            "würde darf soll muss",
        ),
        ("was wie", "+de"),
        ("ungefähr etwa seit bis auf mit", "wie wann"),
    ),
    "fr": _pairs(
        ("quel quelle quels quelles", "*"),
        ("est-ce qu'est-ce pourquoi combien comment lequel laquelle lesquels lesquelles", "*"),
        (
            "que",
            "faire signifie veut dois puis pensez penses faut-il se es son significa puedo debo pasa hago tengo "
            "opinas fazer é tal devo posso recomiendas horas hora tipo quiere diferencia",
        ),
        ("y", "a-t-il a-t'il"),
        ("quoi", "faire"),
        ("que où qui quand d'où", "+fr"),
        ("d'où depuis jusqu'à pour jusqu'où", "quand où quoi viens est vient quelle quel"),
        ("où", "est sont puis peut trouver se en dois on est-ce"),
        ("qui", "est a sont peut était connaît sait fut"),
        ("quand", "est est-ce dois faut-il sont commence fut eut a aura"),
        ("qu'a qu'ont qu'est qu'y qu'est-ce qu'en", "*"),
        (
            "à de en dans pour par depuis avec sur chez vers sous pendant contre selon",
            "quel quelle quels quelles quoi combien qui",
        ),
        ("c'est", "quoi qui où quand combien comment quel quelle"),
        ("quelqu'un", "sait connaît a peut"),
    ),
    "es": _pairs(
        ("qué cómo cuándo dónde quién quiénes cuál cuáles cuánto cuánta cuántos cuántas", "*"),
        ("cual", "es sería de"),
        ("donde", "puedo está esta queda encuentro"),
        ("quien", "es fue"),
        ("cuando", "es empieza sale"),
        ("puedes podrías puede podría podrian podrías", "ayudarme explicarme decirme alguien"),
        ("hay", "alguna algún alguien forma manera algun"),
        ("es", "posible verdad necesario mejor"),
        ("sabes", "si cómo qué como"),
        (
            "que",
            "es son significa puedo debo pasa hago tengo opinas recomiendas horas hora tipo quiere diferencia",
        ),
        (
            "de en a con por para desde hasta sobre según",
            "qué quién quiénes cuál cuáles cuánto cuánta cuántos cuántas dónde cuándo",
        ),
        ("por", "que"),
        (
            "como",
            "puedo se hago puede hacer podemos saber debo es está funciona funcionan arreglo instalo configuro",
        ),
        ("alguien", "sabe conoce puede me tiene ha"),
        ("cuanto", "cuesta vale es tarda dura mide gana tiempo cobra"),
        ("cuantos cuantas cuanta", "*"),
        ("me", "puedes podrías puede podría"),
    ),
    "it": _pairs(
        ("cosa", "+it"),
        ("su", "chi"),
        ("cosa", "è significa devo posso succede fare ne sono vuol"),
        ("come", "posso si faccio funziona mai devo fare è funzionano calcolo mi stai to"),
        ("quando", "è devo posso vale"),
        ("dove", "posso si è trovo sono devo"),
        ("quale quali qual quanto quanti quante quanta", "*"),
        ("puoi potresti può potrebbe sai sapete", "*"),
        ("è", "possibile vero meglio normale necessario"),
        ("c'è", "un una qualche modo"),
        ("che", "cosa differenza tipo ore significa cos'è"),
        ("che dove", "+it"),
        ("chi", "è ha può sono fu era vinse +chi"),
        ("cos'è cos'era dov'è dov'era com'è quand'è qual'è cos'hanno", "*"),
        ("qualcuno", "conosce sa ha può"),
        ("in di a da con su tra fra presso per sotto", "quale quali quanti quante"),
        ("in di a da con", "che chi cosa"),
        ("perché perche", "non il la mi i lo l'output si è devo"),
    ),
    "pt": _pairs(
        ("o", "que quê"),
        ("quando", "é devo posso"),
        ("onde", "posso fica está é eu encontro"),
        ("quem", "é foi pode"),
        ("qual quais quantos quantas quanta", "*"),
        ("quanto", "+pt custa é tempo vale"),
        ("será", "que"),
        ("tem", "como algum alguma"),
        ("você voce vocês", "pode poderia sabe consegue podem"),
        ("pode poderia", "me explicar alguém"),
        ("é", "possível verdade melhor normal"),
        ("existe", "alguma algum um uma"),
        ("devo", "*"),
        ("que", "é tal devo posso fazer"),
        ("que quem", "+pt"),
        ("como", "posso faço fazer é eu instalar consigo funciona devo fica configuro"),
        ("alguém", "sabe tem aqui conhece pode já me"),
        ("em de a com por para desde até sobre", "quê quem qual quais quantos quantas quanto onde"),
        ("em", "que"),
        ("por", "que quê"),
        ("vale", "a"),
        ("me", "ajuda explica"),
    ),
    "nl": _pairs(
        (
            "wat hoe waar waarom wanneer waarmee waardoor",
            "is zijn kan kun moet doet betekent kost kosten heb ik heeft werkt maak zou kunnen wordt gebeurt laat "
            "lang veel vaak ver zit staat krijg vind doe je moeten kom komt duurt installeer gaat zal verander "
            "groot oud",
        ),
        ("welk welke hoeveel", "*"),
        (
            "weet kent kan kun kunt moet zou mag heeft heb is zijn werkt klopt wil",
            "je jij u ik iemand men het dit dat er we de een hij ze mijn",
        ),
        ("wie", "is kan heeft weet was kent won zijn"),
        ("wat", "nou voor"),
        ("wat hoe waar", "+nl"),
        ("in op aan van voor met bij naar uit over door sinds tot onder tegen", "welk welke wie hoeveel"),
    ),
    "pl": _pairs(
        ("czy dlaczego", "*"),
        ("jak", "mogę zrobić to działa można się długo mam ustawić napisać długo często dodać mohu se to na"),
        ("co", "to jest oznacza robić zrobić je znamená"),
        ("gdzie kiedy ile kto kde kdy proč kolik", "*"),
        ("jaki jaka jakie jaký jaká jaké który która które", "*"),
    ),
    "sv": _pairs(
        ("hur varför vilken vilket vilka", "*"),
        (
            "vad när var vem",
            "kan är ska gör betyder heter skulle kostar händer bör börjar ligger finns tycker innebär",
        ),
        ("hvordan hvorfor hva hvad hvor hvornår hvem hvilken hvilket når", "*"),
        ("finns", "det"),
        ("är kan har ska", "det jag man du ni någon"),
    ),
    "tr": _pairs(
        ("nasıl neden niye niçin nerede hangi kaç neyi nereden", "*"),
        ("kim", "+tr geldi aldı yaptı bu o dedi var kazandı yazdı buldu söyledi"),
        ("ne", "zaman kadar demek yapmalıyım olur oldu yapabilirim"),
    ),
    "id": _pairs(
        ("apa apakah bagaimana kenapa mengapa siapa berapa kapan dimana gimana", "*"),
        ("di", "mana"),
    ),
    "fi": _pairs(
        ("miten miksi mikä missä milloin kuka kuinka mitä", "*"),
    ),
    "ro": _pairs(
        ("care ce cine câți câte câtă cât", "+ro"),
        ("cum unde când", "+ro"),
        ("cum ce care unde când cât câți", "pot este e se fac faci înseamnă sunt aș trebuie mai a"),
        ("în de pe la cu din pentru prin între sub spre până", "ce care cine câți câte câtă cât unde când"),
        ("aproximativ", "câți câte cât"),
        ("știe", "cineva"),
        ("cât cine unde când", "costă durează se începe pleacă găsesc știe poate"),
        ("poți puteți este există pot aveți ai", "tu să-mi să vreo vreun cumva acesta aceasta"),
    ),
    "vi": _pairs(
        ("tại", "sao"),
        ("làm", "sao thế"),
        ("ai", "đã là có sẽ đang biết từng"),
        ("vì bởi", "sao"),
        ("khi", "nào"),
        ("bao", "giờ nhiêu lâu"),
    ),
    "hu": _pairs(
        ("miért hogyan mikor mennyibe mennyi melyik hová honnan", "*"),
        ("hol", "van vannak lehet"),
    ),
    "tl": _pairs(
        ("paano bakit saan kailan magkano", "*"),
        ("ano sino", "+tl"),
    ),
    "": _pairs(
        (
            "что как где куда откуда когда почему зачем кто чем какой какая какое какие каким сколько чей отчего "
            "насколько чому де скільки хто яка який які чи",
            "*ru",
        ),
        ("можно нельзя стоит есть нужно надо можешь можете может", "ли мне"),
        ("можно", "*"),
        ("разве неужели", "*"),
        ("в на с для из о от", "чём чем каком какой каких какую кого чего"),
        ("هل ماذا لماذا كيف متى أين اين كم ليش شو وين ايش لیش إيه ليه ازاي فين إزاي أليس", "*"),
        ("ما", "هو هي الفرق معنى أفضل هذا هذه الذي السبب أهم هما هم كان كانت اسم نوع عدد سبب"),
        ("من", "كتب كان كانت قام"),
        ("من", "هو هي الذي أين اين كجا كان كانت قام فاز الذين هما هم هن قاد"),
        ("أي ای", "*"),
        ("آیا چرا چطور چگونه کجا کی چه چی چند", "*"),
        ("האם איך למה מתי איפה מה מי כמה מדוע איזה", "*"),
        ("τι πώς πως πού γιατί πότε ποιος ποια ποιο πόσο πόσα", "*"),
        ("каково какими чего кого кому кем чему какова каков каковы какую какого каким каких скольким", "*"),
        (
            "к по при у над под перед до после в на с для из о от за через около на",
            "каком какой каких какую какого каким какими какое какие кем кого кому чего чему чем сколько скольких "
            "скольки ком",
        ),
        ("примерно", "сколько какой"),
        ("في إلى على من عن منذ حتى مع", "أي أين متى ماذا كم أية"),
        ("بماذا أية ماذا مالذي فماذا", "*"),
        ("ποιον ποιους ποιες ποιοι ποιό ποιά ποιος ποιανού ποιας πόσος πόσες πόσους πόσοι πόση πόσον", "*"),
        (
            "σε από για με μετά πριν στο στη περίπου σύμφωνα μέσα",
            "ποιο ποια ποιον ποιος ποιες ποιους τι πόσο πόσα πόσες πόσοι πόσους",
        ),
    ),
}
"""Openers by language, and by first word: the second words that make the pair a question.

`*` is any word. A group such as `+de` is any word but those of `question_words.NOT_SECOND`, and counts only in a
text that is known
to be in that language. "" holds the languages that no other language can be mistaken for.
"""


_EVERYWHERE: Final = frozenset({"*de", "*ru"})
"""Groups that count also in a text that does not tell its language."""


def _merged() -> dict[str, set[str]]:
    merged: dict[str, set[str]] = {}
    for table in OPENERS.values():
        for first, seconds in table.items():
            merged.setdefault(first, set()).update(seconds)
    only_if_known = NOT_SECOND.keys() - _EVERYWHERE
    for together in merged.values():
        together.difference_update(only_if_known)
    return merged


ANY_LANGUAGE: Final = _merged()
"""The openers of all languages, for a text that does not tell its own."""

GROUPED: Final = frozenset(
    first
    for table in OPENERS.values()
    for first, seconds in table.items()
    if not NOT_SECOND.keys().isdisjoint(seconds)
)
"""Openers with a group among their second words."""
_FREQUENT: Final[frozenset[str]] = frozenset().union(*FUNCTION_WORDS.values())
_SEEN_IN: Final = Counter(first for language, table in OPENERS.items() if language for first in table)
AMBIGUOUS: Final = frozenset(
    first for first, languages in _SEEN_IN.items() if languages > 1 or first in _FREQUENT
) | frozenset("kim ano sino comment come care cum co ile men mind quoi ne any do had".split())
"""Openers that are also words of another language; they ask only in a text in their own."""
