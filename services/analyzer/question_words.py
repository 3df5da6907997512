"""Words before, around and within questions: the data of `questions`."""

from typing import Final

INTRODUCTIONS: Final = frozenset(
    "hi hello hey hiya yo ok okay so and but also well now then please pls plz um uh hmm"
    " actually basically anyway thanks sorry"
    " quick question q ps p.s btw dear team guys just oh right first second third firstly"
    " secondly finally lastly lol ugh or like"
    " yes no yeah however because if-so q: frage: question: edit update still bonus sir"
    " madam all everyone folks there dude bro man lmao"
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
    " solange ob dass seit".split()
)
VERBS_AFTER_CLAUSE: Final = frozenset(
    "kann kannst können könnten könntest muss soll gibt ist haben hast darf".split()
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
    "what is;what's the;whats the;what's wrong;whats wrong;what's causing;what's up"
    ";what's a;what are;what should;what could;what would;what do;what does;what did;what"
    " can;what was;why is;why does;why do;why are"
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

_ASK: Final = "if|whether|how|what|why|where|when|who|which"
_TOLD: Final = "whether|how|what|why|where|when|who|which"
_WRAPPERS: Final = (
    (
        "wonder|wondering|curious|wondered|not sure|unsure|no idea|have no clue|no clue|don't"
        " know|dont know|do not know|idk|can't tell|cannot tell|want to know|need to know"
        "|like to know|love to know"
        "|wanna know|to understand|not clear to me|unclear to me|confused about|confused as"
        " to|can't remember|can't decide|cant decide|trying to find out|check|tell me",
        _ASK,
    ),
    (
        "don't understand|dont understand|do not understand|can't figure out|cant figure out"
        "|cannot figure out|figure out|tell us|explain|explain to me|explain me|show me|teach"
        " me|let me know how to|clarify|describe|help me understand"
        "|don't get|dont get|trying to understand|advise|know why|advise me|remind me|walk me"
        " through|outline|find out|look up",
        _TOLD,
    ),
    ("let me know", "how|why|which|whether|where|what the|what is|what's wrong|what causes|what i"),
    ("understand|see|get|know|understanding", "why my|why this|why it|why the"),
    (
        "frage mich|frag mich|weiß nicht|weiss nicht|keine ahnung|wüsste gern|wüsste gerne"
        "|sag mir|sagen sie mir|erklär mir|erkläre mir|erklären sie mir|erkläre|verstehe"
        " nicht|unsicher|wissen|mitteilen|zeig mir",
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
        "vraag me af|weet niet|weten|vertel me|vertel mij|leg uit|leg me uit|begrijp niet"
        "|snap niet|leg eens uit|uitleggen",
        "of|hoe|wat|waarom|wanneer|waar|welke|wie|hoeveel",
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
