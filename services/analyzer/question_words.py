"""Words before, around and within questions: the data of `questions`."""

from typing import Final

INTRODUCTIONS: Final = frozenset(
    "hi hello hey hiya yo ok okay so and but also well now then please pls plz um uh hmm"
    " actually basically anyway thanks sorry"
    " quick question q ps p.s btw dear team guys just oh right first second third firstly"
    " secondly finally lastly lol ugh or like"
    " yes no yeah ja nee nou tja however because if-so q: frage: question: edit update still bonus sir"
    " madam all everyone folks dude bro lmao"
    " wait listen look seriously honestly next again instead otherwise alternatively"
    " meanwhile moin guten good morning tag"
    " hallo und aber also oder bitte denn nun sag mal entschuldigung servus danke dann kurze frage ach"
    " salut bonjour alors et mais ou donc bonsoir merci svp du coup désolé"
    " hola y pero entonces o oye buenas buenos días tardes gracias disculpa perdón bueno"
    " ciao e ma allora o buongiorno scusa scusate salve grazie oi olá mas então bom dia"
    " boa tarde ei obrigado gente"
    " hoi en maar dus hallo goedemorgen dag of bedankt"
    " привет здравствуйте а и но или ну скажите пожалуйста подскажите добрый день спасибо скажи народ всем"
    " merhaba ve ama peki selam hej och men cześć hi witam a i halo dzień dobry"
    " مرحبا و السلام عليكم لو سمحت נו היי שלום".split()
)
"""Words that may stand before a question without being part of it."""

INFINITIVES: Final = {
    "où": ("er", "ir", "re"),
    "jak": ("ć",),
    "como": ("ar", "er", "ir"),
    "cómo": ("ar", "er", "ir"),
    "как": ("ть",),
    "як": ("ти",),
}
"""Question words that ask when an infinitive follows: "jak usunąć…"."""

DETERMINERS: Final = frozenset("what which whose how wich hoe".split())
NOT_DETERMINED: Final = frozenset(
    "i you we they he she it this that these those the a an my your our his her their is was are were".split()
)
SUBORDINATORS: Final = frozenset(
    "wenn wo weil da obwohl falls als nachdem bevor sobald während was wer wie damit"
    " solange ob dass seit dat omdat toen hoe wat wie wanneer".split()
)
VERBS_AFTER_CLAUSE: Final = frozenset(
    "kann kannst können könnten könntest muss soll gibt ist haben hast darf kun kan moet is".split()
)
"""German: after a clause that opens with one of the first words, the second words begin the main clause, not a
question."""

AUXILIARIES: Final = frozenset(
    "is are was were do does did can could should shud would will has have".split()
)
"""Determiners that ask when one of AUXILIARIES follows soon after their noun: "which laptop should…"."""

CLAUSE_OPENERS: Final = frozenset(
    f"{aux} {subject}"
    for aux in "is are can could do does did should would will shall have has am was isn't dont"
    " can't won't must may".split()
    for subject in "i you u we they it there anyone someone this".split()
) - frozenset(
    "is i am you can it will it has it is they are it have it would it is this was this"
    " has this does this".split()
) | frozenset(
    "what is;what else;what kind;what type;what types;what other;what's the;whats the;what's"
    " wrong;whats wrong;what's causing;what's up"
    ";what's a;what are;what should;what could;what would;what do;what does;what did;what"
    " can;what was;what will;why not;why is;why does;why do;why are"
    ";why did;why was;why isn't;why would;why can't;how do;how can;how could;how should"
    ";how would;how does;how did;how is;how are;how many;how much"
    ";how long;how come;where is;where can;where do;where are;where should;when is;when"
    " does;when will;when should;when can;which one;which is better;any idea"
    ";any ideas;any suggestions;any advice;any tips;any thoughts;any chance;anyone know"
    ";how to;what about;what if;is that;does that;is the;are the;do the;does the;does my"
    ";is my"
    ";kann ich;kann man;kannst du;können sie;können wir;könnten sie;könntest du;muss ich"
    ";soll ich;gibt es;ist das;ist es;wie kann;wie viel;was ist;was kann;was muss;was"
    " soll;warum ist;weißt du"
    ";haben sie;hast du;wie lange;wie geht;woran liegt;was mache;darf ich;est-ce que"
    ";est-ce qu'il;comment faire;comment puis-je;pourquoi est-ce;que faire;peux-tu"
    ";pouvez-vous;puis-je"
    ";qué puedo;cómo puedo;cómo se;qué hago;cuál es;por qué;come posso;cosa devo;cosa"
    " posso;puoi aiutarmi;qual è;como posso;o que;qual é;o que devo;você pode;hoe kan;kun"
    " je;wat is;wat kan;wat moet;kan ik;moet ik;is er"
    ";como hago;como puedo;que hago;que puedo;как это;что делать;как мне;можно ли;как"
    " исправить;почему так;в чем;в чём".split(";")
) - frozenset({"is the", "are the", "does the"})
"""Pairs of words that open a question even after a comma, a dash or a line break."""

ANYWHERE: Final = frozenset(
    "can you;could you;can someone;could someone;can anyone;does anyone;do you;should i"
    ";is there;how do;how can i;how should i;how would i;how does one;what do i;what do"
    " you;what should i"
    ";what can i;what am i;what is the;whats the;what's the;where do i;where can i;where"
    " should i;why is it;why does it;why do i;why does the;why is my;why does my;why is"
    " the;why do we;why are my"
    ";what does it;what does this;what does that;why is this;how much does;how many do"
    ";any idea;any ideas;anyone know;how come;am i;are you;are there;is it;would it;will"
    " it;should we;can we;can i;do i;does it;did i;how is;how long does;how long do".split(";")
) | frozenset(
    f"{word} {aux} {subject}"
    for word in ("what", "how", "why", "where", "when")
    for aux in ("do", "does", "did", "can", "could", "should", "would", "will", "is", "are", "was", "were")
    for subject in ("i", "you", "we", "they", "it", "he", "she", "this", "that", "my")
)
NOT_WHO: Final = frozenset("i you we they he she it cares dares ever the a my".split())
NOT_ASKED: Final = frozenset(
    "know knows knew see understand explain explains explained which that matter of nor"
    " than on about is".split()
)
STATEMENT_BEFORE: Final = frozenset(
    "nor neither so only than as that which what who where if all know think sure not see"
    " understand explain whatever"
    " everything anything how when why whether".split()
)
"""Words that turn a following pair of ANYWHERE into a statement: "neither can I", "what it is is that"."""

_TOLD: Final = "whether|how|what|why|where|when|who|which|what's|whats|how's|where's|who's|when's"
_ASK: Final = "if|" + _TOLD
_WRAPPERS: Final = (
    (
        "wonder|wondering|curious|wondered|not sure|unsure|no idea|have no clue|no clue|don't"
        " know|dont know|do not know|idk|can't tell|cannot tell|want to know|need to know"
        "|like to know|love to know"
        "|wanna know|not clear to me|unclear to me|confused about|confused as"
        " to|can't remember|cannot remember|can't decide|cant decide|help me decide|an answer to"
        "|trying to find out|check|check to see|tell me",
        _ASK,
    ),
    (
        "don't understand|dont understand|do not understand|can't figure out|cant figure out"
        "|cannot figure out|figure out|tell us|explain|explain to me|explain me|show me|teach"
        " me|let me know how to|clarify|describe|help me understand"
        "|don't get|dont get|trying to understand|want to understand|like to understand|need to understand"
        "|love to understand|struggling to understand|advise|know why|advise me|remind me|walk me"
        " through|outline|find out|look up",
        _TOLD,
    ),
    (
        "tell me about|calculate|determine|compute|discuss|estimate|summarize|summarise|identify|demonstrate|show"
        "|illustrate|elaborate on|work out|talk about|overview of|idea of|explore|analyze|analyse|examine|predict"
        "|specify|research|write about|explanation of|verify|confirm|evaluate|assess|compare|investigate",
        _TOLD + "|exactly how|exactly what",
    ),
    ("let me know", "how|why|which|whether|where|what the|what is|what's wrong|what causes|what i"),
    ("understand|see|get|know|understanding", "why my|why this|why it|why the"),
    (
        "frage mich|frag mich|weiß nicht|weiss nicht|keine ahnung|wüsste gern|wüsste gerne"
        "|sag mir|sagen sie mir|erklär mir|erkläre mir|erklären sie mir|erkläre|verstehe"
        " nicht|unsicher|möchte wissen|will wissen|wollte wissen|gerne wissen|gern wissen|mitteilen|zeig mir",
        "ob|wie|was|warum|wo|wann|wer|welche|welcher|welches|weshalb|wieso|woran|wieviel|wofür",
    ),
    (
        "me demande|sais pas|savoir|dis-moi|dites-moi|explique-moi|expliquez-moi|comprends"
        " pas|expliquer|comprendre|montre-moi",
        "si|comment|pourquoi|quand|combien|où|quel|quelle|ce que|ce qui|qui|quels|quelles",
    ),
    (
        "pregunto|preguntaba|dime|explícame|explicame|no sé|no se|saber|no entiendo|díganme"
        "|entender|enséñame|muéstrame",
        "si|cómo|como|qué|que es|por qué|por que|cuándo|dónde|cuál|cuánto|cuánta|quién|cuáles|cuántos",
    ),
    (
        "chiedo|chiedevo|dimmi|spiegami|non so|sapere|non capisco|capire",
        "se|come|cosa|perché|quando|dove|quale|quanto|qual|chi|che cosa|quanti",
    ),
    (
        "pergunto|me diga|me explica|me explique|explique|não sei|nao sei|saber|não entendo"
        "|nao entendo|entender|diga-me|me fala",
        "se|como|o que|por que|porque|quando|onde|qual|quanto|quem|quais",
    ),
    (
        "vraag me af|weet niet|wil weten|graag weten|wilde weten|willen weten|vertel me|vertel mij"
        "|leg uit|leg me uit|begrijp niet"
        "|snap niet|leg eens uit|uitleggen",
        "of|hoe|wat|waarom|wanneer|waar|welke|wie|hoeveel",
    ),
    (
        "spune-mi|spuneți-mi|vreau să știu|nu știu|mă întreb|explică-mi|explicați|explică|nu înțeleg|aș vrea să știu",
        "cum|ce|de ce|dacă|unde|când|cine|care|cât|câți|câte",
    ),
    (
        "не знаю|интересно|не понимаю|объясни|объясните|подскажите|скажите|расскажи|хочу"
        " узнать|хотел бы узнать|хотела бы узнать|покажи|подскажи|расскажите",
        "как|что|почему|где|когда|кто|какой|какая|какие|можно|есть|сколько|чем|стоит|в чём|зачем|в чем",
    ),
)


def _wrappers() -> dict[str, dict[str, frozenset[str]]]:
    by_last_word: dict[str, dict[str, frozenset[str]]] = {}
    for starts, nexts in _WRAPPERS:
        for start in starts.split("|"):
            wrappers = by_last_word.setdefault(start.rsplit(" ", 1)[-1], {})
            wrappers[start] = wrappers.get(start, frozenset()) | frozenset(nexts.split("|"))
    return by_last_word


WRAPPERS: Final = _wrappers()
"""Wrappers of indirect questions, by their last word: "i wonder" with "if", "whether", "how"…"""

ALONE: Final = frozenset(
    "why how what when where who which warum wieso wann wo wer wie was pourquoi comment"
    " quand combien où qui quoi hein porqué qué cómo"
    " cuándo dónde perché quando dove waarom hoe wat почему как зачем когда где что neden"
    " nasıl كيف لماذا متى हुह huh".split()
)
"""Words that are a question when they are a whole sentence."""

NOT_SECOND: Final = {
    "*de": frozenset("ich du er sie es wir ihr man auch immer jemand nicht mein meine".split()),
    "*ru": frozenset(
        "я ты он она мы вы они только раз будто если известно правило всегда обычно видно"
        " указано говорится касается".split()
    ),
    "+de": frozenset(
        "ich du er sie es wir ihr man mich mir uns dich der die das den dem des ein eine einen auch immer nicht"
        " gesagt bereits oben schon üblich erwartet erwähnt beschrieben bei im in am auf von zum beim folgt"
        " angekündigt versprochen vereinbart besprochen mein meine unser unsere ihre seine so für kein keine"
        " jemand schön toll gut super alle alles andere auf gewohnt dieser diese dieses jeder jedes".split()
    ),
    "+fr": frozenset(
        "je tu il elle on nous vous ils elles ce c'est le la les l' un une des de du ma mon mes son sa ses notre"
        " votre leur ça cela plus dit ne n'a se celui celle d'autre toute tout si deux j'ai j'étais".split()
    ),
    "+it": frozenset(
        "io lui lei tu si non poi dire bello bella brutto schifo peccato meraviglia sia bravo il la lo gli le i un"
        " una ti mi ci vi ne dio buono spettacolo delusione voi noi loro".split()
    ),
    "+chi": frozenset("non si ha mi ti vuole ama cerca vive viene volesse".split()),
    "+pt": frozenset(
        "a o as os seja sejam bom bonito lindo linda eu ele ela pena delícia nada deus venha um uma"
        " não se me pode às ao aos à"
        " foi está já por isso bela belo".split()
    ),
    "+nl": frozenset(
        "ik je jij u hij zij ze we wij het de een mij me men mooi leuk lekker dan ook dit dat die fijn jammer".split()
    ),
    "+ro": frozenset("frumos bine rău am îmi îi mă eu tu el ea noi voi ei și nu păcat o un mult bun".split()),
    "+tr": frozenset(),
    "+tl": frozenset(),
    "+which": frozenset(
        "i you we they he she it this that these those the a an my your our his her their makes means brings leads"
        " gives leaves made meant brought led seems sounds looks reminds explains explained in by to not all then"
        " probably also got took gave isn't wasn't sucks".split()
    ),
    "+what": frozenset(
        "i you we they he she it this that these those the a an my your our his her their such not people most really"
        " everyone someone matters of for in with to at on ever follows amazing great lovely good nice awesome"
        " wonderful terrible beautiful bad followed".split()
    ),
    "+any": frozenset("of more time way other longer further less such".split()),
    "+does": frozenset(
        "yourself me us not it's its everything what anything nothing more less so well as also"
        " indeed whatever wonders good"
        " great have need nothing some all no in on at to with by like to".split()
    ),
    "+is": frozenset(
        "not very so too also just still really only now always never quite pretty good great nice bad fine ok okay"
        " in on at to for from with of by as like about amazing awesome excellent one what why how where who if no"
        " more most less much well located here able due better worse right wrong ready available open closed full"
        " expensive cheap worth friendly clean perfect part because out up down over off back both all some many"
        " often sometimes almost nothing something sure happy glad sad new old big small only once but and or".split()
    ),
    "+plural": frozenset("this us always perhaps its as is was has does yes less was miss pass".split()),
}
"""By group, the words behind which the pair is a statement: "wo ich wohne", "когда я запускаю"."""

COMMA_STATES: Final = frozenset(
    "wer wen wem wo was wie quand où qui que quem chi che quando dove perché cum unde când ce care cine cât hoe wat"
    " waar which what hoeveel wanneer".split()
)
"""Question words that, before a comma, open a clause of a statement: "Wer Ruhe sucht, ist hier richtig."."""

FUNCTION_WORDS: Final = {
    language: frozenset(words.split())
    for language, words in {
        "en": "the and is are to of in it you for on with that this my i have was be at what how can do"
        " not but they we"
        " from your which an does did if there yet",
        "de": "der die das und ist ich nicht ein eine zu mit auf für von den dem im wie es sich auch man"
        " wir wird kann am"
        " bei aus in nur was wurde welche welchem",
        "fr": "le la les des du et est un une je pas pour dans que qui sur au avec en il elle ce ne vous"
        " nous aux par à de"
        " quand où",
        "es": "el la los las de y es un una que en por para con no mi del se su lo al qué cómo",
        "it": "il la di e un una che per non è in con sono mi del della i gli le da al nel chi ha quale"
        " dove ma c'è anche nella ed",
        "pt": "o a os as de e é um uma que em por para com não no na do da meu minha se ao dos das quem foi",
        "nl": "de het een en is ik niet van op voor met dat je er zijn te in aan hoe wat maar",
        "ro": "și este un o nu pe la cu de în să din a fost sunt mai ale lui câte câți cât unde cine când",
        "sv": "och det att en jag är inte på som för av med til og er ikke jeg i den har hur vad",
        "tr": "bir ve bu için ile de da mi mı çok var değil",
        "pl": "nie się w na z do jest to i że jak co czy mi je jsem",
        "vi": "là của và có không tôi được cho trong người một các những này",
        "id": "yang dan di ini itu untuk dengan saya tidak ada apa bagaimana",
        "fi": "on ja ei että se ovat miten mikä",
        "tl": "ang ng sa mga at na ba",
    }.items()
}
"""Frequent words by language: those of a text tell its language."""

COPULAS: Final = frozenset("is was are were isn't wasn't aren't weren't".split())
"""After "what" and a noun or verb, one of them makes a statement: "What struck me was the noise."."""
EXCLAIM: Final = frozenset(
    "what how qué que quel quelle wie was welch come che как какой какая ce cât wat".split()
)
"""Question words that open an exclamation if the sentence ends with `!`."""
GERMAN_VERBS: Final = frozenset(
    "kann könnte können könnten muss müssen soll sollte sollten darf dürfen ist sind hat haben wird werden würde"
    " würden".split()
)
GERMAN_SUBJECTS: Final = frozenset("ich du er sie es wir ihr man".split())
AFTER_WHICH_IS: Final = frozenset("why what how great fine when".split())
PORTUGUESE_ADJECTIVES: Final = frozenset("bonito bom lindo difícil fácil triste duro".split())


ORDERS: Final = frozenset(
    (
        "explain|describe|clarify|outline|find out|figure out|look up|show me|tell me|tell us|check|advise|show"
        "|calculate|determine|compute|discuss|estimate|summarize|summarise|identify|demonstrate|illustrate"
        "|elaborate on|work out|talk about|explore|analyze|analyse|examine|predict|specify|research|write about"
        "|verify|confirm|evaluate|assess|compare|investigate|idea of|overview of|explanation of"
    ).split("|")
)
"""Wrappers that wrap a question only as an order: "Explain how…", not "We explain how…"."""
NO_ORDER: Final = frozenset(
    "i we they he she it this that these those who which will would may might must should could cannot can't we'll"
    " i'll they'll it'll let's does did do to".split()
)
"""Words before an order that make it a statement. "to" is kept in "I want to find out"."""


LETTERS: Final = {"ro": "ășț", "de": "ß", "pt": "ãõ", "es": "ñ", "tr": "ğış", "pl": "łąę"}
"""Letters by the language that they tell."""


def _languages_by_word() -> dict[str, list[str]]:
    by_word: dict[str, list[str]] = {}
    for language, words in FUNCTION_WORDS.items():
        for word in words:
            by_word.setdefault(word, []).append(language)
    return by_word


_LANGUAGES_OF_WORD: Final = _languages_by_word()
_TELLING: Final = frozenset(_LANGUAGES_OF_WORD)


def languages_of(tokens: set[str], prose: str) -> tuple[list[str], bool]:
    """Return the languages in which a text with these words may be written, and whether more than a word tells it."""
    scores: dict[str, int] = {}
    for word in tokens & _TELLING:
        for language in _LANGUAGES_OF_WORD[word]:
            scores[language] = scores.get(language, 0) + 1
    for language, letters in () if prose.isascii() else LETTERS.items():
        if any(letter in prose for letter in letters):
            scores[language] = scores.get(language, 0) + 2
    best = max(scores.values(), default=0)
    return [language for language, score in scores.items() if 2 * score >= best], best > 1
